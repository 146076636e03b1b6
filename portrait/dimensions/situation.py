"""In which situation a customer acts: on workdays or at weekends, where, in what weather, on what occasions."""

from __future__ import annotations

from portrait.dimensions.acts import on_days
from portrait.dimensions.base import Dimension, Facts, at_least, leaning, ranked, steady, trait
from schemas.profile import Counts, Trait, View

#: "5" is Saturday, "6" Sunday.
WEEKEND = ("5", "6")
#: A week has so many workdays for one day of a weekend: a day is compared with a day.
WORKDAYS_PER_WEEKEND_DAY = 2.5
#: One kind of day is the usual one if it sees so many times the activity of the other.
CLEARLY, LEAST_EVENTS = 1.5, 7
SHOWN = 3


class Situation(View, frozen=True, kw_only=True):
    """When in the week, where, in what weather and on what occasions the customer acts."""

    #: workday, weekend, or any: a day of the one sees 1.5 times the activity of a day of the other; from three days on
    week: Trait | None = None
    place: Trait | None = None  # home, office, transit, ..., as publishers name it
    weather: Trait | None = None
    occasions: Counts = {}  # occasion -> at least so many events; the three most frequent


def derive(facts: Facts) -> tuple[View | None, int]:
    activity, context = facts.parts.activity, facts.parts.context
    week = _week(activity.weekdays) if activity is not None and activity.weekdays and on_days(facts) else None
    place = weather = None
    occasions: Counts = {}
    if context is not None:
        place, weather = leaning(context.places), leaning(context.weather)
        occasions = _occasions(context.occasions) if context.occasions else {}
    if week is place is weather is None and not occasions:
        return steady(None)
    return steady(Situation(week=week, place=place, weather=weather, occasions=occasions))


def _week(weekdays: dict[str, int]) -> Trait | None:
    total = sum(weekdays.values())
    if total < LEAST_EVENTS:
        return None
    weekend = sum([weekdays.get(day, 0) for day in WEEKEND])
    as_days, as_weekend = total - weekend, weekend * WORKDAYS_PER_WEEKEND_DAY
    share = as_weekend / (as_days + as_weekend)
    if as_weekend > CLEARLY * as_days:
        return trait("weekend", share * total, total)
    if as_days > CLEARLY * as_weekend:
        return trait("workday", (1 - share) * total, total)
    return trait("any", (1 - abs(2 * share - 1)) * total, total)


def _occasions(counts: dict[str, int]) -> Counts:
    return {name: at_least(counts[name]) for name in ranked(counts, SHOWN)}


DIMENSION = Dimension(
    name="situation",
    contract=Situation,
    reads=("activity", "context"),
    derive=derive,
    events=("every event of the customer's own", "clicks with `place`, `weather` or `occasion`", "order.placed"),
    zh="场景情境",
)
