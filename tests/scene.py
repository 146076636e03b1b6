"""A small service in one process, for tests of what an operator does to it: a virtual log, a store in memory, the real loop."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, NoReturn

from portrait.models import churn
from portrait.state import State, decode, encode, facts
from profile_store.contract import Loaded, shard_of
from profile_store.memory import MemoryBackend, MemoryStore
from profile_store.mending import MemoryMendingStore
from schemas.identity import Namer
from schemas.registry import DEAD_LETTERS, EVENT_TOPICS, EXPIRED
from streams.cuts import Cuts
from streams.kafka import Lag
from streams.log import NOTHING, TP, Batch, Outgoing
from streams.loop import Loop
from streams.metrics import Metrics
from streams.settings import Settings
from streams.start import partition_of

DAY_MS = 86_400_000
START_MS = 20_000 * DAY_MS
BATCH = 40
EXPIRED_TP = EXPIRED, 0
SCORER = churn.fresh(Settings().horizon_days)


class Rec(NamedTuple):
    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


class WorkerEnded(Exception):
    """With the reason that the worker gives."""


class Scene:
    """``log`` holds what there is; ``beginnings`` says what has expired."""

    def __init__(self, *, partitions: int = 2, shards: int = 1) -> None:
        self.partitions = dict.fromkeys((topic.name for topic in EVENT_TOPICS), partitions)
        self.log: dict[TP, list[Rec]] = {(name, n): [] for name in self.partitions for n in range(partitions)}
        self.backend = MemoryBackend(shards)
        self.now_ms = START_MS
        self.committed: dict[TP, int] = {}
        self.moments: dict[TP, int] = {}
        self.beginnings: dict[TP, int] = {}
        self.published: list[Outgoing] = []
        self.replayed: set[str] = set()
        self.expired: list[Rec] = []
        self.namer = Namer()
        self.nonces = itertools.count(1)  # no two workers draw the same
        self._ids = itertools.count()
        self._rng = random.Random(7)

    # -- the log ----------------------------------------------------------------------------------------------------------------

    def says(self, customer: str, type_: str, *, days: float = 0.0, id: str | None = None, **data: Any) -> Rec:
        """An event, ``days`` after the one before. Its topic is found by its type."""
        self.now_ms += round(days * DAY_MS)
        topic = next(t.name for t in EVENT_TOPICS if type_ in [event.name for event in t.events])
        time = datetime.fromtimestamp(self.now_ms / 1000, UTC).isoformat()
        envelope = {"specversion": "1.0", "id": id or f"e{next(self._ids)}", "source": "/scene", "type": type_, "time": time}
        return self.append(topic, customer, json.dumps(envelope | {"data": data}).encode())

    def orders(self, customer: str, *, days: float = 0.0, minor: int = 9900, **more: Any) -> Rec:
        number = next(self._ids)
        return self.says(customer, "order.placed", days=days, order_id=f"O{number}", currency="CNY", amount_minor=minor, **more)

    def clicks(self, customer: str, *, days: float = 0.0, id: str | None = None) -> Rec:
        return self.says(customer, "item.viewed", days=days, id=id, sku=f"S{next(self._ids) % 7}", category="k")

    def complains(self, customer: str, *, days: float = 0.0) -> Rec:
        return self.says(customer, "complaint.opened", days=days, complaint_id=f"K{next(self._ids)}", severity="high")

    def append(self, topic: str, customer: str, value: bytes | None) -> Rec:
        tp = topic, partition_of(customer, self.partitions[topic])
        record = Rec(*tp, self.end(tp), self.now_ms, customer.encode(), value)
        self.log[tp].append(record)
        return record

    def end(self, tp: TP) -> int:
        records = self._records(tp)
        return records[-1].offset + 1 if records else self.beginnings.get(tp, 0)

    def _records(self, tp: TP) -> list[Rec]:
        return self.expired if tp == EXPIRED_TP else self.log[tp]

    def grow(self, topic: str, partitions: int) -> None:
        """More partitions: from now on a customer's events may lie in another one."""
        self.log |= {(topic, n): [] for n in range(self.partitions[topic], partitions)}
        self.partitions[topic] = partitions

    def expire(self, tp: TP, before: int) -> None:
        self.beginnings[tp] = before
        self.log[tp] = [record for record in self.log[tp] if record.offset >= before]

    def live_a_while(self, events: int, customers: int = 12) -> None:
        """Orders, clicks, complaints, silences, duplicates and poison, the same in every scene."""
        rng = self._rng
        for _ in range(events):
            customer = f"C{rng.randrange(customers)}"
            kind = rng.random()
            if kind < 0.35:
                self.orders(customer, days=rng.choice((0.1, 1.3, 21.0)))
            elif kind < 0.45:
                self.complains(customer, days=0.2)
            else:
                clicked = self.clicks(customer, days=0.4)
                if rng.random() < 0.2:
                    self.append("clicks", customer, clicked.value)
            if rng.random() < 0.05:
                self.append("orders", customer, b"not json")

    async def dead_letters(self) -> AsyncIterator[str]:
        """Their origins."""
        for message in self.published:
            if message.topic == DEAD_LETTERS:
                yield message.key.decode()

    # -- LogReader --------------------------------------------------------------------------------------------------------------

    async def bounds(self, partitions: Sequence[TP]) -> tuple[Mapping[TP, int], Mapping[TP, int]]:
        return {tp: self.beginnings.get(tp, 0) for tp in partitions}, {tp: self.end(tp) for tp in partitions}

    async def between(self, starts: Mapping[TP, int], ends: Mapping[TP, int]) -> AsyncIterator[Rec]:
        for tp, start in starts.items():
            assert start >= self.beginnings.get(tp, 0), "expired"
            assert ends[tp] <= self.end(tp), "it would wait for ever"
            for record in list(self._records(tp)):
                if start <= record.offset < ends[tp]:
                    await asyncio.sleep(0)
                    yield record

    def lags(self) -> dict[TP, Lag]:
        return {tp: Lag(self.beginnings.get(tp, 0), self.end(tp), self.committed.get(tp)) for tp in self.log}

    async def set_offsets(self, offsets: Mapping[TP, int]) -> None:
        self.committed.update(offsets)

    # -- the store --------------------------------------------------------------------------------------------------------------

    def store(self, worker_id: str = "mender") -> MemoryMendingStore:
        return MemoryMendingStore(worker_id=worker_id, backend=self.backend)

    def states(self) -> dict[str, State]:
        return {name: decode(at.state) for shard in self.backend.shards for name, at in shard.states.items()}

    def facts(self) -> dict[str, bytes]:
        return {name: facts(state, self.now_ms) for name, state in self.states().items() if state.events}

    def view(self, customer: str) -> dict[str, bytes]:
        return self.backend.shards[shard_of(customer, len(self.backend.shards))].profiles.get(customer, {})

    def put(self, customer: str, state: State | bytes | None) -> None:
        """Write over a state behind everybody's back; None removes it, but for what stands in the indexes."""
        states = self.backend.shards[shard_of(customer, len(self.backend.shards))].states
        if state is None:
            states.pop(customer, None)
        else:
            nonce = states[customer].nonce if customer in states else b"somebody"
            states[customer] = Loaded(nonce, state if isinstance(state, bytes) else encode(state))

    def indexes(self) -> dict[str, Any]:
        """Of all shards; a moment that is due only matters by its day, since ticks come when they come."""
        shards = self.backend.shards
        return {
            name: {k: v for shard in shards for k, v in getattr(shard, name).items()}
            for name in ("stages", "tags", "external", "due")
        }


class SceneLog:
    """The log as one worker of the scene sees it, with all partitions."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self.epoch = 0
        self.seek_due = True

    def ends(self) -> Mapping[TP, int]:
        return {tp: self._scene.end(tp) for tp in self._scene.log}

    def ends_as_of_ms(self) -> int:
        return self._scene.now_ms

    def partitions(self) -> Sequence[TP]:
        return list(self._scene.log)

    def moments(self) -> Mapping[TP, int]:
        return self._scene.moments

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        self._scene.published += messages
        for one in messages:
            if one.topic == EXPIRED:
                self._scene.expired.append(Rec(*EXPIRED_TP, len(self._scene.expired), self._scene.now_ms, one.key, one.value))

    def confirm(self, offsets: Mapping[TP, int], moments_ms: Mapping[TP, int] = NOTHING) -> None:
        self._scene.committed.update({tp: max(at, self._scene.committed.get(tp, 0)) for tp, at in offsets.items()})
        self._scene.moments.update(moments_ms)

    async def rewind(self) -> None:
        self.epoch += 1
        self.seek_due = True


class SceneWorker:
    """The real loop over a scene, driven by hand."""

    def __init__(self, scene: Scene, store: MemoryStore | None = None) -> None:
        self._scene, self._log = scene, SceneLog(scene)
        self._next: dict[TP, int] = {}
        self.metrics = Metrics()
        self.cuts = Cuts()

        def die(reason: str) -> NoReturn:
            raise WorkerEnded(reason)

        self.loop = Loop(
            Settings(cache_profiles=100),
            store or MemoryStore(worker_id=f"worker-{id(self)}", backend=scene.backend),
            self._log,
            wall_ms=lambda: scene.now_ms,
            random_bytes=lambda n: b"w%07d" % next(scene.nonces),
            scorer=lambda: SCORER,
            replayed=lambda: scene.replayed,
            metrics=self.metrics,
            die=die,
            sleep=lambda seconds: asyncio.sleep(0),
            dead_letters=scene.dead_letters,
            namer=scene.namer,
            cuts=self.cuts,
            hear=self.hear,
        )

    async def hear(self) -> None:
        for record in self._scene.expired:
            self.cuts.take(record.value)

    async def work(self, *, sweep: bool = True, topics: Sequence[str] = ()) -> None:
        """Read everything that there is (of these topics), and settle whom silence has moved. Raises WorkerEnded."""
        scene = self._scene
        while True:
            if self._log.seek_due:
                tps = list(scene.log)
                begins, ends = await scene.bounds(tps)
                self._next = dict(await self.loop.start_offsets({tp: scene.committed.get(tp) for tp in tps}, begins, ends))
                self._log.seek_due = False
            records = {tp: [r for r in scene.log[tp] if r.offset >= at][:BATCH] for tp, at in self._next.items()}
            if records := {tp: found for tp, found in records.items() if found and (not topics or tp[0] in topics)}:
                self._next |= {tp: found[-1].offset + 1 for tp, found in records.items()}
                await self.loop.on_batch(Batch(self._log.epoch, records, self._log.ends()))
            elif not self._log.seek_due:
                break
        if sweep:
            await self.loop.sweep()
            await self.loop.sweep()
