"""Whatever the model has learned, no reason contradicts the numbers that it tells, nor its own direction."""

from __future__ import annotations

from math import log, log1p

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from portrait.lifecycle import walk
from portrait.models.churn import COUNTED, FEATURES, INDEX, buying, fresh
from portrait.models.reasons import OFTEN_DAYS, REASONS_MAX, SELDOM_DAYS, reasons

HORIZON_DAYS = 60
few = st.integers(0, 4)
counts = st.fixed_dictionaries(
    dict.fromkeys(("month", "before", "open", "opened", "well", "badly", *(each.name for each in COUNTED)), few)
)
numbers = st.lists(st.floats(-3, 3), min_size=len(FEATURES), max_size=len(FEATURES))
purchases = st.sets(st.integers(0, 700), min_size=1, max_size=12)
ONE = ("1 days", "1 clicks", "1 complaints", "1 times")


@given(purchases, st.integers(0, 400), st.sampled_from([0.0, 7.0, 9.5]), counts, numbers, numbers)
@settings(max_examples=600, deadline=None)
def test_no_reason_contradicts_its_numbers(
    days: set[int], recency: int, spend: float, of: dict[str, int], weights: list[float], means: list[float]
) -> None:
    scorer = msgspec.structs.replace(fresh(HORIZON_DAYS), weights=weights, means=means)
    rhythm = walk(sorted(days))
    today = rhythm.last_day + recency
    month, usual = of["month"], of["before"]
    x = [
        *buying(rhythm, today, scorer), spend, 0.0, log1p(month), log((month + 1) / (usual + 1)), log1p(recency),
        float(of["open"]), log1p(of["opened"]), float(of["well"]), float(of["badly"]),
        *(log1p(of[each.name]) for each in COUNTED),
    ]  # fmt: skip
    assert len(x) == len(FEATURES)
    found = {reason.code.removeprefix("risk."): reason for reason in reasons(scorer, x, rhythm, today)}
    amounts = dict(scorer.contributions(x))
    gap = round(rhythm.gap_days)
    trouble = of["open"] + of["opened"] + of["badly"]
    so = {  # what must hold for the reason to be given at all
        "visits.up": month < usual,
        "visits.down": month >= usual and month > 0,
        "complaints.up": trouble > 0,
        "complaints.down": of["open"] + of["badly"] == 0 and (of["well"] > 0 or trouble == 0),
        "history.down": rhythm.count > 1,
        **{f"{each.theme}.up": of[each.name] > 0 for each in COUNTED},
        **{f"{each.theme}.down": of[each.name] == 0 for each in COUNTED},
    }
    assert len(found) <= REASONS_MAX
    for code, reason in found.items():
        theme, direction = code.split(".")
        assert so.get(code, True), reason
        assert (amounts[theme] > 0) == (direction == "up")
        assert not any(reason.en.startswith(bad) or f" {bad}" in reason.en for bad in ONE)
    if told := found.get("spend.up") or found.get("spend.down"):
        assert ("smaller" in told.en) == (spend < means[INDEX["spend"]]) and spend
    if told := found.get("history.up"):
        assert told.en == "Only one purchase so far." or f"Only {rhythm.count} days" in told.en
    if told := found.get("silence.up"):
        assert ("Buys seldom" in told.en) == (rhythm.count > 1 and recency <= gap)
        assert "Buys seldom" not in told.en or gap >= SELDOM_DAYS
    if told := found.get("silence.down"):
        assert ("Used to buy often" in told.en) == (rhythm.count > 1 and recency > gap)
        assert "Used to buy often" not in told.en or gap <= OFTEN_DAYS
