"""How a customer buys: how often, for how much, at what price, paid how, and what they keep to."""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise
from typing import Any

from portrait.dimensions.base import Dimension, Facts, leaning, steady, trait
from portrait.dimensions.hints import ON_PRICE, hits, promoted
from schemas.profile import Trait, View

#: A share of fewer orders says nothing.
ORDERS_LEAST = 3
#: Shares of orders with a discount or a coupon from which the customer counts as sensitive to promotions: somewhat, very.
MEDIUM, HIGH = 0.25, 0.6
#: So much of what is bought being of one brand is loyalty to it.
LOYAL = 0.4
LOYAL_LEAST = 3
#: The cycle is told to these, of which the nearest in proportion is taken.
CYCLES_DAYS = (1, 2, 3, 5, 7, 10, 14, 21, 30, 45, 60, 90, 120, 180, 365)
_BETWEEN = [(a * b) ** 0.5 for a, b in pairwise(CYCLES_DAYS)]


class Habits(View, frozen=True, kw_only=True):
    """Buying habits. Shares are of the orders, to one decimal, from three orders on."""

    cycle_days: int | None = None  # between purchases, about; from the third purchase day on
    returned: float | None = None  # this, and the next two: none, or hardly any, is left out
    cancelled: float | None = None
    instalments: float | None = None
    promotions: Trait | None = None  # high, medium, low: how much they buy with discounts and coupons
    driven_by: Trait | None = None  # price: reductions, and searches for them; value: buys at the full price
    pays_by: Trait | None = None
    brand: Trait | None = None  # that they keep to: at least two fifths of what is bought
    category: Trait | None = None  # bought most


def derive(facts: Facts) -> tuple[View | None, int]:
    consumption, rhythm = facts.parts.consumption, facts.rhythm
    if consumption is None or not consumption.placed:
        return steady(None)
    orders = consumption.placed
    shares = orders >= ORDERS_LEAST
    promotions, driven_by = _price(facts.parts.behaviour, consumption) if shares else (None, None)
    view = Habits(
        cycle_days=CYCLES_DAYS[bisect_right(_BETWEEN, rhythm.gap_days)] if rhythm.count >= 3 else None,
        returned=_share(consumption.refunded, orders) if shares else None,
        cancelled=_share(consumption.cancelled, orders) if shares else None,
        instalments=_share(consumption.by_instalments, orders) if shares else None,
        promotions=promotions,
        driven_by=driven_by,
        pays_by=leaning(consumption.methods),
        brand=_brand(consumption),
        category=leaning(consumption.categories),
    )
    return steady(view if view != NOTHING else None)


def _share(n: int, orders: int) -> float | None:
    return round(min(1.0, n / orders), 1) or None


def _price(behaviour: Any, consumption: Any) -> tuple[Trait | None, Trait | None]:
    """Promotion sensitivity, and whether it is the price or the value that makes them buy."""
    orders, reduced = consumption.placed, promoted(consumption)
    share = reduced / orders
    price, searches = hits(behaviour.searches if behaviour is not None else None, ON_PRICE)
    if share >= HIGH:
        promotions = trait("high", reduced, orders)
    elif share >= MEDIUM:
        promotions = trait("medium", orders, orders)
    else:
        promotions = trait("low", orders - reduced, orders)
    if reduced + price > (orders + searches) / 2:
        return promotions, trait("price", reduced + price, orders + searches)
    if share < MEDIUM and price * 4 <= searches:
        return promotions, trait("value", orders + searches - reduced - price, orders + searches)
    return promotions, None


def _brand(consumption: Any) -> Trait | None:
    brands = consumption.brands
    found = leaning(brands, LOYAL_LEAST)
    return found if found is not None and brands[found.value] >= LOYAL * sum(brands.values()) else None


NOTHING = Habits()
DIMENSION = Dimension(
    name="habits",
    contract=Habits,
    reads=("behaviour", "consumption"),
    derive=derive,
    events=("order.placed", "order.cancelled", "order.refunded", "search.made"),
    zh="消费习惯",
)
