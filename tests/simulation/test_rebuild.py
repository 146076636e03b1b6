"""A wiped store is rebuilt in silence: what has had its effects before, be it an event or a silence, does not have them again."""

from __future__ import annotations

import pytest

from streams.faust_log import FaustLog
from tests.simulation.clockwork import run
from tests.simulation.fleet import Fleet, catch_up, finish, rest
from tests.simulation.judge import judge
from tests.simulation.shape import NO_FAULTS, Shape
from tests.simulation.simulate import scaled
from tests.simulation.world import World

SEEDS = range(8)
CALM = Shape()


async def effects_again(seed: int) -> int:
    """How many are published after a wipe of everything."""
    world = World(seed, CALM, NO_FAULTS)
    await Fleet(world).live()
    await finish(world)
    before = world.counts["effects"]
    world.restore(None)
    await rest(await catch_up(world))
    assert before > 20 and not judge(world).notes
    return world.counts["effects"] - before


def all_seeds() -> list[int]:
    with scaled(CALM):
        return [run(effects_again(seed)) for seed in SEEDS]


def test_a_rebuild_publishes_nothing_again() -> None:
    assert all_seeds() == [0] * len(SEEDS)


def test_without_the_moments_it_would(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FaustLog, "moments", lambda self: {})
    assert sum(all_seeds()) > 100
