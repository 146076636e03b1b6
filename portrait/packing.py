"""How a large state holds its days while it is stored: the gaps between them, then the amounts, in one row of numbers.

Ninety days of one counter are 360 bytes as msgpack's pairs; a row is half as long, and nearly all gaps are one, which takes no
room once it is compressed. A full profile has a dozen such counters. In memory days stay dicts, which fold fast: a row stands in
their place only from `pack_days` to `put_back`, and from decoding to `unpack_days`.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from operator import sub
from typing import Any, get_args, get_origin

import msgspec

from portrait.features.registry import FEATURES
from portrait.structures import Days

#: Fewer days than these aren't worth it.
DAYS_MIN = 8

#: What `pack_days` has replaced: (Struct, field, its days).
Packed = list[tuple[Any, str, Days]]


def pack_days(parts: Any) -> Packed:
    """Put rows in the place of days, where there are many. Whoever packs must `put_back`."""
    packed: Packed = []
    for holder, name in _held(parts):
        days = getattr(holder, name)
        if len(days) >= DAYS_MIN:
            packed.append((holder, name, days))
            setattr(holder, name, [*map(sub, days, [0, *days]), *days.values()])
    return packed


def put_back(packed: Packed) -> None:
    for holder, name, days in packed:
        setattr(holder, name, days)


def unpack_days(parts: Any) -> None:
    """Put days in the place of rows."""
    for holder, name in _held(parts):
        row = getattr(holder, name)
        if isinstance(row, list):
            middle, remains = divmod(len(row), 2)
            if remains:
                raise ValueError("a row of days has gaps without amounts")
            setattr(holder, name, dict(zip(accumulate(row[:middle]), row[middle:], strict=True)))


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
