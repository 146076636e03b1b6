"""Ending asyncio tasks for sure."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Collection
from typing import Any

AGAIN_S = 1.0  # cleaning up may take a while, and must not be interrupted for nothing


async def end(tasks: Collection[asyncio.Future[Any]]) -> None:
    """Cancel these and wait until they have ended; what they raised is theirs.

    One cancel may not do: until Python 3.12 `asyncio.wait_for` loses it when what it waits for has just finished
    (python/cpython#86296), and the Redis client waits so whenever it sends.
    """
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=AGAIN_S)


async def unless(stop: asyncio.Event, work: Awaitable[object]) -> bool:
    """Wait for ``work``, or end it as soon as ``stop`` is set. Whether it finished; what it raises is raised."""
    task, asked = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({task, asked}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            return False
        await task
        return True
    finally:
        await end({task, asked})
