"""Topic ``orders``: what a customer buys, cancels, sends back, receives.

An event that closes an order repeats what it closes (``placed_at``, the amount), so that it can be folded without the
order: before it, after it, or years later.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from schemas.topic import EventType, Topic
from schemas.types import Currency, Data, Key, Line, Minor, Name, Quantity, Time


class OrderLine(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """One article of an order."""

    sku: Key
    quantity: Quantity
    unit_price_minor: Minor
    name: Line | None = None
    category: Name | None = None
    brand: Name | None = None
    new_arrival: bool = False  # it had just come out


class OrderPlaced(Data, frozen=True, kw_only=True, gc=False):
    """An order was placed."""

    order_id: Key
    currency: Currency
    amount_minor: Minor  # what the customer pays: lines less discount
    lines: Annotated[list[OrderLine], Meta(max_length=500)] = []
    discount_minor: Minor = 0
    coupon: Name | None = None
    payment_method: Name | None = None
    instalments: Annotated[int, Meta(ge=1, le=120)] = 1
    channel: Name | None = None
    occasion: Name | None = None  # what it was bought for or during: gift, singles-day, ...


class OrderCancelled(Data, frozen=True, kw_only=True, gc=False):
    """The order, or a part of it, was called off before delivery: it counts as if it had been smaller, or never placed."""

    order_id: Key
    placed_at: Time
    currency: Currency
    amount_minor: Minor  # the part that is called off
    whole: bool = True  # false: a part of the order stands
    reason: Line | None = None


class OrderRefunded(Data, frozen=True, kw_only=True, gc=False):
    """Money went back after delivery."""

    order_id: Key
    placed_at: Time
    currency: Currency
    amount_minor: Minor
    reason: Line | None = None


class OrderDelivered(Data, frozen=True, kw_only=True, gc=False):
    """The order was handed over; after ``promised_at`` it counts as late."""

    order_id: Key
    placed_at: Time
    promised_at: Time | None = None


TOPIC = Topic(
    name="orders",
    code=2,
    doc=__doc__,
    events=(
        EventType("order.placed", OrderPlaced),
        EventType("order.cancelled", OrderCancelled),
        EventType("order.refunded", OrderRefunded),
        EventType("order.delivered", OrderDelivered),
    ),
)
