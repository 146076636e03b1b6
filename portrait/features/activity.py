"""When and where a customer is active: from every event but those that the company causes."""

from __future__ import annotations

from typing import Any

from msgspec import field

from portrait.features.base import Feature, Part
from portrait.merging import days, merging, tallies, total
from portrait.structures import DAY_MS, NEVER, Days, Tally, add_day, expire_days, tally, top, tops, windows
from schemas.complaints import ComplaintResolved, ComplaintUpdated
from schemas.contacts import ContactDelivered, ContactSent
from schemas.customers import AttributesChanged, ExternalIdAssigned, IdentityLinked, IdentityUnlinked
from schemas.event import Event
from schemas.orders import OrderDelivered

HOURS = tuple(str(hour) for hour in range(24))
WEEKDAYS = HOURS[:7]
CHANNELS_MAX = 12
#: What the company does, not the customer: it tells nothing of when and where they are active.
OURS = frozenset(
    (
        ContactSent,
        ContactDelivered,
        AttributesChanged,
        ExternalIdAssigned,
        IdentityLinked,
        IdentityUnlinked,
        OrderDelivered,
        ComplaintUpdated,
        ComplaintResolved,
    )
)


class Activity(Part, array_like=True, gc=False):
    first_ms: int = NEVER
    last_ms: int = 0  # of what the customer did
    events: int = 0
    days: Days = field(default_factory=dict)
    hours: Tally | None = None  # the customer's local hours
    channels: Tally | None = None
    weekdays: Tally | None = None  # the customer's local days, "0" for Monday


def fold(part: Activity, event: Event, today: int) -> None:
    ms = event.time_ms
    if ms < part.first_ms:
        part.first_ms = ms
    part.events += 1
    if type(event.data) in OURS:
        return
    if ms > part.last_ms:
        part.last_ms = ms
    add_day(part.days, ms // DAY_MS, today)
    hour = HOURS[event.hour]
    part.hours = tally(part.hours, hour, len(HOURS))
    part.weekdays = tally(part.weekdays, HOURS[event.weekday], len(WEEKDAYS))
    channel = getattr(event.data, "channel", None)
    if channel:
        part.channels = tally(part.channels, channel, CHANNELS_MAX)


def view(part: Activity, today: int) -> tuple[dict[str, Any] | None, int]:
    week, month, quarter, due = windows(part.days, today)
    shown: dict[str, Any] = {"first_seen_ms": part.first_ms, "events": (week, month, quarter, part.events)}
    if part.last_ms:
        shown["last_seen_ms"] = part.last_ms
        shown["active_hours"] = top(part.hours or {}, 3)
    shown |= tops(part, ("channels",), 5)
    return shown, due


def expire(part: Activity, today: int) -> None:
    expire_days(part.days, today)


FEATURE = Feature(
    name="activity",
    part=Activity,
    folds={},
    merge=merging(
        Activity,
        first_ms=min,
        last_ms=max,
        events=total,
        days=days,
        hours=tallies(len(HOURS)),
        channels=tallies(CHANNELS_MAX),
        weekdays=tallies(len(WEEKDAYS)),
    ),
    view=view,
    expire=expire,
    every=fold,
    newest=lambda part: int(part.last_ms),
    frequent=True,
)
