"""What a customer is interested in, four weeks by four weeks, so that it can be seen to rise and fall; from clicks and orders."""

from __future__ import annotations

from msgspec import field

from portrait.features.base import Feature, Part
from portrait.merging import latest, merging, tallies
from portrait.structures import DAY_MS, Tally, tally
from schemas.clicks import CartChanged, ContentEngaged, ItemViewed
from schemas.event import Event
from schemas.orders import OrderPlaced

PERIOD_DAYS = 28
#: Periods kept: the latest in which there was anything.
PERIODS_MAX, NAMES_MAX = 3, 6


class Interests(Part, array_like=True, gc=False):
    periods: dict[int, Tally] = field(default_factory=dict)  # day // PERIOD_DAYS -> category or topic -> how often


def notice(part: Interests, time_ms: int, name: str) -> None:
    period = time_ms // DAY_MS // PERIOD_DAYS
    counts = part.periods.get(period)
    if counts is not None:
        tally(counts, name, NAMES_MAX)
        return
    if len(part.periods) >= PERIODS_MAX:
        oldest = min(part.periods)
        if period < oldest:
            return
        del part.periods[oldest]
    part.periods[period] = {name: 1}


def item(part: Interests, event: Event, today: int) -> None:
    if event.data.category is not None:
        notice(part, event.time_ms, event.data.category)


def content(part: Interests, event: Event, today: int) -> None:
    if event.data.topic is not None:
        notice(part, event.time_ms, event.data.topic)


def order(part: Interests, event: Event, today: int) -> None:
    for line in event.data.lines:
        if line.category is not None:
            notice(part, event.time_ms, line.category)


FEATURE = Feature(
    name="interests",
    part=Interests,
    folds={ItemViewed: item, CartChanged: item, ContentEngaged: content, OrderPlaced: order},
    merge=merging(Interests, periods=latest(PERIODS_MAX, tallies(NAMES_MAX), None)),
    newest=lambda part: max(part.periods, default=0) * PERIOD_DAYS * DAY_MS,
    frequent=True,
)
