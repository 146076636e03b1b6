"""A wiped store is rebuilt in silence: what has had its effects before, be it an event or a silence, does not have them again."""

from __future__ import annotations

import json

import pytest

from schemas.registry import DEAD_LETTERS
from streams.faust_log import FaustLog
from streams.log import Outgoing
from tests.simulation.clockwork import run
from tests.simulation.fleet import Fleet, catch_up, finish, rest
from tests.simulation.judge import judge
from tests.simulation.shape import NO_FAULTS, Shape
from tests.simulation.simulate import scaled
from tests.simulation.world import World

SEEDS = range(8)
CALM = Shape()


async def effects_again(seed: int) -> int:
    """How many that were published before are published again after a wipe of everything.

    What is new may come: a crossing of the risk's threshold is noticed at the next score, and scores may fall on other days.
    """
    world = World(seed, CALM, NO_FAULTS)
    await Fleet(world).live()
    await finish(world)
    before, again = {*world.actions, *world.lessons}, []
    take = world.take

    def watch(message: Outgoing) -> None:
        again.extend(before & {message.key.decode() if message.topic == DEAD_LETTERS else json.loads(message.value)["id"]})
        take(message)

    world.take = watch  # type: ignore[method-assign]
    world.restore(None)
    await rest(await catch_up(world))
    assert len(before) > 20 and not judge(world).notes
    return len(again)


def all_seeds() -> list[int]:
    with scaled(CALM):
        return [run(effects_again(seed)) for seed in SEEDS]


def test_a_rebuild_publishes_nothing_again() -> None:
    assert all_seeds() == [0] * len(SEEDS)


def test_without_the_moments_it_would(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FaustLog, "moments", lambda self: {})
    assert sum(all_seeds()) > 20
