"""What makes it safe, each as a way to take it out of the running code: by the harness, for the product has no switch for it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple
from unittest.mock import patch

import msgspec

from portrait import evolve
from profile_store.memory import MemoryBackend, MemoryShard, MemoryStore
from streams import loop, profiles
from streams.gate import Gate
from tests.simulation.shape import draw, draw_orphans
from tests.simulation.simulate import Draw
from tests.simulation.worker import Worker

Patches = Sequence[AbstractContextManager[Any]]


class Mechanism(NamedTuple):
    """``counter`` of the verdict must become greater than 0 within the first ``within`` seeds, once it is taken out.

    ``drawn``: worlds of its own, where the usual ones need too many seeds to show it.
    """

    name: str
    taken_out: str
    counter: str
    within: int
    patches: Callable[[], Patches]
    drawn: Draw = draw

    @contextlib.contextmanager
    def removed(self) -> Any:
        with contextlib.ExitStack() as stack:
            for each in self.patches():
                stack.enter_context(each)
            yield


def _nonce() -> Patches:
    real = MemoryShard.write

    def write(shard: MemoryShard, write: Any, nonce: bytes) -> bool:
        there = shard.states.get(write.id)
        return real(shard, msgspec.structs.replace(write, nonce=there.nonce if there else b""), nonce)

    return [patch.object(MemoryShard, "write", write)]


def _watermark() -> Patches:
    real = evolve.sift

    def sift(state: Any, arrivals: Any) -> Any:
        before, state.marks = state.marks, {}
        found = real(state, arrivals)
        state.marks = before | state.marks
        return found

    return [patch.object(evolve, "sift", sift)]


def _ring() -> Patches:
    return [patch.object(evolve, "holds", lambda ring, digest: False)]


def _chain() -> Patches:
    return [patch.object(MemoryStore, "_extend_chain", lambda self, number: True)]


def _positions() -> Patches:
    """They are kept where the store's losses don't reach them, as in a store of their own."""
    real_restore, real_wipe = MemoryBackend.restore, MemoryBackend.wipe

    def restore(backend: MemoryBackend, snapshot: Any) -> None:
        kept = [shard.positions for shard in backend.shards]
        real_restore(backend, snapshot)
        for shard, positions in zip(backend.shards, kept, strict=True):
            shard.positions = positions

    def wipe(backend: MemoryBackend) -> None:
        kept = [shard.positions for shard in backend.shards]
        real_wipe(backend)
        for shard, positions in zip(backend.shards, kept, strict=True):
            shard.positions = positions

    return [patch.object(MemoryBackend, "restore", restore), patch.object(MemoryBackend, "wipe", wipe)]


def _order() -> Patches:
    real = profiles.Profiles._commit

    async def commit(self: Any, writes: Any, positions: Any) -> Any:
        if positions:
            await real(self, [], positions)
        return await real(self, writes, {})

    return [patch.object(profiles.Profiles, "_commit", commit)]


def _effects() -> Patches:
    """They live in the worker's memory alone between the commit and the broker's acknowledgement."""
    real = profiles.encode

    def encode(state: Any) -> bytes:
        kept, state.effects = state.effects, []
        blob = real(state)
        state.effects = kept
        return blob

    return [patch.object(profiles, "encode", encode)]


def _at_once() -> Patches:
    """A worker that starts leaves to the ticks what others had not published."""

    async def nothing(self: Any) -> None:
        pass

    return [patch.object(loop.Loop, "_publish_kept", nothing)]


def _dead_letters() -> Patches:
    """They are published when the batch's states have been committed."""
    real_batch, real_publish = loop.Loop._batch, loop.Loop._publish_dead

    async def publish(self: Any, dead: Any) -> None:
        self.late = dead

    async def batch(self: Any, *arguments: Any) -> None:
        await real_batch(self, *arguments)
        if late := self.__dict__.pop("late", None):
            await real_publish(self, late)

    return [patch.object(loop.Loop, "_publish_dead", publish), patch.object(loop.Loop, "_batch", batch)]


def _wait() -> Patches:
    """The clock is the wall's, whatever is unread."""
    return [patch.object(Gate, "now_ms", lambda self, *arguments: self._wall_ms())]


def _own_commit() -> Patches:
    """Kafka is told what was fetched, as its clients do by themselves."""
    return [patch.object(Worker, "committable", lambda self: dict(self.at))]


def _own_seek() -> Patches:
    """Reading begins at Kafka's committed offset."""
    real = loop.Loop.start_offsets

    async def start_offsets(self: Any, committed: Mapping[Any, int | None], *others: Any) -> Any:
        await real(self, committed, *others)
        self._next = {tp: at or 0 for tp, at in committed.items()}
        return dict(self._next)

    return [patch.object(loop.Loop, "start_offsets", start_offsets)]


def _without(**fields: Any) -> Callable[[], Patches]:
    """Writes lack these."""

    def patches() -> Patches:
        real = MemoryShard.write

        def write(shard: MemoryShard, write: Any, nonce: bytes) -> bool:
            return real(shard, msgspec.structs.replace(write, **fields), nonce)

        return [patch.object(MemoryShard, "write", write)]

    return patches


MECHANISMS = (
    Mechanism("nonce", "a write takes whatever state is there", "lost", 20, _nonce),
    Mechanism("watermark", "a state does not know which offsets it holds", "double", 100, _watermark),
    Mechanism("id ring", "a producer's duplicate is not recognised", "double", 20, _ring),
    Mechanism("chain", "a commit is made though the store has lost writes", "lost", 40, _chain),
    Mechanism("positions", "they survive what the states don't", "lost", 20, _positions),
    Mechanism("their order", "positions are committed before the states", "lost", 20, _order),
    Mechanism("kept effects", "effects are in the worker's memory alone", "actions_missing", 20, _effects),
    Mechanism(
        "kept effects first",
        "a new worker confirms offsets before it has published them",
        "actions_missing",
        100,
        _at_once,
        draw_orphans,
    ),
    Mechanism("dead letters first", "dead letters are published after the states", "lost", 60, _dead_letters),
    Mechanism("the clock's wait", "the clock does not wait for unread partitions", "wrong_actions", 20, _wait),
    Mechanism("own commit", "Kafka is told what was fetched", "actions_missing", 40, _own_commit),
    Mechanism("own seek", "reading begins at Kafka's committed offset", "lost", 40, _own_seek),
    Mechanism("view", "states are written without what readers see", "views_wrong", 20, _without(fields={}, removed=[])),
    Mechanism("external index", "... without external ids", "indexes_wrong", 40, _without(external=[], external_removed=[])),
)
