"""When a customer is reachable, and in what form they take things in."""

from __future__ import annotations

from portrait.dimensions.base import Dimension, Facts, leaning, steady
from portrait.structures import MORE
from schemas.profile import Trait, View

#: Parts of the day, by the hour at which each begins.
DAYPARTS = ((0, "night"), (6, "morning"), (11, "midday"), (14, "afternoon"), (18, "evening"), (23, "night"))


class Media(View, frozen=True, kw_only=True):
    """Media habits: the part of the day, the form of content, the topics."""

    daypart: Trait | None = None  # night (23 to 6), morning, midday (11 to 14), afternoon, evening (18 to 23); local time
    best_hour: int | None = None  # local hour, 0 to 23, in which they are active most; at least five events
    format: Trait | None = None  # text, picture, audio, video or live
    topic: Trait | None = None


def derive(facts: Facts) -> tuple[View | None, int]:
    activity, behaviour = facts.parts.activity, facts.parts.behaviour
    hours = (activity.hours if activity is not None else None) or {}
    parts: dict[str, int] = {}
    for hour, n in hours.items():
        if hour != MORE:
            name = daypart(int(hour))
            parts[name] = parts.get(name, 0) + n
    view = Media(
        daypart=leaning(parts, least=3),
        best_hour=_best_hour(hours),
        format=leaning(behaviour.content if behaviour is not None else None),
        topic=leaning(behaviour.topics if behaviour is not None else None),
    )
    return steady(view if view != Media() else None)


def daypart(hour: int) -> str:
    name = ""
    for begins, part in DAYPARTS:
        if hour >= begins:
            name = part
    return name


def _best_hour(hours: dict[str, int]) -> int | None:
    if sum(hours.values()) < 5:
        return None
    return min((-n, int(hour)) for hour, n in hours.items() if hour != MORE)[1]


DIMENSION = Dimension(
    name="media",
    contract=Media,
    reads=("activity", "behaviour"),
    derive=derive,
    events=("every event of the customer's own", "content.engaged"),
    zh="媒介习惯",
)
