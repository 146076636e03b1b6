"""Our worker, the real one: `streams.worker.run`. The meter sits around the batch loop's two entrances, and changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from importlib import import_module

import uvloop

from bench.contenders.task import Task
from bench.meter import Meter
from bench.sampler import Sampler
from streams.log import TP, Batch
from streams.loop import Loop
from streams.metrics import Metrics
from streams.trainer import LEARNING
from streams.worker import run as run_worker


def run(task: Task) -> None:
    for module in LEARNING:  # start-up counts for none of the contenders
        import_module(module)
    _measure(task)
    uvloop.run(run_worker(task.settings))


def _measure(task: Task) -> None:
    meter, sampler = Meter(), Sampler()
    start_offsets, on_batch = Loop.start_offsets, Loop.on_batch
    ends: dict[TP, int] = {}
    everything: list[int] = []

    async def measured_start(
        self: Loop, committed: Mapping[TP, int | None], beginnings: Mapping[TP, int], ends_now: Mapping[TP, int]
    ) -> Mapping[TP, int]:
        while sum(ends_now.values()) >= task.events and task.workers > 1:
            await asyncio.sleep(0.1)  # the others have not joined yet: their joining cancels this
        ends.clear()
        ends.update(ends_now)
        starts = await start_offsets(self, committed, beginnings, ends_now)
        everything[:] = [sum(ends_now.values()) - sum(starts.values())]
        return starts

    async def measured_batch(self: Loop, batch: Batch) -> None:
        if not meter.first_ns and task.sample:
            sampler.start()
        meter.begin()
        await on_batch(self, batch)
        if all(self._next.get(tp, 0) >= end for tp, end in ends.items()):
            where = sampler.shares() if task.sample else {}
            meter.done(everything[0], counts=_counts(self._metrics), where=where)

    setattr(Loop, start_offsets.__name__, measured_start)
    setattr(Loop, on_batch.__name__, measured_batch)


def _counts(metrics: Metrics) -> dict[str, float]:
    """What the worker did besides, from its own metrics."""
    counts: dict[str, float] = {}
    for family in metrics.registry.collect():
        for sample in family.samples:
            if sample.name.endswith(("_total", "_count", "_sum")):
                name = ".".join([sample.name.removeprefix("portrait_"), *sorted(sample.labels.values())])
                counts[name] = sample.value
    return counts
