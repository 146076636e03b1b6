"""How far the workers are, and how long they take to recover from each fault."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import redis.asyncio
from aiokafka import AIOKafkaConsumer, TopicPartition
from redis.exceptions import RedisError

from profile_store.keys import shard_keys
from schemas.registry import EVENT_TOPICS
from streams.log import TP
from tests.fault.asking import ANSWER_S, Asking

SAMPLE_S = 0.4
POSITIONS = shard_keys("", 1)[0].positions


@dataclass
class Recovery:
    """From a fault until all that stood in the log when it was over is folded."""

    number: int
    fault: str
    began_s: float
    over: bool = False
    goal: dict[TP, int] = field(default_factory=dict)

    def strikes(self) -> None:
        """Only now: until now it was prepared."""
        self.began_s = time.monotonic()


class Watch:
    """Samples the log's ends and the store's positions. ``lag`` is None while either is away.

    ``store_url`` gives the server's own address at any time, ``recovered`` hears of each recovery and how long it took.
    """

    def __init__(
        self, kafka: str, store_url: Callable[[], str], partitions: int, recovered: Callable[[Recovery, float], None]
    ) -> None:
        self._store_url, self._recovered = store_url, recovered
        self._redis: redis.asyncio.Redis | None = None
        self._url = ""
        self._tps = [TopicPartition(topic.name, n) for topic in EVENT_TOPICS for n in range(partitions)]
        self._asking = Asking(lambda: AIOKafkaConsumer(bootstrap_servers=kafka, enable_auto_commit=False))
        self.ends: dict[TP, int] = {}
        self.lag: int | None = None
        self.recoveries: list[Recovery] = []  # those that are not finished

    def begins(self, number: int, fault: str) -> Recovery:
        recovery = Recovery(number, fault, time.monotonic())
        self.recoveries.append(recovery)
        return recovery

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                await self.sample()
                await asyncio.sleep(SAMPLE_S)
        finally:
            await self._leave_store()
            await self._asking.close()

    async def sample(self) -> None:
        ends, positions = await self._ends(), await self.positions()
        self.lag = None
        if ends is not None:
            self.ends = ends
        if ends is None or positions is None:
            return
        self.lag = sum(max(0, end - positions.get(tp, 0)) for tp, end in ends.items())
        for recovery in [each for each in self.recoveries if each.over]:
            recovery.goal = recovery.goal or dict(ends)
            if all(positions.get(tp, 0) >= end for tp, end in recovery.goal.items()):
                self.recoveries.remove(recovery)
                self._recovered(recovery, time.monotonic() - recovery.began_s)

    def oldest_s(self) -> float:
        """For how long the oldest fault that is over has not been recovered from."""
        began = [recovery.began_s for recovery in self.recoveries if recovery.over]
        return time.monotonic() - min(began) if began else 0.0

    async def _ends(self) -> dict[TP, int] | None:
        found = await self._asking.ask(lambda consumer: consumer.end_offsets(self._tps))
        return None if found is None else {(tp.topic, tp.partition): end for tp, end in found.items()}

    async def positions(self) -> Mapping[TP, int] | None:
        try:
            stored = await (await self._store()).hgetall(POSITIONS)
        except (RedisError, OSError, TimeoutError):
            return None
        found: dict[TP, int] = {}
        for name, offset in stored.items():
            topic, _, partition = name.decode().rpartition("/")
            found[topic, int(partition)] = int(offset)
        return found

    async def _store(self) -> redis.asyncio.Redis:
        """After a failover it is another."""
        if self._redis is None or self._url != self._store_url():
            await self._leave_store()
            self._url = self._store_url()
            self._redis = redis.asyncio.Redis.from_url(self._url, protocol=2, socket_timeout=ANSWER_S)
        return self._redis

    async def _leave_store(self) -> None:
        if self._redis is not None:
            await self._redis.aclose()
