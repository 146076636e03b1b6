"""The lifecycle stage from the purchase days and the day (docs/facts.md, "The stage")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

RANKS = ["new", "won_back", "growing", "mature"]


class Stage(NamedTuple):
    name: str
    since_day: int
    why: str
    why_days: int


class Spans(NamedTuple):
    """Days of silence after which a customer is ..."""

    declining: int
    dormant: int
    churned: int


def spans_of(days: Sequence[int], number: int) -> Spans:
    """For the rhythm that the first ``number`` of these purchase days show."""
    gap = gap_of(days, number)
    return Spans(_bounded(1.5 * gap, 14, 120), _bounded(2.5 * gap, 30, 210), _bounded(4.0 * gap, 60, 365))


def gap_of(days: Sequence[int], number: int) -> float:
    """The usual days between purchases that the first ``number`` of these purchase days show."""
    return (90 + days[number - 1] - days[0]) / number


def _bounded(days: float, least: int, most: int) -> int:
    return min(max(round(days), least), most)


def stage_of(purchase_days: set[int], first_seen_day: int, today: int) -> Stage:
    days = sorted(purchase_days)
    if not days:
        return prospect(first_seen_day)
    return silent(days[-1], spans_of(days, len(days)), today) or walked(days)


def prospect(first_seen_day: int) -> Stage:
    return Stage("prospect", first_seen_day, "seen", 0)


def silent(last_day: int, spans: Spans, today: int) -> Stage | None:
    """The stage of who has been silent for one of the spans; None for who has not."""
    for name, span in reversed(list(spans._asdict().items())):
        if today - last_day >= span:
            return Stage(name, last_day + span, "silent", span)
    return None


def walked(days: Sequence[int]) -> Stage:
    """The stage at the last purchase. ``days``: ascending, at least one."""
    stage = Stage("new", days[0], "first_purchase", 0)
    returned, bought_since = False, 0
    for number, day in enumerate(days, 1):
        if number > 1:
            spans, silence = spans_of(days, number - 1), day - days[number - 2]
            if silence >= spans.churned:
                returned, bought_since = True, 0
                stage = Stage("won_back", day, "bought_after_loss", silence)
            elif silence >= spans.declining:
                stage = Stage(stage.name, day, "bought_after_silence", silence)
                if silence >= spans.dormant:
                    bought_since = 0
        bought_since += 1
        step = _step(number, day - days[0], returned and bought_since < 3)
        if RANKS.index(step) > RANKS.index(stage.name):
            stage = Stage(step, day, "bought_often", number)
    return stage


def _step(purchases: int, tenure_days: int, just_returned: bool) -> str:
    if just_returned:
        return "won_back"
    if purchases >= 8 and tenure_days >= 180:
        return "mature"
    return "growing" if purchases >= 3 else "new"
