"""A wiped store is rebuilt in silence: what has had its effects before, be it an event or a silence, does not have them again."""

from __future__ import annotations

import asyncio

import pytest

from schemas.registry import ACTIONS, LESSONS
from tests.simulation.world import Faults, VirtualLog, Worker, World, check, run

CALM = Faults(crash=0, uncertain=0, unavailable=0, rebalance=0, zombie=0)
SEEDS = range(8)


def effects(world: World) -> int:
    return sum(message.topic in (ACTIONS, LESSONS) for message in world.published)


async def go_on(world: World, name: str, polls: int) -> None:
    """One worker reads all there is, and sweeps and commits after every poll."""
    worker = Worker(world, name)
    worker.log.assign(list(world.log))
    for _ in range(polls):
        await worker.step()
        await worker.loop.sweep()
        worker.log.commit()


def effects_again(seed: int) -> int:
    """How many come after a wipe of everything."""
    world = World(seed, CALM)
    asyncio.run(run(world))
    asyncio.run(go_on(world, "last", 10))
    before = effects(world)
    world.committed.update({tp: len(records) for tp, records in world.log.items() if records})
    world.backend.wipe()
    asyncio.run(go_on(world, "new", 150))
    assert before > 20 and not check(world)
    return effects(world) - before


def test_a_rebuild_publishes_nothing_again() -> None:
    assert [effects_again(seed) for seed in SEEDS] == [0] * len(SEEDS)


def test_without_the_moments_it_would(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(VirtualLog, "moments", lambda self: {})
    assert sum(map(effects_again, SEEDS)) > 100
