"""Publishing to Kafka: all of a list is acknowledged by the broker, or named as impossible, before the call returns."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Sequence
from typing import TypeVar

from aiokafka import AIOKafkaProducer
from aiokafka.errors import InvalidTopicError, KafkaError, MessageSizeTooLargeError, RecordListTooLargeError

from streams.log import Outgoing, Unpublishable

HOPELESS = (MessageSizeTooLargeError, RecordListTooLargeError, InvalidTopicError)
RETRY_S = 0.5
WARN_AFTER_S = 5.0
STOP_TIMEOUT_S = 5.0
MESSAGE_BYTES_MAX = 1_000_000  # the broker's default limit, less the batch's own header
BATCH_BYTES_MAX = 128 * 1024  # a list of hundreds of messages in few requests

T = TypeVar("T")

log = logging.getLogger(__name__)


class Publisher:
    """A producer that outlives the broker's absence. Use it within one event loop."""

    def __init__(self, bootstrap: str, *, linger_ms: int = 0) -> None:
        self.waiting = False  # a delivery has been hanging for a while
        self.failures = 0  # tries that failed because the broker is away, so far
        self._bootstrap = bootstrap
        self._linger_ms = linger_ms
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()

    async def start(self) -> None:
        """Wait until the broker answers. Not needed before `publish`, but a good way to wait for Kafka."""
        await self._patiently(self._connected())

    async def stop(self) -> None:
        """What was published is acknowledged already, so a broker that is away doesn't hold this up."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await _stop(producer)

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        """Returns when the broker has acknowledged them all; waits, with a line in the log, while it is away.

        Raises Unpublishable when the broker can never take some of them; the others are acknowledged then.
        """
        if messages:
            await self._patiently(self._publish(messages))

    async def _publish(self, messages: Sequence[Outgoing]) -> None:
        waiting, rejected = list(messages), []
        while waiting:
            producer = await self._connected()
            outcomes = await _deliver(producer, waiting)
            rejected += [(m, type(e).__name__) for m, e in zip(waiting, outcomes, strict=True) if isinstance(e, HOPELESS)]
            failed = [(m, e) for m, e in zip(waiting, outcomes, strict=True) if e is not None and not isinstance(e, HOPELESS)]
            waiting = [message for message, _ in failed]
            if failed:
                names = sorted({type(error).__name__ for _, error in failed})
                self.failures += 1
                log.warning("%d messages were not delivered (%s): trying again", len(failed), ", ".join(names))
                await self._replace(producer)
        if rejected:
            raise Unpublishable(rejected)

    async def _connected(self) -> AIOKafkaProducer:
        async with self._starting:
            while self._producer is None:
                producer = AIOKafkaProducer(
                    bootstrap_servers=self._bootstrap,
                    acks="all",
                    enable_idempotence=False,  # the embedded broker refuses it; a repetition carries the same id
                    linger_ms=self._linger_ms,
                    max_batch_size=BATCH_BYTES_MAX,
                    max_request_size=MESSAGE_BYTES_MAX,
                )
                try:
                    await producer.start()
                    self._producer = producer
                except KafkaError:
                    self.failures += 1
                    await asyncio.sleep(RETRY_S)
                finally:
                    if self._producer is not producer:  # cancelled or refused: don't leave a connection behind
                        await _stop(producer)
            return self._producer

    async def _replace(self, producer: AIOKafkaProducer) -> None:
        """A producer that gave up on a message may have lost its sequence for good: begin with a new one."""
        await asyncio.sleep(RETRY_S)
        if self._producer is producer:
            self._producer = None
            await _stop(producer)

    async def _patiently(self, work: Awaitable[T]) -> T:
        """Await ``work``; say so when it takes long, and again when it is done."""
        task = asyncio.ensure_future(work)
        warned = False
        try:
            while not (await asyncio.wait({task}, timeout=WARN_AFTER_S))[0]:
                if not warned:
                    log.warning("Kafka at %s takes no messages: waiting. `portrait doctor` may tell why", self._bootstrap)
                warned = self.waiting = True
            return task.result()
        finally:
            task.cancel()
            if warned:
                log.info("Kafka takes messages again")
                self.waiting = False


async def _deliver(producer: AIOKafkaProducer, messages: Sequence[Outgoing]) -> list[BaseException | None]:
    """What became of each: None when acknowledged. One message that fails must not hide the others' fate."""
    outcomes: list[BaseException | asyncio.Future] = []
    for message in messages:
        try:
            outcomes.append(
                await producer.send(message.topic, value=message.value, key=message.key, headers=list(message.headers))
            )
        except KafkaError as error:
            outcomes.append(error)
    if deliveries := [outcome for outcome in outcomes if isinstance(outcome, asyncio.Future)]:
        await asyncio.wait(deliveries)
    return [outcome.exception() if isinstance(outcome, asyncio.Future) else outcome for outcome in outcomes]


async def _stop(producer: AIOKafkaProducer) -> None:
    """`stop` flushes, and so would wait for ever for a broker that is gone."""
    task = asyncio.ensure_future(producer.stop())
    await asyncio.wait({task}, timeout=STOP_TIMEOUT_S)
    if not task.cancel():
        task.exception()
