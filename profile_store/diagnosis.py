"""Facts about the server behind PORTRAIT_REDIS, for `portrait doctor`. Reads only."""

from __future__ import annotations

import msgspec

from profile_store.contract import StoreRefused
from profile_store.keys import slot_tag
from profile_store.link import Link, Servers

TIMEOUT_S = 5.0
#: Redis 6.2 has the older name.
_LISTPACK = ("hash-max-listpack-value", "hash-max-ziplist-value")


class ServerFacts(msgspec.Struct, frozen=True):
    """None: the server does not say (a managed one may forbid CONFIG)."""

    kind: str  # "Redis" or "Valkey"
    version: str
    policy: str  # maxmemory-policy
    memory_bytes: int
    memory_bytes_max: int  # 0: no limit
    append_only: bool
    fsync: str | None
    hash_value_bytes_max: int | None  # longer fields cost a hash its compact form
    hash_entries_max: int | None


async def server_facts(url: str, *, cluster: bool = False) -> ServerFacts:
    """Of the server that holds the first shard. Raises StoreUnavailable and StoreRefused."""
    link = Link(Servers(url, cluster=cluster, timeout_s=TIMEOUT_S), slot_tag(0))
    try:
        text = (await link.call(b"INFO")).decode()
        info = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
        value_bytes = [await _config(link, name) for name in _LISTPACK]
        entries = [await _config(link, name.replace("value", "entries")) for name in _LISTPACK]
        fsync = await _config(link, "appendfsync")
    finally:
        await link.close()
    return ServerFacts(
        kind="Valkey" if "valkey_version" in info else "Redis",
        version=info.get("valkey_version") or info.get("redis_version", ""),
        policy=info.get("maxmemory_policy", ""),
        memory_bytes=int(info.get("used_memory", 0)),
        memory_bytes_max=int(info.get("maxmemory", 0)),
        append_only=info.get("aof_enabled") == "1",
        fsync=fsync,
        hash_value_bytes_max=_first(value_bytes),
        hash_entries_max=_first(entries),
    )


async def _config(link: Link, name: str) -> str | None:
    try:
        reply = await link.call(b"CONFIG", b"GET", name.encode())
    except StoreRefused:
        return None
    return reply[1].decode() if reply else None


def _first(texts: list[str | None]) -> int | None:
    return next((int(text) for text in texts if text is not None), None)
