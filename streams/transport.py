"""Batches through Faust: the one file that touches the internals of Faust and aiokafka.

Each assumption about them has its test in tests/unit/test_transport_assumptions.py. Faust hands an agent one record at a
time, at a cost of some 70 microseconds each. Here a message is all that was read for a handler, over all its partitions.
And the offsets are ours: Faust's acknowledgements decide nothing, Kafka gets what the handler confirmed, and after each
assignment or rewind the handler says where to seek.

    aiokafka (its own thread) --fetch--> _drain, one task a handler --conductor--> the agent's queue --> handler.on_batch
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Collection, Coroutine, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar, cast

import faust
from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as KafkaTP
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import ConsumerStoppedError, KafkaError
from aiokafka.structs import OffsetAndMetadata
from faust.app.base import BootStrategy as FaustBootStrategy
from faust.transport import drivers
from faust.transport.conductor import Conductor
from faust.transport.drivers import aiokafka as driver
from faust.types import TP as FaustTP
from faust.types import ConsumerMessage
from mode import Service
from mode.threads import WorkerThread

from streams.feed import Feed, or_leave
from streams.kafka import KafkaProblem, bounds
from streams.log import NOTHING, TP, Batch, Record, next_offsets

SCHEME = "portrait"
# A partition that is handed over while a fetch is in flight waits for that fetch to return before its own next fetch:
# Faust's fixed 1500 ms would stall a hot partition beside idle ones. The broker answers at the first byte all the same.
FETCH_WAIT_MS = 100
PACE_S = 0.002  # between polls while the handler works: their records only join the batch that waits
POLL_S = 0.25  # how late a rewind or a revocation is noticed while nothing arrives
WAITING_BYTES_MAX = 32 << 20  # of values that wait for their turn; a poll may bring some megabytes more
RETRY_S = 1.0
WATCH_S = 1.0
COMMIT_TIMEOUT_S = 5.0
SETTLE_S = 8.0  # what a batch under way gets at the end; Docker kills after 10

log = logging.getLogger(__name__)
T = TypeVar("T")


class Poll(NamedTuple):
    """What a poll brought, and the ends as last seen; none of them before ``as_of_ms``. ``reached``: as in `Batch`."""

    records: dict[TP, list[Record]]
    ends: dict[TP, int]
    as_of_ms: int
    reached: Mapping[TP, int] = NOTHING


class Survey(NamedTuple):
    """What Kafka says about the assigned partitions, and all partitions of their topics, whoever has them."""

    committed: dict[TP, int | None]
    beginnings: dict[TP, int]
    ends: dict[TP, int]
    every: list[TP]
    moments_ms: Mapping[TP, int] = {}  # beside the committed offsets of all of them; none where the broker keeps none


class BootStrategy(FaustBootStrategy):
    enable_kafka_producer = False


class App(faust.App):
    """A Faust app with feeds. No directory of data, no producer of Faust's own: nothing here uses them."""

    feeds: Sequence[Feed] = ()

    BootStrategy = BootStrategy

    def _create_directories(self) -> None:
        pass

    async def stop(self) -> None:
        if any(feed.log.assigned for feed in self.feeds):
            await cast(Consumer, self.consumer).settle(SETTLE_S)
            for feed in self.feeds:
                feed.log.assign(())  # so that Faust's own last commit doesn't wait once more for a broker that is away
        await super().stop()


class DaemonThread(WorkerThread):
    """A broker that doesn't answer must not hold up the end of the process."""

    def __init__(self, service: Any, **kwargs: Any) -> None:
        super().__init__(service, **kwargs)
        self.daemon = True


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """aiokafka's consumer in its thread. Methods ending in ``_here`` run in the thread's loop, the others in the worker's."""

    shutdown_timeout = COMMIT_TIMEOUT_S
    moments_ms: Mapping[TP, int] = {}  # to be committed beside the offsets

    def _create_worker_consumer(self, transport: driver.Transport) -> AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        consumer._isolation_level = "read_committed"  # what its producer took back has not happened
        # The same partition of all topics to the same worker: a customer's events of all kinds meet there, so that workers
        # seldom write the same profile. (Without tables Faust takes round-robin; `range` also lets others join the group.)
        consumer._partition_assignment_strategy = [RangePartitionAssignor]
        return consumer

    async def on_thread_stop(self) -> None:
        try:
            await super().on_thread_stop()
        except asyncio.CancelledError:  # aiokafka stumbles over its own cancelled fetch when the broker is away
            await self._ensure_consumer()._client.close()

    async def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run ``work`` in the thread. Faust's own way has two workers, of which a long poll would take one."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self.thread_loop))

    async def fetch_here(self, partitions: Collection[TP], records_max: int) -> Poll:
        """What has arrived, the same share of each partition. Waits at most POLL_S."""
        consumer = self._ensure_consumer()
        fetcher = consumer._fetcher
        if consumer._closed or fetcher._closed:
            raise ConsumerStoppedError()
        wanted = {KafkaTP(*tp) for tp in partitions}
        before = self._positions(wanted)
        ready = [tp for tp in fetcher._records if tp in wanted]
        if len(ready) < 2:
            records = await fetcher.fetched_records(wanted, timeout=POLL_S, max_records=records_max)
        else:
            share, records = -(-records_max // len(ready)), {}
            for tp in ready[:records_max]:
                records.update(await fetcher.fetched_records({tp}, timeout=0, max_records=share))
        present = wanted & consumer.assignment()
        ends = {tp: end for tp in present if (end := consumer.highwater(tp)) is not None}
        # aiokafka moves a position only when it hands records out, or passes over what holds none.
        after = next_offsets(records)
        reached = {tp: at for tp, at in self._positions(wanted).items() if at > after.get(tp, before.get(tp, at))}
        return Poll(records, ends, min((consumer.last_poll_timestamp(tp) or 0 for tp in present), default=0), reached)

    def _positions(self, partitions: Collection[KafkaTP]) -> dict[TP, int]:
        """Where the consumer stands now, as far as it knows. `position` would wait, and things would move meanwhile."""
        subscription = self._ensure_consumer()._subscription.subscription
        assignment = subscription and subscription.assignment
        states = {tp: assignment.state_value(tp) for tp in partitions} if assignment else {}
        return {tp: state.position for tp, state in states.items() if state and state.has_valid_position}

    async def check_here(self) -> None:
        """What a poll of aiokafka's own would look after, and Faust's does not. Raises RuntimeError when there is no way on."""
        consumer = self._ensure_consumer()
        coordinator = consumer._coordinator
        if consumer._closed or coordinator is None:
            return
        if consumer._fetcher._fetch_task.done() or coordinator._coordination_task.done():
            raise RuntimeError("aiokafka's fetcher or coordinator has ended")
        if not all(consumer.partitions_for_topic(topic) for topic in consumer.subscription()):
            consumer._client.force_metadata_update()  # just restarted, a broker may know no topic, and nobody is assigned any
        try:
            coordinator.check_errors()
        except KafkaError as error:
            log.error("the consumer group has trouble (%s): joining it again", type(error).__name__)
            coordinator.request_rejoin()  # its heartbeats may have ended with the error

    async def survey_here(self, topics: Collection[str], partitions: Collection[TP]) -> Survey:
        consumer = self._ensure_consumer()
        tps = [KafkaTP(*tp) for tp in partitions]
        known = {topic: consumer.partitions_for_topic(topic) for topic in topics}
        if missing := [topic for topic, numbers in known.items() if not numbers]:
            raise KafkaError(f"no partitions are known of {', '.join(missing)}")
        every = [KafkaTP(topic, number) for topic, numbers in known.items() for number in sorted(numbers or ())]
        stored = await consumer._coordinator.fetch_committed_offsets({*every, *tps})
        offsets = {tp: at.offset for tp, at in stored.items() if at.offset >= 0}
        beginnings, ends = await asyncio.gather(consumer.beginning_offsets(tps), consumer.end_offsets({*every, *tps}))
        if any(at > ends[tp] for tp, at in offsets.items()):
            # Either a topic was made anew, or this is the embedded broker, which tells the end of all but its last batch.
            _, sure = await bounds(consumer._client._bootstrap_servers, [tuple(tp) for tp in ends])
            ends = {tp: sure[tuple(tp)] for tp in ends}
        # An offset past the end is not of this log: the topic was made anew.
        notes = {tuple(tp): stored[tp].metadata or "" for tp, at in offsets.items() if at <= ends[tp]}
        moments = {tuple(tp): 0 for tp in every if tp not in offsets}
        moments |= {tp: int(note) for tp, note in notes.items() if note.isdecimal()}  # other tools may have written anything
        committed, ends = {tp: offsets.get(tp) for tp in tps}, {tp: ends[tp] for tp in tps}
        return Survey(committed, beginnings, ends, [tuple(tp) for tp in every], moments)

    async def seek_here(self, starts: Mapping[TP, int]) -> None:
        consumer = self._ensure_consumer()
        for tp, offset in starts.items():
            consumer.seek(KafkaTP(*tp), offset)

    async def _commit(self, offsets: Mapping[FaustTP, int]) -> bool:
        """Unlike Faust's: an error is logged and the next interval tries again. What is not committed is only done again."""
        consumer = self._ensure_consumer()
        mine = {
            KafkaTP(*tp): OffsetAndMetadata(at, str(self.moments_ms.get(tp, 0)))
            for tp, at in offsets.items()
            if tp in consumer.assignment()
        }
        try:
            await asyncio.wait_for(consumer.commit(mine), COMMIT_TIMEOUT_S)
        except (TimeoutError, KafkaError) as error:
            log.warning("offsets not committed (%s): the next interval tries again", type(error).__name__)
            return False
        return True


class Consumer(driver.Consumer):
    """Faust's consumer, but with batches and our own offsets. See the module."""

    _thread: ConsumerThread

    def _new_consumer_thread(self) -> ConsumerThread:
        same_kind = type(asyncio.get_running_loop())  # uvloop's in the thread as well, if it is uvloop's here
        thread = ConsumerThread(self, loop=self.loop, beacon=self.beacon, thread_loop=same_kind(), Worker=DaemonThread)
        thread._close_thread_loop_on_stop = True
        return thread

    @property
    def feeds(self) -> Sequence[Feed]:
        return cast(App, self.app).feeds

    # Offsets: ours alone.

    def ack(self, message: Any) -> bool:
        return False

    async def force_commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        """Every way to a commit ends here: the interval, a rebalance, the end."""
        offsets = {tp: at for feed in self.feeds for tp, at in feed.log.committable().items()}
        if not offsets:
            return False
        moments_ms = {tp: ms for feed in self.feeds for tp, ms in feed.log.moments_reached().items()}
        self._thread.moments_ms = moments_ms
        done = await self._commit(cast(Any, offsets))
        for feed in self.feeds:
            if done:
                feed.log.committed(offsets, moments_ms)
            else:
                feed.log.health.commit_failures += 1
        return done

    async def commit_and_end_transactions(self) -> None:
        """At the end: a commit of the interval may be under way, with older offsets than ours."""
        await self.maybe_wait_for_commit_to_finish()
        await self.commit()

    async def perform_seek(self) -> None:
        """Faust asks at every assignment, but waits for one request's time only, and a store may be away for longer.

        So the seek is left to the drain loops: `assign` has made it due.
        """

    def verify_event_path(self, now: float, tp: FaustTP) -> None:
        """`Health` tells what hangs; Faust's own detector takes a handler that waits for its store for a fault."""

    # Rebalances.

    async def on_partitions_revoked(self, revoked: set[FaustTP]) -> None:
        if self.app.should_stop:
            return  # stopping commits and leaves the group by itself
        await self.settle(self.app.conf.broker_session_timeout / 2)
        for feed in self.feeds:
            feed.log.revoke()
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[FaustTP], generation_id: int = 0) -> None:
        if self.app.should_stop:
            return
        for feed in self.feeds:
            feed.log.assign((tp.topic, tp.partition) for tp in assigned if tp.topic in feed.handler.topics)
        await super().on_partitions_assigned(assigned, generation_id)

    async def settle(self, timeout_s: float) -> None:
        """Take no more batches, let those under way finish, commit what they confirmed."""
        self.stop_flow()
        self.app.flow_control.suspend()
        self.app.flow_control.clear()
        try:
            async with asyncio.timeout(timeout_s):
                for feed in self.feeds:
                    async with feed.log.busy:
                        pass
        except TimeoutError:
            log.warning("a batch is still under way after %.0f s: it will be done again", timeout_s)
        await self.commit_and_end_transactions()

    @Service.task
    async def _watch_coordinator(self) -> None:
        """aiokafka's coordinator waits until somebody takes its error. All the time, for during a rebalance nothing is polled."""
        while not self.should_stop:
            await self._thread.call(self._thread.check_here())
            await self.sleep(WATCH_S)

    # Batches.

    async def _drain_messages(self, fetcher: Any) -> None:
        """Faust's fetcher runs this as long as the app runs, over all assignments."""
        drains = [asyncio.ensure_future(self._drain(feed, fetcher)) for feed in self.feeds]
        try:
            await asyncio.gather(*drains)
        except (ConsumerStoppedError, asyncio.CancelledError):
            if not (self.app.should_stop or fetcher.should_stop):
                raise
        finally:
            for drain in drains:
                drain.cancel()
            await asyncio.gather(*drains, return_exceptions=True)

    async def _drain(self, feed: Feed, fetcher: Any) -> None:
        """One handler's loop: a handler that waits holds up no other."""
        paced = False
        while not (self.should_stop or fetcher.should_stop):
            if not self.flow_active:
                await self.wait(cast(Any, self.can_resume_flow))
            elif feed.log.seek_due:
                await self._unless_suspended(self._seek_feed(feed))
            elif not feed.log.assigned or self._room(feed) <= 0:
                await self._wait_changed(feed, POLL_S)
            elif feed.log.busy.locked() and not paced:
                await self._wait_changed(feed, PACE_S)
                paced = True
            else:
                await self._poll(feed, self._room(feed))
                paced = False

    def _waits(self, feed: Feed) -> bool:
        """Is the last batch still in the agent's queue? The real queue is asked, because Faust empties it without telling."""
        tp = FaustTP(*next(iter(feed.log.assigned)))
        return any(channel.queue.qsize() for channel in cast(Conductor, self.app.topics)._tp_index[tp])

    def _room(self, feed: Feed) -> int:
        """Records that may still join the batch that waits. Memory is bounded by it: one batch worked on, one that waits."""
        if not self._waits(feed):
            return feed.records_max
        return feed.records_max - sum(map(len, feed.last.records.values())) if feed.last_bytes < WAITING_BYTES_MAX else 0

    async def _wait_changed(self, feed: Feed, timeout_s: float) -> None:
        feed.log.changed.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await feed.log.changed.wait()

    async def _poll(self, feed: Feed, room: int) -> None:
        epoch, generation = feed.log.epoch, self.app.consumer_generation_id
        try:
            poll = await self._thread.call(self._thread.fetch_here(feed.log.assigned, room))
        except ConsumerStoppedError:
            raise
        except KafkaError as error:
            # The position may have moved, or be lost (OffsetOutOfRange): the handler says again where to start.
            log.error("reading failed (%s): seeking again", type(error).__name__)
            feed.log.seek_due = True
            await self.sleep(RETRY_S)
            return
        if epoch != feed.log.epoch:
            return  # a seek is due: what was read is read again
        feed.log.polled(poll.ends, poll.as_of_ms)
        if not poll.records and not poll.reached:
            return
        if not self.flow_active or generation != self.app.consumer_generation_id:
            feed.log.seek_due = True  # what was read here is not given to anybody; a batch under way may still finish
            return
        await self._give(feed, Batch(epoch, poll.records, dict(feed.log.ends()), dict(poll.reached)))

    async def _give(self, feed: Feed, batch: Batch) -> None:
        """To the agent: with the batch that waits for it, or as the next one."""
        size = sum(len(record.value or b"") for records in batch.records.values() for record in records)
        if self._waits(feed) and feed.last.epoch == batch.epoch:
            feed.last_bytes += size
            waiting = cast(dict[TP, list[Record]], feed.last.records)
            for tp, records in batch.records.items():
                waiting.setdefault(tp, []).extend(records)
            cast(dict[TP, int], feed.last.ends).update(batch.ends)
            cast(dict[TP, int], feed.last.reached).update(batch.reached)
        else:
            feed.last, feed.last_bytes = batch, size
            await self.callback(self._message(batch))

    def _message(self, batch: Batch) -> Any:
        """Faust needs some partition to find the agent by, and the generation to drop what is older than a rebalance."""
        tp, offset = next(iter(next_offsets(batch.records, batch.reached).items()))
        return ConsumerMessage(
            tp[0], tp[1], offset - 1, 0.0, 0, [], None, cast(Any, batch), None, 0, 0, FaustTP(*tp),
            generation_id=self.app.consumer_generation_id,
        )  # fmt: skip

    # Seeking.

    async def _seek_feed(self, feed: Feed) -> None:
        """When the handler has returned: commit, ask Kafka what there is, ask the handler where to start, seek."""
        async with feed.log.busy:
            epoch = feed.log.begin_epoch()
            try:
                await self.commit_and_end_transactions()
                found = await self._thread.call(self._thread.survey_here(feed.handler.topics, feed.log.assigned))
                feed.log.surveyed(found.every, found.moments_ms)
                starts = await or_leave(feed.handler.start_offsets(found.committed, found.beginnings, found.ends))
                starts = {tp: starts[tp] for tp in feed.log.assigned}
                await self._thread.call(self._thread.seek_here(starts))
            except (KafkaError, KafkaProblem) as error:  # the broker is away, or the assignment has changed
                log.warning("seeking failed (%s): trying again", type(error).__name__)
                await self.sleep(RETRY_S)
                return
            feed.log.sought(epoch, found.committed, found.ends, starts)

    async def _unless_suspended(self, work: Coroutine[Any, Any, None]) -> None:
        """Await ``work``, but cancel it when a rebalance begins or the app stops."""
        task, suspended = asyncio.ensure_future(work), asyncio.ensure_future(self.suspend_flow.wait())
        try:
            await asyncio.wait({task, suspended}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            suspended.cancel()
            task.cancel()
            await asyncio.wait({task})
        if not task.cancelled():
            task.result()


class Transport(driver.Transport):
    """``portrait://host:port``."""

    Consumer = Consumer


drivers.TRANSPORTS.aliases[SCHEME] = f"{__name__}:{Transport.__name__}"
