"""Visits, carts, orders, and what becomes of the orders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cli.population import contacts, scene, service, texts
from cli.population.agenda import DAY_MS, HOUR_MS, MINUTE_MS, Agenda, Process
from cli.population.catalogue import MEALS, NEXT_NEED, Item, topic
from cli.population.person import Person

PAYMENTS = {
    "zh": ("wechatpay", "wechatpay", "wechatpay", "alipay", "alipay", "alipay", "unionpay"),
    "en": ("card", "card", "card", "paypal", "applepay"),
}
COUPONS = {"zh": ("满200减30", "会员日8折", "新人券", "双十一返场"), "en": ("SAVE10", "SPRING20", "WELCOME", "MEMBERS15")}

#: In trouble, people come and do not buy.
HESITATION = 0.65
CANCELLED, LATE, FAULTY, RATED = 0.04, 0.09, 0.05, 0.18
DEAR_FEN = 300_000
#: What bad service costs of a customer's patience (see `Person.grievance`).
LATE_GRIEVANCE, FAULTY_GRIEVANCE = 0.45, 0.45


@dataclass(slots=True)
class Order:
    id: str
    placed_at: str
    amount_minor: int
    item: Item
    promise_ms: int
    promised_at: str


def purchases(agenda: Agenda, person: Person) -> Process:
    """Every purchase of a customer's life, with the looking around before it."""
    if agenda.chance(0.08):
        return  # only ever looks: stays a prospect
    hours, offset_min, persona = person.persona.hours, person.region.offset_min, person.persona
    yield agenda.until_hour(agenda.days(4), hours, offset_min)
    while not person.gone:
        if person.away:
            wait_ms = (person.comeback_at_ms or 0) - agenda.now_ms
            if wait_ms > 0:
                yield wait_ms
                continue
            yield from contacts.win_back(agenda, person)
            person.returned_at_ms, person.trouble, person.grievance = agenda.present_ms, None, 0.0
        yield from visit(agenda, person, buying=not (person.trouble and agenda.chance(HESITATION)))
        gap_ms = int(agenda.rng.gammavariate(persona.gap_shape, person.gap_days / persona.gap_shape) * DAY_MS)
        for _ in range(int(agenda.rng.random() * (persona.browses + 1))):
            ahead_ms = int(gap_ms * (1 - 0.5 * agenda.rng.random() ** 2))
            agenda.start(visit(agenda, person), agenda.until_hour(ahead_ms, hours, offset_min))
        yield agenda.until_hour(gap_ms, hours, offset_min)


def idle_visits(agenda: Agenda, person: Person) -> Process:
    """Visits without a purpose: fewer of them when something is wrong."""
    while not person.gone:
        wait_ms = agenda.days(person.persona.visit_days)
        yield agenda.until_hour(wait_ms, person.persona.hours, person.region.offset_min)
        if not (person.trouble in ("service", "rival", "need") and agenda.chance(0.7)):
            yield from visit(agenda, person)


def visit(agenda: Agenda, person: Person, buying: bool = False) -> Process:
    """One session. Whoever has left does not come."""
    if person.away:
        return
    persona = person.persona
    channel = agenda.pick(persona.channels)
    if channel in ("phone", "store"):
        if channel == "store":
            scene.in_store(agenda, person)
        if buying:
            yield from _order_in_person(agenda, person, channel)
        return
    touch = {
        "session": agenda.number("s"),
        "channel": channel,
        "device": agenda.pick(persona.devices),
        "region": person.region.name,
        **scene.around(agenda, person),
    }
    shelf = _shelf(agenda, person)
    yield from _arrive(agenda, person, touch, shelf)
    basket: list[Item] = []
    for _ in range(1 + int(agenda.rng.random() ** 2 * (persona.lines if buying else 3))):
        item = person.choose(agenda, shelf if shelf in MEALS or agenda.chance(0.6) else None)
        yield from _look(agenda, person, touch, item)
        if buying or agenda.chance(0.12):
            person.emit(agenda, "clicks", "cart.changed", {**touch, "action": "added", **_priced(person, item)})
            basket.append(item)
            yield agenda.between(5_000, 60_000)
    if buying and not person.away:
        place(agenda, person, basket, channel)
    elif basket and (person.trouble == "price" or agenda.chance(0.3)):
        person.emit(agenda, "clicks", "cart.changed", {**touch, "action": "removed", **_priced(person, basket[-1])})


def bargain_visit(agenda: Agenda, person: Person) -> Process:
    """Somebody for whom it has become too dear: looks for discounts, fills the cart, and empties it."""
    if person.away:
        return
    touch = {
        "session": agenda.number("s"),
        "channel": "web",
        "device": agenda.pick(person.persona.devices),
        "region": person.region.name,
        **scene.around(agenda, person),
    }
    item = person.last_item or person.choose(agenda)
    _search(agenda, person, touch, item, "deal")
    yield agenda.between(20_000, 90_000)
    person.emit(agenda, "clicks", "cart.changed", {**touch, "action": "added", **_priced(person, item)})
    yield agenda.between(60_000, 300_000)
    person.emit(agenda, "clicks", "cart.changed", {**touch, "action": "removed", **_priced(person, item)})


def _shelf(agenda: Agenda, person: Person) -> str:
    """What this visit is about. Meals follow the clock: lunch at work, dinner with the family, a snack at night."""
    if person.kind == "diner":
        hour, weekday = agenda.hour(person.region.offset_min), agenda.weekday(person.region.offset_min)
        if 5 <= hour < 15 and weekday < 5:
            return "lunch"
        return "dinner" if 5 <= hour < 21 else "snack"
    if person.wish and agenda.chance(0.5):
        return person.wish
    return agenda.pick(person.persona.shelves)


def _arrive(agenda: Agenda, person: Person, touch: dict[str, Any], shelf: str) -> Process:
    """The app's start or the first page, and perhaps a search."""
    if touch["channel"] == "app":
        known = {"identities": [person.phone]} if person.logs_in else {}
        person.emit(agenda, "clicks", "app.opened", {**touch, "version": agenda.pick(("6.2.0", "6.3.1", "6.3.1")), **known})
    else:
        page = agenda.pick(("/", f"/c/{shelf}", "/new", "/sale"))
        dwell_ms = agenda.between(2_000, 30_000)
        person.emit(
            agenda, "clicks", "page.viewed", {**touch, "page": page, "dwell_ms": dwell_ms, **scene.referrer(agenda, person)}
        )
        if onward := scene.onward(agenda, page, shelf):
            person.emit(agenda, "clicks", "page.viewed", {**touch, **onward})
    yield agenda.between(5_000, 40_000)
    if agenda.chance(person.persona.searching):
        item = person.choose(agenda, shelf)
        kind = "deal" if person.trouble == "price" else person.persona.search_kind
        _search(agenda, person, touch, item, "unmet" if agenda.chance(0.07) else kind)
        yield agenda.between(5_000, 40_000)


def _search(agenda: Agenda, person: Person, touch: dict[str, Any], item: Item, kind: str) -> None:
    query = texts.line(agenda, texts.SEARCHES[kind][person.language], **person.slots(agenda, item))
    results = 0 if kind == "unmet" else 1 + int(agenda.rng.random() ** 2 * 200)
    person.emit(agenda, "clicks", "search.made", {**touch, "query": query, "results": results})


def _look(agenda: Agenda, person: Person, touch: dict[str, Any], item: Item) -> Process:
    """An item's page, and for those who want to know more, reviews and comparisons of it."""
    reads = agenda.chance(person.persona.reviews)
    dwell_ms = agenda.between(4_000, 240_000 if reads else 60_000)
    brand, name = item.brand[person.language], item.name[person.language]
    person.emit(
        agenda, "clicks", "item.viewed", {**touch, **_priced(person, item), "name": name, "brand": brand, "dwell_ms": dwell_ms}
    )
    yield dwell_ms
    if reads:
        kind, about = agenda.pick(
            (("video", "review"), ("video", "review"), ("text", "comparison"), ("picture", "outfit"), ("live", "sale"))
        )
        action = agenda.pick(("viewed", "viewed", "viewed", "liked", "saved", "commented", "shared"))
        content = {"content": f"{about}-{item.sku}", "kind": kind, "topic": topic(about, person.language), "action": action}
        person.emit(agenda, "clicks", "content.engaged", {**touch, **content, "dwell_ms": 2 * dwell_ms})
        yield 2 * dwell_ms


def _priced(person: Person, item: Item) -> dict[str, Any]:
    """What views and carts say of an item."""
    return {
        "sku": item.sku,
        "category": item.category[person.language],
        "price_minor": person.price_minor(item),
        "currency": person.region.currency,
    }


def _order_in_person(agenda: Agenda, person: Person, channel: str) -> Process:
    """By phone or over the counter: no click leads to it; a call is a conversation."""
    item = person.choose(agenda)
    if channel == "phone":
        yield from service.conversation(agenda, person, item)
    if not person.away:
        place(agenda, person, [item], channel)


def place(agenda: Agenda, person: Person, basket: list[Item], channel: str) -> None:
    """Order what is in the basket, and start what follows from it."""
    lines = [_line(agenda, person, item) for item in basket]
    full_minor = sum(line["quantity"] * line["unit_price_minor"] for line in lines)
    order_id = agenda.number("o")
    data: dict[str, Any] = {
        "order_id": order_id,
        "currency": person.region.currency,
        "amount_minor": full_minor,
        "lines": lines,
        "channel": channel,
        **_paid(agenda, person, basket[0], channel),
        **scene.bought_for(agenda, person, basket[0].shelf),
    }
    if agenda.chance(min(0.95, person.persona.coupon * (1.6 if person.trouble == "price" else 1.0))):
        data["discount_minor"] = full_minor * agenda.pick((5, 10, 10, 15, 20)) // 100
        data["amount_minor"] = full_minor - data["discount_minor"]
        data["coupon"] = agenda.pick(COUPONS[person.language])
    person.emit(agenda, "orders", "order.placed", data)
    person.last_item, person.wish = basket[0], NEXT_NEED.get(basket[0].shelf)
    promise_ms = 45 * MINUTE_MS if basket[0].shelf in MEALS else agenda.pick((2, 3, 3, 4)) * DAY_MS
    placed_at = person.iso(agenda, agenda.present_ms)
    promised_at = person.iso(agenda, agenda.later(promise_ms))
    order = Order(order_id, placed_at, data["amount_minor"], basket[0], promise_ms, promised_at)
    agenda.start(fulfil(agenda, person, order))


def _line(agenda: Agenda, person: Person, item: Item) -> dict[str, Any]:
    language = person.language
    new = {"new_arrival": True} if agenda.colour.random() < person.persona.daring else {}
    return {
        "sku": item.sku,
        "quantity": 1 + int(agenda.rng.random() ** 4 * 3),
        "unit_price_minor": person.price_minor(item),
        "name": item.name[language],
        "category": item.category[language],
        "brand": item.brand[language],
        **new,
    }


def _paid(agenda: Agenda, person: Person, item: Item, channel: str) -> dict[str, Any]:
    """How it is paid. What is dear is paid in parts more often."""
    cash = channel == "store" and person.age > 60
    paid: dict[str, Any] = {"payment_method": "cash" if cash else agenda.pick(PAYMENTS[person.language])}
    if agenda.chance(person.persona.instalments + (0.15 if item.price_fen > DEAR_FEN else 0.0)):
        paid["instalments"] = agenda.pick((3, 6, 12))
    return paid


def fulfil(agenda: Agenda, person: Person, order: Order) -> Process:
    """Called off, or delivered: in time or late, sound or faulty."""
    if agenda.chance(CANCELLED):
        yield agenda.between(order.promise_ms // 20, order.promise_ms // 4)
        _cancel(agenda, person, order)
        return
    late = agenda.chance(LATE)
    yield agenda.between(order.promise_ms // 2, order.promise_ms)
    if late:
        yield agenda.between(order.promise_ms, 3 * order.promise_ms)
        person.grievance += LATE_GRIEVANCE
    data = {"order_id": order.id, "placed_at": order.placed_at, "promised_at": order.promised_at}
    person.emit(agenda, "orders", "order.delivered", data)
    if late and agenda.chance(0.5):
        _complain(agenda, person, "late-delivery", order.item)
    if agenda.chance(FAULTY):
        yield from _send_back(agenda, person, order)
    elif agenda.chance(RATED):
        yield agenda.between(HOUR_MS, 4 * DAY_MS)
        service.rate(agenda, person, order.item, late)


def _cancel(agenda: Agenda, person: Person, order: Order) -> None:
    whole = agenda.chance(0.8)
    data = {
        "order_id": order.id,
        "placed_at": order.placed_at,
        "currency": person.region.currency,
        "amount_minor": order.amount_minor if whole else order.amount_minor // 3,
        "whole": whole,
        "reason": texts.line(agenda, texts.REASONS["cancel"][person.language]),
    }
    person.emit(agenda, "orders", "order.cancelled", data)


def _send_back(agenda: Agenda, person: Person, order: Order) -> Process:
    """A faulty thing: a grievance, often a complaint, often the money back."""
    person.grievance += FAULTY_GRIEVANCE
    if agenda.chance(0.6):
        category = agenda.pick(("quality", "quality", "wrong-item"))
        _complain(agenda, person, category, order.item)
    if agenda.chance(0.65):
        yield agenda.between(DAY_MS, 6 * DAY_MS)
        reason = texts.line(agenda, texts.REASONS["refund"][person.language])
        data = {
            "order_id": order.id,
            "placed_at": order.placed_at,
            "currency": person.region.currency,
            "amount_minor": order.amount_minor,
        }
        person.emit(agenda, "orders", "order.refunded", {**data, "reason": reason})


def _complain(agenda: Agenda, person: Person, category: str, item: Item) -> None:
    """About a meal at once, about anything else when there is time."""
    if item.shelf in MEALS:
        after_ms = agenda.between(MINUTE_MS, HOUR_MS)
    else:
        after_ms = agenda.until_hour(agenda.between(HOUR_MS, 2 * DAY_MS), person.persona.hours, person.region.offset_min)
    agenda.start(service.complaint(agenda, person, category, item), after_ms)
