"""What rises and falls with a customer, and which changes of life show in it."""

from __future__ import annotations

import pytest

from portrait.dimensions.outlook import _kind
from portrait.features.interests import PERIOD_DAYS
from schemas.event import Event
from tests.corekit import DAY0, click, complaint, event, order
from tests.dimkit import derived, due_day

#: Days after DAY0 on which a period begins.
FIRST = -DAY0 % PERIOD_DAYS
SECOND = FIRST + PERIOD_DAYS


def looks(day: float, category: str, n: int) -> list[Event]:
    return [event("item.viewed", day + k / 100, sku="s", category=category) for k in range(n)]


def test_interests_are_compared_by_their_share() -> None:
    before = [*looks(FIRST, "running", 8), *looks(FIRST + 1, "books", 8)]
    view = derived("outlook", *before, *looks(SECOND, "running", 4), *looks(SECOND + 1, "cameras", 4), now=SECOND + 2)
    assert [trait.value for trait in view.rising] == ["cameras"]
    assert [trait.value for trait in view.falling] == ["books"]
    assert view.rising[0].of == 2, "at least two of four"


def test_little_says_nothing_about_where_it_goes() -> None:
    assert derived("outlook", *looks(FIRST, "running", 4), *looks(SECOND, "books", 4), now=SECOND + 1) is None
    assert derived("outlook", *looks(SECOND, "books", 20)) is None, "of who is new, everything is"


def test_it_is_no_outlook_any_more_once_the_next_four_weeks_are_over() -> None:
    events = [*looks(FIRST, "running", 8), *looks(SECOND, "cameras", 8)]
    ends = SECOND + 2 * PERIOD_DAYS
    assert derived("outlook", *events, now=ends - 1).rising
    assert due_day("outlook", *events, now=SECOND + 2) == ends
    assert derived("outlook", *events, now=ends) is None


def test_a_first_interest_in_what_babies_need_shows() -> None:
    before, after = looks(FIRST, "running", 8), [*looks(SECOND, "running", 4), *looks(SECOND + 1, "mother and baby", 4)]
    (change,) = derived("outlook", *before, *after).changes
    assert (change.value, change.of) == ("baby", 2)
    assert change.sure < 0.5, "an inference from looks alone"


@pytest.mark.parametrize("known", ["looked at before", "bought long ago"])
def test_what_they_knew_is_no_change(known: str) -> None:
    line = {"sku": "s", "quantity": 1, "unit_price_minor": 100, "category": "母婴用品"}
    earlier = looks(FIRST, "baby", 1) if known == "looked at before" else [order(FIRST - 300, lines=[line] * 5)]
    view = derived(
        "outlook", *earlier, *looks(FIRST + 1, "running", 8), *looks(SECOND, "mother and baby", 4), *looks(SECOND + 1, "x", 4)
    )
    assert view.changes == []


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("母婴用品", "baby"),
        ("Baby", "baby"),
        ("carpets", ""),
        ("pet food", "pet"),
        ("wedding-dresses", "wedding"),
        ("考研教材", "study"),
        ("running", ""),
    ],
)
def test_kinds_of_life_by_the_names_of_categories(name: str, kind: str) -> None:
    assert _kind(name) == kind


def test_who_is_leaving_is_not_more_active_however_much_they_write() -> None:
    calm, busy = [click(day) for day in (0, 50)], [click(85 + n / 10) for n in range(9)]
    assert derived("outlook", *calm, *busy, now=95).activity.value == "rising"
    leaving = event("mention.posted", 90, platform="weibo", text="我不会再来了，以后去别家")
    assert derived("outlook", *calm, *busy, leaving, now=95) is None
    assert due_day("outlook", *calm, *busy, leaving, now=95) == 180


@pytest.mark.parametrize(("recent", "before", "value"), [(9, 4, "rising"), (2, 20, "falling"), (6, 12, "steady")])
def test_activity_of_thirty_days_against_the_sixty_before(recent: int, before: int, value: str) -> None:
    events = [event("page.viewed", 70 + n / 10, page="/") for n in range(recent)]
    events += [event("page.viewed", 20 + n / 10, page="/") for n in range(before)]
    assert derived("outlook", complaint(0), *events, now=91).activity.value == value


def test_who_is_known_for_less_than_ninety_days_has_no_usual_activity() -> None:
    events = [event("page.viewed", n / 10, page="/") for n in range(30)]
    assert derived("outlook", *events, now=89) is None
    assert due_day("outlook", *events, now=89) == 90
    assert derived("outlook", *events, now=90).activity.value == "falling"
    assert derived("outlook", *events, now=93) is None, "all of it has left the window"
    assert derived("outlook", *events, order(85), *looks(85, "x", 9), now=91).activity.value == "rising"
