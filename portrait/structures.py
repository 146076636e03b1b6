"""Bounded structures whose contents do not depend on the order in which events arrive (guarantees G3 and G7).

A *tally* is ``dict[str, int]``: exact counts of at most ``limit`` keys. When a further key comes it turns into an estimate
(Misra, Gries 1982: a count is never too high, and what is counted often stays) and says so by the key ``""``; from then on it
is no fact. A *register* keeps the value of the greatest (time, value). *Days* are ``dict[int, int]``: amounts by UTC day
since 1970. No floats anywhere: they would not add up the same in every order.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec

DAY_MS = 86_400_000
#: The longest window. Older days leave the buckets; their events stay in the lifetime totals.
WINDOW_DAYS = 90
NEVER = 2**62  # later than any due day or moment

MORE = ""  # the key that marks an overflown tally or set of registers
ESTIMATED = "~"  # the same in a view: each count may be too low by its value

Tally = dict[str, int]
if TYPE_CHECKING:
    Days = dict[int, int]
else:
    Days = dict[int, int] | list[int | bytes]  # the list is how a large state stores them: `portrait.packing`


def tally(counts: Tally | None, key: str | None, limit: int, by: int = 1) -> Tally | None:
    """Count ``key`` in place, and return the tally, made if this is its first key. None as a key counts nothing.

    Tallies start as None, not as empty dicts: most customers have few of them, and a worker holds many customers.
    """
    if key is None:
        return counts
    if counts is None:
        return {key: by}
    seen = counts.get(key)
    if seen is not None:
        counts[key] = seen + by
    elif len(counts) - (MORE in counts) < limit:
        counts[key] = by
    else:
        _fade(counts)
    return counts


def _fade(counts: Tally) -> None:
    """Take one from every key instead of counting a new one; what is at zero makes room."""
    for key in [key for key in counts if key]:
        if counts[key] == 1:
            del counts[key]
        else:
            counts[key] -= 1
    counts[MORE] = counts.get(MORE, 0) + 1


def top(counts: Tally, n: int) -> dict[str, int]:
    """The ``n`` most counted keys; where some are left out, most first, then by key.

    Of an estimate only keys that no uncounted one can have beaten, and with them ESTIMATED: by how much they may be too low.
    """
    more = counts.get(MORE, 0)
    if not more and len(counts) <= n:
        return counts
    ranked = sorted((-count, key) for key, count in counts.items() if key and count >= more)
    shown = {key: -count for count, key in ranked[:n]}
    if more and shown:
        shown[ESTIMATED] = more
    return shown


def tops(part: Any, names: Iterable[str], n: int) -> dict[str, dict[str, int]]:
    """`top` of each of these tallies of a part; without those that have nothing to say."""
    shown = {}
    for name in names:
        counts = getattr(part, name)
        if counts and (told := top(counts, n)):
            shown[name] = told
    return shown


class Register(msgspec.Struct, array_like=True, gc=False):
    """The value of the greatest (time, value); ``by`` tells its source."""

    ms: int
    value: str
    by: str = ""


def assign(registers: dict[str, Register] | None, key: str, new: Register, limit: int) -> dict[str, Register]:
    """Keep the greater of ``new`` and what stands under ``key``; beyond ``limit`` keys, mark the overflow and drop it."""
    if registers is None:
        return {key: new}
    old = registers.get(key)
    if old is None:
        if len(registers) < limit:
            registers[key] = new
        else:
            registers[MORE] = Register(0, "")
    elif (new.ms, new.value, new.by) > (old.ms, old.value, old.by):
        registers[key] = new
    return registers


def add_day(days: Days, day: int, today: int, by: int = 1) -> None:
    """Add to a day that still is in the longest window. A day at zero leaves, so that equal contents have equal bytes."""
    if day > today - WINDOW_DAYS:
        total = days.get(day, 0) + by
        if total:
            days[day] = total
        else:
            del days[day]


def expire_days(days: Days, today: int) -> None:
    """Drop what has left the longest window."""
    limit = today - WINDOW_DAYS
    if days and min(days) <= limit:
        for day in [d for d in days if d <= limit]:
            del days[day]


def within(days: Days, today: int, window_days: int = WINDOW_DAYS) -> int:
    """What the last ``window_days`` hold, today included."""
    return sum(n for day, n in days.items() if today - day < window_days) if days else 0


def windows(days: Days, today: int) -> tuple[int, int, int, int]:
    """Sums over the last 7, 30 and 90 days (today included), and the next day on which one of them changes by itself."""
    week = month = quarter = 0
    due = NEVER
    for day, n in days.items():
        age = today - day
        if age < 7:
            week += n
            month += n
            quarter += n
            leaves = day + 7
        elif age < 30:
            month += n
            quarter += n
            leaves = day + 30
        elif age < WINDOW_DAYS:
            quarter += n
            leaves = day + WINDOW_DAYS
        else:
            continue
        if leaves < due:
            due = leaves
    return week, month, quarter, due


_BITS = [tuple(bit for bit in range(8) if byte >> bit & 1) for byte in range(256)]


class Calendar(msgspec.Struct, array_like=True, gc=False):
    """A set of days as a bitmap: 46 bytes a year, whatever the number of events.

    ``bits`` is little-endian; its bit 0 is the day ``first``.
    """

    first: int = 0
    bits: bytes = b""

    def add(self, day: int) -> bool:
        """Mark ``day``. False if it was marked before."""
        if not self.bits:
            self.first, self.bits = day, b"\x01"
            return True
        bits = int.from_bytes(self.bits, "little")
        if day < self.first:
            bits <<= self.first - day
            self.first = day
        mark = 1 << (day - self.first)
        if bits & mark:
            return False
        self._set(bits | mark)
        return True

    def drop_before(self, day: int) -> bool:
        """Forget all days before ``day``. True if there were any."""
        if not self.bits or self.first >= day:
            return False
        bits = int.from_bytes(self.bits, "little") >> (day - self.first)
        self.first = day
        if bits:
            gap = (bits & -bits).bit_length() - 1
            self.first += gap
            self._set(bits >> gap)
        else:
            self.first, self.bits = 0, b""
        return True

    def union(self, other: Calendar) -> Calendar:
        """The days that are marked in either."""
        if not self.bits or not other.bits:
            known = self if self.bits else other
            return Calendar(known.first, known.bits)
        union = Calendar(min(self.first, other.first))
        mine = int.from_bytes(self.bits, "little") << (self.first - union.first)
        union._set(mine | int.from_bytes(other.bits, "little") << (other.first - union.first))
        return union

    def any_between(self, first: int, last: int) -> bool:
        """Is any day marked from ``first`` to ``last``, both included?"""
        lowest, highest = max(first - self.first, 0), last - self.first
        if highest < lowest or not self.bits:
            return False
        return bool(int.from_bytes(self.bits, "little") >> lowest & (1 << (highest - lowest + 1)) - 1)

    def last(self) -> int:
        """The greatest marked day; -NEVER if there is none."""
        return self.first + int.from_bytes(self.bits, "little").bit_length() - 1 if self.bits else -NEVER

    def count(self) -> int:
        """How many days are marked."""
        return int.from_bytes(self.bits, "little").bit_count()

    def count_before(self, day: int) -> int:
        """How many days before ``day`` are marked."""
        places = min(max(day - self.first, 0), 8 * len(self.bits))
        return (int.from_bytes(self.bits, "little") & ((1 << places) - 1)).bit_count()

    def days(self) -> list[int]:
        """The marked days, ascending."""
        first = self.first
        return [first + 8 * i + bit for i, byte in enumerate(self.bits) if byte for bit in _BITS[byte]]

    def _set(self, bits: int) -> None:
        self.bits = bits.to_bytes((bits.bit_length() + 7) // 8, "little")


def canonical(value: Any) -> Any:
    """Plain data with sorted keys, without what is only an estimate: equal facts give equal JSON."""
    value = msgspec.to_builtins(value, str_keys=True)
    return _sorted(value)


def _sorted(value: Any) -> Any:
    if value is None:  # a tally that has not begun
        return {}
    if isinstance(value, dict):
        if MORE in value:
            return {MORE: 1}
        return {key: _sorted(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [_sorted(item) for item in value]
    return value


def greatest(items: Iterable[Any], limit: int) -> list[Any]:
    """The ``limit`` greatest, ascending."""
    return sorted(items)[-limit:]
