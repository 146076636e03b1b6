"""What ends a worker that no longer works, and what does not: by counted looks, without a clock."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Callable, Hashable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from streams import watchdog
from streams.faust_log import FaustLog
from streams.log import Batch
from streams.producer import Publisher
from streams.watchdog import ASK_LOOKS, PROBLEM_LOOKS, STALLED_LOOKS, LoopGuard, Watchdog, Watched
from streams.worker import Parts
from tests.unit.loopkit import Worker, World

TP = ("clicks", 0)


class Kennel:
    """A watchdog over one thing; ``deaths`` are the reasons given."""

    def __init__(self, sign: Callable[[], Hashable], kafka: Callable[[], bool] = lambda: True) -> None:
        self.deaths: list[str] = []
        self.asked = 0
        self._kafka = kafka
        self.watchdog = Watchdog([Watched("nothing was done", sign)], self._answers, self.deaths.append)

    async def _answers(self) -> bool:
        self.asked += 1
        return self._kafka()

    def look(self, times: int) -> None:
        for _ in range(times):
            asyncio.run(self.watchdog.look())


def test_signs_of_life_keep_a_worker_alive() -> None:
    kennel = Kennel(itertools.count().__next__)
    kennel.look(10 * STALLED_LOOKS)
    assert (kennel.deaths, kennel.asked) == ([], 0)


def test_silence_ends_it_after_so_many_looks_and_not_before() -> None:
    kennel = Kennel(lambda: 7)
    kennel.look(STALLED_LOOKS)
    assert kennel.deaths == []
    kennel.look(1)
    assert kennel.deaths == ["nothing was done for 120 s"]


def test_one_sign_begins_the_count_anew() -> None:
    signs = itertools.chain([1] * STALLED_LOOKS, [2] * STALLED_LOOKS, itertools.repeat(3))
    kennel = Kennel(signs.__next__)
    kennel.look(3 * STALLED_LOOKS)
    assert kennel.deaths == []
    kennel.look(1)
    assert len(kennel.deaths) == 1


def test_who_has_nothing_to_do_is_left_alone() -> None:
    kennel = Kennel(lambda: None)
    kennel.look(10 * STALLED_LOOKS)
    assert (kennel.deaths, kennel.asked) == ([], 0)


def test_while_kafka_answers_nobody_nothing_is_expected() -> None:
    there = [False]
    kennel = Kennel(lambda: 7, lambda: there[0])
    kennel.look(10 * STALLED_LOOKS)
    assert kennel.deaths == [] and kennel.asked > 1
    there[0] = True
    kennel.look(STALLED_LOOKS - ASK_LOOKS)
    assert kennel.deaths == [], "once it is back, there is time to begin anew"
    kennel.look(STALLED_LOOKS)
    assert len(kennel.deaths) > 0


def test_the_probes_tell_before_the_end() -> None:
    kennel = Kennel(lambda: 7)
    kennel.look(PROBLEM_LOOKS)
    assert kennel.watchdog.problems() == []
    kennel.look(1)
    assert kennel.watchdog.problems() == ["nothing was done for 60 s"]


class Quick:
    """`threading.Event` whose waiting takes no time."""

    def __init__(self, waits: int) -> None:
        self._left = waits
        self.waited: Callable[[], None] = lambda: None

    def wait(self, seconds: float) -> bool:
        self._left -= 1
        self.waited()
        return self._left < 0


@pytest.mark.parametrize(("beat_every", "ends"), [(1, False), (watchdog.BLOCKED_BEATS - 1, False), (10**9, True)])
def test_a_loop_that_stands_still_ends_the_process(beat_every: int, ends: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    reasons: list[str] = []
    guard = LoopGuard(lambda reason: None)
    monkeypatch.setattr(guard, "_end", reasons.append)
    guard._ended = quick = cast(Any, Quick(3 * watchdog.BLOCKED_BEATS))
    looks = itertools.count(1)
    quick.waited = lambda: asyncio.run(guard.beat()) if next(looks) % beat_every == 0 else None
    guard._watch()
    assert bool(reasons) is ends
    if ends:
        assert "has not turned for 60 s" in reasons[0] and "test_streams_watchdog.py" in reasons[0]


def test_it_leaves_even_if_the_log_is_what_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    codes: list[int] = []
    hangs = threading.Event()
    monkeypatch.setattr(watchdog, "LAST_WORDS_S", 0.01)
    monkeypatch.setattr(watchdog.os, "_exit", codes.append)
    LoopGuard(lambda reason: hangs.wait())._end("a reason")
    hangs.set()
    assert codes == [70]


class Bench:
    """A worker's signs, with the parts that give them."""

    def __init__(self, events: FaustLog | None = None, loop: Any = None) -> None:
        self.now_ms = 1000
        self.publisher = Publisher("127.0.0.1:1")
        self.events = events or FaustLog(self.publisher, lambda: self.now_ms)
        self.loop = loop or SimpleNamespace(steps=0, sweeps_begun=0)
        self.lessons = FaustLog(self.publisher, lambda: self.now_ms)
        self.trainer = SimpleNamespace(loading=False)
        parts = SimpleNamespace(
            _events=self.events, _lessons=self.lessons, _loop=self.loop, _publisher=self.publisher, _trainer=self.trainer
        )
        self.folding, self.learning, self.sweeping, self.sharing = Parts._watched(cast(Any, parts))

    def assign(self, end: int) -> None:
        self.events.assign([TP])
        self.events.sought(self.events.epoch, {TP: None}, {TP: end}, {TP: 0})

    def silent(self, watched: Watched, happens: Callable[[], None] = lambda: None) -> bool:
        """After this has happened between two looks."""
        watched.look()
        self.now_ms += 1000
        happens()
        return watched.look() > 0


def test_a_trainer_that_is_loading_what_it_learns_with_is_no_trouble() -> None:
    bench = Bench()
    bench.lessons.assign([("lessons", 0)])
    assert bench.silent(bench.learning)
    bench.trainer.loading = True
    assert not bench.silent(bench.learning)


def test_without_partitions_nothing_is_watched() -> None:
    bench = Bench()
    assert not bench.silent(bench.folding) and not bench.silent(bench.learning) and not bench.silent(bench.sweeping)


def test_work_that_is_not_done_is_silence_and_the_absence_of_work_is_not() -> None:
    bench = Bench()
    bench.assign(5)
    polled = lambda: bench.events.polled({TP: 5}, 0)  # noqa: E731
    assert bench.silent(bench.folding, polled)
    bench.events.confirm({TP: 5})
    assert not bench.silent(bench.folding, polled)
    assert bench.silent(bench.folding), "nothing is polled any more"


def test_a_seek_that_comes_to_nothing_is_silence() -> None:
    bench = Bench()
    bench.assign(5)
    assert bench.silent(bench.folding, lambda: bench.assign(5))


def test_a_batch_of_its_epoch_is_a_sign_and_a_stale_one_is_none() -> None:
    bench = Bench()
    bench.assign(5)
    fresh, stale = Batch(bench.events.epoch, {}, {}), Batch(bench.events.epoch - 1, {}, {})
    assert not bench.silent(bench.folding, lambda: bench.events.finished_batch(fresh))
    assert bench.silent(bench.folding, lambda: bench.events.finished_batch(stale))


def test_steps_within_a_batch_are_signs_and_those_of_sweeps_are_none() -> None:
    async def scenario() -> None:
        bench = Bench()
        bench.assign(5)

        def step() -> None:
            bench.loop.steps += 1

        def sweep() -> None:
            bench.loop.sweeps_begun += 1

        assert bench.silent(bench.folding, step), "a sweep's: it says nothing of what is to be read"
        assert not bench.silent(bench.sweeping, step) and not bench.silent(bench.sweeping, sweep)
        async with bench.events.busy:
            bench.folding.look()
            assert not bench.silent(bench.folding, step)
            assert bench.silent(bench.folding, sweep), "a sweep that begins moves no batch, and no seek"
            assert bench.silent(bench.folding) and bench.silent(bench.sweeping), "stuck"

    asyncio.run(scenario())


def test_a_seek_that_hangs_is_silence_though_sweeps_go_on() -> None:
    """The group's coordinator never answers, or the consumer's thread is dead: `busy` is held all the while."""

    async def scenario() -> None:
        worker = Worker(World())
        bench = Bench(worker.log, worker.loop)
        worker.log.assign([TP])
        async with worker.log.busy:
            for _ in range(2 * STALLED_LOOKS):
                await worker.loop.sweep()
                bench.folding.look()
        assert bench.folding.looks >= STALLED_LOOKS

    asyncio.run(scenario())


def test_a_rebalance_that_does_not_end_is_silence_and_being_left_without_partitions_is_not() -> None:
    bench = Bench()
    bench.assign(5)
    bench.events.revoke()
    assert bench.silent(bench.sharing) and not bench.silent(bench.folding) and not bench.silent(bench.sweeping)
    assert not bench.silent(bench.sharing, bench.events.revoke), "another rebalance"
    bench.events.assign(())
    assert not bench.silent(bench.sharing), "others have them all"


def test_a_broker_that_is_tried_again_and_again_is_waited_for() -> None:
    bench = Bench()
    bench.assign(5)

    def fail() -> None:
        bench.publisher.failures += 1

    assert not bench.silent(bench.folding, fail) and not bench.silent(bench.sweeping, fail)
