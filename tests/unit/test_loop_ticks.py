"""Silent customers are settled on time, also where those of another worker, which does not come to it, are due earlier."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from streams import loop as loop_module
from streams.loop import BEHIND_RECORDS, TICK_MARGIN_MS, TICKS_BEHIND_MS, TICKS_SHARE
from tests.simulation.shape import DAY_MS, NO_FAULTS, Shape
from tests.simulation.worker import Worker
from tests.simulation.world import World
from tests.unit import loopkit

SILENCE_MS = 400 * DAY_MS


async def due(world: World, worker: Worker) -> list[str]:
    return [name for name, _ in await worker.loop._store.due(world.now_ms - TICK_MARGIN_MS, 1000)]


async def two_workers(world: World) -> tuple[Worker, Worker]:
    """Half of the partitions each, everything folded, a long silence since; who is due first is the second's."""
    workers = Worker(world, "w0"), Worker(world, "w1")
    for number, worker in enumerate(workers):
        worker.hear([tp for tp in world.log if tp[1] == number], 0)
        await worker.seek()
    world.applications.publish(120)
    world.quiet = True
    for _ in range(60):
        for worker in workers:
            await worker.poll()
            await worker.loop.sweep()
    world.now_ms += SILENCE_MS
    for worker in workers:
        worker.look()
    first = (await due(world, workers[0]))[0]
    return workers if workers[1].loop._sweeps(first) else workers[::-1]


def test_a_worker_helps_another_that_does_not_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        monkeypatch.setattr(loop_module, "TICKS_AT_ONCE", 1)
        world = World(3, Shape(), NO_FAULTS)
        able, slow = await two_workers(world)
        assert any(able.loop._sweeps(name) for name in await due(world, able))
        for _ in range(50):
            await slow.loop._heartbeat()  # it lives, and reads, but never comes to its ticks
            await able.loop.sweep()
        assert await due(world, able) == []

    asyncio.run(scenario())


def test_where_all_is_seen_at_once_each_settles_its_own() -> None:
    async def scenario() -> None:
        world = World(3, Shape(), NO_FAULTS)
        able, slow = await two_workers(world)
        await slow.loop._heartbeat()
        for _ in range(2):  # what was published leaves the states with the next commit
            await able.loop.sweep()
        left = await due(world, able)
        assert left
        assert not any(able.loop._sweeps(name) for name in left)

    asyncio.run(scenario())


@pytest.mark.parametrize("took_ms", [0, TICKS_BEHIND_MS])
def test_far_behind_silence_takes_a_tenth_of_the_time(monkeypatch: pytest.MonkeyPatch, took_ms: int) -> None:
    async def scenario() -> None:
        world = loopkit.World()
        world.order("C1")
        worker = await loopkit.fold(world)
        rounds, due = [], worker.loop._store.due

        async def slow(*asked: int) -> object:
            rounds.append(world.now_ms)
            world.now_ms += took_ms
            return await due(*asked)

        monkeypatch.setattr(worker.loop._store, "due", slow)
        behind = {tp: end + BEHIND_RECORDS + 1 for tp, end in world.ends().items()}
        pause_ms = max(TICKS_BEHIND_MS, TICKS_SHARE * took_ms)
        world.now_ms += TICKS_BEHIND_MS
        for _ in range(4 * pause_ms // 1000):
            worker.log.polled(behind, world.now_ms)
            await worker.loop.sweep()
            world.now_ms += 1000
        assert len(rounds) >= 3
        assert min(after - before for before, after in itertools.pairwise(rounds)) >= pause_ms
        rounds.clear()
        worker.log.polled(world.ends(), world.now_ms)
        await worker.loop.sweep()
        assert rounds, "with nothing waiting, silence is looked at at once"

    asyncio.run(scenario())
