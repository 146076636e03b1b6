"""How far the profiles are, as Redis tells it."""

from __future__ import annotations

import os

from profile_store.contract import TP, Position
from profile_store.redis_store import RedisStore
from streams.settings import Settings


async def stored_positions(settings: Settings) -> dict[TP, Position]:
    """The positions in the store. Raises StoreError."""
    store = RedisStore(
        settings.redis,
        worker_id="reader",  # it never writes, so it never has a chain
        rng=os.urandom,
        shards=settings.shards,
        cluster=settings.cluster,
        prefix=settings.prefix,
    )
    try:
        return await store.positions()
    finally:
        await store.close()
