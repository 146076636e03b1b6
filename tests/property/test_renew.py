"""A state made anew is what the live one should be: the same facts and view, nothing caused, and the same stages behind it."""

from __future__ import annotations

from random import Random

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from portrait.evolve import Arrival, evolve, published
from portrait.renew import FIELDS, refold, renew
from portrait.state import State, facts
from portrait.structures import DAY_MS
from tests.corekit import Customer, order
from tests.property.lives import END_MS, arrive
from tests.property.test_facts_order import ID, SCORER, START_MS, arrivals, as_it_happens, lives, randoms, sizes, stored, write
from tests.property.test_view_is_fresh import afresh, as_readers_have_it

#: Between purchases, in days; together less than what the calendar holds.
GAPS = st.one_of(st.lists(st.integers(0, 360), min_size=1, max_size=5), st.lists(st.integers(0, 120), min_size=1, max_size=15))


def refolded(rng: Random, log: list[Arrival]) -> State:
    """Topic by topic, in pieces, some of them again: not as it happened."""
    state = State()
    marks = sorted({arrival.mark for arrival in log}, key=lambda mark: rng.random())
    for mark in marks:
        rest = [arrival for arrival in log if arrival.mark == mark]
        while rest:
            n = rng.randint(1, 9)
            refold(state, rest[:n])
            assert rng.random() < 0.7 or refold(state, rest[:n]) == 0
            rest = rest[n:]
    return state


@lives
@given(rng=randoms, size=sizes)
def test_facts_and_view_are_the_live_ones_and_promises_are_kept(rng: Random, size: tuple[int, int, int]) -> None:
    log = arrive(rng, write(rng, size), duplicates=3)
    live = as_it_happens(rng, log)
    state = refolded(rng, arrivals(log))
    promised = live.effects, live.pending, live.cooldowns
    fields = renew(ID, state, stored(live), live.moment_ms, live.version, SCORER)
    assert facts(stored(state), END_MS) == facts(stored(live), END_MS)
    assert (state.marks, state.rings, state.version) == (live.marks, live.rings, live.version + 1)
    assert (state.effects, state.pending, state.cooldowns) == promised
    assert state.moment_ms >= live.moment_ms
    assert fields.keys() == FIELDS | {"version", "updated_at_ms"}, "whatever stood there before"
    assert as_readers_have_it(fields) == msgspec.json.decode(msgspec.json.encode(afresh(state)))
    again = renew(ID, state, stored(live), live.moment_ms, live.version, SCORER)
    assert again == fields, "a conflict makes it do so once more"


@lives
@given(rng=randoms, size=sizes)
def test_it_goes_on_as_the_live_one_would(rng: Random, size: tuple[int, int, int]) -> None:
    log = arrive(rng, write(rng, size), duplicates=2)
    cut = rng.randint(1, len(log))
    live = as_it_happens(rng, log[:cut])
    state = refolded(rng, arrivals(log[:cut]))
    renew(ID, state, stored(live), live.moment_ms, live.version, SCORER)
    clock_ms = rng.randint(START_MS, END_MS)
    for each in (live, state):
        published(each)
        evolve(each, ID, arrivals(log[cut:]), clock_ms, SCORER)
        evolve(each, ID, (), END_MS, SCORER)
    assert facts(state, END_MS) == facts(live, END_MS)
    assert afresh(state)["stage"] == afresh(live)["stage"]


@lives
@given(gaps=GAPS, silence=st.integers(0, 800))
def test_the_stages_behind_it_are_those_that_were_lived_through(gaps: list[int], silence: int) -> None:
    customer, day, lived = Customer(), 0.5, []
    for gap in gaps:
        day += gap
        customer.waits_until(day)
        lived.append(customer.arrival(order(day)))
        customer.evolve(lived[-1:], round((20_000 + day) * DAY_MS))
    customer.waits_until(day + silence)
    live = customer.known
    state = State()
    refold(state, lived)
    renew("C1", state, None, live.moment_ms, 0, SCORER)
    assert state.stages == live.stages
    assert (state.stage, state.rhythm) == (live.stage, live.rhythm)
    assert state.effects == []
