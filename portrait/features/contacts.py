"""How a customer takes our messages, by channel: delivered, opened, clicked, refused; from ``contacts``."""

from __future__ import annotations

from typing import Any

from msgspec import field

from portrait.features.base import Feature, Part
from portrait.merging import columns, days, merging, tables, total
from portrait.structures import DAY_MS, MORE, Days, add_day, expire_days, windows
from schemas.contacts import ContactClicked, ContactDelivered, ContactOpened, ContactRefused, ContactSent
from schemas.event import Event

CHANNELS_MAX = 8
OUTCOMES = ("sent", "delivered", "opened", "clicked", "refused")


class Contacts(Part, array_like=True, gc=False):
    channels: dict[str, list[int]] = field(default_factory=dict)  # counts in the order of OUTCOMES
    refused_days: Days = field(default_factory=dict)
    last_ms: int = 0


def outcome(index: int) -> Any:
    """A fold that counts one of the OUTCOMES."""

    def fold(part: Contacts, event: Event, today: int) -> None:
        channel = event.data.channel
        part.last_ms = max(part.last_ms, event.time_ms)
        if channel not in part.channels and len(part.channels) >= CHANNELS_MAX:
            channel = MORE
        part.channels.setdefault(channel, [0] * len(OUTCOMES))[index] += 1
        if index == OUTCOMES.index("refused"):
            add_day(part.refused_days, event.time_ms // DAY_MS, today)

    return fold


def view(part: Contacts, today: int) -> tuple[dict[str, Any] | None, int]:
    _, month, _, due = windows(part.refused_days, today)
    if not part.channels:
        return None, due
    shown: dict[str, Any] = {
        channel: {name: n for name, n in zip(OUTCOMES, counts, strict=True) if n}
        for channel, counts in sorted(part.channels.items())
        if channel
    }
    return {"by_channel": shown, "refused_30d": month}, due


def expire(part: Contacts, today: int) -> None:
    expire_days(part.refused_days, today)


FEATURE = Feature(
    name="contacts",
    part=Contacts,
    folds={
        ContactSent: outcome(0),
        ContactDelivered: outcome(1),
        ContactOpened: outcome(2),
        ContactClicked: outcome(3),
        ContactRefused: outcome(4),
    },
    merge=merging(
        Contacts,
        channels=tables(CHANNELS_MAX, columns(*[total] * len(OUTCOMES)), [0] * len(OUTCOMES), rank=sum),
        refused_days=days,
        last_ms=max,
    ),
    view=view,
    expire=expire,
    newest=lambda part: int(part.last_ms),
)
