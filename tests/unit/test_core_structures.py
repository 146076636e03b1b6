"""The bounded structures: exact until they overflow, marked from then on, and the same whatever the order."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portrait.structures import (
    ESTIMATED,
    MORE,
    NEVER,
    WINDOW_DAYS,
    Calendar,
    Register,
    add_day,
    assign,
    canonical,
    expire_days,
    greatest,
    tally,
    top,
    windows,
)

days_strategy = st.lists(st.integers(19_000, 20_000), max_size=40)


# Tallies


@given(st.lists(st.sampled_from("abcd")))
def test_a_tally_counts_exactly_up_to_its_limit(keys: list[str]) -> None:
    counts: dict[str, int] = {}
    for key in keys:
        tally(counts, key, 4)
    assert counts == Counter(keys)


@given(st.lists(st.sampled_from("abcdefgh"), min_size=1))
def test_a_tally_beyond_its_limit_says_so_keeps_its_size_and_never_counts_too_much(keys: list[str]) -> None:
    counts: dict[str, int] = {}
    for key in keys:
        tally(counts, key, 3)
    evictions = counts.pop(MORE, 0)
    assert len(counts) <= 3
    assert (evictions > 0) == (len(set(keys)) > 3)
    true = Counter(keys)
    for key, n in true.items():
        assert n - len(keys) / 4 <= counts.get(key, 0) <= n, "Misra and Gries: at most len / (limit + 1) too low"


def test_a_tally_counts_no_missing_key() -> None:
    counts: dict[str, int] = {}
    tally(counts, None, 3)
    assert counts == {}


def test_the_top_are_the_most_counted_then_by_key_and_an_estimate_says_so() -> None:
    counts = {"b": 2, "a": 2, "c": 9, "d": 1, MORE: 5}
    assert list(top(counts, 3).items()) == [("c", 9), (ESTIMATED, 5)], "a key that isn't counted may have come five times"
    assert list(top({**counts, MORE: 2}, 2).items()) == [("c", 9), ("a", 2), (ESTIMATED, 2)]
    assert list(top({"b": 2, "a": 2, "c": 9, "d": 1}, 3).items()) == [("c", 9), ("a", 2), ("b", 2)]
    assert top({"a": 1, MORE: 5}, 3) == {}
    assert MORE not in top({"a": 1, MORE: 5}, 3)
    assert top({}, 3) == {}


# Registers


@given(st.permutations([Register(1, "x"), Register(2, "b"), Register(2, "a"), Register(2, "b", "crm")]))
def test_a_register_keeps_the_latest_and_of_the_latest_the_greatest_in_any_order(writes: list[Register]) -> None:
    registers: dict[str, Register] = {}
    for write in writes:
        assign(registers, "k", write, 4)
    assert registers == {"k": Register(2, "b", "crm")}


def test_registers_beyond_the_limit_are_dropped_and_marked() -> None:
    registers: dict[str, Register] = {}
    for key in ("a", "b", "c"):
        assign(registers, key, Register(1, key), 2)
    assert set(registers) == {"a", "b", MORE}
    assign(registers, "a", Register(2, "new"), 2)
    assert registers["a"].value == "new", "what is kept can still change"


# Windows


@pytest.mark.parametrize(
    ("age", "sums"),
    [(0, (1, 1, 1)), (6, (1, 1, 1)), (7, (0, 1, 1)), (29, (0, 1, 1)), (30, (0, 0, 1)), (89, (0, 0, 1)), (90, (0, 0, 0))],
)
def test_a_day_leaves_each_window_on_its_day(age: int, sums: tuple[int, int, int]) -> None:
    assert windows({20_000 - age: 1}, 20_000)[:3] == sums


@given(days_strategy, st.integers(20_000, 20_100))
def test_windows_say_when_they_change_next_and_not_earlier(marked: list[int], today: int) -> None:
    days = dict(Counter(marked))
    *now, due = windows(days, today)
    if due == NEVER:
        assert now == [0, 0, 0]
        return
    assert list(windows(days, due - 1)[:3]) == now
    assert list(windows(days, due)[:3]) != now


@given(days_strategy, st.integers(20_000, 20_100))
def test_expiring_changes_no_window(marked: list[int], today: int) -> None:
    days = dict(Counter(marked))
    before = windows(days, today)
    expire_days(days, today)
    assert windows(days, today) == before
    assert all(today - day < WINDOW_DAYS for day in days)


def test_what_comes_too_late_for_the_longest_window_is_not_kept() -> None:
    days: dict[int, int] = {}
    add_day(days, 20_000 - WINDOW_DAYS, 20_000)
    assert days == {}
    add_day(days, 20_000 - WINDOW_DAYS + 1, 20_000)
    assert days == {20_000 - WINDOW_DAYS + 1: 1}


def test_a_day_at_zero_leaves_so_that_equal_contents_are_equal_bytes() -> None:
    days: dict[int, int] = {}
    add_day(days, 20_000, 20_000, -5)
    add_day(days, 20_000, 20_000, 5)
    assert days == {}


# Calendars


def calendar(days: list[int]) -> Calendar:
    made = Calendar()
    for day in days:
        made.add(day)
    return made


def test_a_calendar_counts_the_days_before_one() -> None:
    made = calendar([3, 10, 40, 100])
    assert [made.count_before(day) for day in (-5, 3, 4, 40, 41, 100, 101, 10**9)] == [0, 0, 1, 2, 3, 3, 4, 4]
    assert Calendar().count_before(5) == 0


@given(days_strategy)
def test_a_calendar_is_a_set_of_days(days: list[int]) -> None:
    made = calendar(days)
    assert made.days() == sorted(set(days))
    assert made.last() == max(days, default=-NEVER)


@given(st.permutations(list(range(19_990, 20_000, 3))))
def test_a_calendar_has_the_same_bytes_in_any_order(days: list[int]) -> None:
    assert calendar(days) == calendar(sorted(days))


def test_a_day_is_new_to_a_calendar_once() -> None:
    made = Calendar()
    assert made.add(5)
    assert not made.add(5)


@given(days_strategy, st.integers(18_990, 20_010))
def test_a_calendar_forgets_what_lies_before_a_day(days: list[int], day: int) -> None:
    made = calendar(days)
    dropped = made.drop_before(day)
    assert dropped == any(d < day for d in days)
    assert made == calendar([d for d in days if d >= day]), "the same bytes as if they had never been there"


@given(days_strategy, st.integers(18_990, 20_010), st.integers(-3, 50))
def test_a_calendar_knows_whether_any_day_lies_between_two(days: list[int], first: int, length: int) -> None:
    assert calendar(days).any_between(first, first + length) == any(first <= d <= first + length for d in days)


def test_a_calendar_of_a_year_fits_46_bytes() -> None:
    assert len(calendar(list(range(20_000, 20_365))).bits) == 46


# Canonical form


def test_what_is_only_an_estimate_is_no_fact() -> None:
    assert canonical({"a": {"x": 3, MORE: 7}}) == canonical({"a": {"y": 4, MORE: 1}})
    assert canonical({"a": {"x": 3}}) != canonical({"a": {"x": 4}})


def test_the_greatest_few_ascend() -> None:
    assert greatest([3, 1, 4, 1, 5], 3) == [3, 4, 5]
