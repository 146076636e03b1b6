"""Plain Kafka for the command line: topics, publishing with acknowledgement, reading a topic to its end, lag. No Faust here.

Errors of the client leave as `KafkaProblem`, with a message that says how to mend.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import GroupCoordinatorNotAvailableError, KafkaConnectionError, KafkaError, TopicAlreadyExistsError, for_code
from aiokafka.protocol.admin import ApiVersionRequest

from streams import lenient
from streams.log import TP, Record
from streams.topics import LARGE_RECORD_BYTES, TopicPlan

lenient.install()  # for every consumer of this process

CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_MS = 500
#: Records on their way to the broker before `Publisher.send` waits for the oldest.
IN_FLIGHT_MAX = 10_000

_NO_ERROR = 0
_FETCH_API = 1
#: Brokers do not tell their version. Their highest Fetch request does: first seen in this Kafka.
_KAFKA_OF_FETCH = ((18, "4.1"), (17, "3.9"), (16, "3.7"), (15, "3.5"), (13, "3.1"), (0, "before 3.1"))
_COORDINATOR_TRIES = 20
_EMBEDDED_CLUSTER = "tansu_cluster"


class KafkaProblem(Exception):
    """Kafka is away or refuses; the message says what to do."""


class TopicState(NamedTuple):
    """A topic as the broker has it. ``config`` holds what differs from the broker's defaults, or all if it tells."""

    partitions: int
    replication: int
    config: dict[str, str]


class Created(NamedTuple):
    """What `create_topics` did for one topic: ``error`` is "" when it exists now."""

    name: str
    existed: bool
    error: str


class Brokers(NamedTuple):
    cluster_id: str
    size: int
    speaks_like: str  # the Kafka release whose protocol it has

    @property
    def stamps(self) -> bool:
        """Whether LogAppendTime has an effect. The embedded broker keeps the producers' times, whatever it is told."""
        return self.cluster_id != _EMBEDDED_CLUSTER


class Lag(NamedTuple):
    """One partition: the log's first and next offset, and what the group has committed (None: nothing yet)."""

    start: int
    end: int
    committed: int | None

    @property
    def records(self) -> int:
        """How many records are still to be read."""
        return self.end - (self.start if self.committed is None else max(self.committed, self.start))


@contextlib.contextmanager
def _told(bootstrap: str) -> Iterator[None]:
    try:
        yield
    except (KafkaConnectionError, OSError, TimeoutError) as error:
        raise KafkaProblem(
            f"no Kafka answers at {bootstrap or '(nothing given)'}: start it, or set PORTRAIT_KAFKA ({type(error).__name__})"
        ) from error
    except KafkaError as error:
        raise KafkaProblem(f"Kafka at {bootstrap} refused: {error}") from error


class Admin:
    """Topics, settings, lag. Made by `admin`."""

    def __init__(self, client: AIOKafkaAdminClient, bootstrap: str) -> None:
        self._client = client
        self._bootstrap = bootstrap

    async def brokers(self) -> Brokers:
        with _told(self._bootstrap):
            found = await self._client.describe_cluster()
            # The public methods don't show this answer.
            versions = await self._client._send_request(ApiVersionRequest())
        fetch = next((highest for api, _, highest in versions.api_versions if api == _FETCH_API), 0)
        speaks_like = next(release for version, release in _KAFKA_OF_FETCH if fetch >= version)
        return Brokers(found["cluster_id"] or "", len(found["brokers"]), speaks_like)

    async def create_topics(self, plans: Sequence[TopicPlan]) -> list[Created]:
        """Create what is missing; what exists stays as it is."""
        topics = [NewTopic(p.name, p.partitions, p.replication, topic_configs=p.config) for p in plans]
        with _told(self._bootstrap):
            reply = await self._client.create_topics(topics)
        return [
            Created(name, code == TopicAlreadyExistsError.errno, _refusal(code, message))
            for name, code, message in (tuple(row)[:3] for row in reply.topic_errors)
        ]

    async def topics(self, names: Sequence[str]) -> dict[str, TopicState]:
        """Those of ``names`` that exist. (Asking some brokers about one that doesn't would create it, so we list first.)"""
        with _told(self._bootstrap):
            existing = sorted(set(await self._client.list_topics()) & set(names))
            if not existing:
                return {}
            described = await self._client.describe_topics(existing)
            configs = await self._client.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in existing])
        config_of = {
            resource[3]: {entry[0]: entry[1] or "" for entry in resource[4]} for reply in configs for resource in reply.resources
        }
        return {
            topic["topic"]: TopicState(
                len(topic["partitions"]),
                min((len(p["replicas"]) for p in topic["partitions"]), default=0),
                config_of.get(topic["topic"], {}),
            )
            for topic in described
        }

    async def committed(self, group: str, partitions: Sequence[TP]) -> dict[TP, int]:
        """Next offsets that the group has committed; partitions without one are left out."""
        asked = [TopicPartition(*tp) for tp in partitions]
        for attempt in range(_COORDINATOR_TRIES):
            try:
                with _told(self._bootstrap):
                    found = await self._client.list_consumer_group_offsets(group, partitions=asked)
                return {(tp.topic, tp.partition): at.offset for tp, at in found.items() if at.offset >= 0}
            except KafkaProblem as problem:
                # A new cluster makes its offsets topic when it is first asked.
                if not isinstance(problem.__cause__, GroupCoordinatorNotAvailableError) or attempt == _COORDINATOR_TRIES - 1:
                    raise
                await asyncio.sleep(0.25)
        raise AssertionError("unreachable")

    async def lags(self, group: str, names: Sequence[str]) -> dict[TP, Lag]:
        """Of every partition of the topics that exist."""
        partitions = [(name, n) for name, topic in (await self.topics(names)).items() for n in range(topic.partitions)]
        committed = await self.committed(group, partitions)
        async with _consumer(self._bootstrap) as consumer:
            with _told(self._bootstrap):
                starts, ends = await _bounds(consumer, partitions)
        return {tp: Lag(starts[tp], ends[tp], committed.get(tp)) for tp in partitions}


@contextlib.asynccontextmanager
async def admin(bootstrap: str) -> AsyncIterator[Admin]:
    """Raises KafkaProblem if no broker answers."""
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=int(CONNECT_TIMEOUT_S * 1000))
    try:
        with _told(bootstrap):
            await asyncio.wait_for(client.start(), CONNECT_TIMEOUT_S)
        yield Admin(client, bootstrap)
    finally:
        await client.close()


def _refusal(code: int, message: str | None) -> str:
    if code in (_NO_ERROR, TopicAlreadyExistsError.errno):
        return ""
    return message or for_code(code).__name__


class Publisher:
    """Sends records, and knows when the broker has them all. Made by `publisher`."""

    def __init__(self, producer: AIOKafkaProducer, bootstrap: str) -> None:
        self._producer = producer
        self._bootstrap = bootstrap
        self._in_flight: list[asyncio.Future[object]] = []

    async def send(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes]] = (),
        timestamp_ms: int | None = None,
    ) -> None:
        """Hand over one record; waits when many are under way. ``timestamp_ms`` counts where the topic uses CreateTime."""
        with _told(self._bootstrap):
            self._in_flight.append(await self._producer.send(topic, value, key, timestamp_ms=timestamp_ms, headers=list(headers)))
        if len(self._in_flight) >= IN_FLIGHT_MAX:
            await self.flush()

    async def flush(self) -> None:
        """Returns when all have been acknowledged. Raises KafkaProblem if one was not."""
        sent, self._in_flight = self._in_flight, []
        with _told(self._bootstrap):
            await asyncio.gather(*sent)


@contextlib.asynccontextmanager
async def publisher(bootstrap: str) -> AsyncIterator[Publisher]:
    """A `Publisher`, flushed at the end of its block. Raises KafkaProblem.

    Not idempotent in Kafka's sense (the embedded broker can't): a retry's duplicate is recognised by its event id anyway.
    """
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", linger_ms=5, max_request_size=LARGE_RECORD_BYTES)
    try:
        with _told(bootstrap):
            await asyncio.wait_for(producer.start(), CONNECT_TIMEOUT_S)
        sending = Publisher(producer, bootstrap)
        yield sending
        await sending.flush()
    finally:
        with contextlib.suppress(KafkaError):  # the first error is the one to tell
            await producer.stop()


async def read_topic(bootstrap: str, topic: str) -> AsyncGenerator[Record, None]:
    """Every record from the topic's beginning to where it ends now; nothing if it doesn't exist. Raises KafkaProblem.

    In offset order within each partition. Close it (``aclosing``) when leaving early.
    """
    async with admin(bootstrap) as broker:
        found = await broker.topics([topic])
    partitions = [(topic, n) for n in range(found[topic].partitions)] if found else []
    async with _consumer(bootstrap) as consumer:
        with _told(bootstrap):
            starts, ends = await _bounds(consumer, partitions)
        async for record in _read(consumer, bootstrap, starts, ends):
            yield record


async def read_between(bootstrap: str, starts: Mapping[TP, int], ends: Mapping[TP, int]) -> AsyncIterator[Record]:
    """Every record from the first offset of each partition up to, not including, the second; both have the same keys.

    In offset order within each partition. They must be there: it waits for what is not. Raises KafkaProblem.
    """
    async with _consumer(bootstrap) as consumer:
        async for record in _read(consumer, bootstrap, starts, ends):
            yield record


async def _read(
    consumer: AIOKafkaConsumer, bootstrap: str, starts: Mapping[TP, int], ends: Mapping[TP, int]
) -> AsyncIterator[Record]:
    left = {TopicPartition(*tp) for tp in starts if starts[tp] < ends[tp]}
    consumer.assign(left)
    for tp in left:
        consumer.seek(tp, starts[tuple(tp)])
    while left:
        with _told(bootstrap):
            batches = await consumer.getmany(*left, timeout_ms=READ_TIMEOUT_MS, max_records=1000)
            positions = {tp: await consumer.position(tp) for tp in left}
        for tp, records in batches.items():
            end = ends[tuple(tp)]
            for record in records:
                if record.offset < end:
                    yield record
        # By position, not by the last record: compaction leaves holes.
        left = {tp for tp in left if positions[tp] < ends[tuple(tp)]}


async def origins(bootstrap: str, topic: str) -> set[str]:
    """The origins that a topic of dead letters, or of replayed ones, names: its records' keys. Raises KafkaProblem."""
    return {origin async for origin in each_origin(bootstrap, topic)}


async def each_origin(bootstrap: str, topic: str) -> AsyncGenerator[str, None]:
    """The same one by one, as they lie there; some may come several times. Close it (``aclosing``) when leaving early."""
    async with contextlib.aclosing(read_topic(bootstrap, topic)) as records:
        async for record in records:
            if record.value:
                yield (record.key or b"").decode(errors="replace")


class LogReader:
    """Reads pieces of the log, as often as wanted. Made by `log_reader`."""

    def __init__(self, consumer: AIOKafkaConsumer, bootstrap: str) -> None:
        self._consumer, self._bootstrap = consumer, bootstrap

    async def bounds(self, partitions: Sequence[TP]) -> tuple[Mapping[TP, int], Mapping[TP, int]]:
        """First and next offset of each. Raises KafkaProblem."""
        with _told(self._bootstrap):
            return await _bounds(self._consumer, partitions)

    async def between(self, starts: Mapping[TP, int], ends: Mapping[TP, int]) -> AsyncIterator[Record]:
        """As `read_between`. What has expired meanwhile raises KafkaProblem."""
        async for record in _read(self._consumer, self._bootstrap, starts, ends):
            yield record


@contextlib.asynccontextmanager
async def log_reader(bootstrap: str) -> AsyncIterator[LogReader]:
    """Raises KafkaProblem if no broker answers."""
    async with _consumer(bootstrap, auto_offset_reset="none") as consumer:  # or it would go on elsewhere where nothing is left
        yield LogReader(consumer, bootstrap)


async def follow_topic(bootstrap: str, topic: str) -> AsyncIterator[Record]:
    """Every record from the topic's beginning, and then each as it comes, without end. Raises KafkaProblem."""
    async with admin(bootstrap) as broker:
        found = await broker.topics([topic])
    if topic not in found:
        raise KafkaProblem(f"there is no topic {topic}: `portrait topics create` makes it")
    partitions = [TopicPartition(topic, n) for n in range(found[topic].partitions)]
    async with _consumer(bootstrap) as consumer:
        consumer.assign(partitions)
        with _told(bootstrap):
            await consumer.seek_to_beginning(*partitions)
        while True:
            with _told(bootstrap):
                batches = await consumer.getmany(*partitions, timeout_ms=READ_TIMEOUT_MS)
            for records in batches.values():
                for record in records:
                    yield record


@contextlib.asynccontextmanager
async def _consumer(bootstrap: str | Sequence[str], **options: object) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        max_partition_fetch_bytes=LARGE_RECORD_BYTES,
        isolation_level="read_committed",
        **options,
    )
    try:
        with _told(str(bootstrap)):
            await asyncio.wait_for(consumer.start(), CONNECT_TIMEOUT_S)
        yield consumer
    finally:
        await consumer.stop()


async def bounds(bootstrap: str | Sequence[str], partitions: Sequence[TP]) -> tuple[Mapping[TP, int], Mapping[TP, int]]:
    """First and next offset of each partition, for sure: see `_bounds`. Raises KafkaProblem."""
    async with _consumer(bootstrap) as consumer:
        with _told(str(bootstrap)):
            return await _bounds(consumer, partitions)


async def answers(bootstrap: str, partitions: Sequence[TP], within_s: float) -> bool:
    """Whether Kafka tells the bounds of all these partitions, by a connection of its own."""
    try:
        await asyncio.wait_for(bounds(bootstrap, partitions), within_s)
    except (KafkaProblem, KafkaError, OSError, TimeoutError):
        return False
    return True


async def _bounds(consumer: AIOKafkaConsumer, partitions: Sequence[TP]) -> tuple[Mapping[TP, int], Mapping[TP, int]]:
    """First and next offset of each partition. Moves the consumer's assignment.

    The embedded broker's answer for the end is that of its last batch's first record; what it says with a fetch is right. So
    where there are records, the last one is fetched.
    """
    asked = [TopicPartition(*tp) for tp in partitions]
    if not asked:
        return {}, {}
    starts = await consumer.beginning_offsets(asked)
    ends = await consumer.end_offsets(asked)
    unsure = [tp for tp in asked if starts[tp] < ends[tp]]
    consumer.assign(unsure)
    for tp in unsure:
        consumer.seek(tp, ends[tp] - 1)
    deadline = asyncio.get_running_loop().time() + CONNECT_TIMEOUT_S
    while waiting := [tp for tp in unsure if consumer.highwater(tp) is None]:
        if asyncio.get_running_loop().time() > deadline:
            raise KafkaProblem(f"no answer about {len(waiting)} partitions: is a broker of the cluster down?")
        await consumer.getmany(*waiting, timeout_ms=50, max_records=1)
    ends |= {tp: max(ends[tp], consumer.highwater(tp)) for tp in unsure}
    return {tuple(tp): at for tp, at in starts.items()}, {tuple(tp): at for tp, at in ends.items()}
