"""Stock Faust that does nothing: its own transport, ``take(1000)``, raw values, and no work at all."""

from __future__ import annotations

import asyncio

import faust
import uvloop

from bench.contenders.task import TOPICS, Task
from bench.meter import Counter

BATCH, WITHIN_S = 1000, 0.05


def run(task: Task) -> None:
    (uvloop.run if task.uvloop else asyncio.run)(_run(task))


async def _run(task: Task) -> None:
    app = stock_app(task)
    counter = Counter(task.events)

    async def nothing(stream):
        async for batch in stream.take(BATCH, within=WITHIN_S):
            counter.begin()
            counter.count(len(batch))

    app.agent(app.topic(*TOPICS))(nothing)
    await app.start()
    await app.wait_until_stopped()


def stock_app(task: Task) -> faust.App:
    """Faust as it comes, but for raw bytes, and without its web server and its own topics."""
    return faust.App(
        task.settings.group,
        broker=f"kafka://{task.settings.kafka}",
        key_serializer="raw",
        value_serializer="raw",
        store="memory://",
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        datadir=None,
    )
