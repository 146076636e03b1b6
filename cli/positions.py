"""How far the profiles are, as Redis tells it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from profile_store.contract import TP, Position
from profile_store.mending import RedisMendingStore
from streams.rebuild import ACCEPTED
from streams.settings import Settings, naming_of


async def stored_positions(settings: Settings) -> dict[TP, Position]:
    """The positions in the store. Raises StoreError; StoreRefused where names of identities are made otherwise."""
    async with _store(settings) as store:
        return await store.positions()


async def accepted_losses(settings: Settings) -> list[str]:
    """Partitions whose log holds less than the profiles do, as an operator has accepted. Raises StoreError."""
    async with _store(settings) as store:
        return sorted({name for note in await store.notes(ACCEPTED) if note for name in msgspec.json.decode(note)})


async def agree(settings: Settings) -> None:
    """Raises StoreRefused where names of identities are made otherwise than here; StoreError."""
    async with _store(settings):
        pass


@asynccontextmanager
async def _store(settings: Settings) -> AsyncIterator[RedisMendingStore]:
    store = RedisMendingStore(
        settings.redis,
        worker_id="reader",  # it never writes, so it never has a chain
        rng=os.urandom,
        shards=settings.shards,
        cluster=settings.cluster,
        prefix=settings.prefix,
        naming=naming_of(settings),
    )
    try:
        await store.check_naming()
        yield store
    finally:
        await store.close()
