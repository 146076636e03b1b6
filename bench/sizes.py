"""How many bytes a profile takes in Redis: MEMORY USAGE of its keys, and its share of the indexes that it stands in."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import msgspec

from bench.events import DAY_MS, events
from bench.figures import rounded
from bench.servers import Store, store
from portrait.evolve import Arrival, due_ms, evolve, published
from portrait.models import churn
from portrait.state import State, encode, mark_of
from profile_store.contract import Write
from profile_store.keys import ShardKeys
from profile_store.redis_store import RedisStore
from schemas.event import Event, decode
from schemas.registry import BY_NAME

SPAN_DAYS = 365
HORIZON_DAYS = 60
#: Folded at once; a live worker seldom has more of one customer in a batch.
AT_ONCE = 4
WRITES_AT_ONCE = 500
PARTITION = 0


class Sizes(msgspec.Struct, frozen=True, kw_only=True):
    """Of profiles with ``events`` each. Bytes; means over the profiles, and the largest one."""

    store: str
    events: int
    profiles: int
    mean: float
    largest: float
    state: float
    profile: float
    indexes: float


def make(events_each: int, seed: int, end_ms: int) -> Write:
    """One customer's profile after so many events, spread over a year and `SKUS` products, ready to be written."""
    customer_id = f"C{seed:07d}"
    return folded(customer_id, _arrivals(customer_id, events_each, seed, end_ms))


def folded(customer_id: str, batches: Iterable[Sequence[Arrival]]) -> Write:
    """The profile after all of these, each batch settled at its last event's time, ready to be written."""
    scorer = churn.fresh(HORIZON_DAYS)
    state: State | None = None
    external: set[tuple[str, str]] = set()
    fields: dict[str, bytes] = {}
    for arrivals in batches:
        change = evolve(state, customer_id, arrivals, arrivals[-1].event.time_ms, scorer)
        if change is None:
            raise RuntimeError("events of the benchmark changed nothing")
        state = change.state
        published(state)
        external = (external | set(change.external)) - set(change.external_removed)
        fields = {name: value for name, value in {**fields, **change.fields}.items() if value is not None}
    if state is None:
        raise ValueError("a profile needs an event")
    return Write(customer_id, b"", encode(state), fields, [], state.risk, state.stage, "", due_ms(state), sorted(external), [])


def _arrivals(customer_id: str, count: int, seed: int, end_ms: int) -> Iterator[Sequence[Arrival]]:
    made = events(count, seed=seed, customers=1, start_ms=end_ms - SPAN_DAYS * DAY_MS, end_ms=end_ms)
    offset = 0
    while part := list(islice(made, AT_ONCE)):
        arrivals = []
        for event in part:
            decoded = decode(event.topic, customer_id.encode(), event.value, (), end_ms)
            if not isinstance(decoded, Event):
                raise RuntimeError(f"an event of the benchmark is refused: {decoded}")
            arrivals.append(Arrival(mark_of(BY_NAME[event.topic].code, PARTITION), offset, decoded))
            offset += 1
        yield arrivals


def profiles(count: int, events_each: int, end_ms: int, each: Callable[[], None]) -> list[Write]:
    made = []
    for seed in range(1, count + 1):
        made.append(make(events_each, seed, end_ms))
        each()
    return made


async def _commit(url: str, writes: Sequence[Write]) -> None:
    target = RedisStore(url, worker_id="bench", rng=secrets.token_bytes)
    await target.open()
    await target.new_chain()
    for first in range(0, len(writes), WRITES_AT_ONCE):
        if await target.commit(writes[first : first + WRITES_AT_ONCE], {}, secrets.token_bytes(8)):
            raise RuntimeError("the store was not empty")
    await target.close()


def fill(found: Store, writes: Sequence[Write]) -> None:
    """The profiles, in an emptied store."""
    with found.client() as client:
        client.flushall()
    asyncio.run(_commit(found.url, writes))


def measure(found: Store, writes: Sequence[Write], events_each: int) -> Sizes:
    fill(found, writes)
    keys = ShardKeys("", 0)
    with found.client() as client:
        usage = _usage(client)
        states = [usage(key) for key in keys.states([write.id for write in writes])]
        views = [usage(key) for key in keys.profiles([write.id for write in writes])]
        shared = [keys.due, keys.risk, keys.external, *(keys.of_stage(stage) for stage in {write.stage for write in writes})]
        indexes = sum(usage(key) for key in shared) / len(writes)
    each = [state + view + indexes for state, view in zip(states, views, strict=True)]
    count = len(writes)
    return Sizes(
        store=found.name,
        events=events_each,
        profiles=count,
        mean=rounded(sum(each) / count),
        largest=rounded(max(each)),
        state=rounded(sum(states) / count),
        profile=rounded(sum(views) / count),
        indexes=rounded(indexes),
    )


def _usage(client: Any) -> Callable[[str], int]:
    """Every element counts (SAMPLES 0), and a key that isn't there takes nothing."""
    return lambda key: client.memory_usage(key, samples=0) or 0


def run(kinds: Sequence[str], few: Sequence[Write], many: Sequence[Write], few_events: int, many_events: int) -> list[Sizes]:
    """Both populations in each kind of store, with its own settings for hashes and with ours."""
    found = []
    for kind in kinds:
        for stock in (False, True):
            with store(kind, stock=stock) as server:
                found += [measure(server, few, few_events), measure(server, many, many_events)]
    return found
