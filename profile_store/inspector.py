"""Whether a server can be used safely: its version, and that it evicts nothing."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping

from profile_store.contract import StoreRefused
from profile_store.link import Link

_VERSION_MIN = (6, 2)

_log = logging.getLogger(__name__)


class Inspector:
    """Looks at the server behind a link. Raises StoreRefused, and what ``Link.call`` raises."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._evicted: int | None = None  # keys, by the server's own count at the last look

    async def first(self, cluster: bool) -> None:
        """``cluster``: the server should be a node of one."""
        info = await self._info()
        if not info:
            _log.warning("redis.unchecked: INFO is not allowed; needed is 6.2 or later, maxmemory-policy noeviction")
        version = info.get("redis_version", "")
        match = re.match(r"(\d+)\.(\d+)", version)
        if match and (int(match[1]), int(match[2])) < _VERSION_MIN:
            raise StoreRefused(f"Redis {version} is too old: 6.2 or later is needed, or any Valkey")
        if not cluster and info.get("cluster_enabled") == "1":
            raise StoreRefused("this Redis is a node of a cluster: set PORTRAIT_CLUSTER=true")
        self._refuse_eviction(info)

    async def again(self) -> None:
        """At what may change while the server runs."""
        self._refuse_eviction(await self._info())

    async def _info(self) -> Mapping[str, str]:
        """Nothing where it may not be asked."""
        try:
            reply = await self._link.call(b"INFO")
        except StoreRefused:
            return {}
        return dict(line.split(":", 1) for line in reply.decode().splitlines() if ":" in line)

    def _refuse_eviction(self, info: Mapping[str, str]) -> None:
        policy = info.get("maxmemory_policy", "noeviction")
        if info.get("maxmemory", "0") != "0" and policy != "noeviction":
            raise StoreRefused(
                f"Redis may evict keys (maxmemory-policy {policy}), and a profile that is gone looks like a new customer: "
                "set `maxmemory-policy noeviction`, and see with `portrait verify` whether anybody is missing"
            )
        before, self._evicted = self._evicted, int(info.get("evicted_keys", 0))
        if before is not None and self._evicted > before:
            raise StoreRefused(
                f"Redis has evicted {self._evicted - before} keys, and a profile that is gone looks like a new customer: "
                "keep `maxmemory-policy noeviction`, and see with `portrait verify`; `portrait rebuild` brings them back"
            )
