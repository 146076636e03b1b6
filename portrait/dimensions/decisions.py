"""How a customer comes to decide: with many looks or few, after bargains or not, by which way in, and what stays in the cart."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from portrait.dimensions.attributes import REMEMBERED
from portrait.dimensions.base import Dimension, Facts, at_least, leaning, trait
from portrait.dimensions.hints import ON_PRICE, hits, looks_per_order, promoted
from portrait.structures import MORE, NEVER, WINDOW_DAYS
from schemas.profile import Trait, View

ORDERS_LEAST = 3
CLICKS_LEAST = 10
#: So many looks an order are an ordinary decision: half the evidence speaks for a researcher, half for an impulse.
USUAL_LOOKS = 4
#: How much of the evidence must speak for a kind of decision.
CLEAR = 0.6
SEARCHES_LEAST = 5
#: Looks an order are told to these.
LOOKS = (0.5, 1, 2, 3, 5, 8, 12, 20, 50)


class Decisions(View, frozen=True, kw_only=True):
    """How the customer decides."""

    kind: Trait | None = None  # researcher, impulsive, bargain_hunter
    looks_per_order: float | None = None  # items looked at and searches for each order: about so many
    carts: int = 0  # days of the last 90 on which something was put into the cart: at least so many
    abandoned: float | None = None  # share of these after which nothing was bought on the same or the next day
    enters_by: Trait | None = None  # domain or name of where they come from; app, when it is opened by itself
    seconds_a_look: int = 0  # at each click, on average at least so many; from ten clicks on


def derive(facts: Facts) -> tuple[View | None, int]:
    behaviour, consumption = facts.parts.behaviour, facts.parts.consumption
    if behaviour is None:
        return None, NEVER
    looks = looks_per_order(behaviour, consumption)
    carts, abandoned, due = _carts(behaviour, consumption, facts.today)
    kind, enters_by = _kind(behaviour, consumption, looks), _entry(behaviour)
    nearest = min(LOOKS, key=lambda step: abs(step - looks)) if looks and consumption.placed >= ORDERS_LEAST else None
    seconds = at_least(behaviour.dwell_ms // 1000 // behaviour.clicks) if behaviour.clicks >= CLICKS_LEAST else 0
    if kind is nearest is enters_by is None and not (carts or seconds):
        return None, due
    view = Decisions(
        kind=kind,
        looks_per_order=nearest,
        carts=at_least(carts),
        abandoned=round(abandoned / carts, 1) if carts else None,
        enters_by=enters_by,
        seconds_a_look=seconds,
    )
    return view, due


def _kind(behaviour: Any, consumption: Any, looks: float | None) -> Trait | None:
    """The kind that most of the evidence speaks for: shares of the orders, or of the searches."""
    orders = consumption.placed if consumption is not None else 0
    best: tuple[float, str, int] = (CLEAR, "", 0)
    if looks is not None and orders >= ORDERS_LEAST:
        thorough = looks / (looks + USUAL_LOOKS)
        best = max(best, (thorough, "researcher", orders), (1 - thorough, "impulsive", orders))
    if orders >= ORDERS_LEAST:
        best = max(best, (promoted(consumption) / orders, "bargain_hunter", orders))
    price, searches = hits(behaviour.searches, ON_PRICE)
    if searches >= SEARCHES_LEAST:
        best = max(best, (price / searches, "bargain_hunter", searches))
    share, kind, of = best
    return trait(kind, share * of, of) if kind else None


def _carts(behaviour: Any, consumption: Any, today: int) -> tuple[int, int, int]:
    """Days with something put into the cart, those after which nothing was bought, and the day on which this changes.

    A day counts from its second day after on: until then something may yet be bought.
    """
    bought = consumption.bought if consumption is not None else None
    carts = abandoned = 0
    due = NEVER
    for day in behaviour.cart_days:
        if day > today - 2:
            due = min(due, day + 2)
        elif day > today - WINDOW_DAYS:
            due = min(due, day + WINDOW_DAYS)
            carts += 1
            if bought is None or not bought.any_between(day, day + 1):
                abandoned += 1
    return carts, abandoned, due


def _entry(behaviour: Any) -> Trait | None:
    if not (behaviour.referrers or behaviour.app_opens):
        return None
    ways: dict[str, int] = {}
    for referrer, n in (behaviour.referrers or {}).items():
        if referrer != MORE and not referrer.startswith("/"):  # from a page of ours nobody enters
            name = entry_of(referrer)
            ways[name] = ways.get(name, 0) + n
    if behaviour.app_opens:
        ways["app"] = ways.get("app", 0) + behaviour.app_opens
    return leaning(ways)


@lru_cache(REMEMBERED)
def entry_of(referrer: str) -> str:
    """The domain of an address, without www; of anything else the name itself, in small letters."""
    name = referrer.strip().casefold()
    _, scheme, rest = name.partition("://")
    if scheme:
        name = rest.partition("/")[0].partition("?")[0].rpartition("@")[2].partition(":")[0]
    return name.removeprefix("www.")[:64]


DIMENSION = Dimension(
    name="decisions",
    contract=Decisions,
    reads=("behaviour", "consumption"),
    derive=derive,
    events=("clicks", "order.placed"),
    zh="决策方式",
)
