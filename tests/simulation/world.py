"""The world around the workers: a log as Kafka keeps it, a store's server, a clock moved by hand, and bookkeeping."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from portrait.state import decode
from profile_store.memory import MemoryBackend, MemoryShard
from schemas.profile import GOES_BY
from schemas.registry import ACTIONS, DEAD_LETTERS, EVENT_TOPICS, EXPIRED, LESSONS
from streams.log import TP, Outgoing
from streams.settings import Settings
from streams.start import partition_of
from tests.simulation.events import Applications
from tests.simulation.shape import DAY_MS, Faults, Shape

START_MS = 20_000 * DAY_MS
#: A backup is kept at about every fifth round; the newest few are what a lost tail leaves.
BACKUP_SHARE, TAIL_BACKUPS = 0.2, 5
#: What is seen of an identity that leads to the one that its person goes by.
LEADING_FIELDS = frozenset((GOES_BY, "version", "updated_at_ms"))
#: How many requests in a row a store that is away, or full, turns down.
OUTAGE_REQUESTS = 30


class Crash(BaseException):
    """kill -9: nothing after this line happens."""


class Died(BaseException):
    """The worker ended itself."""


class Rec(NamedTuple):
    """A record. Its timestamp is the broker's (LogAppendTime): it never goes back within a partition."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


class Raised(NamedTuple):
    """An action as it first came to the log, and how long each partition was at that moment."""

    value: bytes
    ends: Mapping[TP, int]


class Process(Protocol):
    """What the world must know of a worker."""

    dead: bool
    paused: bool


class World:
    def __init__(self, seed: int, shape: Shape, faults: Faults, *, told: bool = False) -> None:
        """``told``: keep what happens, in words, in ``story``."""
        self.seed, self.shape, self.faults = seed, shape, faults
        self.rng = random.Random(seed)
        self.now_ms = START_MS + self.rng.randrange(DAY_MS)
        self.quiet = False  # no more faults
        self.counts: Counter[str] = Counter()
        self.deaths: list[str] = []
        self.story: list[str] | None = [] if told else None
        self.settings = Settings(
            cache_profiles=shape.cache, batch_records_max=shape.batch_max, clock=shape.clock, expire_idle_days=shape.idle_days
        )
        # Kafka
        self.log: dict[TP, list[Rec | None]] = {(t.name, p): [] for t in EVENT_TOPICS for p in range(shape.partitions)}
        self.partitions = {topic.name: shape.partitions for topic in EVENT_TOPICS}
        self.committed: dict[TP, int] = {}
        self.moments: dict[TP, int] = {}  # beside the committed offsets
        self.generation = 0  # of the consumer group: commits of an older one are refused
        self.dead_letters: set[str] = set()  # their origins
        self.lessons: set[str] = set()  # ids
        self.actions: dict[str, Raised] = {}
        self.expired: list[bytes] = []  # what has expired, as it is told
        # The store's server
        self.backend = MemoryBackend(shape.shards)
        self.backups: list[list[MemoryShard]] = []
        self.owed: set[str] = set()  # ids of effects that a committed state has held and that the store has not lost
        self.astray: set[str] = set()  # identities that led to their person, and showed something of their own, at any moment
        self.outage: dict[str, int] = {}  # "away", "full" -> requests that will still be turned down
        self.applications = Applications(self)

    # -- chance ---------------------------------------------------------------------------------------------------------------

    def hit(self, probability: float) -> bool:
        return not self.quiet and probability > 0 and self.rng.random() < probability

    def count(self, what: str, n: int = 1) -> None:
        self.counts[what] += n

    def tell(self, text: str) -> None:
        if self.story is not None:
            self.story.append(f"day {(self.now_ms - START_MS) / DAY_MS:8.2f}  {text}")

    async def point(self, process: Process) -> None:
        """Any moment between two steps: others may run, and the process may be stopped or killed."""
        for _ in range(self.rng.randrange(3)):
            await asyncio.sleep(0)
        while process.paused and not process.dead:
            await asyncio.sleep(0)
        if process.dead:
            raise Crash
        if self.hit(self.faults.crash):
            self.crash(process)

    def crash(self, process: Process) -> None:
        process.dead = True
        self.count("crashes")
        raise Crash

    # -- Kafka ----------------------------------------------------------------------------------------------------------------

    def partition_of(self, topic: str, customer: str) -> TP:
        return topic, partition_of(customer, self.partitions[topic])

    def append(self, topic: str, customer: str, value: bytes | None) -> None:
        tp = self.partition_of(topic, customer)
        records = self.log[tp]
        records.append(Rec(*tp, len(records), self.now_ms, customer.encode(), value))
        if self.hit(self.faults.markers):
            records.append(None)

    def grow(self) -> None:
        """One more partition of a topic: many customers' keys go elsewhere from now on."""
        topic = self.rng.choice(EVENT_TOPICS).name
        self.log[topic, self.partitions[topic]] = []
        self.partitions[topic] += 1
        self.count("grown")
        self.tell(f"{topic} has {self.partitions[topic]} partitions")

    def ends(self) -> dict[TP, int]:
        return {tp: len(records) for tp, records in self.log.items()}

    def take(self, message: Outgoing) -> None:
        """A message has reached the broker."""
        if message.topic == DEAD_LETTERS:
            self.dead_letters.add(message.key.decode())
            return
        if message.topic == EXPIRED:
            self.expired.append(message.value or b"")
            self.count("expired")
            self.tell(f"expired: {message.value!r}")
            return
        id_ = json.loads(message.value)["id"]
        self.count("effects")
        if message.topic == LESSONS:
            self.lessons.add(id_)
        elif message.topic == ACTIONS and id_ not in self.actions:
            self.actions[id_] = Raised(message.value, self.ends())
            self.tell(f"action {id_[:8]}: {message.value[-900:]!r}")

    # -- the store's server ---------------------------------------------------------------------------------------------------

    def committed_state(self, name: str, blob: bytes, view: Mapping[str, bytes]) -> None:
        """A state stands in the store, and beside it what readers see. What it holds must be published some day."""
        state = decode(blob)
        self.owed.update(effect.id for effect in state.effects if effect.topic != EXPIRED)
        if state.person and view.keys() - LEADING_FIELDS:
            self.astray.add(name)

    def back_up(self) -> None:
        self.backups.append(self.backend.snapshot())

    def restore(self, backup: list[MemoryShard] | None) -> None:
        """The store comes back as it was; None: empty. What it then does not hold any more, nobody owes."""
        if backup is None:
            self.backend.wipe()
        else:
            self.backend.restore(self._one_stays(backup) if self.shape.links else backup)
        held: set[str] = set()
        for shard in self.backend.shards:
            for loaded in shard.states.values():
                held.update(effect.id for effect in decode(loaded.state).effects if effect.topic != EXPIRED)
        gone = self.owed - held - self.lessons - self.actions.keys()
        self.owed -= gone
        self.count("gone_with_a_tail", len(gone))

    def _one_stays(self, backup: list[MemoryShard]) -> list[MemoryShard]:
        """Often one shard is as it was: of a cluster, each server loses its own tail, and a person may stand in two."""
        stays = self.rng.randrange(len(backup))
        if len(backup) < 2 or self.rng.random() >= 0.7:
            return backup
        return [*backup[:stays], self.backend.snapshot()[stays], *backup[stays + 1 :]]

    def turns_down(self, writes: bool) -> str:
        """Why the store does not take this request; "" if it does."""
        for why in ("away", "full") if writes else ("away",):
            if not self.quiet and self.outage.get(why, 0) > 0:
                self.outage[why] -= 1
                return why
        return ""

    def store_fails(self, why: str) -> None:
        self.outage[why] = self.rng.randint(1, OUTAGE_REQUESTS)
        self.count(why)
        self.tell(f"the store is {why} for {self.outage[why]} requests")
