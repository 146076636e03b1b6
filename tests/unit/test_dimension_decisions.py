"""How a customer decides: looks, bargains, carts that stay full, and the way in."""

from __future__ import annotations

from typing import Any

import pytest

from portrait.dimensions.decisions import DIMENSION, Decisions, entry_of
from schemas.event import Event
from schemas.profile import Trait
from tests.corekit import click, concluded, event, order


def decisions(*events: Event, day: float = 30) -> Decisions:
    view = concluded(DIMENSION, *events, day=day)
    assert isinstance(view, Decisions)
    return view


def look(day: float) -> Event:
    return event("item.viewed", day, sku="S")


def search(day: float, query: str) -> Event:
    return event("search.made", day, query=query)


def cart(day: float, action: str = "added") -> Event:
    return event("cart.changed", day, action=action, sku="S")


def orders(n: int, **data: Any) -> list[Event]:
    return [order(day, order_id=f"O{day}", **data) for day in range(n)]


def test_without_clicks_or_with_too_few_orders_nothing_is_said() -> None:
    assert concluded(DIMENSION, *orders(5), day=9) is None
    assert concluded(DIMENSION, *orders(2), *[look(1)] * 1, click(1), day=9) is None


@pytest.mark.parametrize(
    ("looks", "kind", "per_order", "sure"),
    [(40, "researcher", 12, 0.4), (3, "impulsive", 1, 0.4), (16, None, 5, 0)],
)
def test_looks_for_each_order_tell_who_compares_and_who_does_not(
    looks: int, kind: str | None, per_order: float, sure: float
) -> None:
    view = decisions(*orders(3), *[look(i / 2) for i in range(looks)])
    assert view.kind == (kind and Trait(value=kind, sure=sure, of=2))
    assert view.looks_per_order == per_order


def test_who_buys_reduced_or_searches_for_it_hunts_bargains() -> None:
    usual = [look(i / 2) for i in range(16)]
    assert decisions(*orders(4, discount_minor=100), *usual).kind == Trait(value="bargain_hunter", sure=0.55, of=2)
    assert decisions(*orders(4, coupon="SAVE"), *usual).kind == Trait(value="bargain_hunter", sure=0.55, of=2)
    searched = [search(i, "cheap shoes") for i in range(4)] + [search(5, "鞋 优惠券"), search(6, "鞋")]
    assert decisions(*searched).kind == Trait(value="bargain_hunter", sure=0.55, of=5)
    assert concluded(DIMENSION, *[search(i, "shoes") for i in range(6)], day=9) is None


def test_a_cart_is_abandoned_when_nothing_is_bought_by_the_next_day() -> None:
    carts = [cart(1), cart(5), cart(10), cart(10.1), cart(12, "removed")]
    view = decisions(*carts, order(1.2), order(6))
    assert (view.carts, view.abandoned) == (2, 0.3)
    assert decisions(*carts).abandoned == 1.0


def test_a_cart_counts_once_it_is_decided_and_until_it_is_old() -> None:
    assert concluded(DIMENSION, cart(10), day=11) is None
    assert decisions(cart(10), day=12).abandoned == 1.0
    assert decisions(cart(10), day=99).abandoned == 1.0
    assert concluded(DIMENSION, cart(10), day=100) is None


def test_the_usual_way_in() -> None:
    pages = [event("page.viewed", i, page="/", referrer=f"https://www.Google.com/search?q={i}") for i in range(3)]
    opened = event("app.opened", 4)
    assert decisions(*pages, opened).enters_by == Trait(value="google.com", sure=0.45, of=2)
    assert decisions(*pages[:1], opened, event("app.opened", 5)).enters_by == Trait(value="app", sure=0.35, of=2)


@pytest.mark.parametrize(
    ("referrer", "way"),
    [
        ("http://a.example:80/x", "a.example"),
        ("小红书", "小红书"),
        (" WeChat ", "wechat"),
        ("https://u@www.b.example?x", "b.example"),
    ],
)
def test_a_referrer_is_its_domain_or_its_name(referrer: str, way: str) -> None:
    assert entry_of(referrer) == way
