"""The batch loop under crashes, lost replies, rebalances, zombies, lost tails, wipes; and proof that the simulation would notice.

A failure prints its seed; ``python -m tests.simulation.world SEED`` replays it.
"""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from profile_store.memory import MemoryShard, MemoryStore
from streams import loop, profiles
from tests.simulation.world import World, check, kind_of, run, simulate

SEEDS = 45
PROOF_SEEDS = 40


@pytest.mark.parametrize("seed", range(SEEDS))
def test_nothing_is_lost_or_doubled(seed: int) -> None:
    world, problems = simulate(seed)
    assert not problems, f"seed {seed} ({world.crashes} crashes):\n" + "\n".join(problems[:3])


def test_the_simulation_does_harm() -> None:
    worlds = [simulate(seed)[0] for seed in range(6)]
    assert sum(world.crashes for world in worlds) > 5
    assert any(world.tail_lost for world in worlds)


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of the simulation are small: let them be committed in several pieces all the same."""
    monkeypatch.setattr(profiles, "PIECE", 2)


def notices(what: str) -> None:
    """Some seed must fail in the way that the missing mechanism predicts."""
    for seed in range(PROOF_SEEDS):
        world = World(seed, kind_of(seed))
        asyncio.run(run(world))
        if any(what in problem for problem in check(world)):
            return
    pytest.fail(f"no seed below {PROOF_SEEDS} noticed that the mechanism was taken out")


def test_without_the_chain_facts_are_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MemoryStore, "_extend_chain", lambda self, number: True)
    notices("facts differ")


def test_without_the_nonce_facts_are_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    real = MemoryShard.write

    def write(shard, write, nonce):
        there = shard.states.get(write.id)
        return real(shard, msgspec.structs.replace(write, nonce=there.nonce if there else b""), nonce)

    monkeypatch.setattr(MemoryShard, "write", write)
    notices("facts differ")


def test_with_positions_before_states_facts_are_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    real = profiles.Profiles._commit

    async def commit(self, writes, positions):
        if positions:
            await real(self, [], positions)
        return await real(self, writes, {})

    monkeypatch.setattr(profiles.Profiles, "_commit", commit)
    notices("facts differ")


def test_with_dead_letters_after_states_dead_letters_are_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    real_batch, real_publish = loop.Loop._batch, loop.Loop._publish_dead

    async def publish(self, dead):
        self.late = dead

    async def batch(self, *arguments):
        await real_batch(self, *arguments)
        if late := self.__dict__.pop("late", None):
            await real_publish(self, late)

    monkeypatch.setattr(loop.Loop, "_publish_dead", publish)
    monkeypatch.setattr(loop.Loop, "_batch", batch)
    notices("dead letters: missing")


def test_without_kept_effects_effects_are_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Effects that live only in the worker's memory between the commit and the broker's acknowledgement."""
    real_encode, real_commit = profiles.encode, profiles.Profiles._commit
    worlds: list[World] = []

    def encode(state):
        kept, state.effects = state.effects, []
        blob = real_encode(state)
        state.effects = kept
        return blob

    async def commit(self, writes, positions):
        conflicts = set(await real_commit(self, writes, positions))
        for i, write in enumerate(writes):
            entry = self._cache.get(write.id)
            if i not in conflicts and entry and entry.state:
                worlds[-1].owed.update(effect.id for effect in entry.state.effects)
        return sorted(conflicts)

    monkeypatch.setattr(profiles, "encode", encode)
    monkeypatch.setattr(profiles.Profiles, "_commit", commit)
    for seed in range(PROOF_SEEDS):
        worlds.append(World(seed, kind_of(seed)))
        asyncio.run(run(worlds[-1]))
        if any("never published" in problem for problem in check(worlds[-1])):
            return
    pytest.fail("no seed noticed")
