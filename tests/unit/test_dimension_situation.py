"""The situation follows from weekdays, places, weather, regions and occasions."""

from __future__ import annotations

import pytest

from tests.corekit import complaint, event, order
from tests.dimkit import derived

SATURDAY = 1  # DAY0 is a Friday


def click(day: float, **data: object):  # type: ignore[no-untyped-def]
    return event("page.viewed", day, page="/", **data)


@pytest.mark.parametrize(
    ("days", "usual"),
    [
        ([SATURDAY + 7 * (n // 2) + n % 2 for n in range(10)], "weekend"),
        ([SATURDAY + 2 + n for n in range(5)] * 2, "workday"),
        ([SATURDAY + n for n in range(7)], "any"),  # every day alike, so more of it on workdays: there are more of them
    ],
)
def test_a_day_of_the_weekend_is_compared_with_a_workday(days: list[int], usual: str) -> None:
    week = derived("situation", *(click(day + n / 100) for n, day in enumerate(days))).week
    assert week.value == usual
    assert week.of == (10 if len(days) == 10 else 5)


def test_one_saturday_makes_no_habit_and_three_do() -> None:
    def week(*days: int, now: float | None = None) -> object:
        view = derived("situation", *(click(day + n / 1440) for day in days for n in range(30)), now=now)
        return view and view.week.value

    assert week(SATURDAY) is None
    assert week(SATURDAY, SATURDAY + 1) is None
    assert week(SATURDAY, SATURDAY + 7, SATURDAY + 14) == "weekend"
    assert week(SATURDAY, SATURDAY + 7, SATURDAY + 14, now=SATURDAY + 89) == "weekend"
    assert week(SATURDAY, SATURDAY + 7, SATURDAY + 14, now=SATURDAY + 90) is None, "facts know its days no more"


def test_few_events_tell_no_habit() -> None:
    assert derived("situation", *(click(SATURDAY + n / 10) for n in range(6))) is None


def test_place_and_weather_are_the_most_frequent_and_once_is_no_evidence() -> None:
    rain = [click(n, place="home", weather="rain") for n in range(3)]
    view = derived("situation", *rain, click(4, place="office", weather="heat"))
    assert (view.place.value, view.weather.value) == ("home", "rain")
    assert view.place.sure == pytest.approx(3 / 7, abs=0.025)
    assert derived("situation", click(0, place="home")) is None


def test_occasions_come_from_clicks_and_orders() -> None:
    events = [click(0, occasion="singles-day"), order(1, occasion="gift"), order(2, occasion="gift")]
    assert derived("situation", *events).occasions == {"gift": 2, "singles-day": 1}


def test_nothing_of_the_kind_nothing_said() -> None:
    assert derived("situation", complaint(0)) is None
