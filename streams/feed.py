"""A handler with its log, and the agent that brings the two together. Knows nothing of how the batches come."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterable, Awaitable
from dataclasses import dataclass, field
from typing import TypeVar

from streams.failures import where
from streams.faust_log import FaustLog
from streams.log import Batch, BatchHandler

EXIT_HOPELESS = 70  # EX_SOFTWARE

log = logging.getLogger(__name__)
leave_process = os._exit  # at once: Faust would go on, and commit on its way down
T = TypeVar("T")


def _nothing() -> Batch:
    return Batch(0, {}, {})


@dataclass
class Feed:
    """A handler and its log. ``records_max`` bounds one batch, over all partitions."""

    log: FaustLog
    handler: BatchHandler
    records_max: int
    last: Batch = field(
        default_factory=_nothing
    )  # given to the agent; as long as it waits in the agent's queue it may still grow
    last_bytes: int = 0  # of its values


async def handle(feed: Feed, batches: AsyncIterable[Batch]) -> None:
    """The agent: batches of the present epoch go to the handler, older ones nowhere."""
    async for batch in batches:
        feed.log.changed.set()
        async with feed.log.busy:
            if batch.epoch == feed.log.epoch:
                await or_leave(feed.handler.on_batch(batch))
                feed.log.finished_batch(batch)
        feed.log.changed.set()


async def or_leave(work: Awaitable[T]) -> T:
    """A handler that raises is at its wits' end: end the process before anything else happens, and above all before a commit."""
    try:
        return await work
    except Exception as error:
        log.critical("a handler failed: leaving at once: %s", where(error))
        leave_process(EXIT_HOPELESS)
        raise
