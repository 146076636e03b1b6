"""Long work on a store that may be away or lose writes, and may be interrupted: it is waited for, and a note tells how far it is.

The note stands in the store, on every shard, and is written behind what it speaks of. A store executes its writes in one order,
so as long as the note is there, nothing that was written before it is lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from functools import partial
from typing import TypeVar

from profile_store.contract import ChainBroken, MendingStore, StoreUnavailable, StoreUncertain

T = TypeVar("T")

RETRY_S = 1.0


class Regressed(Exception):
    """The store has lost writes: what it holds is older than what was made of it."""


class Steady:
    """``name`` is the note's; ``told`` hears why it waits."""

    def __init__(
        self,
        store: MendingStore,
        name: str,
        told: Callable[[str], None],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store, self._name, self._told, self._sleep = store, name, told, sleep
        self._noted: Collection[bytes] | None = None  # what may stand there, if nothing is lost; None: not known yet

    async def begin(self) -> list[bytes]:
        """A chain for writing, and the notes, of each shard; b"" where there is none."""
        self._noted = None
        await self.do(self._store.new_chain)
        notes = await self.do(partial(self._store.notes, self._name))
        self._noted = set(notes)
        return notes

    async def note(self, value: bytes) -> None:
        """Write the note; b"" removes it."""
        self._noted = {value, *(self._noted or ())}
        await self.do(partial(self._store.set_note, self._name, value))
        self._noted = {value}

    async def do(self, work: Callable[[], Awaitable[T]]) -> T:
        """The result of ``work``, which may be begun again. Raises Regressed if the store has lost what was written."""
        while True:
            try:
                return await work()
            except StoreUnavailable as error:
                self._told(str(error))
                await self._sleep(RETRY_S)
            except (ChainBroken, StoreUncertain) as error:
                self._told(str(error))
                await self._go_on()

    async def _go_on(self) -> None:
        """A new chain, and a look at the note."""
        while True:
            try:
                await self._store.new_chain()
                notes = await self._store.notes(self._name)
                break
            except (StoreUnavailable, StoreUncertain) as error:
                self._told(str(error))
                await self._sleep(RETRY_S)
        if self._noted is not None and not all(note in self._noted for note in notes):
            raise Regressed
