"""The stores of `portrait rebuild`: what the workers' do, and what mending needs besides. In Redis, and in memory for tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from importlib.resources import files
from urllib.parse import unquote

from profile_store.contract import TP, Position, shard_of
from profile_store.link import Script
from profile_store.memory import MemoryStore
from profile_store.redis_store import RedisStore, _Shard
from profile_store.scan import PAGE, literally

_reset = Script(files("profile_store").joinpath("reset.lua").read_text())


class RedisMendingStore(RedisStore):
    """A ``MendingStore`` in Redis. Its ``worker_id`` is its own, never a worker's."""

    _NOTES_NAMING = False  # who looks at profiles that others have made does not decide how

    async def ids(self) -> AsyncIterator[Sequence[str]]:
        for shard in self._shards:
            for prefix in (shard.keys.state, shard.keys.profile):
                async for names in _scan(shard, prefix):
                    yield [unquote(name.removeprefix(prefix)) for name in names]

    async def versions(self, ids: Sequence[str]) -> list[int]:
        shards = [self._shards[shard_of(customer_id, self.shards)] for customer_id in ids]
        keys = [shard.keys.profiles([customer_id])[0] for shard, customer_id in zip(shards, ids, strict=True)]
        found = await asyncio.gather(
            *(shard.loads.call(b"HGET", key, b"version") for shard, key in zip(shards, keys, strict=True))
        )
        return [int(version or 0) for version in found]

    async def notes(self, name: str) -> list[bytes]:
        return [await shard.link.call(b"HGET", shard.keys.mending, name) or b"" for shard in self._shards]

    async def set_note(self, name: str, value: bytes) -> None:
        for shard in self._shards:
            command = (b"HSET", shard.keys.mending, name, value) if value else (b"HDEL", shard.keys.mending, name)
            await shard.link.call(*command, write=True)

    async def reset(self, before: Mapping[TP, Position], after: Mapping[TP, int]) -> bool:
        marks: list[object] = []
        for tp in {**before, **after}:
            marks += [f"{tp[0]}/{tp[1]}", before[tp].next_offset if tp in before else "", after.get(tp, "")]
        done = True
        for shard in self._shards:
            chains = [name async for names in _scan(shard, shard.keys.chain) for name in names]
            keys = [shard.keys.positions, shard.keys.clear, shard.keys.last, *chains]
            done = bool(await shard.link.run(_reset, keys, marks[:-1], str(marks[-1]).encode())) and done
        return done


async def _scan(shard: _Shard, prefix: str) -> AsyncIterator[list[str]]:
    """Names of keys that begin so, in pieces."""
    cursor = b"0"
    while True:
        cursor, names = await shard.link.call(b"SCAN", cursor, b"MATCH", f"{literally(prefix)}*", b"COUNT", PAGE)
        if names:
            yield [name.decode() for name in names]
        if int(cursor) == 0:
            return


class MemoryMendingStore(MemoryStore):
    """A ``MendingStore`` over a backend in memory."""

    _NOTES_NAMING = False

    async def ids(self) -> AsyncIterator[Sequence[str]]:
        for shard in self.backend.shards:
            yield [*shard.states, *shard.profiles]

    async def versions(self, ids: Sequence[str]) -> list[int]:
        return [int(self._shard(name).profiles.get(name, {}).get("version", 0)) for name in ids]

    async def notes(self, name: str) -> list[bytes]:
        return [shard.notes.get(name, b"") for shard in self.backend.shards]

    async def set_note(self, name: str, value: bytes) -> None:
        for shard in self.backend.shards:
            shard.notes[name] = value

    async def reset(self, before: Mapping[TP, Position], after: Mapping[TP, int]) -> bool:
        done = True
        for shard in self.backend.shards:
            there = {tp: shard.positions[tp].next_offset if tp in shard.positions else None for tp in {**before, **after}}
            if any(at not in (before[tp].next_offset if tp in before else None, after.get(tp)) for tp, at in there.items()):
                done = False
                continue
            shard.chains.clear()
            for tp in there:
                if tp in after:
                    clear_ms = shard.positions[tp].clear_ms if tp in shard.positions else 0
                    shard.positions[tp] = Position(after[tp], clear_ms)
                else:
                    shard.positions.pop(tp, None)
        return done
