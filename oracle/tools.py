"""The shapes of facts that come again and again (docs/facts.md, "The bytes")."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, NamedTuple

from schemas.event import Event

DAY_MS = 86_400_000
WINDOW_DAYS = 90
#: The key that stands alone where there were more keys than the limit.
OVERFLOWN = {"": 1}


class Amount(NamedTuple):
    """What an event brings to a day, its own or an earlier one."""

    day: int
    brought_on: int  # the event's own day
    amount: int


def day_of(ms: int) -> int:
    return ms // DAY_MS


def ms_of(time: datetime) -> int:
    return round(time.timestamp() * 1000)


def of_type(events: Iterable[Event], *types: type) -> list[Event]:
    """The events whose data are of one of the types."""
    return [event for event in events if isinstance(event.data, types)]


def total(events: Iterable[Event], amount: Callable[[Any], int]) -> int:
    """The sum of ``amount(data)``."""
    return sum(amount(event.data) for event in events)


def counts(keys: Iterable[str | None], limit: int) -> dict[str, int]:
    counted = Counter(key for key in keys if key is not None)
    return dict(counted) if len(counted) <= limit else OVERFLOWN


def latest(given: Iterable[tuple[str, tuple[int, str, str]]], limit: int) -> dict[str, Any]:
    """``given``: (key, (ms, value, by))."""
    greatest: dict[str, Any] = {}
    for key, register in given:
        greatest[key] = max(greatest.get(key, register), register)
    return greatest if len(greatest) <= limit else OVERFLOWN


def by_day(amounts: Iterable[Amount], today: int) -> dict[str, int]:
    sums: Counter[int] = Counter()
    for day, brought_on, amount in amounts:
        if day > max(today, brought_on) - WINDOW_DAYS:
            sums[day] += amount
    return {str(day): amount for day, amount in sums.items() if amount != 0}


def ones(events: Iterable[Event], today: int) -> dict[str, int]:
    """1 on the day of each event."""
    return by_day([Amount(day_of(event.time_ms), day_of(event.time_ms), 1) for event in events], today)


def calendar(days: set[int]) -> list[Any]:
    if not days:
        return [0, b""]
    first = min(days)
    bits = bytearray((max(days) - first) // 8 + 1)
    for day in days:
        bits[(day - first) // 8] |= 1 << (day - first) % 8
    return [first, bytes(bits)]
