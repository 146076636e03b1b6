"""Stores to test, and ways to look into them and break them."""

from __future__ import annotations

import itertools
import os
from typing import Any

from profile_store.contract import ABSENT, Loaded, Store, Write, shard_of
from profile_store.keys import external_field, shard_keys
from profile_store.memory import MemoryBackend, MemoryStore
from profile_store.redis_store import RedisStore

ODD_IDS = [
    "a:b{c}", "{0}", "客户一号", "😀👩\u200d👩\u200d👧", " ", "with space", "x" * 256, "100%", "%25", "%2525", "a/b?c#d",
    "it's(*)~!", "line\nbreak", "nul\0", '"q"\\', "{0}:C1", "profile:{0}:C1", "C1:", ":C1", "C1", "c1", "C1 ", "é", "e\u0301",
    "+", "*", "-1", "null", "__proto__", "stage", "\x7f",
]  # fmt: skip

_nonces = itertools.count(1)


def nonce() -> bytes:
    return next(_nonces).to_bytes(8, "big")


def write(customer_id: str, at: Loaded = ABSENT, **changes: Any) -> Write:
    """A write with sensible contents; ``at``: the state it was made from."""
    fields: dict[str, Any] = {
        "state": b"state",
        "fields": {"version": b"1", "stage": b"new"},
        "removed": [],
        "risk": 0.5,
        "stage": "new",
    }
    fields |= {"stage_before": "", "due_ms": None, "external": [], "external_removed": []}
    return Write(id=customer_id, nonce=at.nonce, **(fields | changes))


class MemoryPlace:
    """A memory backend, and how to look into it and break it."""

    def __init__(self, shards: int) -> None:
        self.shards = shards
        self.backend = MemoryBackend(shards)

    def store(self, worker_id: str, naming: str = "") -> Store:
        return MemoryStore(worker_id=worker_id, backend=self.backend, naming=naming)

    def view(self, customer_id: str) -> dict[str, bytes]:
        return self.backend.shards[shard_of(customer_id, self.shards)].profiles.get(customer_id, {})

    def risks(self) -> dict[str, float]:
        return {name: risk for shard in self.backend.shards for name, risk in shard.risk.items()}

    def stages(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for shard in self.backend.shards:
            for name, stage in shard.stages.items():
                found.setdefault(stage, set()).add(name)
        return found

    def tags(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for shard in self.backend.shards:
            for name, tags in shard.tags.items():
                for tag in tags:
                    found.setdefault(tag, set()).add(name)
        return found

    def external(self, system: str, external_id: str) -> set[str]:
        return {shard.external[system, external_id] for shard in self.backend.shards if (system, external_id) in shard.external}

    def wipe(self) -> None:
        self.backend.wipe()

    def backup(self) -> Any:
        return self.backend.snapshot()

    def restore(self, backup: Any) -> None:
        self.backend.restore(backup)


class RedisPlace:
    """A server, and how to look into it and break it, by its keys alone."""

    def __init__(self, server: Any, shards: int) -> None:
        self.shards = shards
        self.keys = shard_keys("t:", shards)
        self.url = server.url
        self.client = server.client()
        self.client.flushall()

    def store(self, worker_id: str, naming: str = "") -> Store:
        return RedisStore(self.url, worker_id=worker_id, rng=os.urandom, shards=self.shards, prefix="t:", naming=naming)

    def view(self, customer_id: str) -> dict[str, bytes]:
        (key,) = self.keys[shard_of(customer_id, self.shards)].profiles([customer_id])
        return {name.decode(): value for name, value in self.client.hgetall(key).items()}

    def risks(self) -> dict[str, float]:
        return {name.decode(): risk for k in self.keys for name, risk in self.client.zrange(k.risk, 0, -1, withscores=True)}

    def stages(self) -> dict[str, set[str]]:
        return self._sets({k.of_stage(name): name for k in self.keys for name in self._members(k.stages)})

    def tags(self) -> dict[str, set[str]]:
        return self._sets({k.of_tag(name): name for k in self.keys for name in self._members(k.tags)})

    def _members(self, key: str) -> set[str]:
        return {name.decode() for name in self.client.smembers(key)}

    def _sets(self, keys: dict[str, str]) -> dict[str, set[str]]:
        """By name; the sets of several shards together, empty ones left out."""
        found: dict[str, set[str]] = {}
        for key, name in keys.items():
            if members := self._members(key):
                found[name] = found.get(name, set()) | members
        return found

    def external(self, system: str, external_id: str) -> set[str]:
        found = [self.client.hget(k.external, external_field(system, external_id)) for k in self.keys]
        return {name.decode() for name in found if name is not None}

    def wipe(self) -> None:
        self.client.flushall()

    def backup(self) -> Any:
        return {key: self.client.dump(key) for key in self.client.scan_iter()}

    def restore(self, backup: Any) -> None:
        self.client.flushall()
        for key, value in backup.items():
            self.client.restore(key, 0, value)


async def worker(place: Any, worker_id: str) -> Store:
    store = place.store(worker_id)
    await store.open()
    await store.new_chain()
    return store


async def load(store: Store, customer_id: str) -> Loaded:
    (loaded,) = await store.load([customer_id])
    return loaded


def ids_by_shard(shards: int) -> list[str]:
    """An id of each shard."""
    found = {shard_of(name, shards): name for name in (f"C{i}" for i in range(100))}
    return [found[shard] for shard in range(shards)]
