"""How far the workers are, and how long they take to recover from each fault."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import redis.asyncio
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from redis.exceptions import RedisError

from profile_store.keys import shard_keys
from schemas.registry import EVENT_TOPICS
from streams.log import TP

SAMPLE_S = 0.25
ANSWER_S = 2.0
POSITIONS = shard_keys("", 1)[0].positions


@dataclass
class Recovery:
    """From a fault until all that stood in the log when it was over is folded."""

    fault: str
    began_s: float
    over: bool = False
    goal: dict[TP, int] = field(default_factory=dict)
    took_s: float | None = None


class Watch:
    """Samples the log's ends and the store's positions. ``lag`` is None while either is away."""

    def __init__(self, kafka: str, redis_url: str, partitions: int) -> None:
        self._kafka = kafka
        self._redis = redis.asyncio.Redis.from_url(redis_url, protocol=2, socket_timeout=ANSWER_S)
        self._tps = [TopicPartition(topic.name, n) for topic in EVENT_TOPICS for n in range(partitions)]
        self._consumer: AIOKafkaConsumer | None = None
        self.ends: dict[TP, int] = {}
        self.ends_at_s = 0.0
        self.lag: int | None = None
        self.recoveries: list[Recovery] = []

    def begins(self, fault: str) -> Recovery:
        recovery = Recovery(fault, time.monotonic())
        self.recoveries.append(recovery)
        return recovery

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                await self.sample()
                await asyncio.sleep(SAMPLE_S)
        finally:
            await self._redis.aclose()
            await self._drop()

    async def sample(self) -> None:
        began_s = time.monotonic()
        ends, positions = await self._ends(), await self.positions()
        self.lag = None
        if ends is not None:
            self.ends, self.ends_at_s = ends, began_s
        if ends is None or positions is None:
            return
        self.lag = sum(max(0, end - positions.get(tp, 0)) for tp, end in ends.items())
        for recovery in self.recoveries:
            if recovery.took_s is None and recovery.over:
                recovery.goal = recovery.goal or dict(ends)
                if all(positions.get(tp, 0) >= end for tp, end in recovery.goal.items()):
                    recovery.took_s = time.monotonic() - recovery.began_s

    def oldest_s(self) -> float:
        """For how long the oldest fault has not been recovered from."""
        began = [recovery.began_s for recovery in self.recoveries if recovery.took_s is None]
        return time.monotonic() - min(began) if began else 0.0

    async def _ends(self) -> dict[TP, int] | None:
        try:
            async with asyncio.timeout(ANSWER_S):
                if self._consumer is None:
                    self._consumer = AIOKafkaConsumer(bootstrap_servers=self._kafka, enable_auto_commit=False)
                    await self._consumer.start()
                found = await self._consumer.end_offsets(self._tps)
            return {(tp.topic, tp.partition): end for tp, end in found.items()}
        except (KafkaError, OSError, TimeoutError):
            await self._drop()
            return None

    async def _drop(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            with contextlib.suppress(KafkaError, OSError, TimeoutError):
                await asyncio.wait_for(consumer.stop(), ANSWER_S)

    async def positions(self) -> Mapping[TP, int] | None:
        try:
            stored = await self._redis.hgetall(POSITIONS)
        except (RedisError, OSError, TimeoutError):
            return None
        found: dict[TP, int] = {}
        for name, offset in stored.items():
            topic, _, partition = name.decode().rpartition("/")
            found[topic, int(partition)] = int(offset)
        return found


def quantile(numbers: Sequence[float], q: float) -> float:
    """0 for none."""
    ranked = sorted(numbers)
    return ranked[min(len(ranked) - 1, int(q * len(ranked)))] if ranked else 0.0
