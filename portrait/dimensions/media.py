"""When a customer is reachable, and in what form they take things in."""

from __future__ import annotations

from portrait.dimensions.acts import on_days, refusals
from portrait.dimensions.base import Dimension, Facts, leaning, steady
from portrait.structures import MORE
from schemas.profile import Trait, View

#: Part of the day, by the hour.
DAYPARTS = ("night",) * 6 + ("morning",) * 5 + ("midday",) * 3 + ("afternoon",) * 4 + ("evening",) * 5 + ("night",)
#: Events in a part of the day, before it is usual, and in all, before an hour is; refusals, whose hours nobody knows, on top.
DAYPART_LEAST, HOUR_LEAST = 3, 5


class Media(View, frozen=True, kw_only=True):
    """Media habits: the part of the day, the form of content, the topics."""

    daypart: Trait | None = (
        None  # night (23 to 6), morning, midday (11 to 14), afternoon, evening (18 to 23); local time; from three days on
    )
    best_hour: int | None = (
        None  # local hour, 0 to 23, in which they are active most; at least five events, on three days as above
    )
    format: Trait | None = None  # text, picture, audio, video or live
    topic: Trait | None = None


def derive(facts: Facts) -> tuple[View | None, int]:
    behaviour = facts.parts.behaviour
    hours, n = _hours(facts, DAYPART_LEAST)
    daypart = _daypart(facts, hours) if hours else None
    best_hour = _best_hour(hours) if n >= HOUR_LEAST else None
    form = leaning(behaviour.content) if behaviour is not None else None
    topic = leaning(behaviour.topics) if behaviour is not None else None
    if daypart is best_hour is form is topic is None:
        return steady(None)
    return steady(Media(daypart=daypart, best_hour=best_hour, format=form, topic=topic))


def usual_daypart(facts: Facts) -> Trait | None:
    hours, _ = _hours(facts, DAYPART_LEAST)
    return _daypart(facts, hours) if hours else None


def _daypart(facts: Facts, hours: dict[str, int]) -> Trait | None:
    parts: dict[str, int] = {}
    for hour, n in hours.items():
        if hour != MORE:
            name = DAYPARTS[int(hour)]
            parts[name] = parts.get(name, 0) + n
    return leaning(parts, DAYPART_LEAST + refusals(facts.parts))


def _hours(facts: Facts, least: int) -> tuple[dict[str, int], int]:
    """Local hour -> what they did then, and how much that is without refusals; nothing, if it isn't enough to tell of a habit."""
    activity = facts.parts.activity
    hours: dict[str, int] = (activity.hours if activity is not None else None) or {}
    n = sum(hours.values()) - refusals(facts.parts) if hours else 0
    return (hours, n) if n >= least and on_days(facts) else ({}, 0)


def _best_hour(hours: dict[str, int]) -> int:
    return min((-n, int(hour)) for hour, n in hours.items() if hour != MORE)[1]


DIMENSION = Dimension(
    name="media",
    contract=Media,
    reads=("activity", "behaviour", "contacts"),
    derive=derive,
    events=("every event of the customer's own", "content.engaged"),
    zh="媒介习惯",
)
