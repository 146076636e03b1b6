"""The real batch loop and the transport's real log, over records and a store in memory. Nothing goes wrong by itself."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, NoReturn

from portrait.models import churn
from profile_store.memory import MemoryBackend, MemoryStore
from schemas.registry import EVENT_TOPICS
from streams.faust_log import FaustLog
from streams.log import TP, Batch, Outgoing
from streams.loop import Loop
from streams.metrics import Metrics
from streams.producer import Publisher
from streams.settings import Settings

DAY_MS = 86_400_000
START_MS = 20_000 * DAY_MS
PARTITIONS = 2
SETTINGS = Settings()


class Died(BaseException):
    """The worker has ended itself."""


class Rec(NamedTuple):
    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


class Collected(Publisher):
    """Takes every message at once."""

    def __init__(self) -> None:
        super().__init__("nowhere")
        self.messages: list[Outgoing] = []

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        self.messages += messages


class World:
    def __init__(self, shards: int = 1) -> None:
        self.backend = MemoryBackend(shards)
        self.log: dict[TP, list[Rec]] = {(topic.name, p): [] for topic in EVENT_TOPICS for p in range(PARTITIONS)}
        self.committed: dict[TP, int] = {}
        self.now_ms = START_MS

    def order(self, customer: str, tp: TP = ("orders", 0)) -> None:
        """A day later, one more."""
        self.now_ms += DAY_MS
        offset = len(self.log[tp])
        time = datetime.fromtimestamp(self.now_ms / 1000, UTC).isoformat()
        event = {"specversion": "1.0", "id": f"{customer}-{offset}", "source": "/kit", "type": "order.placed", "time": time}
        data = {"order_id": f"{customer}-{offset}", "currency": "CNY", "amount_minor": 9900}
        self.log[tp].append(Rec(*tp, offset, self.now_ms, customer.encode(), json.dumps(event | {"data": data}).encode()))

    def ends(self) -> dict[TP, int]:
        return {tp: len(records) for tp, records in self.log.items()}

    def contents(self) -> list[dict[str, Any]]:
        """All that the store holds, but the chains: a worker takes one before it knows anything."""
        return [{name: what for name, what in vars(shard).items() if name != "chains"} for shard in self.backend.snapshot()]


class Worker:
    """Has all partitions."""

    def __init__(self, world: World) -> None:
        def die(reason: str) -> NoReturn:
            raise Died(reason)

        self.world, self.metrics, self.publisher = world, Metrics(), Collected()
        self.log = FaustLog(self.publisher, lambda: world.now_ms)
        scorer = churn.fresh(SETTINGS.horizon_days)
        self.loop = Loop(
            SETTINGS,
            MemoryStore(worker_id=str(id(self)), backend=world.backend),
            self.log,
            wall_ms=lambda: world.now_ms,
            random_bytes=iter_bytes(),
            scorer=lambda: scorer,
            replayed=frozenset,
            metrics=self.metrics,
            die=die,
        )

    async def seek(self, beginnings: Mapping[TP, int] | None = None) -> dict[TP, int]:
        """As the transport does after an assignment. Where to read from."""
        world, ends = self.world, self.world.ends()
        committed = {tp: world.committed.get(tp) for tp in ends}
        self.log.assign(ends)
        self.log.surveyed(ends)
        starts = await self.loop.start_offsets(committed, {**dict.fromkeys(ends, 0), **(beginnings or {})}, ends)
        self.log.sought(self.log.epoch, committed, ends, starts)
        self.log.polled(ends, world.now_ms)
        return dict(starts)

    async def read(self, starts: Mapping[TP, int]) -> None:
        """All that there is from there on, at once; then a sweep, and a commit to Kafka."""
        records = {tp: of_partition[starts[tp] :] for tp, of_partition in self.world.log.items() if of_partition[starts[tp] :]}
        await self.give(records)
        await self.loop.sweep()
        offsets = self.log.committable()
        self.world.committed.update(offsets)
        self.log.committed(offsets)

    async def give(self, records: Mapping[TP, Sequence[Rec]], reached: Mapping[TP, int] | None = None) -> None:
        await self.loop.on_batch(Batch(self.log.epoch, records, self.log.ends(), reached or {}))


def iter_bytes() -> Any:
    """Other bytes each time."""
    given = iter(range(1, 1 << 60))
    return lambda size: next(given).to_bytes(size, "big")


async def fold(world: World) -> Worker:
    """A new worker has read all there is."""
    worker = Worker(world)
    await worker.read(await worker.seek())
    return worker
