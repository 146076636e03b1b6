"""The store loses what a worker has just read, and nothing that this worker has written: its chain is whole all the same."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from profile_store.contract import TP
from tests.simulation.judge import judge
from tests.simulation.shape import DAY_MS, NO_FAULTS, Shape
from tests.simulation.simulate import scaled
from tests.simulation.worker import Worker
from tests.simulation.world import World

CLICKS: TP = ("clicks", 0)
SHAPE = Shape(partitions=1, batch_max=100)


def click(world: World, number: int) -> None:
    world.now_ms += 1000
    event = {"specversion": "1.0", "id": f"e{number}", "source": "/tests", "type": "item.viewed", "data": {"sku": "S1"}}
    world.append("clicks", "C1", json.dumps(event).encode())


async def worker(world: World, name: str) -> Worker:
    made = Worker(world, name)
    made.hear(sorted(world.log), 0)
    await made.seek()
    return made


async def read_all(made: Worker) -> None:
    while made.log.seek_due or made.at[CLICKS] < len(made.world.log[CLICKS]):
        await (made.seek() if made.log.seek_due else made.poll())


def after(made: Worker, method: str, then: Any) -> None:
    """``then`` happens once, when the worker's store has answered."""
    store, real = made.loop._store, getattr(made.loop._store, method)

    async def first(*arguments: Any) -> Any:
        setattr(store, method, real)
        answer = await real(*arguments)
        await then()
        return answer

    setattr(store, method, first)


def test_positions_that_are_lost_after_a_new_chain_was_taken() -> None:
    async def scenario() -> None:
        world = World(1, SHAPE, NO_FAULTS)
        world.quiet = True
        old, new = await worker(world, "old"), Worker(world, "new")
        click(world, 1)
        await read_all(old)
        click(world, 2)
        snapshots = []

        async def old_goes_on() -> None:
            snapshots.append(world.backend.snapshot())
            await read_all(old)

        after(new, "new_chain", old_goes_on)
        new.hear(sorted(world.log), 0)
        await new.seek()
        world.restore(snapshots[0])
        click(world, 3)
        await read_all(new)
        assert not judge(world).lost

    with scaled(SHAPE):
        asyncio.run(scenario())


def test_a_state_that_is_lost_after_it_was_loaded_and_before_the_position_passes_its_events() -> None:
    async def scenario() -> None:
        world = World(1, SHAPE, NO_FAULTS)
        world.quiet = True
        old, new = await worker(world, "old"), await worker(world, "new")
        click(world, 1)
        snapshot = world.backend.snapshot()
        await read_all(old)

        async def lose() -> None:
            world.restore(snapshot)

        after(new, "load", lose)
        await read_all(new)
        assert not judge(world).lost

    with scaled(SHAPE):
        asyncio.run(scenario())


def test_a_clock_that_is_lost_after_it_was_read() -> None:
    async def scenario() -> None:
        world = World(1, SHAPE, NO_FAULTS)
        world.quiet = True
        other, mine = Worker(world, "other"), Worker(world, "mine")
        other.hear([CLICKS], 0)
        await other.seek()
        mine.hear([tp for tp in sorted(world.log) if tp != CLICKS], 0)
        await mine.seek()
        click(world, 1)
        await read_all(other)
        await mine.loop.sweep()
        click(world, 2)
        snapshots = []

        async def other_goes_on() -> None:
            snapshots.append(world.backend.snapshot())
            await read_all(other)

        after(mine, "commit", other_goes_on)
        await mine.loop._heartbeat()
        world.restore(snapshots[0])
        there = await mine.loop._store.positions()
        assert mine.loop._gate._others[CLICKS] <= there[CLICKS].clear_ms

    with scaled(SHAPE):
        asyncio.run(scenario())


def test_a_customer_who_is_lost_after_they_were_found_due() -> None:
    async def scenario() -> None:
        world = World(1, SHAPE, NO_FAULTS)
        world.quiet = True
        old = await worker(world, "old")
        click(world, 1)
        await read_all(old)
        mine = await worker(world, "mine")  # it has nobody in memory
        world.now_ms += 400 * DAY_MS
        mine.look()
        before = dict(mine.log.moments_reached())

        async def lose() -> None:
            world.restore(None)

        after(mine, "due", lose)
        await mine.loop.sweep()
        assert mine.log.moments_reached() == before, "their silence was not looked at"
        assert mine.log.seek_due

    with scaled(SHAPE):
        asyncio.run(scenario())
