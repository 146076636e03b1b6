"""Which exceptions bad bytes cause, and what may be logged of one that nobody expected."""

from __future__ import annotations

import traceback

import msgspec

#: What decoding any bytes as JSON may raise: on internal topics, too, there may be anything.
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def where(error: BaseException) -> str:
    """Its type and where it came up, line by line; without its message, which may hold personal data."""
    lines = "".join(traceback.format_tb(error.__traceback__))
    return f"{type(error).__name__}\n{lines}"
