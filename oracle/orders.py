"""The part `consumption`, and the purchase days."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from oracle.tools import OVERFLOWN, Amount, by_day, calendar, counts, day_of, ms_of, of_type, ones, total
from schemas.event import Event
from schemas.orders import OrderCancelled, OrderDelivered, OrderPlaced, OrderRefunded

CURRENCIES_MAX = 4
#: Purchase days that lie so long before the last one are forgotten.
CALENDAR_DAYS = 1826


def purchase_days(events: Sequence[Event]) -> set[int]:
    days = {day_of(event.time_ms) for event in of_type(events, OrderPlaced)}
    return {day for day in days if day > max(days) - CALENDAR_DAYS}


def consumption(events: Sequence[Event], today: int) -> list[Any]:
    placed, refunded = of_type(events, OrderPlaced), of_type(events, OrderRefunded)
    whole = [event for event in of_type(events, OrderCancelled) if event.data.whole]
    delivered = of_type(events, OrderDelivered)
    lines = [line for event in placed for line in event.data.lines]
    orders = [(event.time_ms, event.data.order_id, event.data.amount_minor, event.data.currency) for event in placed]
    return [
        by_day([_on_day_of_order(e, 1) for e in placed] + [_on_day_of_order(e, -1) for e in whole], today),
        calendar(purchase_days(events)),
        _money(events, today),
        max(orders, default=(0, "", 0, "")),
        len(placed),
        len(whole),
        len(refunded),
        len(delivered),
        sum(1 for event in delivered if is_late(event)),
        sum(line.quantity for line in lines),
        sum(1 for event in placed if event.data.discount_minor > 0),
        sum(1 for event in placed if event.data.coupon is not None),
        sum(1 for event in placed if event.data.instalments > 1),
        counts([event.data.payment_method for event in placed], 6),
        counts([line.category for line in lines], 12),
        counts([line.brand for line in lines], 8),
        counts([line.sku for line in lines], 8),
        ones([event for event in delivered if is_late(event)], today),
        sum(1 for line in lines if line.new_arrival),
    ]


def _on_day_of_order(event: Event, amount: int) -> Amount:
    """On the day on which the order was placed, whatever became of it later."""
    placed_ms = event.time_ms if isinstance(event.data, OrderPlaced) else ms_of(event.data.placed_at)
    return Amount(day_of(placed_ms), day_of(event.time_ms), amount)


def is_late(event: Event) -> bool:
    promised_at = event.data.promised_at
    return promised_at is not None and event.time_ms > promised_at.timestamp() * 1000


def _money(events: Sequence[Event], today: int) -> dict[str, Any]:
    """By currency."""
    moved = of_type(events, OrderPlaced, OrderCancelled, OrderRefunded)
    currencies = {event.data.currency for event in moved}
    if len(currencies) > CURRENCIES_MAX:
        return OVERFLOWN
    return {currency: _money_of([e for e in moved if e.data.currency == currency], today) for currency in currencies}


def _money_of(moved: Sequence[Event], today: int) -> list[Any]:
    placed, cancelled, refunded = (of_type(moved, kind) for kind in (OrderPlaced, OrderCancelled, OrderRefunded))
    spent = [_on_day_of_order(event, event.data.amount_minor) for event in placed]
    returned = [_on_day_of_order(event, -event.data.amount_minor) for event in [*cancelled, *refunded]]
    return [
        total(placed, lambda data: data.amount_minor),
        total(cancelled, lambda data: data.amount_minor),
        total(refunded, lambda data: data.amount_minor),
        total(placed, lambda data: data.discount_minor),
        by_day(spent + returned, today),
        len(placed),
    ]
