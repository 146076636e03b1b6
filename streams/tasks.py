"""Ending asyncio tasks for sure."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Collection, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Begin(Protocol):
    """Begins work beside the caller's, and gives what it will return."""

    def __call__(self, work: Coroutine[Any, Any, T]) -> asyncio.Future[T]: ...


AGAIN_S = 1.0  # cleaning up may take a while, and must not be interrupted for nothing


async def end(tasks: Collection[asyncio.Future[Any]]) -> None:
    """Cancel these and wait until they have ended; what they raised is theirs.

    One cancel may not do: until Python 3.12 `asyncio.wait_for` loses it when what it waits for has just finished
    (python/cpython#86296), and the Redis client waits so whenever it sends. Who calls this may be ended so itself, and cancelled
    again and again meanwhile: it goes on until the tasks have ended, or they would outlive it.
    """
    pending, cancelled = set(tasks), None
    while pending:
        for task in pending:
            task.cancel()
        try:
            _, pending = await asyncio.wait(pending, timeout=AGAIN_S)
        except asyncio.CancelledError as error:
            cancelled = error
            pending = {task for task in pending if not task.done()}
    if cancelled is not None:
        raise cancelled


async def ending_for_sure(work: Coroutine[Any, Any, T]) -> T:
    """What ``work`` returns. Cancelled, it ends ``work``, also if that loses a cancel: see `end`."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait([task])
    finally:
        await end([task])
    return task.result()


@asynccontextmanager
async def beginning() -> AsyncIterator[Begin]:
    """What is begun in it runs beside the block, and may begin more. It ends when all have; one that raises ends the others."""
    tasks: list[asyncio.Future[Any]] = []

    def begin(work: Coroutine[Any, Any, T]) -> asyncio.Future[T]:
        tasks.append(asyncio.ensure_future(work))
        return tasks[-1]

    try:
        yield begin
        for task in tasks:  # grows meanwhile
            await task
    finally:
        await end(tasks)
        for task in tasks:
            if not task.cancelled():
                task.exception()  # only the first is raised: the others must not be complained of


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
