"""Anonymous fragments that expire: whatever is lost, read again, or told late, the facts are those of what is not void."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import oracle.log
from portrait.evolve import Arrival, due_ms, published
from portrait.expiry import EMPTY_MS, begun, evolve_anonymous
from portrait.identity.person import Moment
from portrait.renew import refold
from portrait.settle import Policy
from portrait.state import State, decode, encode, facts, mark_of
from schemas.event import Event
from schemas.event import decode as decode_event
from schemas.registry import BY_NAME, EXPIRED
from streams.cuts import Cuts
from tests.property.lives import DAY_MS, END_MS, Author, LogRecord, arrive, readable
from tests.property.test_facts_order import SCORER

NAME = "anonymous:5f2"
IDLE_MS = 20 * DAY_MS
START_MS = END_MS - 500 * DAY_MS
#: Everything is told by then, and has expired.
LATER_MS = END_MS + IDLE_MS
randoms = st.randoms(use_true_random=False, note_method_calls=False)
lives = settings(max_examples=60, deadline=None, print_blob=True, suppress_health_check=list(HealthCheck))


def write(rng: Random, n: int, duplicates: int = 0) -> list[LogRecord]:
    """A log that goes more or less with the time."""
    author = Author(rng, words=3, days=rng.choice([60, 200, 450]))
    sent = [author.write() for _ in range(n)]
    if rng.random() < 0.7:
        sent.sort(key=lambda one: _event(LogRecord(one.topic, 0, 0, END_MS, NAME.encode(), one.value)).time_ms)
    return [record._replace(key=NAME.encode()) for record in arrive(rng, sent, duplicates)]


def _event(record: LogRecord) -> Event:
    event = decode_event(record.topic, record.key, record.value, (), END_MS)
    assert isinstance(event, Event), event
    return event


def arrivals(log: Sequence[LogRecord]) -> list[Arrival]:
    """What links is left out: who was ever linked does not expire."""
    found = [Arrival(mark_of(BY_NAME[r.topic].code, r.partition), r.offset, _event(r)) for r in log]
    return [arrival for arrival in found if not hasattr(arrival.event.data, "other")]


class Worker:
    """One that folds this log into a store of one identity, and is told of what has expired, sooner or later."""

    def __init__(self, rng: Random, log: Sequence[LogRecord]) -> None:
        self.rng, self.arrivals = rng, arrivals(log)
        self.clock_ms, self.at = 0, 0
        self.stored: bytes | None = None
        self.backups: list[tuple[bytes | None, int]] = [(None, 0)]
        self.topic: list[bytes] = []  # what has expired
        self.under_way: list[bytes] = []
        self.cuts, self.heard = Cuts(), 0
        self.emptied = 0

    def hear(self) -> None:
        for value in self.topic[self.heard :]:
            self.cuts.take(value)
        self.heard = len(self.topic)

    def apply(self, batch: Sequence[Arrival]) -> None:
        again = True
        while again:
            state = decode(self.stored) if self.stored else None
            before = state.events if state else 0
            now = Moment(self.clock_ms, SCORER, Policy())
            outcome = evolve_anonymous(state, NAME, batch, now, IDLE_MS, self.cuts.of(NAME))
            again, change = outcome.again, outcome.change
            if outcome.gone:
                assert state is not None and not state.events and not batch
                self.stored = None
            elif change is not None:
                self.stored = encode(change.state)
                self.emptied += bool(before and not change.state.events)

    def publish(self) -> None:
        """The effects go out; whether the broker has them is known later, or never."""
        if self.stored is None:
            return
        state = decode(self.stored)
        self.under_way += [effect.value for effect in state.effects if effect.topic == EXPIRED]
        if self.rng.random() < 0.5:
            self.arrive()
            published(state)
            self.stored = encode(state)

    def arrive(self) -> None:
        self.topic, self.under_way = [*self.topic, *self.under_way], []

    def come_back_older(self, to: int) -> None:
        self.stored, self.at = self.backups[to]
        if self.rng.random() < 0.5:
            self.arrive()
        self.hear()

    def live(self, losses: float) -> None:
        rng = self.rng
        while self.at < len(self.arrivals) or rng.random() < 0.7:
            if rng.random() < 0.5:
                batch = self.arrivals[max(0, self.at - rng.choice([0, 0, 0, 3])) : self.at + rng.randint(1, 5)]
                if batch and rng.random() < 0.8:
                    self.clock_ms = max(self.clock_ms, batch[-1].event.time_ms)
                self.apply(batch)
                self.at = max(self.at, self._after(batch)) if batch else self.at
            elif rng.random() < 0.5:
                self.clock_ms = max(self.clock_ms, START_MS) + rng.choice([0, DAY_MS, IDLE_MS])
                self.clock_ms = min(self.clock_ms, END_MS)
            if rng.random() < 0.4:
                self.apply(())
            if rng.random() < 0.6:
                self.publish()
            if rng.random() < 0.4:
                self.hear()
            if rng.random() < 0.3:
                self.backups.append((self.stored, self.at))
            if rng.random() < (4 * losses if self.under_way else losses):
                self.come_back_older(rng.randrange(max(0, len(self.backups) - 3), len(self.backups)))

    def _after(self, batch: Sequence[Arrival]) -> int:
        return next(i for i, arrival in enumerate(self.arrivals) if arrival is batch[-1]) + 1

    def end(self) -> State | None:
        """All is told, and heard, and looked at."""
        self.arrive()
        for _ in range(3):
            self.hear()
            self.apply(())
            if self.stored:
                state = decode(self.stored)
                self.topic += [effect.value for effect in state.effects if effect.topic == EXPIRED]
                published(state)
                self.stored = encode(state)
        return decode(self.stored) if self.stored else None


def expected(log: Sequence[LogRecord], topic: Sequence[bytes]) -> bytes | None:
    kept = [record for record in log if not hasattr(_event(record).data, "other")]
    return oracle.log.fold(kept, END_MS, cuts=oracle.log.cuts_of(topic)).facts.get(NAME)


def told(state: State | None) -> bytes | None:
    return facts(state, END_MS) if state is not None and state.events else None


def interleaved(rng: Random, log: Sequence[Arrival]) -> list[Arrival]:
    """In another order of the partitions."""
    rests: dict[int, list[Arrival]] = {}
    for arrival in log:
        rests.setdefault(arrival.mark, []).append(arrival)
    mixed = []
    while left := [rest for rest in rests.values() if rest]:
        mixed.append(rng.choice(left).pop(0))
    return mixed


@lives
@given(randoms, st.integers(1, 30), st.integers(0, 4), st.sampled_from([0.0, 0.0, 0.1, 0.3]))
def test_what_is_there_is_what_is_not_void(rng: Random, n: int, duplicates: int, losses: float) -> None:
    log = write(rng, n, duplicates)
    worker = Worker(rng, log)
    worker.live(losses)
    state = worker.end()
    assert told(state) == expected(log, worker.topic), readable(log)


@lives
@given(randoms, st.integers(1, 30), st.integers(0, 4), st.sampled_from([0.0, 0.2]))
def test_folded_from_the_beginning_it_is_the_same(rng: Random, n: int, duplicates: int, losses: float) -> None:
    """By a rebuild, which folds in any order, and by a worker whose store was wiped."""
    log = write(rng, n, duplicates)
    worker = Worker(rng, log)
    worker.live(losses)
    live = told(worker.end())
    anew = begun(worker.cuts.of(NAME))
    refold(anew, interleaved(rng, worker.arrivals))
    assert told(anew) == live
    worker.come_back_older(0)
    worker.apply(worker.arrivals)
    assert told(worker.end()) == expected(log, worker.topic)


@lives
@given(randoms, st.integers(2, 30))
def test_what_is_told_late_is_heeded_by_who_has_gone_on_without(rng: Random, n: int) -> None:
    """Its publication was under way while the store came back from before it, and events were folded again, and new ones."""
    log = write(rng, n)
    worker = Worker(rng, log)
    before = rng.randint(0, len(worker.arrivals))
    backup = rng.randint(0, before)
    worker.apply(worker.arrivals[:backup])
    worker.backups.append((worker.stored, backup))
    worker.apply(worker.arrivals[backup:before])
    worker.clock_ms = LATER_MS
    worker.apply(())
    worker.under_way = (
        [effect.value for effect in decode(worker.stored).effects if effect.topic == EXPIRED] if worker.stored else []
    )
    worker.stored, worker.at = worker.backups[-1]
    worker.clock_ms = 0  # of whoever takes over, who waits for what is unread
    again = rng.randint(backup, len(worker.arrivals))
    worker.apply(worker.arrivals[backup:again])
    worker.arrive()
    worker.hear()
    worker.apply(worker.arrivals[again:])
    assert told(worker.end()) == expected(log, worker.topic), readable(log)


@lives
@given(randoms, st.integers(1, 20))
def test_it_ends(rng: Random, n: int) -> None:
    """Silent for long enough it is empty, and a day later nothing is there; by ticks at the moments that it says itself."""
    worker = Worker(rng, write(rng, n))
    worker.clock_ms = END_MS
    worker.apply(worker.arrivals)
    for _ in range(400):
        if worker.stored is None:
            break
        state = decode(worker.stored)
        due = due_ms(state)
        assert due is not None
        worker.clock_ms = max(worker.clock_ms, due)
        worker.apply(())
        worker.publish()
    assert worker.stored is None
    assert worker.clock_ms <= LATER_MS + EMPTY_MS
    assert worker.emptied == bool(worker.arrivals)
