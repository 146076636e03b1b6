"""The in-memory store behind a connection that breaks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from profile_store.contract import TP, Loaded, Position, StoreUnavailable, StoreUncertain, Write, shard_of
from profile_store.memory import MemoryStore
from tests.simulation.world import Process, World


class FaultyStore(MemoryStore):
    """Each request may find the store away, and each write may be made without the worker hearing of it."""

    def __init__(self, world: World, process: Process, worker_id: str) -> None:
        super().__init__(worker_id=worker_id, backend=world.backend)
        self._world, self._process = world, process
        self._scripts = 0  # of the present commit, so far

    async def new_chain(self) -> None:
        await self._reach(writes=True)
        await super().new_chain()
        await self._world.point(self._process)

    async def load(self, ids: Sequence[str]) -> list[Loaded]:
        await self._reach()
        loaded = await super().load(ids)
        await self._world.point(self._process)  # the reply is under way: the store may be another by the time it is read
        return loaded

    async def due(self, until_ms: int, limit: int) -> list[tuple[str, int]]:
        await self._reach()
        found = await super().due(until_ms, limit)
        await self._world.point(self._process)
        return found

    async def positions(self) -> dict[TP, Position]:
        await self._reach()
        found = await super().positions()
        await self._world.point(self._process)
        return found

    async def commit(self, writes: Sequence[Write], positions: Mapping[TP, Position], nonce: bytes) -> list[int]:
        await self._reach(writes=True)
        world = self._world
        if world.hit(world.faults.uncertain / 2):
            world.count("uncertain")
            raise StoreUncertain("the request was lost")
        chain = list(self._chain)
        self._scripts = 0
        try:
            conflicts = await super().commit(writes, positions, nonce)
        finally:
            self._note(writes, nonce)
        world.count("conflicts", len(conflicts))
        await world.point(self._process)
        if world.hit(world.faults.uncertain / 2):
            self._chain = chain  # as it knows it
            world.count("uncertain")
            raise StoreUncertain("the reply was lost")
        return conflicts

    def _extend_chain(self, number: int) -> bool:
        """One script a shard: between two of them the worker may be killed, or the connection break."""
        self._scripts += 1
        if self._scripts > 1 and self._world.hit(self._world.faults.split):
            self._world.count("split")
            if self._world.rng.random() < 0.5:
                self._world.crash(self._process)
            raise StoreUncertain("the connection was lost between two shards")
        return super()._extend_chain(number)

    def _note(self, writes: Sequence[Write], nonce: bytes) -> None:
        """Whatever the worker hears of it: these writes stand in the store."""
        for write in writes:
            shard = self.backend.shards[shard_of(write.id, self.shards)]
            loaded = shard.states.get(write.id)
            if loaded is not None and loaded.nonce == nonce:
                self._world.committed_state(write.id, write.state, shard.profiles.get(write.id, {}))

    async def _reach(self, *, writes: bool = False) -> None:
        await self._world.point(self._process)
        if why := self._world.turns_down(writes):
            raise StoreUnavailable(f"the virtual store is {why}")
