"""What a customer is to us: the steps from not knowing us to recommending us, and back."""

from __future__ import annotations

from typing import Any

import pytest

from portrait.dimensions.brand import DIMENSION, Brand
from schemas.event import Event
from schemas.profile import Trait
from tests.corekit import click, complaint, concluded, event, order


def brand(*events: Event, day: float = 50) -> Brand:
    view = concluded(DIMENSION, *events, day=day)
    assert isinstance(view, Brand)
    return view


def level(*events: Event, day: float = 50) -> str:
    return brand(*events, day=day).level


def orders(n: int, every: float = 10) -> list[Event]:
    return [order(i * every, order_id=f"O{i}") for i in range(n)]


def nps(day: float, n: int) -> Event:
    return event("survey.answered", day, survey="S", question="Q", nps=n)


def post(day: float, **data: Any) -> Event:
    return event("mention.posted", day, platform="weibo", **data)


SENT = [event("contact.sent", i, message_id=f"m{i}", channel="sms") for i in range(3)]
RIVAL = {"brands": ["Q"], "rivals": ["Q"]}


def test_the_crm_alone_knows_nothing_of_it() -> None:
    assert concluded(DIMENSION, event("attributes.changed", 0, attributes={"city": "x"}), *SENT[:2], day=9) is None


@pytest.mark.parametrize(
    ("expected", "why", "events"),
    [
        ("unaware", "unheard", SENT),
        ("aware", "knows", [*SENT, event("contact.opened", 3, message_id="m1", channel="sms")]),
        ("aware", "knows", [post(1)]),
        ("aware", "knows", [click(1)]),
        ("considering", "looks", [click(30)]),
        ("buyer", "bought", [order(30)]),
        ("buyer", "bought", orders(4)),
        ("loyal", "keeps", orders(5)),
        ("advocate", "recommends", [*orders(2), nps(20, 9)]),
        ("advocate", "speaks", [*orders(2), post(20)]),
        ("buyer", "bought", [*orders(2), post(20), post(21, **RIVAL)]),
        ("buyer", "bought", [*orders(2), nps(20, 9), complaint(30)]),
        ("buyer", "bought", [*orders(2), nps(20, 3), post(20)]),
    ],
)
def test_the_level_and_why(expected: str, why: str, events: list[Event]) -> None:
    view = brand(*events)
    assert (view.level, view.why.code) == (expected, f"brand.{why}")


HATE = "垃圾，太差了，大家千万别买"


def test_who_rants_is_no_advocate_and_does_not_belong() -> None:
    rants = [post(41 + n, text=HATE, audience=1_500_000) for n in range(6)]
    view = brand(*orders(5), *rants)
    assert (view.level, view.belonging) == ("buyer", None)
    praise = brand(*orders(5), *(post(41 + n, text="很好用，推荐") for n in range(6)))
    assert (praise.level, praise.belonging) == ("advocate", Trait(value="some", sure=0.65, of=5))


def test_one_rant_takes_no_more_than_itself_from_belonging() -> None:
    plain = [post(n) for n in range(11)]
    assert brand(*plain, post(12, text=HATE)).belonging == Trait(value="high", sure=0.75, of=10)


@pytest.mark.parametrize(
    ("against", "until"),
    [
        (nps(40, 5), 130),
        (post(40, **RIVAL), 130),
        (post(40, text="我不会再来了，以后去别家"), 130),
    ],
)
def test_who_would_advise_against_us_or_leave_is_not_loyal_for_90_days(against: Event, until: float) -> None:
    often = [order(i * 10, order_id=f"O{i}") for i in range(14)]
    assert level(*often, day=129) == "loyal"
    assert level(*often, against, day=until - 1) == "buyer"
    assert level(*often, against, day=until) == "loyal"


def test_the_level_follows_time() -> None:
    assert level(click(30), day=59) == "considering"
    assert level(click(30), day=60) == "aware"
    assert level(*orders(2), post(20), day=109) == "advocate"
    assert level(*orders(2), post(20), day=110) == "buyer"
    assert level(*orders(5), day=400) == "aware"
    assert brand(*orders(5), day=400).why.code == "brand.left"
    assert level(*orders(5), click(390), day=400) == "considering"


def test_an_answer_holds_for_a_year() -> None:
    often = [order(i * 30, order_id=f"O{i}") for i in range(14)]
    assert (level(*often, nps(20, 10), day=384), level(*often, nps(20, 10), day=385)) == ("advocate", "loyal")
    assert brand(*often, nps(20, 10), day=385).reputation is None


def test_reputation_is_what_they_say() -> None:
    stars = [event("rating.given", i, stars=n) for i, n in enumerate((5, 4, 5))]
    assert brand(*stars).reputation == Trait(value="good", sure=0.5)
    assert brand(*stars, nps(10, 4)).reputation == Trait(value="poor", sure=0.65)
    assert brand(*stars[:1]).reputation is None
    low = [event("rating.given", i, stars=n) for i, n in enumerate((3, 1))]
    assert brand(*low).reputation == Trait(value="poor", sure=0.4)


def test_loyalty_is_firm_wavering_or_lost() -> None:
    assert brand(*orders(5)).loyalty == Trait(value="firm", sure=0.6, of=5)
    assert brand(*orders(5), post(40, **RIVAL)).loyalty == Trait(value="wavering", sure=0.6, of=5)
    assert brand(*orders(5), day=90).loyalty == Trait(value="wavering", sure=0.6, of=5), "silent for longer than usual"
    assert brand(*orders(5), day=400).loyalty == Trait(value="lost", sure=0.6, of=5)
    assert brand(order(0)).loyalty is None


def test_belonging_is_speaking_of_us_and_not_of_others() -> None:
    assert brand(*[post(i) for i in range(10)]).belonging == Trait(value="high", sure=0.75, of=10)
    assert brand(post(0), post(1), post(2, **RIVAL)).belonging == Trait(value="some", sure=0.35, of=2)
    assert brand(post(0), post(2, **RIVAL)).belonging is None
