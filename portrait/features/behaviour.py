"""What a customer looks at: pages and the ways between them, items, searches, carts, content, shops; from ``clicks``."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from msgspec import field

from portrait.features.base import Feature, Part
from portrait.merging import days, merging, tallies, total
from portrait.structures import DAY_MS, Days, Tally, add_day, expire_days, tally, tops, windows
from schemas.clicks import AppOpened, CartChanged, ContentEngaged, ItemViewed, PageViewed, Searched, StoreVisited, Touch
from schemas.event import Event

PAGES_MAX, ITEMS_MAX, CATEGORIES_MAX, BRANDS_MAX, SEARCHES_MAX, PLACES_MAX = 8, 8, 12, 8, 8, 4
CONTENT_MAX, REFERRERS_MAX, PATHS_MAX, STORES_MAX = 5, 6, 6, 4
STEP_LENGTH_MAX, REMEMBERED = 48, 4096
SHOWN = 3


#: What is shown of the counts by name, in this order.
COUNTED = (
    "pages", "items", "categories", "brands", "searches", "unmet", "regions", "paths", "stores",
)  # fmt: skip


class Behaviour(Part, array_like=True, gc=False):
    days: Days = field(default_factory=dict)  # clicks of all kinds
    clicks: int = 0
    last_ms: int = 0
    dwell_ms: int = 0
    pages: Tally | None = None
    items: Tally | None = None
    categories: Tally | None = None
    brands: Tally | None = None
    searches: Tally | None = None
    unmet: Tally | None = None  # searches that found nothing
    content: Tally | None = None  # by kind: text, video, ...
    topics: Tally | None = None
    devices: Tally | None = None
    regions: Tally | None = None
    cart_added: int = 0
    cart_removed: int = 0
    app_opens: int = 0
    item_views: int = 0
    searches_made: int = 0
    cart_days: Days = field(default_factory=dict)  # times that something was put into the cart
    referrers: Tally | None = None
    paths: Tally | None = None  # "from > to": ways between pages
    stores: Tally | None = None  # shops that they were in
    store_visits: int = 0


def touch(part: Behaviour, event: Event, today: int) -> None:
    """What all clicks share."""
    data: Touch = event.data
    ms = event.time_ms
    part.clicks += 1
    if ms > part.last_ms:
        part.last_ms = ms
    add_day(part.days, ms // DAY_MS, today)
    if data.device is not None:
        part.devices = tally(part.devices, data.device, PLACES_MAX)
    if data.region is not None:
        part.regions = tally(part.regions, data.region, PLACES_MAX)


def page(part: Behaviour, event: Event, today: int) -> None:
    touch(part, event, today)
    part.pages = tally(part.pages, event.data.page, PAGES_MAX)
    part.referrers = tally(part.referrers, event.data.referrer, REFERRERS_MAX)
    if event.data.referrer:
        part.paths = tally(part.paths, f"{step(event.data.referrer)} > {step(event.data.page)}", PATHS_MAX)
    part.dwell_ms += event.data.dwell_ms


def item(part: Behaviour, event: Event, today: int) -> None:
    touch(part, event, today)
    data: ItemViewed = event.data
    part.item_views += 1
    part.items = tally(part.items, data.sku, ITEMS_MAX)
    part.categories = tally(part.categories, data.category, CATEGORIES_MAX)
    part.brands = tally(part.brands, data.brand, BRANDS_MAX)
    part.dwell_ms += data.dwell_ms


def search(part: Behaviour, event: Event, today: int) -> None:
    touch(part, event, today)
    part.searches_made += 1
    query = event.data.query.casefold()
    part.searches = tally(part.searches, query, SEARCHES_MAX)
    if event.data.results == 0:
        part.unmet = tally(part.unmet, query, SEARCHES_MAX)


def cart(part: Behaviour, event: Event, today: int) -> None:
    touch(part, event, today)
    if event.data.action == "added":
        part.cart_added += event.data.quantity
        add_day(part.cart_days, event.time_ms // DAY_MS, today)
    else:
        part.cart_removed += event.data.quantity
    part.categories = tally(part.categories, event.data.category, CATEGORIES_MAX)


def content(part: Behaviour, event: Event, today: int) -> None:
    touch(part, event, today)
    part.content = tally(part.content, event.data.kind, CONTENT_MAX)
    part.topics = tally(part.topics, event.data.topic, CATEGORIES_MAX)
    part.dwell_ms += event.data.dwell_ms


def opened(part: Behaviour, event: Event, today: int) -> None:
    touch(part, event, today)
    part.app_opens += 1


def visited(part: Behaviour, event: Event, today: int) -> None:
    touch(part, event, today)
    part.store_visits += 1
    part.stores = tally(part.stores, event.data.store, STORES_MAX)


@lru_cache(REMEMBERED)
def step(page: str) -> str:
    """A page as a step of a path: of an address the host without ``www.``, else the text; without a query, and not long."""
    _, scheme, rest = page.partition("://")
    if scheme:
        page = rest.partition("/")[0].removeprefix("www.")
    return page.partition("?")[0][:STEP_LENGTH_MAX]


def view(part: Behaviour, today: int) -> tuple[dict[str, Any] | None, int]:
    week, month, quarter, due = windows(part.days, today)
    if not part.clicks:
        return None, due
    shown: dict[str, Any] = {"clicks": (week, month, quarter, part.clicks), "last_click_ms": part.last_ms}
    shown |= tops(part, COUNTED, SHOWN)
    if part.cart_added or part.cart_removed:
        shown["cart"] = {"added": part.cart_added, "removed": part.cart_removed}
    for name in ("app_opens", "store_visits"):
        if n := getattr(part, name):
            shown[name] = n
    return shown, due


def expire(part: Behaviour, today: int) -> None:
    expire_days(part.days, today)
    expire_days(part.cart_days, today)


FEATURE = Feature(
    name="behaviour",
    part=Behaviour,
    folds={
        PageViewed: page,
        ItemViewed: item,
        Searched: search,
        CartChanged: cart,
        ContentEngaged: content,
        AppOpened: opened,
        StoreVisited: visited,
    },
    merge=merging(
        Behaviour,
        days=days,
        clicks=total,
        last_ms=max,
        dwell_ms=total,
        pages=tallies(PAGES_MAX),
        items=tallies(ITEMS_MAX),
        categories=tallies(CATEGORIES_MAX),
        brands=tallies(BRANDS_MAX),
        searches=tallies(SEARCHES_MAX),
        unmet=tallies(SEARCHES_MAX),
        content=tallies(CONTENT_MAX),
        topics=tallies(CATEGORIES_MAX),
        devices=tallies(PLACES_MAX),
        regions=tallies(PLACES_MAX),
        cart_added=total,
        cart_removed=total,
        app_opens=total,
        item_views=total,
        searches_made=total,
        cart_days=days,
        referrers=tallies(REFERRERS_MAX),
        paths=tallies(PATHS_MAX),
        stores=tallies(STORES_MAX),
        store_visits=total,
    ),
    view=view,
    expire=expire,
    newest=lambda part: int(part.last_ms),
    frequent=True,
)
