"""What may happen: each fault by its name, and the seeded order in which they come."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from random import Random

from tests.fault.fleet import Fleet
from tests.fault.servers import Store
from tests.fault.worker import POINTS
from tests.servers_kafka import Broker

#: A worker is stopped for longer than this, so that its partitions go to another.
SESSION_TIMEOUT_S = 6
REBALANCING = ("revoked", "assigned")


class Harm:
    """One method a fault, named as in the options. Each returns what it did, and returns when the cause is gone."""

    def __init__(self, fleet: Fleet, store: Store, broker: Broker, rng: Random) -> None:
        self._fleet, self._store, self._broker, self._rng = fleet, store, broker, rng
        self._redis, self._kafka = asyncio.Lock(), asyncio.Lock()
        self._standing = fleet.wanted

    async def kill(self) -> str:
        return f"worker {await self._fleet.kill()}"

    async def point(self) -> str:
        point = self._rng.choice(POINTS)
        dying = asyncio.ensure_future(self._fleet.kill_at(point))
        if point in REBALANCING:
            await asyncio.sleep(0.5)
            await self.rebalance()
        number, hit = await dying
        return f"worker {number} {'at' if hit else 'anywhere, for it did not come by'} {point}"

    async def restart(self) -> str:
        return f"exit code {await self._fleet.restart()}"

    async def rebalance(self) -> str:
        """One more, or one less than there should be."""
        if self._fleet.wanted > self._standing:
            self._fleet.wanted -= 1
            return f"removed, {await self.restart()}"
        self._fleet.wanted += 1
        return "added"

    async def zombie(self) -> str:
        seconds = SESSION_TIMEOUT_S + self._rng.uniform(1, 5)
        return f"worker {await self._fleet.freeze(seconds)} for {seconds:.1f} s"

    async def redis_kill(self) -> str:
        async with self._redis:
            self._store.kill()
            return await self._start_redis(self._rng.uniform(0, 3))

    async def lost_tail(self) -> str:
        async with self._redis:
            self._store.kill()
            seconds, size = self._store.cut(self._rng.uniform(0.5, 12))
            return f"{seconds:.1f} s, {size} bytes lost; {await self._start_redis(self._rng.uniform(0, 3))}"

    async def backup(self) -> str:
        """Restored a while after it was made."""
        async with self._redis:
            for _ in range(20):
                if await asyncio.to_thread(self._store.back_up):
                    break
                await asyncio.sleep(1)
        seconds = self._rng.uniform(30, 90)
        await asyncio.sleep(seconds)
        async with self._redis:
            self._store.kill()
            await asyncio.to_thread(self._store.restore)
            return f"{seconds:.0f} s old; {await self._start_redis(0)}"

    async def wipe(self) -> str:
        async with self._redis:
            await asyncio.to_thread(self._store.wipe)
            return "FLUSHALL"

    async def away(self) -> str:
        async with self._redis:
            self._store.kill()
            return await self._start_redis(self._rng.uniform(10, 30))

    async def _start_redis(self, after_s: float) -> str:
        await asyncio.sleep(after_s)
        await asyncio.to_thread(self._store.start)
        return f"away for {after_s:.1f} s"

    async def hang(self) -> str:
        """Longer than the client waits, sometimes."""
        async with self._redis:
            seconds = self._rng.choice((0.5, 2.0, 12.0))
            self._store.hang(True)
            await asyncio.sleep(seconds)
            self._store.hang(False)
            return f"{seconds} s"

    async def full(self) -> str:
        async with self._redis:
            await asyncio.to_thread(self._store.fill, True)
            seconds = self._rng.uniform(1, 5)
            await asyncio.sleep(seconds)
            await asyncio.to_thread(self._store.fill, False)
            return f"{seconds:.1f} s"

    async def disconnect(self) -> str:
        async with self._redis:
            await asyncio.to_thread(self._store.disconnect)
            return "all clients"

    async def broker_kill(self) -> str:
        async with self._kafka:
            await asyncio.to_thread(self._broker.kill9)
            seconds = self._rng.uniform(0, 4)
            await asyncio.sleep(seconds)
            await asyncio.to_thread(self._broker.restart)
            return f"away for {seconds:.1f} s and its start"

    def named(self, fault: str) -> Callable[[], Awaitable[str]]:
        return getattr(self, fault)


#: In proportion to KILLS, where no number is given; of the kills, a third is at named points.
SHARES: Mapping[str, float] = {
    "point": 1 / 3, "restart": 1 / 10, "rebalance": 1 / 3, "zombie": 1 / 10, "redis_kill": 1 / 12, "lost_tail": 1 / 15,
    "backup": 1 / 50, "wipe": 1 / 60, "away": 1 / 50, "hang": 1 / 20, "full": 1 / 20, "disconnect": 1 / 20, "broker_kill": 1 / 15,
}  # fmt: skip


def numbers(kills: int, given: Mapping[str, int | None]) -> dict[str, int]:
    """How often each fault comes. ``kills`` counts those at random and those at named points."""
    chosen = {fault: round(kills * share) if kills == 0 else max(1, round(kills * share)) for fault, share in SHARES.items()}
    chosen.update({fault: number for fault, number in given.items() if number is not None})
    return {"kill": max(0, kills - chosen["point"]), **chosen}


def schedule(wanted: Mapping[str, int], rng: Random) -> list[str]:
    order = list(Counter(wanted).elements())
    rng.shuffle(order)
    return order
