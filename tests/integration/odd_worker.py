"""A worker as in production, but impatient, or with a handler that hangs: for test_refusals.py.

The variable ODD says how its handler is: "" as it should be, "awaits" for something that never comes, "blocks" the event loop.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time

import uvloop

import streams.watchdog
import streams.worker
from streams.log import Batch
from streams.logging import configure
from streams.loop import Loop
from streams.settings import load


async def awaits(self: Loop, batch: Batch) -> None:
    streams.watchdog.STALLED_LOOKS = 10  # not before: joining the group may take longer
    async with self._turn:
        await asyncio.Event().wait()


async def blocks(self: Loop, batch: Batch) -> None:
    time.sleep(3600)


if __name__ == "__main__":
    if odd := {"awaits": awaits, "blocks": blocks}.get(os.environ["ODD"]):
        Loop.on_batch = odd  # type: ignore[method-assign]
        for module in (streams.worker, streams.watchdog):
            module.LOOK_S = module.BEAT_S = 0.1  # type: ignore[attr-defined]
        streams.watchdog.STALLED_LOOKS = 1000
    streams.worker.CHECK_S = 0.2
    settings = load(os.environ)
    configure(settings.log_level)
    sys.exit(uvloop.run(streams.worker.run(settings)))
