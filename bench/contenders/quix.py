"""Quix Streams that feeds the same core and the same batched commit: our `Loop`, with batches that Quix's dataframes gathered.

It is spared the trainer, new versions of the model, and flushing before each of Quix's checkpoints. Ticks and effects are on.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

import uvloop
from confluent_kafka import Consumer, TopicPartition
from quixstreams import Application, message_context

from bench.contenders.task import TOPICS, Task
from bench.meter import Meter
from portrait.models import churn
from profile_store.redis_store import RedisStore
from schemas.registry import EVENT_TOPICS
from streams.log import TP, Batch, Outgoing, Record
from streams.loop import Loop
from streams.metrics import Metrics
from streams.producer import Publisher
from streams.worker import _quiet_collector, wall_ms


class Arrived(NamedTuple):
    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


class QuixLog:
    """The loop's log: Quix itself keeps the offsets."""

    epoch = 1

    def __init__(self, publisher: Publisher, ends: Mapping[TP, int]) -> None:
        self._publisher, self._ends = publisher, ends

    def ends(self) -> Mapping[TP, int]:
        return self._ends

    def partitions(self) -> Sequence[TP]:
        return list(self._ends)

    def ends_as_of_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def moments(self) -> Mapping[TP, int]:
        return {}

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        await self._publisher.publish(messages)

    def confirm(self, offsets: Mapping[TP, int], moments_ms: Mapping[TP, int] | None = None) -> None:
        pass

    async def rewind(self) -> None:
        _die("rewind")


def _die(reason: str) -> NoReturn:
    os.write(2, reason.encode())
    os._exit(1)


def _ends(task: Task) -> dict[TP, int]:
    consumer = Consumer({"bootstrap.servers": task.settings.kafka, "group.id": "bench-ends"})
    found = {}
    for topic in EVENT_TOPICS:
        for partition in consumer.list_topics(topic.name, timeout=30).topics[topic.name].partitions:
            found[topic.name, partition] = consumer.get_watermark_offsets(TopicPartition(topic.name, partition))[1]
    consumer.close()
    return found


class Feed:
    """Gathers records as they come one by one, and hands them to the loop as a batch."""

    def __init__(self, task: Task) -> None:
        self.meter = Meter()
        self._task = task
        self._runner = uvloop.new_event_loop()
        self._batch: dict[TP, list[Record]] = {}
        self._gathered = self._seen = 0
        self._swept_s = time.monotonic()
        self._loop = self._runner.run_until_complete(self._start())

    async def _start(self) -> Loop:
        settings = self._task.settings
        store = RedisStore(settings.redis, worker_id="quix", rng=secrets.token_bytes)
        await store.open()
        self._ends = _ends(self._task)
        log = QuixLog(Publisher(settings.kafka), self._ends)
        scorer = churn.fresh(settings.horizon_days)
        loop = Loop(
            settings,
            store,
            log,
            wall_ms=wall_ms,
            random_bytes=secrets.token_bytes,
            scorer=lambda: scorer,
            replayed=frozenset,
            metrics=Metrics(),
            die=_die,
        )
        await loop.start_offsets(dict.fromkeys(self._ends), dict.fromkeys(self._ends, 0), self._ends)
        return loop

    def take(self, value: Any, key: Any, timestamp: int, headers: Any) -> None:
        self.meter.begin()
        where = message_context()
        record: Any = Arrived(where.topic, where.partition, where.offset, timestamp, key, value, headers or ())
        tp = (where.topic, where.partition)
        if tp in self._batch:
            self._batch[tp].append(record)
        else:
            self._batch[tp] = [record]
        self._gathered += 1
        self._seen += 1
        if self._gathered >= self._task.settings.batch_records_max or self._seen >= self._task.events:
            self._flush()

    def _flush(self) -> None:
        batch, self._batch, self._gathered = Batch(1, self._batch, self._ends), {}, 0
        self._runner.run_until_complete(self._loop.on_batch(batch))
        if time.monotonic() - self._swept_s >= self._task.settings.sweep_interval_ms / 1000:
            self._runner.run_until_complete(self._loop.sweep())
            self._swept_s = time.monotonic()
        if self._seen >= self._task.events:
            self.meter.done(self._seen)


def run(task: Task) -> None:
    _quiet_collector()
    asyncio.set_event_loop(None)
    feed = Feed(task)
    app = Application(
        task.settings.kafka,
        consumer_group=task.settings.group,
        auto_offset_reset="earliest",
        auto_create_topics=False,
        loglevel="WARNING",
    )
    for name in TOPICS:
        topic = app.topic(name, key_deserializer="bytes", value_deserializer="bytes")
        app.dataframe(topic).update(feed.take, metadata=True)
    app.run()
