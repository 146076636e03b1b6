"""A wiped store is rebuilt in silence: what has had its effects before, be it an event or a silence, does not have them again."""

from __future__ import annotations

import asyncio

import pytest

from schemas.registry import ACTIONS, LESSONS
from streams.loop import Loop
from tests.simulation.world import Faults, Worker, World, check, run

CALM = Faults(crash=0, uncertain=0, unavailable=0, rebalance=0, zombie=0)
SEEDS = range(8)


def effects(world: World) -> int:
    return sum(message.topic in (ACTIONS, LESSONS) for message in world.published)


async def rebuild(world: World) -> int:
    """One worker reads everything again, and sweeps after every poll. How many effects came before it was where it had been."""
    worker, before, again = Worker(world, "new"), effects(world), 0
    worker.log.assign(list(world.log))
    for _ in range(150):
        await worker.step()
        await worker.loop.sweep()
        position = world.backend.shards[0].positions
        if any(tp not in position or position[tp].next_offset < offset for tp, offset in world.committed.items()):
            again = effects(world) - before
    return again


def effects_again(seed: int) -> int:
    world = World(seed, CALM)
    asyncio.run(run(world))
    world.committed.update({tp: len(records) for tp, records in world.log.items() if records})  # all of it has had its effects
    world.backend.wipe()
    again = asyncio.run(rebuild(world))
    assert effects(world) > 20 and not check(world)
    return again


def test_a_rebuild_publishes_nothing_again() -> None:
    assert [effects_again(seed) for seed in SEEDS] == [0] * len(SEEDS)


def test_with_loud_ticks_it_would(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Loop, "_again", lambda self: False)
    assert sum(map(effects_again, SEEDS)) > 100
