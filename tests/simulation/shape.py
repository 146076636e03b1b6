"""What a seed's world looks like, and what may happen in it. Drawn anew for each seed, so that each sees another mixture.

Some faults hide others (after a wipe nothing is left to be wrong), so every fault is switched off in many of the seeds.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from random import Random

from streams.settings import Clock
from tests.simulation.crowds import CROWDS

DAY_MS = 86_400_000


@dataclass(frozen=True)
class Shape:
    """Sizes are small on purpose: a cache that is too small, pieces of one profile, so that much happens in few events."""

    records: int = 120
    customers: int = 12
    workers: int = 2
    shards: int = 1
    partitions: int = 2  # of each topic, at first
    batch_max: int = 8  # records that one poll takes of a partition
    cache: int = 100
    piece: int = 2  # profiles of one commit
    ticks_at_once: int = 500
    sweep: float = 0.1  # a worker sweeps at such a share of the moments at which it could
    clock: Clock = "wall"
    late: float = 0.3  # share of the events that are told hours to months after they happened
    step_ms: int = DAY_MS  # the usual time between two events
    links: float = 0.0  # share of links among the events; a quarter as many carry an identity, a fifth as many take one back
    idle_days: int = 0  # after which anonymous fragments expire; above 0 every second identity is one that nobody links
    crowd: str = ""  # many identities, linked in one batch, of the kinds that `tests.simulation.crowds` makes
    parted: bool = False  # some of these links are taken back, in one batch


@dataclass(frozen=True)
class Faults:
    """Probabilities, at each opportunity: a step of a worker (small ones), or a round of the world."""

    crash: float = 0.01  # kill -9 between two steps
    unpublished: float = 0.01  # kill -9 when all is committed, and nothing of it published
    uncertain: float = 0.01  # a store's reply is lost: the write was made, or it was not
    split: float = 0.05  # a crash, or a lost connection, between the scripts of two shards
    away: float = 0.01  # the store does not answer for a while
    full: float = 0.01  # the store refuses writes for a while
    commit_lost: float = 0.1  # a commit to Kafka, or its reply
    published_twice: float = 0.02  # the producer's own retry
    redeliver: float = 0.02  # the consumer reads again what it has read
    rebalance: float = 0.05
    zombie: float = 0.3  # of a rebalance: a worker doesn't hear of it
    pause: float = 0.02  # SIGSTOP for a while; the others take over
    restart: float = 0.02  # SIGTERM, and a new one
    lost_tail: float = 0.05  # the store as it was a moment ago
    backup: float = 0.02  # the store as it was at any time before
    wipe: float = 0.02
    grow: float = 0.01  # a partition more
    duplicates: float = 0.1
    poison: float = 0.03
    markers: float = 0.03  # offsets that hold no record


NO_FAULTS = Faults(**{field.name: 0.0 for field in fields(Faults)})
#: States in memory, and ticks of one round. What one round makes must find room, or effects are published again and again.
CACHES = ((5, 2), (8, 2), (100, 2), (100, 500), (100, 500))
#: Faults of the store that take back what it had acknowledged.
LOSSES = ("lost_tail", "backup", "wipe")


def draw(seed: int) -> tuple[Shape, Faults]:
    """The world of a seed. A third of the seeds lose nothing that the store has acknowledged."""
    rng = Random(f"shape {seed}")
    cache, ticks_at_once = rng.choice(CACHES)
    shape = Shape(
        customers=rng.choice((1, 3, 12, 12)),
        workers=rng.choice((1, 2, 2, 3)),
        shards=rng.choice((1, 1, 2)),
        partitions=rng.choice((1, 2, 2, 3)),
        batch_max=rng.choice((8, 8, 40)),
        cache=cache,
        piece=rng.choice((1, 2, 400)),
        ticks_at_once=ticks_at_once,
        sweep=rng.choice((0.02, 0.1)),
        clock=rng.choice(("wall", "wall", "wall", "stream")),
        late=rng.choice((0.0, 0.05, 0.3)),
        step_ms=rng.choice((DAY_MS // 10, DAY_MS, 5 * DAY_MS)),
    )
    faults = Faults()
    lossless = seed % 3 == 0
    for field in fields(Faults):
        value = getattr(faults, field.name)
        chosen = 0.0 if lossless and field.name in LOSSES else value * rng.choice((0, 0, 1, 1, 2))
        faults = replace(faults, **{field.name: chosen})
    return shape, faults


def draw_orphans(seed: int) -> tuple[Shape, Faults]:
    """Worlds in which effects are left behind and then lost: hardly a tick finds them before the store comes back older."""
    shape, _ = draw(seed)
    return replace(shape, sweep=0.01), replace(NO_FAULTS, unpublished=0.3, lost_tail=0.3, rebalance=0.05, zombie=0.3)


def draw_linked(seed: int) -> tuple[Shape, Faults]:
    """Worlds of persons, in which a fifth of the events are links: four times what the fault run has."""
    shape, faults = draw(seed)
    return replace(shape, links=0.2), faults


def draw_idle(seed: int) -> tuple[Shape, Faults]:
    """Worlds with few links, in which fragments expire and come back, and the store does so too."""
    shape, faults = draw(seed)
    if seed % 3:
        faults = replace(faults, lost_tail=0.1, wipe=0.05)
    return replace(shape, links=0.05, idle_days=2 + seed % 12, step_ms=max(DAY_MS, shape.step_ms)), faults


def draw_crowds(seed: int) -> tuple[Shape, Faults]:
    """Worlds of persons that begin with a crowd, which one batch can hold, and one commit."""
    shape, faults = draw(seed)
    crowd = CROWDS[seed % len(CROWDS)]
    roomy = replace(shape, records=60, batch_max=400, piece=400, cache=2000, ticks_at_once=500, shards=1 + seed // 2 % 2)
    return replace(roomy, links=0.2, crowd=crowd, parted=seed // len(CROWDS) % 2 == 1), faults


def draw_torn(seed: int) -> tuple[Shape, Faults]:
    """Worlds of persons who stand in two shards, of which one alone loses its tail again and again, while little happens."""
    shape, _ = draw(seed)
    faults = replace(NO_FAULTS, lost_tail=0.3, rebalance=0.05)
    return replace(shape, links=0.2, shards=2, records=40, customers=12, step_ms=DAY_MS, late=0.0), faults
