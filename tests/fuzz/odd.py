"""Odd things to put where something honest is expected, and ways to reach every place of an event."""

from __future__ import annotations

from typing import Any


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def deep(opening: bytes, closing: bytes, times: int) -> bytes:
    """JSON, deeper than any parser likes."""
    return opening * times + b"1" + closing * times


#: JSON values: edges of numbers, strings, times and shapes.
VALUES: list[Any] = [
    2**63, -(2**63), 2**64, 10**400, -1, 0, 1, 10**12, 10**13, 10**13 + 1, -0.0, 1e308, 5e-324, float("nan"), float("inf"),
    0.1, True, None, "", " ", "\ud800", "\udfff\ud800", "a\x00b", "a\nb", "{}", ":", "{0}:C1", "\u2028", "~", "ÿ" * 5_000,
    "😀" * 128, "ΐ" * 256, "x" * 10_000, "XXX", "cny", "CNY ", "JPY", [], {}, [[]], {"": ""}, {"\x00": "\x00"}, nested(200),
    "1969-12-31T23:59:59Z", "1970-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999999-23:59",
    "2026-05-01T09:30:00", "2026-05-01", "2026-02-30T00:00:00Z", "2026-05-01T24:00:00Z", "2026-06-30T23:59:60Z",
    "2026-05-01T23:59:59.999999Z", 1_777_599_000, "1777599000000",
]  # fmt: skip

#: Keys of records. Some are customers, however odd.
KEYS: list[bytes | None] = [
    None, b"", b"C1", b"C2", b"{}", b"{0}:C1", b"a:b", b"*", b"%00", b"a\nb", b"a\x00b", b"\x7f", b"\xff", b"\xed\xa0\x80", b" ",
    b"x" * 256, b"x" * 257, b"x" * 10_000, "客户".encode(), "😀".encode() * 64, "\u2028".encode(), "\u200b".encode(),
    "\u202e".encode(), "e\u0301".encode(), b"__proto__", b"-1", b"null", b"1e999",
]  # fmt: skip

#: What a header may hold, and what may stand as a record's time.
CONTENTS: list[bytes | None] = [None, b"", b"\xff", b"\xed\xa0\x80", b'"', b"\\", b"\x00", b"1.0", b"x" * 100_000, "客".encode()]
TIMESTAMPS = [
    -(2**63),
    -1,
    0,
    1,
    86_399_999,
    2**31,
    1_790_000_000_000,
    253_402_300_799_999,
    253_402_300_800_000,
    2**53,
    2**62,
    2**63 - 1,
]


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value, itself included."""
    if isinstance(value, dict):
        return [path, *(p for key, item in value.items() for p in paths(item, (*path, key)))]
    if isinstance(value, list):
        return [path, *(p for i, item in enumerate(value) for p in paths(item, (*path, i)))]
    return [path]


def at_path(value: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


def with_value(event: Any, path: tuple[Any, ...], new: Any) -> Any:
    """A copy with ``new`` in this place."""
    if not path:
        return new
    copy = dict(event) if isinstance(event, dict) else list(event)
    copy[path[0]] = with_value(event[path[0]], path[1:], new)
    return copy


def without(event: Any, path: tuple[Any, ...]) -> Any:
    """A copy without this place, which is not the whole."""
    holder = at_path(event, path[:-1])
    if isinstance(holder, dict):
        return with_value(event, path[:-1], {key: item for key, item in holder.items() if key != path[-1]})
    return with_value(event, path[:-1], [item for i, item in enumerate(holder) if i != path[-1]])
