"""The parts `activity`, `behaviour`, `context` and `interests`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from oracle.tools import DAY_MS, counts, of_type, ones, total
from schemas.clicks import AppOpened, CartChanged, ContentEngaged, ItemViewed, PageViewed, Searched, StoreVisited, Touch
from schemas.complaints import ComplaintResolved, ComplaintUpdated
from schemas.contacts import ContactDelivered, ContactSent
from schemas.customers import AttributesChanged, ExternalIdAssigned, IdentityLinked, IdentityUnlinked
from schemas.event import Event
from schemas.orders import OrderDelivered, OrderPlaced

#: What the company does, not the customer.
COMPANY = (
    ContactSent, ContactDelivered, AttributesChanged, ExternalIdAssigned, IdentityLinked, IdentityUnlinked,
    OrderDelivered, ComplaintUpdated, ComplaintResolved,
)  # fmt: skip


def activity(events: Sequence[Event], today: int) -> list[Any]:
    own = [event for event in events if not isinstance(event.data, COMPANY)]
    return [
        min(event.time_ms for event in events),
        max([0, *(event.time_ms for event in own)]),
        len(events),
        ones(own, today),
        dict(Counter(str(event.hour) for event in own)),
        counts([getattr(event.data, "channel", None) for event in own], 12),
        dict(Counter(str(event.weekday) for event in own)),
    ]


def behaviour(events: Sequence[Event], today: int) -> list[Any]:
    clicks = of_type(events, Touch)
    pages, items, carts = of_type(clicks, PageViewed), of_type(clicks, ItemViewed), of_type(clicks, CartChanged)
    searches, content, stores = of_type(clicks, Searched), of_type(clicks, ContentEngaged), of_type(clicks, StoreVisited)
    return [
        ones(clicks, today),
        len(clicks),
        max([0, *(event.time_ms for event in clicks)]),
        total([*pages, *items, *content], lambda data: data.dwell_ms),
        counts([event.data.page for event in pages], 8),
        counts([event.data.sku for event in items], 8),
        counts([event.data.category for event in [*items, *carts]], 12),
        counts([event.data.brand for event in items], 8),
        counts([event.data.query.casefold() for event in searches], 8),
        counts([event.data.query.casefold() for event in searches if event.data.results == 0], 8),
        counts([event.data.kind for event in content], 5),
        counts([event.data.topic for event in content], 12),
        counts([event.data.device for event in clicks], 4),
        counts([event.data.region for event in clicks], 4),
        total(carts, lambda data: data.quantity if data.action == "added" else 0),
        total(carts, lambda data: data.quantity if data.action == "removed" else 0),
        len(of_type(clicks, AppOpened)),
        len(items),
        len(searches),
        ones([event for event in carts if event.data.action == "added"], today),
        counts([event.data.referrer for event in pages], 6),
        counts([_path(event.data) for event in pages if event.data.referrer], 6),
        counts([event.data.store for event in stores], 4),
        len(stores),
    ]


def _path(viewed: PageViewed) -> str:
    return " > ".join(_step(page) for page in (viewed.referrer or "", viewed.page))


def _step(page: str) -> str:
    """The host of an address, or the page itself."""
    if "://" in page:
        page = page.split("://", 1)[1].split("/", 1)[0]
        if page.startswith("www."):
            page = page[4:]
    return page.split("?", 1)[0][:48]


def context(events: Sequence[Event], today: int) -> list[Any]:
    clicks = of_type(events, Touch)
    return [
        counts([event.data.place for event in clicks], 5),
        counts([event.data.weather for event in clicks], 5),
        counts([event.data.occasion for event in [*clicks, *of_type(events, OrderPlaced)]], 6),
    ]


def interests(events: Sequence[Event], today: int) -> list[Any]:
    noticed: dict[str, list[str]] = {}
    for event in events:
        data = event.data
        if isinstance(data, (ItemViewed, CartChanged)):
            names = [data.category]
        elif isinstance(data, ContentEngaged):
            names = [data.topic]
        else:
            names = [line.category for line in data.lines] if isinstance(data, OrderPlaced) else []
        for name in names:
            if name is not None:
                noticed.setdefault(str(event.time_ms // DAY_MS // 28), []).append(name)
    latest = sorted(noticed, key=int)[-3:]
    return [{period: counts(noticed[period], 6) for period in latest}]
