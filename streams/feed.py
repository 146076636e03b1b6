"""A handler with its log, and the agent that brings the two together. Knows nothing of how the batches come."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterable, Awaitable
from dataclasses import dataclass, field
from time import monotonic
from typing import TypeVar

from streams.failures import where
from streams.faust_log import FaustLog
from streams.log import Batch, BatchHandler

EXIT_HOPELESS = 70  # EX_SOFTWARE

log = logging.getLogger(__name__)
leave_process = os._exit  # at once: Faust would go on, and commit on its way down
T = TypeVar("T")

#: A batch is meant to take so long. What is under way when a rebalance comes, or a kill, is done again: longer batches, on a slow
#: machine, and a worker in a restless group would never get through with any.
BATCH_S = 1.0
#: Batches of fewer records say little about the pace, and even a slow worker takes so many.
RECORDS_LEAST = 500


def _nothing() -> Batch:
    return Batch(0, {}, {})


@dataclass
class Feed:
    """A handler and its log. ``records_most`` bounds one batch, over all partitions, whatever the pace."""

    log: FaustLog
    handler: BatchHandler
    records_most: int
    last: Batch = field(
        default_factory=_nothing
    )  # given to the agent; as long as it waits in the agent's queue it may still grow
    last_bytes: int = 0  # of its values
    pace: float = 0.0  # records a second that the handler got through; 0: not known yet

    @property
    def records_max(self) -> int:
        """So many records make a batch of BATCH_S, as far as the pace is known."""
        wanted = int(self.pace * BATCH_S) if self.pace else 4 * RECORDS_LEAST
        return min(max(wanted, RECORDS_LEAST), self.records_most)

    def took(self, records: int, seconds: float) -> None:
        """The handler has been at it so long."""
        if records >= RECORDS_LEAST and seconds > 0:
            # Upwards slowly: a handler that skips what it knows already is no measure for what comes after.
            self.pace = min(records / seconds, 2 * self.pace) if self.pace else records / seconds


async def handle(feed: Feed, batches: AsyncIterable[Batch]) -> None:
    """The agent: batches of the present epoch go to the handler, older ones nowhere."""
    async for batch in batches:
        feed.log.changed.set()
        async with feed.log.busy:
            if batch.epoch == feed.log.epoch:
                began = monotonic()
                await or_leave(feed.handler.on_batch(batch))
                feed.took(sum(map(len, batch.records.values())), monotonic() - began)
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
