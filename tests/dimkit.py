"""A derived dimension of a customer with these events, whatever the order in which they came."""

from __future__ import annotations

from random import Random
from typing import Any

from portrait.dimensions.base import Facts
from portrait.dimensions.registry import DIMENSIONS
from portrait.structures import DAY_MS
from schemas.event import Event
from tests.corekit import Customer, at

ORDERS = 4


def derived(name: str, *events: Event, now: float | None = None) -> Any:
    """What `name` concludes ``now`` (days after DAY0; if not given, at the last event). Fails if the order of events matters."""
    orders = [list(events), list(reversed(events))]
    orders += [Random(seed).sample(events, len(events)) for seed in range(ORDERS - len(orders))]
    views = [_derive(name, order, now) for order in orders]
    assert all(view == views[0] for view in views), "it depends on the order"
    return views[0]


def _derive(name: str, events: list[Event], now: float | None) -> Any:
    """Folded one by one, as the clock runs that far."""
    clock = max(event.time_ms for event in events) if now is None else at(now)
    customer = Customer()
    for event in events:
        customer.evolve([customer.arrival(event)], clock)
    state = customer.known
    dimension = next(dimension for dimension in DIMENSIONS if dimension.name == name)
    return dimension.derive(Facts(state.parts, state.stage, clock // DAY_MS, clock))[0]


def due_day(name: str, *events: Event, now: float) -> float:
    """The day (after DAY0) on which it says that it changes by itself."""
    customer = Customer()
    customer.sees(*events, now=now)
    state = customer.known
    dimension = next(dimension for dimension in DIMENSIONS if dimension.name == name)
    return dimension.derive(Facts(state.parts, state.stage, at(now) // DAY_MS, at(now)))[1] - at(0) / DAY_MS
