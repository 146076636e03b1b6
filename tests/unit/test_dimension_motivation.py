"""Why a customer buys: what is told stands before what is inferred, and what nothing supports is not said."""

from __future__ import annotations

from typing import Any

import pytest

from portrait.dimensions.motivation import DIMENSION, Motivation
from schemas.event import Event
from schemas.profile import Trait
from tests.corekit import click, concluded, event, order


def motivation(*events: Event) -> Motivation:
    view = concluded(DIMENSION, *events, day=30)
    assert isinstance(view, Motivation)
    return view


def values(*events: Event) -> list[tuple[str, bool]]:
    return [(motive.value, motive.told) for motive in motivation(*events).motives]


def orders(n: int, **data: Any) -> list[Event]:
    return [order(i, order_id=f"O{i}", **data) for i in range(n)]


def answer(day: float, *motives: str) -> Event:
    return event("survey.answered", day, survey="S", question="Why?", motives=list(motives))


def line(**data: Any) -> dict[str, Any]:
    return {"sku": "A", "quantity": 1, "unit_price_minor": 1} | data


POSTS = [event("mention.posted", 10 + i, platform="weibo", brands=["Suroom"]) for i in range(4)]


def test_nothing_is_said_of_who_only_looks_or_buys_once() -> None:
    assert concluded(DIMENSION, click(0), order(1, coupon="SAVE"), day=2) is None
    assert concluded(DIMENSION, event("survey.answered", 0, survey="S", question="?", nps=9), day=2) is None


def test_answers_are_told_and_the_more_often_the_surer() -> None:
    assert motivation(answer(0, "status", "health"), answer(5, "status")).motives == [
        Trait(value="status", sure=0.55),
        Trait(value="health", sure=0.3),
    ]


@pytest.mark.parametrize(
    ("motive", "events"),
    [
        ("price", orders(4, discount_minor=5)),
        ("price", [*orders(4), *[event("search.made", i, query="鞋 优惠券") for i in range(4)]]),
        ("quality", [event("search.made", i, query="耳机 测评") for i in range(3)]),
        ("quality", [event("content.engaged", i, content="c", kind="text", topic="Review") for i in range(3)]),
        ("health", [event("search.made", i, query="低糖 饼干") for i in range(3)]),
        ("sustainability", [event("search.made", i, query="refurbished phone") for i in range(3)]),
        ("novelty", orders(4, lines=[line(new_arrival=True)])),
        ("efficiency", [*orders(8), event("item.viewed", 0, sku="A")]),
        ("identity", [order(0, lines=[line(brand="Suroom")]), *POSTS]),
    ],
)
def test_ways_suggest_a_motive(motive: str, events: list[Event]) -> None:
    assert (motive, False) in values(*events)
    assert (motive, True) in values(*events, answer(20, motive))
    assert (motive, False) not in values(*events, answer(20, motive)), "told once is not inferred again"


@pytest.mark.parametrize(
    "events",
    [
        orders(4),
        orders(2, discount_minor=5),
        POSTS,
        [order(0, lines=[line(brand="Other")]), *POSTS],
        [event("search.made", i, query=q) for i, q in enumerate(["耳机 测评"] * 3 + ["耳机"] * 9)],
    ],
)
def test_what_little_or_nothing_supports_is_not_said(events: list[Event]) -> None:
    assert concluded(DIMENSION, *events, day=30) is None


def test_at_most_three_and_those_told_first() -> None:
    ways = [*orders(6, discount_minor=5, lines=[line(new_arrival=True, brand="Suroom")]), *POSTS]
    assert values(*ways, answer(20, "status")) == [("status", True), ("novelty", False), ("price", False)]


def test_risk_appetite() -> None:
    compares = [event("search.made", i, query="耳机 对比") for i in range(3)]
    assert motivation(*orders(4, instalments=3)).risk == Trait(value="open", sure=0.55, of=2)
    assert motivation(*orders(4, lines=[line(new_arrival=True)])).risk == Trait(value="open", sure=0.55, of=2)
    assert motivation(*orders(4), *compares).risk == Trait(value="careful", sure=0.55, of=2)
    assert motivation(*orders(2), *compares).risk is None
