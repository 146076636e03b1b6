"""A seeded world for the batch loop: a virtual log, a virtual store, a clock moved by hand, and workers that come to harm.

The loop under test is the real one. Everything that happens is drawn from one `random.Random(seed)`, and asyncio without I/O is
deterministic, so a seed replays its failure: ``python -m tests.simulation.world SEED``.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple, NoReturn

import structlog

from portrait.evolve import Arrival, evolve, published
from portrait.models import churn
from portrait.state import State, decode, facts, mark_of
from profile_store.contract import Position, StoreUnavailable, StoreUncertain, Write
from profile_store.memory import MemoryBackend, MemoryStore
from schemas.event import Event
from schemas.event import decode as decode_event
from schemas.registry import ACTIONS, BY_NAME, DEAD_LETTERS, EVENT_TOPICS, LESSONS
from streams.log import NOTHING, TP, Batch, Outgoing
from streams.loop import Loop
from streams.metrics import Metrics
from streams.settings import Settings

DAY_MS = 86_400_000
START_MS = 20_000 * DAY_MS
TOPICS = ("clicks", "orders", "complaints")
PARTITIONS = 2
SETTINGS = Settings(cache_profiles=8, batch_records_max=8)  # a cache far too small, so that states come and go


class Crash(BaseException):
    """kill -9: nothing after this line happens."""


class Died(BaseException):
    """The worker ended itself."""


class Rec(NamedTuple):
    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


@dataclass
class Faults:
    """What may happen, as probabilities at each opportunity."""

    crash: float = 0.01
    uncertain: float = 0.01
    unavailable: float = 0.02
    rebalance: float = 0.05
    zombie: float = 0.3  # of a rebalance: the loser goes on for a while
    lost_tail: float = 0.0
    wipe: float = 0.0


@dataclass
class World:
    seed: int
    faults: Faults
    records: int = 120
    rng: random.Random = field(init=False)
    log: dict[TP, list[Rec]] = field(init=False)
    backend: MemoryBackend = field(init=False)
    now_ms: int = START_MS
    committed: dict[TP, int] = field(default_factory=dict)
    moments: dict[TP, int] = field(default_factory=dict)  # beside the committed offsets
    published: list[Outgoing] = field(default_factory=list)
    owed: set[str] = field(default_factory=set)  # ids of effects that a committed state has held
    backups: list[object] = field(default_factory=list)
    quiet: bool = False  # no more faults
    crashes: int = 0
    deaths: list[str] = field(default_factory=list)
    tail_lost: bool = False

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.backend = MemoryBackend(self.rng.choice((1, 1, 2)))
        self.log = {(topic.name, p): [] for topic in EVENT_TOPICS for p in range(PARTITIONS)}

    def hit(self, probability: float) -> bool:
        return not self.quiet and self.rng.random() < probability

    async def point(self) -> None:
        """Any moment between two steps: others may run, and the process may be killed."""
        for _ in range(self.rng.randrange(3)):
            await asyncio.sleep(0)
        if self.hit(self.faults.crash):
            self.crashes += 1
            raise Crash

    # -- the stream of events ---------------------------------------------------------------------------------------------------

    def produce(self, n: int) -> None:
        """Append events as time goes by: orders, clicks, complaints; duplicates, late ones, poison."""
        for _ in range(n):
            self.now_ms += self.rng.choice((1000, DAY_MS // 10, DAY_MS, 20 * DAY_MS))
            customer = f"C{self.rng.randrange(12)}"
            time_ms = self.now_ms - self.rng.choice((0, 0, 0, 3 * DAY_MS, 100 * DAY_MS))
            topic, type_, data = self._event()
            self._append(topic, customer, self._value(type_, data, time_ms))
            if self.rng.random() < 0.1:
                self._append(topic, customer, self.log[self._partition(topic, customer)][-1].value)
            if self.rng.random() < 0.03:
                self._append(topic, customer, self.rng.choice((b"", b"not json", b'{"type":"order.placed"}', None)))

    def _event(self) -> tuple[str, str, dict[str, object]]:
        kind, number = self.rng.random(), self.rng.randrange(10**6)
        if kind < 0.4:
            return "orders", "order.placed", {"order_id": f"O{number}", "currency": "CNY", "amount_minor": number % 50_000}
        if kind < 0.85:
            return "clicks", "item.viewed", {"sku": f"S{number % 20}", "category": f"k{number % 5}"}
        return "complaints", "complaint.opened", {"complaint_id": f"K{number}", "severity": "high"}

    def _value(self, type_: str, data: dict[str, object], time_ms: int) -> bytes:
        time = datetime.fromtimestamp(time_ms / 1000, UTC).isoformat()
        event = {"specversion": "1.0", "id": f"e{self.rng.randrange(10**12)}", "source": "/sim", "type": type_, "time": time}
        return json.dumps(event | {"data": data}).encode()

    def _partition(self, topic: str, customer: str) -> TP:
        return topic, int(customer[1:]) % PARTITIONS

    def _append(self, topic: str, customer: str, value: bytes | None) -> None:
        tp = self._partition(topic, customer)
        self.log[tp].append(Rec(*tp, len(self.log[tp]), self.now_ms, customer.encode(), value))

    # -- what should come of it -------------------------------------------------------------------------------------------------

    def expected(self) -> dict[str, bytes]:
        """Facts of every customer from one pass over the log, one event at a time."""
        states: dict[str, State] = {}
        scorer = churn.fresh(SETTINGS.horizon_days)
        for (topic, partition), records in self.log.items():
            for record in records:
                event = decode_event(topic, record.key, record.value, (), record.timestamp)
                if isinstance(event, Event):
                    arrival = Arrival(mark_of(BY_NAME[topic].code, partition), record.offset, event)
                    change = evolve(states.get(event.customer_id), event.customer_id, [arrival], self.now_ms, scorer)
                    if change is not None:
                        published(change.state)
                        states[event.customer_id] = change.state
        return {customer_id: facts(state, self.now_ms) for customer_id, state in states.items()}

    def poison(self) -> set[str]:
        """Origins of the records that can't be folded."""
        return {
            f"{r.topic}/{r.partition}/{r.offset}"
            for records in self.log.values()
            for r in records
            if not isinstance(decode_event(r.topic, r.key, r.value, (), r.timestamp), Event)
        }

    async def stored(self) -> dict[str, State]:
        """The states as they stand in the store."""
        ids = [f"C{n}" for n in range(12)]
        loaded = await MemoryStore(self.backend.shards, backend=self.backend).load(ids)
        return {customer_id: decode(blob.state) for customer_id, blob in zip(ids, loaded, strict=True) if blob.state}


class FaultyStore(MemoryStore):
    """The in-memory store behind a connection that breaks."""

    def __init__(self, world: World, worker_id: str) -> None:
        super().__init__(world.backend.shards, worker_id=worker_id, backend=world.backend)
        self._world = world

    async def load(self, ids):
        await self._trouble()
        return await super().load(ids)

    async def due(self, until_ms, limit):
        await self._trouble()
        return await super().due(until_ms, limit)

    async def positions(self):
        await self._trouble()
        return await super().positions()

    async def _trouble(self) -> None:
        await self._world.point()
        if self._world.hit(self._world.faults.unavailable):
            raise StoreUnavailable("the virtual store is away")

    async def commit(self, writes: Sequence[Write], positions: Mapping[TP, Position], nonce: bytes) -> list[int]:
        await self._trouble()
        if self._world.hit(self._world.faults.uncertain / 2):
            self.lose_chain()
            raise StoreUncertain("the request was lost")
        conflicts = await super().commit(writes, positions, nonce)
        lost = set(conflicts)
        for i, write in enumerate(writes):
            if i not in lost:
                self._world.owed.update(effect.id for effect in decode(write.state).effects)
        await self._world.point()
        if self._world.hit(self._world.faults.uncertain / 2):
            self.lose_chain()
            raise StoreUncertain("the reply was lost")
        return conflicts

    def lose_chain(self) -> None:
        """As RedisStore after a lost reply: no commit is possible before `new_chain`."""
        self._chain = []


class VirtualLog:
    """The log as one worker sees it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.epoch = 0
        self.assigned: dict[TP, int] = {}  # read position
        self.confirmed: dict[TP, int] = {}
        self.moments_reached: dict[TP, int] = {}
        self.seek_due = True

    def ends(self) -> Mapping[TP, int]:
        return {tp: len(self._world.log[tp]) for tp in self.assigned}

    def ends_as_of_ms(self) -> int:
        return self._world.now_ms

    def partitions(self) -> Sequence[TP]:
        return list(self._world.log)

    def moments(self) -> Mapping[TP, int]:
        return self._world.moments

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        await self._world.point()
        for message in messages:
            self._world.published.append(message)
            if self._world.hit(self._world.faults.crash / 4):
                raise Crash
        await self._world.point()

    def confirm(self, offsets: Mapping[TP, int], moments_ms: Mapping[TP, int] = NOTHING) -> None:
        self.confirmed.update({tp: offset for tp, offset in offsets.items() if tp in self.assigned})
        self.moments_reached.update({tp: ms for tp, ms in moments_ms.items() if tp in self.assigned})

    async def rewind(self) -> None:
        self.epoch += 1
        self.seek_due = True
        self.confirmed.clear()
        self.moments_reached.clear()

    def assign(self, tps: Sequence[TP]) -> None:
        self.epoch += 1
        self.assigned = dict.fromkeys(tps, 0)
        self.confirmed.clear()
        self.moments_reached.clear()
        self.seek_due = True

    def commit(self) -> None:
        """The periodic commit to Kafka."""
        for tp, offset in self.confirmed.items():
            self._world.committed[tp] = max(offset, self._world.committed.get(tp, 0))
        for tp, moment_ms in self.moments_reached.items():
            self._world.moments[tp] = max(moment_ms, self._world.moments.get(tp, 0))


class Worker:
    """One process: the real loop, driven as the transport drives it."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name = world, name
        self.log = VirtualLog(world)
        self.alive = True

        def die(reason: str) -> NoReturn:
            world.deaths.append(reason)
            raise Died(reason)

        self.loop = Loop(
            SETTINGS,
            FaultyStore(world, f"{name}-{world.rng.random()}"),
            self.log,
            wall_ms=lambda: world.now_ms,
            random_bytes=world.rng.randbytes,
            scorer=lambda: SCORER,
            replayed=frozenset,
            metrics=Metrics(),
            die=die,
            sleep=lambda seconds: asyncio.sleep(0),
        )

    async def step(self) -> None:
        """Seek if it must, then one poll, one sweep, or one commit."""
        log, world = self.log, self.world
        if not log.assigned:
            return
        if log.seek_due:
            epoch = log.epoch
            committed = {tp: world.committed.get(tp) for tp in log.assigned}
            starts = await self.loop.start_offsets(committed, dict.fromkeys(log.assigned, 0), log.ends())
            if epoch == log.epoch:
                log.assigned.update(starts)
                log.seek_due = False
            return
        await self._poll()
        if world.rng.random() < 0.3 or world.quiet:
            await self.loop.sweep()
        if world.rng.random() < 0.3 or world.quiet:
            log.commit()

    async def _poll(self) -> None:
        log, world = self.log, self.world
        records: dict[TP, list[Rec]] = {}
        for tp in world.rng.sample(sorted(log.assigned), world.rng.randint(1, len(log.assigned))):
            at = log.assigned[tp]
            if found := world.log[tp][at : at + world.rng.randint(1, 8)]:
                records[tp] = found
                log.assigned[tp] = at + len(found)
        if records:
            await self.loop.on_batch(Batch(log.epoch, records, log.ends()))


SCORER = churn.fresh(SETTINGS.horizon_days)


async def run(world: World, workers: int = 2) -> None:
    """Let the workers run into their faults while events come in; then let one of them finish the work in peace."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    fleet = [Worker(world, f"w{n}") for n in range(workers)]
    _rebalance(world, fleet)
    produced = 0
    while produced < world.records or world.rng.random() < 0.9:
        if produced < world.records:
            n = world.rng.randint(1, 10)
            world.produce(n)
            produced += n
        await asyncio.gather(*(_step(world, fleet, i) for i in range(len(fleet))))
        _misfortune(world, fleet)
    world.quiet = True
    last = Worker(world, "last")
    last.log.assign(list(world.log))
    for _ in range(400):
        before = last.log.epoch, dict(last.log.assigned), len(world.published)
        await last.step()
        if (
            not last.log.seek_due
            and all(at >= len(world.log[tp]) for tp, at in last.log.assigned.items())
            and before
            == (
                last.log.epoch,
                dict(last.log.assigned),
                len(world.published),
            )
        ):
            break
    world.now_ms += 2000  # past the margin of the ticks
    await last.loop.sweep()
    await last.loop.sweep()


async def _step(world: World, fleet: list[Worker], i: int) -> None:
    try:
        await fleet[i].step()
    except (Crash, Died):
        fleet[i] = Worker(world, f"w{i}")
        _rebalance(world, fleet)


def _rebalance(world: World, fleet: list[Worker]) -> None:
    """Share the partitions out anew. Sometimes a worker does not hear of it: a zombie, until it is told or crashes."""
    tps = list(world.log)
    world.rng.shuffle(tps)
    cut = world.rng.randint(0, len(tps)) if len(fleet) > 1 else len(tps)
    parts = [tps[:cut], tps[cut:], *([] for _ in fleet[2:])]
    for worker, part in zip(fleet, parts, strict=False):
        if worker.log.assigned and world.hit(world.faults.zombie):
            continue
        worker.log.commit() if world.rng.random() < 0.5 else None
        worker.log.assign(part)


def _misfortune(world: World, fleet: list[Worker]) -> None:
    if world.rng.random() < 0.2:
        world.backups.append(world.backend.snapshot())
    if world.hit(world.faults.rebalance):
        _rebalance(world, fleet)
    if world.backups and world.hit(world.faults.lost_tail):
        world.backend.restore(world.rng.choice(world.backups[-5:]))
        world.tail_lost = True
    if world.hit(world.faults.wipe):
        world.backend.wipe()
        world.backups.clear()
        world.tail_lost = True


def check(world: World) -> list[str]:
    """What is wrong in the end; empty: nothing."""
    problems = [f"a worker ended itself: {reason}" for reason in world.deaths]
    states = asyncio.run(world.stored())
    found = {customer_id: facts(state, world.now_ms) for customer_id, state in states.items()}
    for customer_id, facts_expected in world.expected().items():
        if found.get(customer_id) != facts_expected:
            problems.append(f"{customer_id}: facts differ\n  expected {facts_expected!r}\n  found    {found.get(customer_id)!r}")
    dead = {m.key.decode() for m in world.published if m.topic == DEAD_LETTERS}
    if dead != world.poison():
        problems.append(f"dead letters: missing {world.poison() - dead}, extra {dead - world.poison()}")
    sent = {_id(m) for m in world.published if m.topic in (ACTIONS, LESSONS)}
    if not world.tail_lost and world.owed - sent:
        problems.append(f"{len(world.owed - sent)} effects were committed but never published")
    if kept := [customer_id for customer_id, state in states.items() if state.effects]:
        problems.append(f"effects still kept by {kept}")
    return problems


def _id(message: Outgoing) -> str:
    return json.loads(message.value)["id"]


def simulate(seed: int, faults: Faults | None = None) -> tuple[World, list[str]]:
    world = World(seed, faults or kind_of(seed))
    asyncio.run(run(world))
    return world, check(world)


def kind_of(seed: int) -> Faults:
    """Every third seed loses no data of the store, every third its tail, every third everything."""
    kind = seed % 3
    return Faults(lost_tail=0.05 if kind == 1 else 0.0, wipe=0.03 if kind == 2 else 0.0)


if __name__ == "__main__":
    for number in range(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else int(sys.argv[1]) + 1):
        world, problems = simulate(number)
        if problems or len(sys.argv) == 2:
            print(f"seed {number}: {world.crashes} crashes, {len(world.published)} published, {len(problems)} problems")
            print("\n".join(problems[:5]))
