"""Buying habits: cycle, order, shares, promotions, payment, brands."""

from __future__ import annotations

from typing import Any

import pytest

from portrait.dimensions.habits import DIMENSION, Habits
from schemas.event import Event
from schemas.profile import Trait
from tests.corekit import at, click, concluded, event, order, rfc3339


def habits(*events: Event, day: float = 400) -> Habits:
    view = concluded(DIMENSION, *events, day=day)
    assert view is None or isinstance(view, Habits)
    return view or Habits()


def orders(n: int, every: float = 1, **data: Any) -> list[Event]:
    return [order(i * every, order_id=f"O{i}", **data) for i in range(n)]


def lines(*brands: str) -> list[dict[str, Any]]:
    return [{"sku": str(i), "quantity": 1, "unit_price_minor": 1, "brand": b, "category": "tea"} for i, b in enumerate(brands)]


def test_who_never_bought_has_no_habits() -> None:
    assert concluded(DIMENSION, click(0), day=1) is None


def test_one_order_says_nothing() -> None:
    assert concluded(DIMENSION, order(0), day=1) is None


@pytest.mark.parametrize(("every", "cycle"), [(7, 21), (30, 45), (60, 60)])  # drawn towards 90 days while little is known
def test_the_cycle_is_the_usual_gap_of_the_rhythm(every: float, cycle: int) -> None:
    assert habits(*orders(5, every)).cycle_days == cycle
    assert habits(*orders(2, every)).cycle_days is None


def test_shares_of_what_went_back_was_called_off_and_was_paid_in_parts() -> None:
    back = {"placed_at": rfc3339(at(0)), "currency": "CNY", "amount_minor": 1}
    events = [
        *orders(3),
        order(9, instalments=3),
        event("order.refunded", 10, order_id="O0", **back),
        event("order.cancelled", 11, order_id="O1", **back),
    ]
    view = habits(*events)
    assert (view.returned, view.cancelled, view.instalments) == (0.2, 0.2, 0.2)
    assert habits(*events[1:3], *events[4:]).returned is None


def test_how_much_promotions_matter() -> None:
    full, reduced = orders(8), [order(20 + i, order_id=f"R{i}", coupon="SAVE") for i in range(8)]
    assert habits(*full).promotions == Trait(value="low", sure=0.75, of=5)
    assert habits(*reduced).promotions == Trait(value="high", sure=0.75, of=5)
    mixed = habits(*full[:6], *reduced[:4]).promotions
    assert mixed is not None
    assert mixed.value == "medium"


def test_price_or_value() -> None:
    full, reduced = orders(8), [order(20 + i, order_id=f"R{i}", discount_minor=5) for i in range(8)]
    bargains = [event("search.made", i, query="便宜 键盘") for i in range(8)]
    assert habits(*reduced).driven_by == Trait(value="price", sure=0.75, of=5)
    assert habits(*full).driven_by == Trait(value="value", sure=0.75, of=5)
    assert habits(*full[:4], *bargains).driven_by == Trait(value="price", sure=0.55, of=10)
    assert habits(*full, *bargains).driven_by is None
    assert habits(*full[:4], *reduced[:4]).driven_by is None


def test_payment_brand_and_category() -> None:
    view = habits(
        order(0, payment_method="alipay", lines=lines("A", "A", "B")), order(1, payment_method="alipay", lines=lines("A"))
    )
    assert view.pays_by == Trait(value="alipay", sure=0.4, of=2)
    assert view.brand == Trait(value="A", sure=0.45, of=2)
    assert view.category == Trait(value="tea", sure=0.55, of=2)


def test_buying_of_everything_is_no_loyalty() -> None:
    assert habits(order(0, lines=lines("A", "A", "A", "B", "C", "D", "E", "F"))).brand is None
