"""The drain loops and agents, with Faust's real app, conductor, queues and agents, on a log in memory instead of a broker."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

import pytest
from aiokafka.errors import OffsetOutOfRangeError
from faust.types import TP as FaustTP

from streams import feed as feed_module
from streams.app import make_app
from streams.faust_log import FaustLog
from streams.log import TP, Batch, next_offsets
from streams.producer import Publisher
from streams.settings import Settings
from streams.transport import App, Consumer, Poll, Survey

A, B, C = ("events", 0), ("events", 1), ("lessons", 0)


class Rec(NamedTuple):
    topic: str
    partition: int
    offset: int
    value: bytes = b"v"


class FakeThread:
    """Kafka, with its positions. ``fail`` is raised by the next fetch."""

    def __init__(self, ends: Mapping[TP, int]) -> None:
        self.ends = dict(ends)
        self.committed: dict[TP, int] = {}
        self.position: dict[TP, int] = {}
        self.fetched = 0
        self.hole: dict[TP, int] = {}  # offsets at the end that hold no records
        self.fail: Exception | None = None

    async def call(self, work: Coroutine[Any, Any, Any]) -> Any:
        task = asyncio.ensure_future(work)
        await asyncio.sleep(0)
        return await task

    async def fetch_here(self, partitions: Any, records_max: int) -> Poll:
        if self.fail:
            error, self.fail = self.fail, None
            raise error
        records: dict[TP, list[Any]] = {}
        reached: dict[TP, int] = {}
        for tp in sorted(partitions):
            at = self.position[tp]
            last = self.ends[tp] - self.hole.get(tp, 0)
            upto = min(last, at + -(-records_max // len(partitions)))
            if at < upto:
                records[tp] = [Rec(*tp, offset) for offset in range(at, upto)]
                self.position[tp] = upto
                self.fetched += upto - at
            elif at < self.ends[tp]:
                reached[tp] = self.position[tp] = self.ends[tp]
        if not records:
            await asyncio.sleep(0.001)
        return Poll(records, {tp: self.ends[tp] for tp in partitions}, 1, reached)

    async def survey_here(self, topics: Any, partitions: Any) -> Survey:
        ends = {tp: self.ends[tp] for tp in partitions}
        return Survey({tp: self.committed.get(tp) for tp in partitions}, dict.fromkeys(partitions, 0), ends, sorted(self.ends))

    async def seek_here(self, starts: Mapping[TP, int]) -> None:
        self.position.update(starts)

    async def commit(self, offsets: Mapping[TP, int]) -> bool:
        self.committed.update(offsets)
        return True


class Handler:
    """Writes down what it gets. ``work`` is done in each batch before that."""

    def __init__(self, log: FaustLog, *topics: str, work: Callable[[Batch], Awaitable[None]] | None = None) -> None:
        self.log, self.topics, self.work = log, topics, work
        self.seen: list[tuple[TP, int]] = []
        self.batches: list[int] = []
        self.starts = 0
        self.busy = False

    async def start_offsets(self, committed: Mapping[TP, int | None], beginnings: Any, ends: Any) -> dict[TP, int]:
        assert not self.busy, "asked while a batch is under way"
        self.starts += 1
        return {tp: at or 0 for tp, at in committed.items()}

    async def on_batch(self, batch: Batch) -> None:
        self.busy = True
        if self.work:
            await self.work(batch)
        for tp, records in batch.records.items():
            self.seen += [(tp, record.offset) for record in records]
        self.batches.append(sum(map(len, batch.records.values())))
        if batch.epoch == self.log.epoch:
            self.log.confirm(next_offsets(batch.records, batch.reached))
        self.busy = False


class Rig:
    """An app with its agents running, and with the drain loops of its consumer over the fake thread."""

    def __init__(self, ends: Mapping[TP, int], records_max: int = 10) -> None:
        publisher = Publisher("127.0.0.1:1")
        self.events = Handler(FaustLog(publisher), "events")
        self.lessons = Handler(FaustLog(publisher), "lessons")
        settings = Settings(batch_records_max=records_max)
        self.app: App = make_app(settings, [(h.log, h) for h in (self.events, self.lessons)])
        self.consumer = cast(Consumer, self.app.consumer)
        self.thread = FakeThread(ends)
        self.consumer._thread = cast(Any, self.thread)
        self.fetcher = SimpleNamespace(should_stop=False)

    async def __aenter__(self) -> Rig:
        self.app.finalize()
        await self.app.agents.start()
        await self.assign()
        self.drain = asyncio.ensure_future(self.consumer._drain_messages(self.fetcher))
        return self

    async def assign(self) -> None:
        assigned = {FaustTP(*tp) for tp in self.thread.ends}
        await self.app.topics.on_partitions_assigned(assigned)
        for handler in (self.events, self.lessons):
            handler.log.assign(tp for tp in self.thread.ends if tp[0] in handler.topics)
        self.app.flow_control.resume()
        self.consumer.resume_flow()

    async def __aexit__(self, *exc: object) -> None:
        self.fetcher.should_stop = True
        self.drain.cancel()
        await asyncio.gather(self.drain, return_exceptions=True)
        await self.app.agents.stop()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                await asyncio.sleep(0.001)
                if self.drain.done():
                    self.drain.result()


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(cast(Coroutine[Any, Any, None], scenario()))


def every(ends: Mapping[TP, int], *partitions: TP) -> list[tuple[TP, int]]:
    return sorted((tp, offset) for tp in partitions for offset in range(ends[tp]))


ENDS = {A: 100, B: 7, C: 30}


def test_every_record_arrives_once_in_order_in_bounded_batches_with_partitions_merged() -> None:
    async def scenario() -> None:
        async with Rig(ENDS) as rig:
            await rig.until(lambda: len(rig.events.seen) == 107 and len(rig.lessons.seen) == 30)
            assert sorted(rig.events.seen) == every(ENDS, A, B)
            assert [offset for tp, offset in rig.events.seen if tp == A] == list(range(100))
            assert max(rig.events.batches) <= 10
            assert {tp for tp, _ in rig.events.seen[: rig.events.batches[0]]} == {A, B}

    run(scenario)


def test_a_blocked_handler_bounds_what_is_read_and_holds_up_no_other() -> None:
    async def scenario() -> None:
        gate = asyncio.Event()

        async def wait(batch: Batch) -> None:
            await gate.wait()

        async with Rig(ENDS) as rig:
            rig.events.work = wait
            await rig.until(lambda: len(rig.lessons.seen) == 30)
            await asyncio.sleep(0.1)
            assert rig.thread.fetched - 30 <= 2 * 10 + 1
            gate.set()
            await rig.until(lambda: len(rig.events.seen) == 107)
            assert sorted(rig.events.seen) == every(ENDS, A, B)

    run(scenario)


def test_what_comes_while_a_batch_waits_joins_it() -> None:
    async def scenario() -> None:
        gate = asyncio.Event()

        async def wait(batch: Batch) -> None:
            await gate.wait()

        async with Rig({A: 1, C: 0}) as rig:
            rig.events.work = wait
            await rig.until(lambda: rig.events.busy)
            for end in (2, 3, 5):
                rig.thread.ends[A] = end
                await rig.until(lambda end=end: rig.thread.position[A] == end)  # type: ignore[misc]
            gate.set()
            await rig.until(lambda: len(rig.events.seen) == 5)
            assert rig.events.batches == [1, 4]
            assert rig.events.log.ends()[A] == 5

    run(scenario)


def test_offsets_without_records_at_the_end_are_reached_after_the_records_before_them() -> None:
    async def scenario() -> None:
        gate = asyncio.Event()

        async def wait(batch: Batch) -> None:
            await gate.wait()

        async with Rig({A: 4, B: 2, C: 0}) as rig:
            log = rig.events.log
            rig.events.work = wait
            rig.thread.hole = {A: 1, B: 2}
            await rig.until(lambda: rig.thread.position == {A: 4, B: 2, C: 0})
            assert log.health.lag() == {A: 4, B: 2}  # nothing is folded yet
            gate.set()
            await rig.until(lambda: not any(log.health.lag().values()))
            assert rig.events.seen == [(A, 0), (A, 1), (A, 2)]
            assert log.committable() == {A: 4, B: 2}

    run(scenario)


def test_a_rewind_within_a_batch_seeks_again_and_loses_nothing() -> None:
    async def scenario() -> None:
        async with Rig(ENDS) as rig:
            log = rig.events.log

            async def rewind(batch: Batch) -> None:
                if len(rig.events.batches) % 3 == 1:
                    await log.rewind()

            rig.events.work = rewind
            await rig.until(lambda: rig.events.starts >= 3)
            rig.events.work = None
            await rig.until(lambda: log.health.confirmed == {A: 100, B: 7})
            assert sorted(set(rig.events.seen)) == every(ENDS, A, B)
            assert rig.lessons.starts == 1  # the other handler is left alone

    run(scenario)


def test_a_seek_commits_first_so_that_fewer_effects_are_published_twice() -> None:
    async def scenario() -> None:
        async with Rig({A: 3, C: 0}) as rig:
            await rig.until(lambda: len(rig.events.seen) == 3)
            assert rig.thread.committed == {}
            await rig.events.log.rewind()
            await rig.until(lambda: rig.events.starts == 2)
            assert rig.thread.committed == {A: 3} and len(rig.events.seen) == 3

    run(scenario)


def test_batches_of_an_older_epoch_are_dropped() -> None:
    async def scenario() -> None:
        gate = asyncio.Event()
        epochs: list[tuple[int, int]] = []

        async with Rig(ENDS) as rig:
            log = rig.events.log

            async def wait(batch: Batch) -> None:
                epochs.append((batch.epoch, log.epoch))
                await gate.wait()

            rig.events.work = wait
            await rig.until(lambda: rig.thread.fetched >= 20)
            await log.rewind()
            gate.set()
            await rig.until(lambda: (A, 99) in rig.events.seen)
            assert all(batch == present for batch, present in epochs)

    run(scenario)


def test_a_lost_position_is_a_reason_to_seek_again() -> None:
    async def scenario() -> None:
        async with Rig(ENDS) as rig:
            await rig.until(lambda: len(rig.events.seen) == 107)
            rig.thread.fail = OffsetOutOfRangeError({A: 3})
            before = rig.events.starts + rig.lessons.starts
            await rig.until(lambda: rig.events.starts + rig.lessons.starts == before + 1)

    run(scenario)


def test_revoking_waits_for_the_batch_under_way_and_commits_it() -> None:
    async def scenario() -> None:
        gate = asyncio.Event()

        async def wait(batch: Batch) -> None:
            await gate.wait()

        async with Rig(ENDS) as rig:
            rig.events.work = wait
            await rig.until(lambda: rig.events.busy and len(rig.lessons.seen) == 30)
            epoch = rig.events.log.epoch
            settling = asyncio.ensure_future(rig.consumer.settle(20))
            rig.thread.ends[A] += 1  # a poll that is under way still brings something
            await asyncio.sleep(0.05)
            assert not settling.done() and rig.events.log.epoch == epoch
            gate.set()
            await settling
            done = len(rig.events.seen)
            assert rig.thread.committed == {A: 5, B: 5, C: 30}
            await asyncio.sleep(0.05)
            assert len(rig.events.seen) == done  # nothing more is begun

    run(scenario)


def test_a_batch_that_does_not_end_is_not_waited_for_for_ever() -> None:
    async def scenario() -> None:
        async def wait(batch: Batch) -> None:
            await asyncio.Event().wait()

        async with Rig(ENDS) as rig:
            rig.events.work = wait
            await rig.until(lambda: rig.events.busy and len(rig.lessons.seen) == 30)
            await rig.consumer.settle(0.05)
            assert rig.thread.committed == {C: 30}

    run(scenario)


def test_a_rebalance_cancels_a_seek_that_waits_for_the_store() -> None:
    async def scenario() -> None:
        cancelled = asyncio.Event()

        async def for_ever(*_: Any) -> Any:
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()

        async with Rig(ENDS) as rig:
            real = rig.events.start_offsets
            rig.events.start_offsets = for_ever  # type: ignore[method-assign]
            await rig.until(rig.events.log.busy.locked)
            await rig.consumer.settle(20)
            assert cancelled.is_set()
            rig.events.start_offsets = real  # type: ignore[method-assign]
            await rig.assign()
            await rig.until(lambda: len(rig.events.seen) == 107)

    run(scenario)


def test_a_failed_commit_is_tried_again() -> None:
    async def scenario() -> None:
        async with Rig({A: 3, C: 0}) as rig:
            await rig.until(lambda: len(rig.events.seen) == 3)

            async def refuse(offsets: Any) -> bool:
                return False

            take, rig.thread.commit = rig.thread.commit, refuse  # type: ignore[method-assign]
            assert not await rig.consumer.commit()
            assert rig.events.log.health.commit_failures == 1
            rig.thread.commit = take  # type: ignore[method-assign]
            assert await rig.consumer.commit()
            assert rig.thread.committed == {A: 3} and rig.events.log.health.commit_failures == 0

    run(scenario)


@pytest.mark.parametrize("method", ["on_batch", "start_offsets"])
def test_a_handler_that_raises_ends_the_process_without_a_commit(
    method: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    codes: list[int] = []
    personal = "alice@example.org"

    async def fail(*_: Any) -> Any:
        raise ValueError(personal)

    async def scenario() -> None:
        async with Rig(ENDS) as rig:
            setattr(rig.events, method, fail)
            with contextlib.suppress(ValueError):
                await rig.until(lambda: bool(codes))
            assert A not in rig.thread.committed

    monkeypatch.setattr(feed_module, "leave_process", codes.append)
    run(scenario)
    assert codes[0] == feed_module.EXIT_HOPELESS
    last_words = [record.getMessage() for record in caplog.records if record.name == feed_module.__name__]
    assert "ValueError" in last_words[0] and personal not in last_words[0]
