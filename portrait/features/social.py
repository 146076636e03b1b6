"""What a customer says in public, and who hears it; from ``social-mentions``."""

from __future__ import annotations

from typing import Any

from msgspec import field

from portrait.features.base import Feature, Part
from portrait.merging import days, merging, registers, tallies, total
from portrait.structures import DAY_MS, Days, Register, Tally, add_day, assign, expire_days, tally, tops, windows
from schemas.event import Event
from schemas.social import AccountFollowed, Mention, MentionPosted, MentionShared

PLATFORMS_MAX, TOPICS_MAX, BRANDS_MAX, ACCOUNTS_MAX, SHOWN = 8, 8, 8, 6, 3


class Social(Part, array_like=True, gc=False):
    days: Days = field(default_factory=dict)  # posts and shares
    posts: int = 0
    shares: int = 0
    follows: int = 0
    reach: int = 0  # the audience of each post and share, added up
    audience_max: int = 0
    engagement: int = 0
    platforms: Tally | None = None
    topics: Tally | None = None
    brands: Tally | None = None
    handles: dict[str, Register] | None = None  # platform -> the latest handle
    rival_days: Days = field(default_factory=dict)  # posts, shares and follows that name a rival
    heard: Tally | None = None  # topic -> likes, comments and shares received
    last_ms: int = 0
    accounts: Tally | None = None  # whom they follow


def said(part: Social, event: Event, today: int) -> None:
    """What posts and shares have in common."""
    data: MentionPosted | MentionShared = event.data
    add_day(part.days, event.time_ms // DAY_MS, today)
    part.engagement += data.engagement
    if data.engagement:
        for topic in data.topics:
            part.heard = tally(part.heard, topic, TOPICS_MAX, data.engagement)
    if data.audience:
        part.reach += data.audience
        part.audience_max = max(part.audience_max, data.audience)
    about(part, event, today)


def about(part: Social, event: Event, today: int) -> None:
    data: Mention = event.data
    part.last_ms = max(part.last_ms, event.time_ms)
    part.platforms = tally(part.platforms, data.platform, PLATFORMS_MAX)
    for topic in data.topics:
        part.topics = tally(part.topics, topic, TOPICS_MAX)
    for brand in data.brands:
        part.brands = tally(part.brands, brand, BRANDS_MAX)
    if data.rivals:
        add_day(part.rival_days, event.time_ms // DAY_MS, today)
    if data.handle is not None:
        part.handles = assign(part.handles, data.platform, Register(event.time_ms, data.handle), PLATFORMS_MAX)


def posted(part: Social, event: Event, today: int) -> None:
    part.posts += 1
    said(part, event, today)


def shared(part: Social, event: Event, today: int) -> None:
    part.shares += 1
    said(part, event, today)


def followed(part: Social, event: Event, today: int) -> None:
    part.follows += 1
    part.accounts = tally(part.accounts, event.data.account, ACCOUNTS_MAX)
    about(part, event, today)


def view(part: Social, today: int) -> tuple[dict[str, Any] | None, int]:
    week, month, quarter, due = windows(part.days, today)
    *_, rivals, rivals_due = windows(part.rival_days, today)
    due = min(due, rivals_due)
    if not (part.posts or part.shares or part.follows):
        return None, due
    shown: dict[str, Any] = {"mentions": (week, month, quarter, part.posts + part.shares)}
    for name in ("posts", "shares", "follows", "reach", "audience_max", "engagement"):
        if n := getattr(part, name):
            shown[name] = n
    shown |= tops(part, ("platforms", "topics", "brands", "accounts"), SHOWN)
    if rivals:
        shown["rivals_90d"] = rivals
    if part.handles:
        shown["handles"] = {platform: r.value for platform, r in sorted(part.handles.items()) if platform}
    return shown, due


def expire(part: Social, today: int) -> None:
    expire_days(part.days, today)
    expire_days(part.rival_days, today)


FEATURE = Feature(
    name="social",
    part=Social,
    folds={MentionPosted: posted, MentionShared: shared, AccountFollowed: followed},
    merge=merging(
        Social,
        days=days,
        posts=total,
        shares=total,
        follows=total,
        reach=total,
        audience_max=max,
        engagement=total,
        platforms=tallies(PLATFORMS_MAX),
        topics=tallies(TOPICS_MAX),
        brands=tallies(BRANDS_MAX),
        handles=registers(PLATFORMS_MAX),
        rival_days=days,
        heard=tallies(TOPICS_MAX),
        last_ms=max,
        accounts=tallies(ACCOUNTS_MAX),
    ),
    view=view,
    expire=expire,
    newest=lambda part: int(part.last_ms),
)
