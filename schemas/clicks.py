"""Topic ``clicks``: what a customer does on the web, in the app, in a mini program, and in a shop."""

from __future__ import annotations

from typing import Literal

from schemas.topic import EventType, Topic
from schemas.types import Count, Currency, Data, DurationMs, Key, Line, Minor, Name, Quantity


class Touch(Data, frozen=True, kw_only=True, gc=False):
    """Where and with what the customer was: shared by all clicks."""

    session: Key | None = None
    channel: Name | None = None  # web, app, wechat, ...
    device: Name | None = None  # phone, tablet, desktop, ...
    region: Name | None = None
    place: Name | None = None  # home, office, campus, transit, store, ...
    weather: Name | None = None  # rain, heat, ..., as the publisher knows it
    occasion: Name | None = None  # what was going on: singles-day, spring-festival, a match, ...


class PageViewed(Touch, frozen=True, kw_only=True, gc=False):
    """A page or screen was looked at."""

    page: Line
    dwell_ms: DurationMs = 0
    referrer: Line | None = None  # an address or a name; from a page of ours its path, as page has it: /c/running


class ItemViewed(Touch, frozen=True, kw_only=True, gc=False):
    """The page of one item was looked at."""

    sku: Key
    name: Line | None = None
    category: Name | None = None
    brand: Name | None = None
    price_minor: Minor | None = None
    currency: Currency | None = None
    dwell_ms: DurationMs = 0


class Searched(Touch, frozen=True, kw_only=True, gc=False):
    """Something was searched for in the shop."""

    query: Line
    results: Count | None = None  # 0: an unmet wish


class CartChanged(Touch, frozen=True, kw_only=True, gc=False):
    """An item was put into the cart, or taken out."""

    action: Literal["added", "removed"]
    sku: Key
    category: Name | None = None
    quantity: Quantity = 1
    price_minor: Minor | None = None
    currency: Currency | None = None


class ContentEngaged(Touch, frozen=True, kw_only=True, gc=False):
    """An article, picture, video or live stream was looked at, liked, commented on, shared or saved."""

    content: Key
    kind: Literal["text", "picture", "audio", "video", "live"]
    topic: Name | None = None
    action: Literal["viewed", "liked", "commented", "shared", "saved"] = "viewed"
    dwell_ms: DurationMs = 0


class AppOpened(Touch, frozen=True, kw_only=True, gc=False):
    """The app or mini program was opened."""

    version: Name | None = None


class StoreVisited(Touch, frozen=True, kw_only=True, gc=False):
    """The customer was in a shop or a branch, whether they bought or not."""

    store: Name
    dwell_ms: DurationMs = 0


TOPIC = Topic(
    name="clicks",
    code=1,
    doc=__doc__,
    events=(
        EventType("page.viewed", PageViewed),
        EventType("item.viewed", ItemViewed),
        EventType("search.made", Searched),
        EventType("cart.changed", CartChanged),
        EventType("content.engaged", ContentEngaged),
        EventType("app.opened", AppOpened),
        EventType("store.visited", StoreVisited),
    ),
)
