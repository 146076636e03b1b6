"""What a customer buys, and how: counts and money by window, rhythm, categories, promotions, payment; from ``orders``.

Money is integer minor units by currency. A cancellation or refund is booked on the day on which the order was placed, so a
window's net spend is the same whichever came first. A day on which an order was placed stays a purchase day, cancelled or not:
the rhythm is about the customer's will to buy.
"""

from __future__ import annotations

from typing import Any

from msgspec import field

from portrait.features.base import Feature, Part
from portrait.merging import calendars, days, merging, tables, tallies, total
from portrait.structures import DAY_MS, MORE, Calendar, Days, Tally, add_day, expire_days, tally, tops, windows
from schemas.event import Event
from schemas.orders import OrderCancelled, OrderDelivered, OrderPlaced, OrderRefunded

CURRENCIES_MAX, CATEGORIES_MAX, BRANDS_MAX, ITEMS_MAX, METHODS_MAX = 4, 12, 8, 8, 6
SHOWN = 3
#: Purchase days are kept for the five years before the last one: 229 bytes at the most. Not for those before today: the rhythm
#: of a customer who has gone must not change as time passes, or a stage would have been entered on another day from day to day.
CALENDAR_DAYS = 1826


class Money(Part, array_like=True, gc=False):
    """One currency: lifetime totals, and net spend by the day on which the order was placed. Minor units."""

    placed_minor: int = 0
    cancelled_minor: int = 0
    refunded_minor: int = 0
    discount_minor: int = 0
    days: Days = field(default_factory=dict)
    orders: int = 0  # placed

    @property
    def spent_minor(self) -> int:
        """Net, over all time."""
        return self.placed_minor - self.cancelled_minor - self.refunded_minor


class LastOrder(Part, array_like=True, gc=False):
    """The greatest of all."""

    ms: int = 0
    order_id: str = ""
    amount_minor: int = 0
    currency: str = ""

    @property
    def order(self) -> tuple[int, str, int, str]:
        """What they compare by."""
        return self.ms, self.order_id, self.amount_minor, self.currency


class Consumption(Part, array_like=True, gc=False):
    days: Days = field(default_factory=dict)  # orders placed, less those cancelled as a whole
    bought: Calendar = field(default_factory=Calendar)
    money: dict[str, Money] = field(default_factory=dict)
    last: LastOrder = field(default_factory=LastOrder)
    placed: int = 0
    cancelled: int = 0
    refunded: int = 0
    delivered: int = 0
    late: int = 0
    units: int = 0
    discounted: int = 0
    with_coupon: int = 0
    by_instalments: int = 0
    methods: Tally | None = None
    categories: Tally | None = None
    brands: Tally | None = None
    items: Tally | None = None
    late_days: Days = field(default_factory=dict)  # late deliveries
    new_arrivals: int = 0  # lines of what had just come out

    @property
    def spent_minor(self) -> int:
        """Net lifetime spend over all currencies: an order of magnitude, no amount."""
        return sum(money.spent_minor for money in self.money.values())

    def main_money(self) -> Money:
        """In the currency of most orders; of several such, that whose name is the last."""
        known = self.money
        if len(known) == 1:
            (only,) = known.values()
            return only
        _, name = max(((money.orders, name) for name, money in known.items() if name != MORE), default=(0, MORE))
        return known.get(name) or Money()


def money_of(part: Consumption, currency: str) -> Money:
    money = part.money.get(currency)
    if money is None:
        if len(part.money) >= CURRENCIES_MAX and currency not in part.money:
            currency = MORE  # marked, and no fact any more
        money = part.money.setdefault(currency, Money())
    return money


def placed(part: Consumption, event: Event, today: int) -> None:
    data: OrderPlaced = event.data
    day = event.time_ms // DAY_MS
    part.placed += 1
    add_day(part.days, day, today)
    oldest = max(day, part.bought.last()) - CALENDAR_DAYS + 1
    part.bought.drop_before(oldest)  # first: a bitmap over two far days would be as long as the time between them
    if day >= oldest:
        part.bought.add(day)
    money = money_of(part, data.currency)
    money.placed_minor += data.amount_minor
    money.orders += 1
    if data.amount_minor:
        add_day(money.days, day, today, data.amount_minor)
    order = (event.time_ms, data.order_id, data.amount_minor, data.currency)
    if order > part.last.order:
        part.last = LastOrder(*order)
    if data.discount_minor:
        part.discounted += 1
        money.discount_minor += data.discount_minor
    if data.coupon is not None:
        part.with_coupon += 1
    if data.instalments > 1:
        part.by_instalments += 1
    if data.payment_method is not None:
        part.methods = tally(part.methods, data.payment_method, METHODS_MAX)
    for line in data.lines:
        part.units += line.quantity
        part.new_arrivals += line.new_arrival
        part.items = tally(part.items, line.sku, ITEMS_MAX)
        part.categories = tally(part.categories, line.category, CATEGORIES_MAX)
        part.brands = tally(part.brands, line.brand, BRANDS_MAX)


def _placed_day(data: OrderCancelled | OrderRefunded) -> int:
    return round(data.placed_at.timestamp() * 1000) // DAY_MS  # as the order's own event was rounded: the same day


def cancelled(part: Consumption, event: Event, today: int) -> None:
    data: OrderCancelled = event.data
    day = _placed_day(data)
    if data.whole:
        part.cancelled += 1
        add_day(part.days, day, today, -1)
    money = money_of(part, data.currency)
    money.cancelled_minor += data.amount_minor
    if data.amount_minor:
        add_day(money.days, day, today, -data.amount_minor)


def refunded(part: Consumption, event: Event, today: int) -> None:
    data: OrderRefunded = event.data
    part.refunded += 1
    money = money_of(part, data.currency)
    money.refunded_minor += data.amount_minor
    if data.amount_minor:
        add_day(money.days, _placed_day(data), today, -data.amount_minor)


def delivered(part: Consumption, event: Event, today: int) -> None:
    part.delivered += 1
    promised = event.data.promised_at
    if promised is not None and event.time_ms > promised.timestamp() * 1000:
        part.late += 1
        add_day(part.late_days, event.time_ms // DAY_MS, today)


def view(part: Consumption, today: int) -> tuple[dict[str, Any] | None, int]:
    week, month, quarter, due = windows(part.days, today)
    spend: dict[str, Any] = {}
    for currency, money in sorted(part.money.items()):
        if currency:
            w, m, q, leaves = windows(money.days, today)
            average = money.placed_minor // money.orders if money.orders else None
            spend[currency] = w, m, q, money.spent_minor, average
            due = min(due, leaves)
    if not (part.placed or part.cancelled or part.refunded or part.delivered):
        return None, due
    shown: dict[str, Any] = {
        "orders": (week, month, quarter, part.placed - part.cancelled),
        "spend_minor": spend,
    }
    if part.last.ms:
        last = part.last
        shown["last_order"] = {
            "at_ms": last.ms,
            "id": last.order_id,
            "amount_minor": last.amount_minor,
            "currency": last.currency,
        }
    for name in ("cancelled", "refunded", "delivered", "late", "units", "discounted", "with_coupon", "by_instalments"):
        if n := getattr(part, name):
            shown[name] = n
    shown |= tops(part, ("categories", "brands", "items"), SHOWN)
    return shown, due


def expire(part: Consumption, today: int) -> None:
    expire_days(part.days, today)
    expire_days(part.late_days, today)
    for money in part.money.values():
        expire_days(money.days, today)


def later(a: LastOrder, b: LastOrder) -> LastOrder:
    return LastOrder(*max(a.order, b.order))


merge_money = merging(
    Money, placed_minor=total, cancelled_minor=total, refunded_minor=total, discount_minor=total, days=days, orders=total
)
merge = merging(
    Consumption,
    days=days,
    bought=calendars(CALENDAR_DAYS),
    money=tables(CURRENCIES_MAX, merge_money, Money(), rank=lambda money: money.orders),
    last=later,
    placed=total,
    cancelled=total,
    refunded=total,
    delivered=total,
    late=total,
    units=total,
    discounted=total,
    with_coupon=total,
    by_instalments=total,
    methods=tallies(METHODS_MAX),
    categories=tallies(CATEGORIES_MAX),
    brands=tallies(BRANDS_MAX),
    items=tallies(ITEMS_MAX),
    late_days=days,
    new_arrivals=total,
)

FEATURE = Feature(
    name="consumption",
    part=Consumption,
    folds={OrderPlaced: placed, OrderCancelled: cancelled, OrderRefunded: refunded, OrderDelivered: delivered},
    merge=merge,
    view=view,
    expire=expire,
    newest=lambda part: int(part.last.ms),
)
