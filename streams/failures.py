"""What may be logged of an exception that nobody expected."""

from __future__ import annotations

import traceback


def where(error: BaseException) -> str:
    """Its type and where it came up, line by line; without its message, which may hold personal data."""
    lines = "".join(traceback.format_tb(error.__traceback__))
    return f"{type(error).__name__}\n{lines}"
