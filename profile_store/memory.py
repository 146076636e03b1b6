"""The store in memory: the contract without a server, for tests and the simulation.

A backend plays the server. Several stores (workers) share it; it can be copied, put back as it was, or wiped.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from itertools import count
from typing import TypeVar

from profile_store.contract import ABSENT, TP, ChainBroken, Loaded, Position, Write, check_naming, least, shard_of

_Value = TypeVar("_Value")


class MemoryShard:
    """What Redis keeps for one shard. Values are replaced, never changed in place, so that copies may share them."""

    def __init__(self) -> None:
        self.states: dict[str, Loaded] = {}
        self.profiles: dict[str, dict[str, bytes]] = {}
        self.due: dict[str, int] = {}
        self.risk: dict[str, float] = {}
        self.stages: dict[str, str] = {}  # by id
        self.tags: dict[str, frozenset[str]] = {}  # by id
        self.external: dict[tuple[str, str], str] = {}
        self.positions: dict[TP, Position] = {}
        self.chains: dict[str, int] = {}  # by worker
        self.notes: dict[str, bytes] = {}  # of whoever mends
        self.meta: dict[str, str] = {}

    def copy(self) -> MemoryShard:
        twin = MemoryShard()
        for name, mapping in vars(self).items():
            setattr(twin, name, dict(mapping))
        return twin

    def write(self, write: Write, nonce: bytes) -> bool:
        """False if the write conflicts."""
        if self.states.get(write.id, ABSENT).nonce != write.nonce:
            return False
        fields = {**self.profiles.get(write.id, {}), **write.fields}
        view = {name: value for name, value in fields.items() if name not in write.removed}
        _set_or_drop(self.states, write.id, Loaded(nonce, write.state) if write.state else None)
        _set_or_drop(self.profiles, write.id, view if write.state else None)
        _set_or_drop(self.due, write.id, write.due_ms)
        _set_or_drop(self.risk, write.id, write.risk)
        if self.stages.get(write.id) in write.stages_left:
            del self.stages[write.id]
        if write.stage != write.stage_before:
            _set_or_drop(self.stages, write.id, write.stage or None)
        if write.tags_got or write.tags_lost:
            tags = self.tags.get(write.id, frozenset()).difference(write.tags_lost).union(write.tags_got)
            _set_or_drop(self.tags, write.id, tags or None)
        for pair in write.external_removed:
            if self.external.get(pair) == write.id:  # it may be another's by now
                del self.external[pair]
        self.external.update(dict.fromkeys(write.external, write.id))
        return True

    def advance(self, positions: Mapping[TP, Position]) -> None:
        for tp, new in positions.items():
            old = self.positions.get(tp, new)
            last = new.last or old.last if new.next_offset > old.next_offset else old.last
            self.positions[tp] = Position(max(old.next_offset, new.next_offset), max(old.clear_ms, new.clear_ms), last)


class MemoryBackend:
    """The server: one or more shards, shared by the stores that are made over it."""

    def __init__(self, shards: int = 1) -> None:
        self.shards = [MemoryShard() for _ in range(shards)]
        self._links = count(1)

    def next_link(self) -> int:
        """A chain's next value. It is no part of what is put back, so that no value ever comes twice."""
        return next(self._links)

    def snapshot(self) -> list[MemoryShard]:
        """The data as it is now; later writes don't reach it."""
        return [shard.copy() for shard in self.shards]

    def restore(self, snapshot: Sequence[MemoryShard]) -> None:
        """Put the data of a snapshot back, as often as wanted: a lost tail, or a backup."""
        self.shards = [shard.copy() for shard in snapshot]

    def wipe(self) -> None:
        self.shards = [MemoryShard() for _ in self.shards]


class MemoryStore:
    """A ``Store`` over a backend, or over a new one of its own. Never raises StoreUnavailable, StoreUncertain."""

    _NOTES_NAMING = True

    def __init__(
        self, shards: int = 1, *, worker_id: str = "worker", backend: MemoryBackend | None = None, naming: str = ""
    ) -> None:
        self.backend = backend or MemoryBackend(shards)
        self.shards = len(self.backend.shards)
        self._worker, self._naming = worker_id, naming
        self._chain: list[int] = []  # by shard

    async def open(self) -> None:
        for shard in self.backend.shards:
            if self._naming and self._NOTES_NAMING:
                shard.meta.setdefault("naming", self._naming)
        await self.check()

    async def check(self) -> None:
        for shard in self.backend.shards:
            check_naming(shard.meta.get("naming", ""), self._naming)

    async def close(self) -> None:
        pass

    async def new_chain(self) -> None:
        await self.open()
        self._chain = [self.backend.next_link() for _ in self.backend.shards]
        for shard, link in zip(self.backend.shards, self._chain, strict=True):
            shard.chains[self._worker] = link

    async def load(self, ids: Sequence[str]) -> list[Loaded]:
        return [self._shard(name).states.get(name, ABSENT) for name in ids]

    async def commit(self, writes: Sequence[Write], positions: Mapping[TP, Position], nonce: bytes) -> list[int]:
        conflicts: list[int] = []
        broken = False
        for number in range(self.shards):
            mine = [i for i, write in enumerate(writes) if shard_of(write.id, self.shards) == number]
            if not mine and not positions:
                continue
            if not self._extend_chain(number):
                broken = True
                continue
            shard = self.backend.shards[number]
            clashes = [i for i in mine if not shard.write(writes[i], nonce)]
            if not clashes:
                shard.advance(positions)
            conflicts += clashes
        if broken:
            raise ChainBroken("the backend has lost writes of this worker, or another worker took its name")
        return sorted(conflicts)

    async def positions(self) -> dict[TP, Position]:
        return least([shard.positions for shard in self.backend.shards])

    async def due(self, until_ms: int, limit: int) -> list[tuple[str, int]]:
        found: list[tuple[int, str]] = []
        for shard in self.backend.shards:
            found += heapq.nsmallest(limit, ((due_ms, name) for name, due_ms in shard.due.items() if due_ms <= until_ms))
        return [(name, due_ms) for due_ms, name in sorted(found)]

    def _shard(self, name: str) -> MemoryShard:
        return self.backend.shards[shard_of(name, self.shards)]

    def _extend_chain(self, number: int) -> bool:
        """False if the shard's chain isn't as this worker left it."""
        chains = self.backend.shards[number].chains
        if not self._chain or chains.get(self._worker) != self._chain[number]:
            return False
        self._chain[number] = chains[self._worker] = self.backend.next_link()
        return True


def _set_or_drop(index: dict[str, _Value], name: str, value: _Value | None) -> None:
    if value is None:
        index.pop(name, None)
    else:
        index[name] = value
