"""Following a small compacted topic from its beginning, without a group: every worker needs all of it.

The topics are `models` (snapshots of the churn model), `dead-letters-replayed` (origins that are folded by their replay) and, not
compacted, `expired` (what is void).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import msgspec
import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from portrait.models import churn
from portrait.models.churn import Scorer
from portrait.models.shelf import Refused, Shelf
from schemas.outputs import Replayed
from schemas.registry import EXPIRED, MODELS, REPLAYED
from streams.cuts import Cuts
from streams.failures import UNREADABLE
from streams.kafka import KafkaProblem, bounds
from streams.log import Record
from streams.metrics import Metrics
from streams.texts import TextModels

RETRY_S = 1.0
POLL_MS = 1000
HEAR_S = 0.01
#: Models may be far larger than the consumer's default.
FETCH_BYTES_MAX = 8 * 1024 * 1024

log = structlog.get_logger()


class Tail:
    """Reads one topic for ever and hands each record to ``take``; ``caught_up`` is set once its end was reached."""

    def __init__(self, bootstrap: str, topic: str, take: Callable[[Record], None]) -> None:
        self._bootstrap, self._topic, self._take = bootstrap, topic, take
        self.caught_up = asyncio.Event()
        self._read: dict[TopicPartition, int] = {}  # next offsets

    async def run(self) -> None:
        """Until cancelled. Kafka away: tries again; what was read before is not read twice."""
        while True:
            consumer = AIOKafkaConsumer(
                bootstrap_servers=self._bootstrap,
                enable_auto_commit=False,
                isolation_level="read_committed",
                auto_offset_reset="earliest",
                max_partition_fetch_bytes=FETCH_BYTES_MAX,
            )
            try:
                await consumer.start()
                await self._follow(consumer)
            except (KafkaError, KafkaProblem) as error:
                told = str(error) if isinstance(error, KafkaProblem) else type(error).__name__
                log.warning("can't follow a topic: trying again", topic=self._topic, error=told)
                await asyncio.sleep(RETRY_S)
            finally:
                with suppress(KafkaError):
                    await consumer.stop()

    async def hear(self) -> None:
        """Until all is taken that was acknowledged by now. Kafka away: waits."""
        await self.caught_up.wait()
        while True:
            try:
                _, ends = await bounds(self._bootstrap, [tuple(partition) for partition in self._read])
                break
            except (KafkaError, KafkaProblem):
                await asyncio.sleep(RETRY_S)
        while any(self._read[TopicPartition(*tp)] < end for tp, end in ends.items()):
            await asyncio.sleep(HEAR_S)

    async def _follow(self, consumer: AIOKafkaConsumer) -> None:
        told = False
        while not (numbers := consumer.partitions_for_topic(self._topic)):
            if not told:
                log.warning("a topic is missing: waiting for it. `portrait topics create` makes it", topic=self._topic)
                told = True
            await asyncio.sleep(RETRY_S)
            await consumer._client.force_metadata_update()
        partitions = [TopicPartition(self._topic, number) for number in numbers]
        consumer.assign(partitions)
        for partition, offset in self._read.items():
            consumer.seek(partition, offset)
        _, ends = await bounds(self._bootstrap, [tuple(partition) for partition in partitions])
        while True:
            if not self.caught_up.is_set():
                at = [await consumer.position(partition) >= ends[tuple(partition)] for partition in partitions]
                if all(at):
                    self._read = {partition: self._read.get(partition, ends[tuple(partition)]) for partition in partitions}
                    self.caught_up.set()
            for partition, records in (await consumer.getmany(timeout_ms=POLL_MS)).items():
                for record in records:
                    self._take(record)
                self._read[partition] = records[-1].offset + 1


class Models:
    """The versions of the churn model, and the scorer of the one in use. Starts with the prior alone."""

    def __init__(self, bootstrap: str, horizon_days: int, metrics: Metrics, texts: TextModels | None = None) -> None:
        """``texts`` takes the records of the models of texts, which lie on the same topic."""
        self.tail = Tail(bootstrap, MODELS, self.take)
        self._texts = texts
        self.shelf = Shelf(horizon_days)
        self.scorer: Scorer = churn.fresh(horizon_days)
        self._horizon_days, self._metrics = horizon_days, metrics
        metrics.uses(self.scorer.version, None)

    def take(self, record: Record) -> None:
        """Put it on the shelf, and score with what scores now. What is broken is refused, and what there was goes on."""
        if self._texts is not None and self._texts.take(record):
            return
        shelf = self.shelf
        try:
            shelf.take(record.key, record.value)
        except Refused as error:
            self._metrics.snapshots.labels("refused").inc()
            log.error(
                "a record of the models is refused; the version before stays in use", offset=record.offset, error=str(error)
            )
            return
        self._metrics.pinned.set(bool(shelf.pinned))
        scoring = shelf.scoring
        if shelf.pinned and (scoring is None or scoring.version != shelf.pinned):
            log.error("the pinned version of the model is not kept: scoring with the newest", pinned=shelf.pinned)
        version = scoring.version if scoring else churn.fresh(self._horizon_days).version
        if version != self.scorer.version:
            self.scorer = churn.from_snapshot(scoring) if scoring else churn.fresh(self._horizon_days)
            self._metrics.snapshots.labels("used").inc()
            self._metrics.uses(version, scoring)
        if shelf.newest is not None:
            self._metrics.watched(shelf.newest)


class ReplayedOrigins:
    """The origins of dead letters that have been published again: they come in by that record, and only by it."""

    def __init__(self, bootstrap: str) -> None:
        self.tail = Tail(bootstrap, REPLAYED, self.take)
        self.origins: set[str] = set()

    def take(self, record: Record) -> None:
        if record.value:
            try:
                self.origins.add(str(msgspec.json.decode(record.value, type=Replayed).origin))
            except UNREADABLE as error:
                log.error("an entry of replayed dead letters can't be read", offset=record.offset, error=str(error))


class Expiries:
    """What has expired, as it is told."""

    def __init__(self, bootstrap: str) -> None:
        self.tail = Tail(bootstrap, EXPIRED, self.take)
        self.cuts = Cuts()

    def take(self, record: Record) -> None:
        try:
            self.cuts.take(record.value)
        except UNREADABLE as error:
            log.error("a record of what has expired can't be read", offset=record.offset, error=str(error))
        if not self.tail.caught_up.is_set():
            self.cuts.forget_heard()  # nothing was folded yet without knowing of it
