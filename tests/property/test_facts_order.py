"""Guarantee G3: the facts do not depend on the order of arrival, on batches, ticks or replays; and they are the oracle's."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import oracle.log
from portrait.evolve import Arrival, due_ms, evolve, published
from portrait.models import churn
from portrait.state import State, decode, encode, facts, mark_of
from schemas.event import Event
from schemas.event import decode as decode_event
from schemas.registry import BY_NAME
from tests.property.lives import CUSTOMER, DAY_MS, END_MS, LONGEST_DAYS, Author, LogRecord, Sent, arrive, readable

SCORER = churn.fresh(60)
ID = CUSTOMER.decode()
START_MS = END_MS - (LONGEST_DAYS + 1) * DAY_MS
#: A state with short words and nothing to publish, after any number of events.
STATE_BYTES_MAX = 8_000

lives = settings(
    max_examples=60, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
randoms = st.randoms(use_true_random=False, note_method_calls=False)
sizes = st.tuples(st.integers(1, 30), st.sampled_from([2, 5, 40]), st.sampled_from([3, 100, 400, LONGEST_DAYS]))


def write(rng: Random, size: tuple[int, int, int]) -> list[Sent]:
    n, words, days = size
    author = Author(rng, words=words, days=days)
    return [author.write() for _ in range(n)]


def arrivals(log: Sequence[LogRecord]) -> list[Arrival]:
    found = []
    for record in log:
        event = decode_event(record.topic, record.key, record.value, record.headers, record.timestamp)
        assert isinstance(event, Event), event
        found.append(Arrival(mark_of(BY_NAME[record.topic].code, record.partition), record.offset, event))
    return found


def stored(state: State) -> State:
    """As the next worker finds it."""
    return decode(encode(state))


def at_once(log: Sequence[LogRecord]) -> State:
    change = evolve(None, ID, arrivals(log), END_MS, SCORER)
    assert change is not None
    return change.state


def one_by_one(log: Sequence[LogRecord]) -> State:
    state = None
    for arrival in arrivals(log):
        change = evolve(state, ID, [arrival], END_MS, SCORER)
        assert change is not None
        state = change.state
    assert state is not None
    return state


def as_it_happens(rng: Random, log: Sequence[LogRecord]) -> State:
    """In batches of any size, replayed in part, with ticks between, a clock behind or ahead of the events, and cold caches."""
    state, clock_ms, rest, done = None, 0, arrivals(log), []
    while rest:
        clock_ms = max(clock_ms, rng.randint(START_MS, END_MS) if rng.random() < 0.3 else 0)
        batch, rest = rest[: (n := rng.randint(1, 8))], rest[n:]
        again = done[rng.randint(0, len(done)) :] if rng.random() < 0.3 else []
        change = evolve(state, ID, [*again, *batch], clock_ms, SCORER)
        assert change is not None
        assert change.repeated == len(again)
        state, done = change.state, [*done, *batch]
        assert_due(state)
        if rng.random() < 0.5:
            published(state)
        if rng.random() < 0.3:
            tick = evolve(state, ID, (), clock_ms, SCORER)
            state = tick.state if tick else state
        if rng.random() < 0.5:
            state = stored(state)
    assert state is not None
    return state


def assert_due(state: State) -> None:
    due = due_ms(state)
    assert state.effects or due is None or due > state.moment_ms


@lives
@given(randoms, sizes, st.integers(0, 5))
def test_any_order_gives_the_oracles_facts(rng: Random, size: tuple[int, int, int], duplicates: int) -> None:
    events = write(rng, size)
    log = arrive(rng, events, duplicates)
    expected = oracle.log.fold(log, END_MS).facts[ID]
    for _ in range(2):
        shuffled = list(events)
        rng.shuffle(shuffled)
        again = arrive(rng, shuffled, duplicates)
        assert oracle.log.fold(again, END_MS).facts[ID] == expected, readable(again)
        assert facts(at_once(again), END_MS) == expected, readable(again)
        assert facts(one_by_one(again), END_MS) == expected, readable(again)
        assert facts(as_it_happens(rng, again), END_MS) == expected, readable(again)


@lives
@given(randoms, sizes, st.integers(0, 400))
def test_the_facts_of_a_later_moment_are_the_oracles_too(rng: Random, size: tuple[int, int, int], later_days: int) -> None:
    log = arrive(rng, write(rng, size))
    state, at_ms = at_once(log), END_MS + later_days * DAY_MS
    expected = oracle.log.fold(log, at_ms).facts[ID]
    assert facts(stored(state), at_ms) == expected, readable(log)
    ticked = evolve(state, ID, (), at_ms, SCORER)
    assert facts(ticked.state if ticked else state, at_ms) == expected, readable(log)


@lives
@given(randoms, sizes)
def test_replaying_offsets_changes_nothing(rng: Random, size: tuple[int, int, int]) -> None:
    log = arrive(rng, write(rng, size))
    state = at_once(log)
    published(state)
    before = encode(state)
    assert evolve(state, ID, arrivals(log), END_MS, SCORER) is None
    assert encode(state) == before


@lives
@given(randoms, sizes)
def test_what_was_stored_goes_on_as_what_was_not(rng: Random, size: tuple[int, int, int]) -> None:
    """Scores, stages and effects included: a cache is no part of the result."""
    warm = cold = None
    for arrival in arrivals(arrive(rng, write(rng, size))):
        clock_ms = max(warm.moment_ms if warm else 0, arrival.event.time_ms)
        one = evolve(warm, ID, [arrival], clock_ms, SCORER)
        other = evolve(stored(cold) if cold else None, ID, [arrival], clock_ms, SCORER)
        assert one is not None and other is not None
        warm, cold = one.state, other.state
        assert encode(warm) == encode(cold)


@lives
@given(randoms, sizes)
def test_ticks_end(rng: Random, size: tuple[int, int, int]) -> None:
    """Each tick at the due moment puts the next one later, and at last nothing is due by itself."""
    state = at_once(arrive(rng, write(rng, size)))
    published(state)
    for _ in range(400):
        assert_due(state)
        due = due_ms(state)
        if due is None:
            break
        tick = evolve(state, ID, (), due, SCORER)
        assert tick is not None
        published(tick.state)
        state = tick.state
        following = due_ms(state)
        assert following is None or following > due
    else:
        raise AssertionError("still due after 400 ticks")
    assert evolve(state, ID, (), END_MS + 10_000 * DAY_MS, SCORER) is None


@pytest.mark.parametrize("seed", range(3))
def test_a_long_life_stays_small_and_exact(seed: int) -> None:
    """Thousands of events, hundreds of words for everything."""
    rng = Random(seed)
    log = arrive(rng, write(rng, (4_000, 300, LONGEST_DAYS)), duplicates=200)
    state = None
    size_max = 0
    for start in range(0, len(log), 7):
        change = evolve(state, ID, arrivals(log[start : start + 7]), END_MS, SCORER)
        assert change is not None
        state = change.state
        published(state)
        size_max = max(size_max, len(encode(state)))
    assert state is not None
    assert size_max < STATE_BYTES_MAX
    assert facts(state, END_MS) == oracle.log.fold(log, END_MS).facts[ID]


@lives
@given(randoms, sizes)
def test_duplicates_across_partitions_count_alike_in_every_interleaving(rng: Random, size: tuple[int, int, int]) -> None:
    """Within a partition the log has one order; between two there is none."""
    log = arrive(rng, write(rng, size))
    partitions = [log, [record._replace(partition=1) for record in log[: len(log) // 2]]]
    expected = oracle.log.fold([*partitions[0], *partitions[1]], END_MS).facts[ID]
    rests = [list(partition) for partition in partitions]
    mixed = []
    while any(rests):
        mixed.append(rng.choice([rest for rest in rests if rest]).pop(0))
    assert facts(as_it_happens(rng, mixed), END_MS) == expected, readable(mixed)


def test_even_the_longest_words_leave_a_state_bounded() -> None:
    """Every text as long as its contract allows, in characters of four bytes: no honest life comes near."""
    rng = Random(1)
    author = Author(rng, words=300, days=LONGEST_DAYS, long_words=True)
    state = None
    for arrival in arrivals(arrive(rng, [author.write() for _ in range(1_500)])):
        change = evolve(state, ID, [arrival], END_MS, SCORER)
        assert change is not None
        state = change.state
        published(state)
    assert state is not None
    assert len(msgspec.msgpack.encode(state)) < 160_000


def test_orders_ages_apart_cost_no_more_than_others() -> None:
    """Where records carry their producer's time, its unit may be wrong: tens of microseconds are taken for milliseconds."""
    data = {"order_id": "O1", "currency": "CNY", "amount_minor": 1}
    log = [
        LogRecord("orders", 0, offset, ms, CUSTOMER, msgspec.json.encode(
            {"specversion": "1.0", "id": f"e{offset}", "source": "/test", "type": "order.placed", "data": data}
        ))
        for offset, ms in enumerate([END_MS, END_MS * 10**2, END_MS + 1])
    ]  # fmt: skip
    state = one_by_one(log)
    assert len(encode(state)) < STATE_BYTES_MAX
    assert facts(state, END_MS) == oracle.log.fold(log, END_MS).facts[ID]
