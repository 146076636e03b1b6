"""The store in Redis or Valkey: one script call a shard for a whole batch. See docs/profile-keys.md for the keys."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from typing import Any

import msgspec

from profile_store.contract import (
    ABSENT,
    TP,
    ChainBroken,
    Last,
    Loaded,
    Position,
    StoreError,
    StoreRefused,
    StoreUncertain,
    Write,
    check_naming,
    least,
    shard_of,
)
from profile_store.inspector import Inspector
from profile_store.keys import FORMAT, ShardKeys, encode, shard_keys, slot_tag
from profile_store.link import Link, Script, Servers

_NONCE_BYTES = 8
_CHAIN_EXPIRY_S = 86_400  # of a worker that has gone; every commit starts it anew

_Mark = tuple[str, str, str, str]  # as commit.lua wants a position

_commit = Script(files("profile_store").joinpath("commit.lua").read_text())
_encode = msgspec.msgpack.Encoder().encode


class RedisStore:
    """A ``Store`` in Redis 6.2 or later, any Valkey, or a cluster of either.

    ``url``: redis://, rediss:// or unix://; in a cluster, of any of its nodes. ``worker_id`` names this worker's chain: two
    processes that share one break each other's, so that only the later goes on. ``rng`` gives so many random bytes.
    ``naming``: how whoever writes makes the names of identities (`schemas.identity.fingerprint`).
    """

    _NOTES_NAMING = True  # where nothing is noted

    def __init__(
        self,
        url: str,
        *,
        worker_id: str,
        rng: Callable[[int], bytes],
        shards: int = 1,
        cluster: bool = False,
        prefix: str = "",
        naming: str = "",
        timeout_s: float = 10.0,
    ) -> None:
        self.shards = shards
        self._cluster, self._naming = cluster, naming
        self._rng = rng
        servers = Servers(url, cluster=cluster, timeout_s=timeout_s)
        self._shards = [
            _Shard(keys, Link(servers, slot_tag(number)), Link(servers, slot_tag(number)), keys.chain + encode(worker_id))
            for number, keys in enumerate(shard_keys(prefix, shards))
        ]

    async def open(self) -> None:
        for shard in self._servers():
            await shard.inspector.first(self._cluster)
        for shard in self._shards:  # in order: a wrong number of shards is refused before any key of a new shard is made
            await shard.check_meta(self.shards)
        await self.check_naming(note=self._NOTES_NAMING)

    async def check(self) -> None:
        for shard in self._servers():
            await shard.inspector.again()
        await self.check_naming()

    async def check_naming(self, *, note: bool = False) -> None:
        """On each shard in turn, so that of two who would note it one is refused by the first. Raises StoreRefused."""
        for shard in self._shards:
            await shard.check_naming(self._naming, note=note)

    def _servers(self) -> list[_Shard]:
        """A shard of each server, or more: in a cluster several may share one."""
        return self._shards if self._cluster else self._shards[:1]

    async def close(self) -> None:
        for shard in self._shards:
            await shard.close()

    async def new_chain(self) -> None:
        token = self._rng(_NONCE_BYTES).hex()
        for shard in self._shards:
            await shard.check_meta(self.shards)  # after a wipe it is gone, and another may have written it
        await self.check_naming(note=self._NOTES_NAMING)
        await asyncio.gather(*(shard.new_chain(token) for shard in self._shards))

    async def load(self, ids: Sequence[str]) -> list[Loaded]:
        loaded = [ABSENT] * len(ids)

        async def load_part(shard: _Shard, indexes: list[int]) -> None:
            values = await shard.loads.call(b"MGET", *shard.keys.states([ids[i] for i in indexes]))
            for i, value in zip(indexes, values, strict=True):
                if value is not None:
                    loaded[i] = Loaded(value[:_NONCE_BYTES], value[_NONCE_BYTES:])

        await asyncio.gather(*(load_part(s, part) for s, part in zip(self._shards, self._parts(ids), strict=True) if part))
        return loaded

    async def commit(self, writes: Sequence[Write], positions: Mapping[TP, Position], nonce: bytes) -> list[int]:
        marks = [_mark(tp, at) for tp, at in positions.items()]
        parts = self._parts([write.id for write in writes])
        busy = [(shard, part) for shard, part in zip(self._shards, parts, strict=True) if part or marks]
        outcomes = await asyncio.gather(
            *(shard.commit([writes[i] for i in part], marks, nonce) for shard, part in busy), return_exceptions=True
        )
        _raise_worst(outcomes)
        return sorted(part[i] for (_, part), conflicts in zip(busy, outcomes, strict=True) for i in conflicts)  # type: ignore[union-attr]

    async def positions(self) -> dict[TP, Position]:
        return least(await asyncio.gather(*(shard.positions() for shard in self._shards)))

    async def due(self, until_ms: int, limit: int) -> list[tuple[str, int]]:
        found = await asyncio.gather(*(shard.due(until_ms, limit) for shard in self._shards))
        return sorted((item for part in found for item in part), key=lambda item: (item[1], item[0]))

    def _parts(self, ids: Sequence[str]) -> list[list[int]]:
        """The indexes of the ids of each shard."""
        if self.shards == 1:
            return [list(range(len(ids)))]
        parts: list[list[int]] = [[] for _ in self._shards]
        for i, customer_id in enumerate(ids):
            parts[shard_of(customer_id, self.shards)].append(i)
        return parts


class _Shard:
    """One shard: its keys, the ways to its server, and this worker's chain there."""

    def __init__(self, keys: ShardKeys, link: Link, loads: Link, chain_key: str) -> None:
        self.keys = keys
        self.link = link
        self.loads = loads  # a way of their own: they need not wait for a commit's reply
        self.inspector = Inspector(link)
        self._chain_key = chain_key
        self._token = ""  # "" until new_chain
        self._count = 0
        self._turn = asyncio.Lock()  # each commit must know what the one before it left

    async def close(self) -> None:
        await self.link.close()
        await self.loads.close()

    async def check_meta(self, shards: int) -> None:
        """Create the shard's meta hash where there is none. Raises StoreRefused where it says something else."""
        key, there = self.keys.meta, [0, 0]
        while not all(there):  # it may be wiped between two of these
            await self.link.call(b"HSETNX", key, b"format", FORMAT)
            await self.link.call(b"HSETNX", key, b"shards", shards)
            there = [int(value or 0) for value in await self.link.call(b"HMGET", key, b"format", b"shards")]
        if there[0] != FORMAT:
            raise StoreRefused(
                f"the data in Redis has format {there[0]}, not {FORMAT}: upgrade this program, or use another prefix"
            )
        if there[1] != shards:
            raise StoreRefused(
                f"the data in Redis has {there[1]} shards, not {shards}: set PORTRAIT_SHARDS={there[1]}, "
                "or rebuild it under another PORTRAIT_PREFIX"
            )

    async def check_naming(self, naming: str, *, note: bool) -> None:
        """Raises StoreRefused where names are made otherwise; where nothing says how, ``note`` does."""
        if naming and note:
            await self.link.call(b"HSETNX", self.keys.meta, b"naming", naming)
        check_naming((await self.link.call(b"HGET", self.keys.meta, b"naming") or b"").decode(), naming)

    async def new_chain(self, token: str) -> None:
        async with self._turn:
            self._token = ""
            await self.link.call(b"SET", self._chain_key, f"{token}:0", b"EX", _CHAIN_EXPIRY_S)
            self._token, self._count = token, 0

    async def commit(self, writes: list[Write], marks: list[_Mark], nonce: bytes) -> list[int]:
        """Indexes of the writes that conflict."""
        ids = [write.id for write in writes]
        rare = [w for w in writes if _is_rare(w)]
        stages = list({stage for w in rare for stage in (w.stage, w.stage_before, *w.stages_left) if stage})
        tags = list({tag for w in rare for tag in (*w.tags_got, *w.tags_lost)})
        columns, contents = _columns(writes, nonce)
        keys = self.keys
        names = [self._chain_key, keys.positions, keys.clear, keys.last]
        names += [keys.due, keys.risk, keys.external, keys.stages, keys.tags]
        names += keys.states(ids)
        names += keys.profiles(ids)
        names += [keys.of_stage(stage) for stage in stages]
        names += [keys.of_tag(tag) for tag in tags]
        payload = _encode((ids, *columns, marks, stages, tags))
        async with self._turn:
            chain, following = f"{self._token}:{self._count}", f"{self._token}:{self._count + 1}"
            arguments = [chain, following, _CHAIN_EXPIRY_S, keys.changes, payload]
            conflicts = await self.link.run(_commit, names, arguments, contents)
            if conflicts is None:
                raise ChainBroken("Redis has lost writes of this worker, or another worker took its name")
            self._count += 1
        return conflicts

    async def positions(self) -> dict[TP, Position]:
        # In this order: what belongs to the offsets may be older than they are, never newer.
        clear, last, offsets = [await self._hash(key) for key in (self.keys.clear, self.keys.last, self.keys.positions)]
        positions = {}
        for field, offset in offsets.items():
            topic, _, partition = field.decode().rpartition("/")
            positions[topic, int(partition)] = Position(int(offset), int(clear.get(field, 0)), _last(last.get(field, b"")))
        return positions

    async def _hash(self, key: str) -> dict[bytes, bytes]:
        flat = await self.link.call(b"HGETALL", key)
        return dict(zip(flat[::2], flat[1::2], strict=True))

    async def due(self, until_ms: int, limit: int) -> list[tuple[str, int]]:
        found = await self.link.call(b"ZRANGEBYSCORE", self.keys.due, b"-inf", until_ms, b"WITHSCORES", b"LIMIT", 0, limit)
        return [(member.decode(), int(float(score))) for member, score in zip(found[::2], found[1::2], strict=True)]


def _mark(tp: TP, at: Position) -> _Mark:
    return (
        f"{tp[0]}/{tp[1]}",
        str(at.next_offset),
        str(at.clear_ms),
        f"{at.last.offset}:{at.last.digest.hex()}" if at.last else "",
    )


def _last(text: bytes) -> Last | None:
    offset, _, digest = text.decode().partition(":")
    return Last(int(offset), bytes.fromhex(digest)) if digest else None


def _columns(writes: list[Write], nonce: bytes) -> tuple[list[list[Any]], bytes]:
    """What the script wants of the writes: their columns, and all their bytes in a row.

    Columns, because an object a write would set off the garbage collector and cost more than all the rest.
    """
    names: list[str] = []
    values: list[bytes] = []
    for w in writes:
        names += w.fields
        values += (w.nonce, nonce + w.state)
        values += w.fields.values()
    columns: list[list[Any]] = [
        [len(w.fields) for w in writes],
        [w.risk for w in writes],
        [w.due_ms for w in writes],
        [
            (i, w.removed, w.external, w.external_removed, w.stage_before, w.stage, w.stages_left, w.tags_got, w.tags_lost)
            for i, w in enumerate(writes, 1)
            if _is_rare(w)
        ],
        names,
        list(map(len, values)),
    ]
    return columns, b"".join(values)


def _is_rare(w: Write) -> bool:
    """Does the write change more than what nearly every one does?"""
    return w.stage != w.stage_before or bool(
        w.removed or w.tags_got or w.tags_lost or w.external or w.external_removed or w.stages_left
    )


def _raise_worst(outcomes: Sequence[object]) -> None:
    """Raise the error that asks most of the caller, if there is one."""
    errors = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    for error in errors:
        if not isinstance(error, StoreError):
            raise error
    for kind in (StoreRefused, ChainBroken, StoreUncertain):
        for error in errors:
            if isinstance(error, kind):
                raise error
    if errors and len(errors) < len(outcomes):
        raise StoreUncertain(f"only some shards were written: {errors[0]}")
    if errors:
        raise errors[0]
