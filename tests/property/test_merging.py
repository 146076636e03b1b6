"""However a person's events are spread over identities, the merged parts are the facts of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from random import Random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

import oracle.facts
from portrait.evolve import fold
from portrait.features.registry import FEATURES, NOTHING, Parts, merge_parts
from portrait.merging import registers, tables, tallies
from portrait.state import State
from portrait.structures import DAY_MS, MORE, Register, canonical, tally
from schemas.event import Event
from tests.property.lives import END_MS, arrive
from tests.property.test_facts_order import arrivals, lives, randoms, sizes, write

TODAY = END_MS // DAY_MS
encode = msgspec.msgpack.encode


def events_of(rng: Random, size: tuple[int, int, int]) -> list[Event]:
    return [arrival.event for arrival in arrivals(arrive(rng, write(rng, size)))]


def folded(events: Sequence[Event]) -> Parts:
    state = State()
    for event in events:
        fold(state, event, set())
    return state.parts


def facts_of(parts: Parts) -> dict[str, bytes]:
    """Canonical bytes of each feature's facts, as of the end. Expires the parts in place."""
    found = {}
    for feature in FEATURES:
        part = getattr(parts, feature.name) or feature.part()
        feature.expire(part, TODAY)
        found[feature.name] = msgspec.json.encode(canonical(part), order="sorted")
    return found


def spread(rng: Random, events: Sequence[Event], over: int) -> list[list[Event]]:
    groups: list[list[Event]] = [[] for _ in range(over)]
    for event in events:
        groups[rng.randint(0, over - 1)].append(event)
    return groups


@lives
@given(randoms, sizes, st.integers(1, 4))
def test_merged_parts_are_the_facts_of_all_events(rng: Random, size: tuple[int, int, int], over: int) -> None:
    events = events_of(rng, size)
    merged = reduce(merge_parts, map(folded, spread(rng, events, over)), Parts())
    expected = {name: msgspec.json.encode(part(events, TODAY), order="sorted") for name, part in oracle.facts.PARTS.items()}
    assert facts_of(merged) == facts_of(folded(events)) == expected


@lives
@given(randoms, sizes)
def test_merging_is_commutative_associative_and_has_an_identity(rng: Random, size: tuple[int, int, int]) -> None:
    a, b, c = map(folded, spread(rng, events_of(rng, size), 3))
    assert canonical(merge_parts(a, b)) == canonical(merge_parts(b, a))
    assert canonical(merge_parts(merge_parts(a, b), c)) == canonical(merge_parts(a, merge_parts(b, c)))
    for nothing in (Parts(), NOTHING):
        assert facts_of(merge_parts(a, nothing)) == facts_of(merge_parts(nothing, a)) == facts_of(a)


@lives
@given(randoms, sizes)
def test_merging_changes_neither_side_and_shares_nothing(rng: Random, size: tuple[int, int, int]) -> None:
    mine, others, later = spread(rng, events_of(rng, size), 3)
    a, b = folded(mine), folded(others)
    before = encode(a), encode(b), encode(NOTHING)
    state = State(parts=merge_parts(a, b))
    for event in later:
        fold(state, event, set())
    assert facts_of(state.parts) == facts_of(folded([*mine, *others, *later]))
    assert (encode(a), encode(b), encode(NOTHING)) == before


@settings(deadline=None)
@given(st.lists(st.text("abcdefgh", min_size=1, max_size=1)), st.lists(st.text("abcdefgh", min_size=1, max_size=1)))
def test_an_overflown_tally_is_never_too_high_nor_lower_than_it_says(xs: list[str], ys: list[str]) -> None:
    limit = 3
    merge = tallies(limit)
    one, other = (reduce(lambda counts, key: tally(counts, key, limit), keys, None) for keys in (xs, ys))
    merged = merge(one, other) or {}
    assert merge(other, one) == (merged or None)
    assert len(merged.keys() - {MORE}) <= limit
    assert (MORE in merged) == (len({*xs, *ys}) > limit)
    for key in "abcdefgh":
        true = [*xs, *ys].count(key)
        assert true - merged.get(MORE, 0) <= merged.get(key, 0) <= true


def test_of_too_many_registers_the_latest_stay() -> None:
    merge = registers(2)
    one = {"a": Register(5, "x"), "b": Register(1, "x")}
    assert merge(one, {"c": Register(3, "x"), "a": Register(4, "z")}) == {
        "a": Register(5, "x"), "c": Register(3, "x"), MORE: Register(0, ""),
    }  # fmt: skip
    assert merge(one, None) == one


def test_of_too_many_rows_the_greatest_stay_and_none_is_lost() -> None:
    merge = tables(2, lambda a, b: a + b, 0, rank=lambda row: row)
    assert merge({"a": 5, "b": 1}, {"c": 3, "b": 1, MORE: 4}) == {"a": 5, "c": 3, MORE: 6}
