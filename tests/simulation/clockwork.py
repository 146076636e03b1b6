"""An event loop that waits for nothing outside: no sockets, and a clock that jumps to the next timer.

So a run depends on nothing but its seed, takes no longer than its work, and a deadlock is told instead of waited for.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Deadlock(Exception):
    """Every task waits, and nothing will ever wake one."""


class _NoSockets(selectors.SelectSelector):
    """Passes the time instead of waiting for it."""

    now_s = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise Deadlock
        self.now_s += max(timeout, 0.0)
        return []


class Clockwork(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._passing = _NoSockets()
        super().__init__(self._passing)

    def time(self) -> float:
        return self._passing.now_s


def run(main: Coroutine[Any, Any, T]) -> T:
    """As `asyncio.run`."""
    with asyncio.Runner(loop_factory=Clockwork) as runner:
        return runner.run(main)
