"""Why a customer buys: what they answered when asked, and what their ways suggest; and whether they like to try what is new.

The motives are those of `schemas.types.Motive`. Status is only ever told: nothing that we are sent shows it.
"""

from __future__ import annotations

from typing import Any

from portrait.dimensions.base import DOUBT, Dimension, Facts, steady, sure, trait
from portrait.dimensions.hints import HEALTH, PRICE, QUALITY, SUSTAINABILITY, TABLES, looks_per_order, promoted, wishes
from portrait.structures import MORE
from schemas.profile import Trait, View

SHOWN = 3
#: Where `wishes` has what it found for each motive.
WISHES = (("quality", TABLES.index(QUALITY)), ("health", TABLES.index(HEALTH)), ("sustainability", TABLES.index(SUSTAINABILITY)))
PRICED = TABLES.index(PRICE)
#: An answer weighs as much as so many observations.
ANSWER = 5
#: Evidence of a kind, and the share of what might have been evidence, below which nothing is concluded from it.
LEAST, SHARE_LEAST = 3, 0.3
#: So many looks an order, or fewer, are the way of somebody who wants to be done.
FEW_LOOKS = 3
#: Shares of orders with something new, or paid in parts, from which on, and of which up to, they take risks or don't.
OPEN, CAREFUL = 0.4, 0.1


class Motivation(View, frozen=True, kw_only=True):
    """Why the customer buys."""

    #: quality, price, efficiency, identity, status, sustainability, health, novelty; told ones first, the surest first; at most 3
    motives: list[Trait] = []
    risk: Trait | None = None  # open: buys what has just come out, or in instalments; careful: neither, and compares first


def derive(facts: Facts) -> tuple[View | None, int]:
    parts = facts.parts
    told = _told(parts.feedback) if parts.feedback is not None and parts.feedback.motives else []
    seen = _seen(parts)
    if not (seen or told):
        return steady(None)
    named = {motive.value for motive in told}
    inferred = [
        trait(motive, n, of)
        for motive, (n, of) in seen.items()
        if motive not in named and n >= LEAST and n >= SHARE_LEAST * of and sure(n, of) > 0
    ]
    told.sort(key=_strongest)
    inferred.sort(key=_strongest)
    risk = _risk(parts.consumption, seen)
    motives = [*told, *inferred][:SHOWN]
    return steady(Motivation(motives=motives, risk=risk) if motives or risk is not None else None)


def _strongest(motive: Trait) -> tuple[float, str]:
    return -motive.sure, motive.value


def _told(feedback: Any) -> list[Trait]:
    """By the answers to surveys: how many of those that name any motive name this one."""
    motives = feedback.motives
    total = sum(n for motive, n in motives.items() if motive != MORE)
    return [Trait(value=motive, sure=sure(ANSWER * n, ANSWER * total)) for motive, n in motives.items() if motive != MORE]


def _seen(parts: Any) -> dict[str, tuple[int, int]]:
    """Motive -> (observations that speak for it, of how many)."""
    behaviour, consumption, social = parts.behaviour, parts.consumption, parts.social
    seen: dict[str, tuple[int, int]] = {}
    priced = searches = 0
    if behaviour is not None and (behaviour.searches or behaviour.topics):
        searched, read = wishes(behaviour.searches), wishes(behaviour.topics)
        priced, searches = searched[PRICED], searched[-1]
        for motive, place in WISHES:
            seen[motive] = searched[place] + read[place], searches + read[-1]
    for counts in (consumption.categories if consumption is not None else None, social.topics if social is not None else None):
        if not counts:
            continue
        met = wishes(counts)  # what is bought and said counts where it speaks of the motive at all
        for motive, place in WISHES:
            if met[place]:
                n, of = seen.get(motive, (0, 0))
                seen[motive] = n + met[place], of + met[-1]
    if consumption is not None and consumption.placed >= LEAST:
        orders = consumption.placed
        seen["price"] = promoted(consumption) + priced, orders + searches
        seen["novelty"] = min(consumption.new_arrivals, orders), orders
        looks = looks_per_order(behaviour, consumption)
        if looks is not None and looks <= FEW_LOOKS:
            seen["efficiency"] = round(orders * (1 - looks / (looks + DOUBT))), orders
    if social is not None and consumption is not None and consumption.brands:
        ours = total = 0
        for brand, n in (social.brands or {}).items():
            if brand != MORE:
                total += n
                ours += n if brand in consumption.brands else 0
        seen["identity"] = ours, total
    return seen


def _risk(consumption: Any, seen: dict[str, tuple[int, int]]) -> Trait | None:
    if consumption is None or consumption.placed < LEAST:
        return None
    orders = consumption.placed
    daring = min(orders, max(consumption.new_arrivals, consumption.by_instalments))
    if daring >= OPEN * orders:
        return trait("open", daring, orders)
    compared, of = seen.get("quality", (0, 0))
    if daring <= CAREFUL * orders and compared >= LEAST and compared >= SHARE_LEAST * of:
        return trait("careful", orders - daring, orders)
    return None


DIMENSION = Dimension(
    name="motivation",
    contract=Motivation,
    reads=("behaviour", "consumption", "social", "feedback"),
    derive=derive,
    events=("survey.answered", "order.placed", "search.made", "content.engaged", "mention.*"),
    zh="消费动机",
)
