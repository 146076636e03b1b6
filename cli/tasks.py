"""Being asked to end, and ending what is under way."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from streams.tasks import end

T = TypeVar("T")


class Stop:
    """Whether the process was asked to end, and how: made by `asked_to_stop`."""

    def __init__(self) -> None:
        self._asked = asyncio.Event()
        self._number = 0

    def ask(self, number: int) -> None:
        self._number = number
        self._asked.set()

    @property
    def asked(self) -> bool:
        return self._asked.is_set()

    async def wait(self) -> None:
        await self._asked.wait()

    async def unless(self, work: Awaitable[T]) -> T:
        """What ``work`` returns. Asked to stop first, it is cancelled, and the process leaves: SystemExit(128 + signal)."""
        task, asked = asyncio.ensure_future(work), asyncio.ensure_future(self.wait())
        try:
            await asyncio.wait({task, asked}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise SystemExit(128 + self._number)
            return task.result()
        finally:
            await end([task, asked])


@contextmanager
def asked_to_stop() -> Iterator[Stop]:
    """Within it SIGINT and SIGTERM are only noted."""
    loop, stop = asyncio.get_running_loop(), Stop()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        loop.add_signal_handler(number, stop.ask, number)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)
