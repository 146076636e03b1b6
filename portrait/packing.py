"""How a large state holds its days while it is stored: which days, a bit each, and the amounts in as few bits as they need.

Ninety days of one counter are 360 bytes as msgpack's pairs; as bits they are 30 to 250, and hardly more than what they say. A
full profile has a dozen such counters. In memory days stay dicts, which fold fast: a row stands in their place only from
`pack_days` to `put_back`, and from decoding to `unpack_days`.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from typing import Any, get_args, get_origin

import msgspec

from portrait.features.registry import FEATURES
from portrait.structures import Days

#: Fewer days than these aren't worth it, nor are days that lie further apart.
DAYS_MIN, SPAN_MAX = 8, 400

#: What `pack_days` has replaced: (Struct, field, its days).
Packed = list[tuple[Any, str, Days]]


def pack_days(parts: Any) -> Packed:
    """Put rows in the place of days, where there are many. Whoever packs must `put_back`."""
    packed: Packed = []
    for holder, name in _held(parts):
        days = getattr(holder, name)
        if len(days) >= DAYS_MIN and (row := _row(days)) is not None:
            packed.append((holder, name, days))
            setattr(holder, name, row)
    return packed


def put_back(packed: Packed) -> None:
    for holder, name, days in packed:
        setattr(holder, name, days)


def unpack_days(parts: Any) -> None:
    """Put days in the place of rows."""
    for holder, name in _held(parts):
        row = getattr(holder, name)
        if isinstance(row, list):
            setattr(holder, name, _days(row))


def _row(days: Days) -> list[int | bytes] | None:
    """[first day, days from it to the last, least amount, bits of an amount, bits]: a bit a day, then what each amount is above
    the least, all little-endian. None: they lie too far apart."""
    known = sorted(days)
    first, span = known[0], known[-1] - known[0] + 1
    if span > SPAN_MAX:
        return None
    amounts = [*map(days.__getitem__, known)]
    least = min(amounts)
    width = (max(amounts) - least).bit_length()
    bits = 0
    for amount in reversed(amounts):
        bits = bits << width | amount - least
    marks = (1 << span) - 1 if span == len(known) else sum([1 << day - first for day in known])
    bits = bits << span | marks
    return [first, span, least, width, bits.to_bytes((bits.bit_length() + 7) // 8, "little")]


def _days(row: list[Any]) -> dict[int, int]:
    """Raises ValueError for what is no row."""
    if all(type(each) is int for each in row):
        return _by_gaps(row)
    if [type(each) for each in row] != [int, int, int, int, bytes] or not 0 < row[1] <= SPAN_MAX or row[3] < 0:
        raise ValueError("a row of days is none")
    first, span, least, width, packed = row
    bits = int.from_bytes(packed, "little")
    marks = bits & (1 << span) - 1
    bits >>= span
    days: dict[int, int] = {}
    ones = (1 << width) - 1
    for day in range(first, first + span):
        if marks & 1:
            days[day] = (bits & ones) + least
            bits >>= width
        marks >>= 1
    if bits:
        raise ValueError("a row of days has more amounts than days")
    return days


def _by_gaps(row: list[int]) -> dict[int, int]:
    """Of format 2: the gaps between the days, then the amounts."""
    middle, remains = divmod(len(row), 2)
    if remains:
        raise ValueError("a row of days has gaps without amounts")
    return dict(zip(accumulate(row[:middle]), row[middle:], strict=True))


def _held(parts: Any) -> Iterator[tuple[Any, str]]:
    """Each Struct with days, and the field that holds them."""
    for feature, names, tables in _PLACES:
        part = getattr(parts, feature)
        if part is not None:
            for name in names:
                yield part, name
            for table, inner in tables:
                for row in getattr(part, table).values():
                    for name in inner:
                        yield row, name


def _days_of(part: type[msgspec.Struct]) -> list[str]:
    return [field.name for field in msgspec.structs.fields(part) if field.type == Days]


def _tables_of(part: type[msgspec.Struct]) -> list[tuple[str, list[str]]]:
    """Fields that hold Structs by name, and those Structs' own fields with days."""
    found = []
    for field in msgspec.structs.fields(part):
        row = get_args(field.type)[1] if get_origin(field.type) is dict else None
        if isinstance(row, type) and issubclass(row, msgspec.Struct) and (inner := _days_of(row)):
            found.append((field.name, inner))
    return found


#: For each feature that keeps days: the fields of its part that hold them, and its tables whose rows do.
_PLACES = [
    (feature.name, names, tables)
    for feature in FEATURES
    for names, tables in [(_days_of(feature.part), _tables_of(feature.part))]
    if names or tables
]
