"""Ways between pages, shops that were visited, circles that are followed, and what follows from them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from portrait.dimensions import decisions, influence, motivation
from portrait.features.behaviour import step
from tests.corekit import Customer, concluded, event, order


def page(day: float, page: str, referrer: str = "", **data: Any) -> Any:
    return event("page.viewed", day, page=page, **data, **({"referrer": referrer} if referrer else {}))


def shown(field: str, *events: Any) -> dict[str, Any]:
    customer = Customer()
    customer.sees(*events)
    found: dict[str, Any] = msgspec.json.decode(customer.fields[field])
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://www.baidu.com/s?wd=shop", "baidu.com"),
        ("/c/running?sort=price", "/c/running"),
        ("wechat", "wechat"),
        ("x" * 60, "x" * 48),
        ("http://", ""),
    ],
)
def test_a_page_is_a_short_step(text: str, expected: str) -> None:
    assert step(text) == expected


def test_ways_between_pages_are_counted_and_a_page_without_a_way_is_not() -> None:
    seen = [page(0, "/"), page(1, "/c/running?page=2", "/"), page(2, "/c/running", "/"), page(3, "/", "https://www.baidu.com/s")]
    assert shown("behaviour", *seen)["paths"] == {"/ > /c/running": 2, "baidu.com > /": 1}


def test_nobody_enters_by_a_page_of_ours() -> None:
    ways = [page(day, "/", "https://www.baidu.com/") for day in range(2)] + [page(day, "/sale", "/") for day in range(9)]
    assert concluded(decisions.DIMENSION, *ways, day=9).enters_by.value == "baidu.com"


def test_a_visit_to_a_shop_is_a_visit_that_is_told_apart() -> None:
    visits = [
        event("store.visited", day, store="南京西路店", channel="store", place="store", dwell_ms=60_000) for day in range(3)
    ]
    view = shown("behaviour", *visits)
    assert (view["store_visits"], view["stores"], view["clicks"][3]) == (3, {"南京西路店": 3}, 3)


def test_time_in_a_shop_is_no_time_on_a_screen() -> None:
    visits = [event("store.visited", day, store="南京西路店", channel="store", dwell_ms=60_000) for day in range(12)]
    assert concluded(decisions.DIMENSION, *visits, day=12) is None


def test_how_long_a_look_takes_is_told_from_ten_clicks_on() -> None:
    looks = [page(day, "/", dwell_ms=24_000) for day in range(10)]
    assert concluded(decisions.DIMENSION, *looks, day=10).seconds_a_look == 20
    assert concluded(decisions.DIMENSION, *looks[:9], day=10) is None


def test_whom_they_follow_are_their_circles() -> None:
    follows = [
        event("account.followed", day, platform="weibo", account=name)
        for day, name in enumerate(("跑者日记", "跑者日记", "辣妈"))
    ]
    assert shown("social", *follows)["accounts"] == {"跑者日记": 2, "辣妈": 1}
    assert concluded(influence.DIMENSION, *follows, day=5).circles == ["跑者日记", "辣妈"]


def test_what_is_bought_and_said_tells_a_motive_too() -> None:
    line = {"sku": "A", "quantity": 1, "unit_price_minor": 100}
    bought = [order(day, lines=[line | {"category": "有机食品"}]) for day in range(4)]
    (motive, *_) = concluded(motivation.DIMENSION, *bought, day=5).motives
    assert (motive.value, motive.told) == ("sustainability", False)
    said = [event("mention.posted", day, platform="weibo", topics=["健康"]) for day in range(4)]
    assert concluded(motivation.DIMENSION, *said, day=5).motives[0].value == "health"
    other = [order(day, lines=[line | {"category": "books"}]) for day in range(4)]
    assert concluded(motivation.DIMENSION, *other, day=5) is None
