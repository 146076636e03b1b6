"""What may happen: each fault by its name, and the seeded order in which they come."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from random import Random
from typing import Any, NamedTuple, TypeVar

from tests.fault.fleet import Fleet
from tests.fault.servers import Store
from tests.fault.worker import POINTS
from tests.servers_kafka import Broker

#: A worker is stopped for longer than this, so that its partitions go to another.
SESSION_TIMEOUT_S = 4
#: Points that a worker comes by only when there is a rebalance.
REBALANCING = ("revoked", "assigned", "chain")
#: For so long a worker may come by: a rebalance waits for the new worker.
POINT_S, REBALANCE_S = 12.0, 30.0
#: Of 500 ms a round trip, each way takes half.
LATENCY_S = 0.5
LONG_AWAY_S = 300.0
CUTS_S = 30.0

#: What was done, for the journal.
Done = dict[str, Any]
Copied = TypeVar("Copied")


class Place(NamedTuple):
    """Where it happens. ``strikes`` is called at the moment from which recovery counts: what comes before only prepares it."""

    fleet: Fleet
    store: Store
    broker: Broker
    workers: int  # as many as there should be
    rng: Random
    strikes: Callable[[], None]


async def kill(at: Place) -> Done:
    number = await at.fleet.kill(at.rng)
    at.strikes()
    return {"worker": number}


async def point(at: Place) -> Done:
    wanted = at.rng.choice(POINTS)
    seldom = wanted in REBALANCING
    dying = asyncio.ensure_future(at.fleet.kill_at(wanted, at.rng, REBALANCE_S if seldom else POINT_S))
    if seldom:
        await asyncio.sleep(0.5)
        await rebalance(at)
    number, died_at = await dying
    at.strikes()
    return {"worker": number, "point": wanted, "died_at": died_at}


async def restart(at: Place) -> Done:
    return {"exit": await at.fleet.restart(at.rng)}


async def rebalance(at: Place) -> Done:
    """One more, or one less than there should be."""
    if at.fleet.wanted > at.workers:
        at.fleet.wanted -= 1
        return {"removed": 1, **await restart(at)}
    at.fleet.wanted += 1
    return {"added": 1}


async def zombie(at: Place) -> Done:
    seconds = SESSION_TIMEOUT_S + at.rng.uniform(1, 5)
    return {"worker": await at.fleet.freeze(seconds, at.rng), "for_s": round(seconds, 1)}


async def redis_kill(at: Place) -> Done:
    return await _gone_for(at, at.rng.uniform(0, 3))


async def away(at: Place) -> Done:
    return await _gone_for(at, at.rng.uniform(10, 30))


async def away_long(at: Place) -> Done:
    return await _gone_for(at, LONG_AWAY_S)


async def _gone_for(at: Place, seconds: float) -> Done:
    async with at.store.mine:
        at.strikes()
        await at.store.kill()
        await asyncio.sleep(seconds)
        return {"away_s": round(seconds, 1), "lost_unwritten": await at.store.start()}


async def lost_tail(at: Place) -> Done:
    async with at.store.mine:
        wanted_s = at.rng.uniform(0.5, 12)
        await at.store.can_be_cut(wanted_s)
        at.strikes()
        await at.store.kill()
        seconds, size = at.store.cut(wanted_s)
        await asyncio.sleep(at.rng.uniform(0, 3))
        await at.store.start()
        return {"lost_s": round(seconds, 1), "lost_bytes": size}


async def backup(at: Place) -> Done:
    """Restored a minute or more after it was made."""
    async with at.store.mine:
        made = await _between_rewrites(at.store.back_up)
    seconds = at.rng.uniform(60, 180)
    await asyncio.sleep(seconds)
    async with at.store.mine:
        at.strikes()
        await at.store.kill()
        await asyncio.to_thread(at.store.restore, made)
        await at.store.start()
        return {"age_s": round(seconds)}


async def _between_rewrites(copy: Callable[[], Copied | None]) -> Copied:
    for _ in range(30):
        if copied := await asyncio.to_thread(copy):
            return copied
        await asyncio.sleep(1)
    raise RuntimeError("rewrite after rewrite: there is no moment for a copy")


async def wipe(at: Place) -> Done:
    async with at.store.mine:
        await _between_rewrites(at.store.witness)
        at.strikes()
        await asyncio.to_thread(at.store.wipe)
        return {}


async def failover(at: Place) -> Done:
    """To a replica that lags by some seconds."""
    async with at.store.mine:
        lag_s = at.rng.uniform(1, 6)
        return {"lag_s": round(lag_s, 1), "lag_bytes": await at.store.fail_over(lag_s, at.strikes)}


async def hang(at: Place) -> Done:
    """Longer than the client waits, sometimes."""
    async with at.store.mine:
        at.strikes()
        seconds = at.rng.choice((0.5, 2.0, 12.0))
        at.store.hang(True)
        await asyncio.sleep(seconds)
        at.store.hang(False)
        return {"for_s": seconds}


async def full(at: Place) -> Done:
    async with at.store.mine:
        at.strikes()
        await asyncio.to_thread(at.store.fill, True)
        seconds = at.rng.uniform(1, 5)
        await asyncio.sleep(seconds)
        await asyncio.to_thread(at.store.fill, False)
        return {"for_s": round(seconds, 1)}


async def disconnect(at: Place) -> Done:
    async with at.store.mine:
        at.strikes()
        await asyncio.to_thread(at.store.disconnect)
        return {}


async def half_reply(at: Place) -> Done:
    """Some connections end in the middle of a reply."""
    async with at.store.mine:
        at.strikes()
        wanted = at.store.proxy.cuts = at.rng.randint(1, 6)
        for _ in range(int(CUTS_S / 0.1)):
            if not at.store.proxy.cuts:
                break
            await asyncio.sleep(0.1)
        left, at.store.proxy.cuts = at.store.proxy.cuts, 0
        return {"cuts": wanted - left}


async def slow(at: Place) -> Done:
    async with at.store.mine:
        at.strikes()
        seconds = at.rng.uniform(5, 15)
        at.store.proxy.delay_s = LATENCY_S / 2
        await asyncio.sleep(seconds)
        at.store.proxy.delay_s = 0.0
        return {"for_s": round(seconds, 1), "round_trip_s": LATENCY_S}


async def broker_kill(at: Place) -> Done:
    at.strikes()
    await asyncio.to_thread(at.broker.kill9)
    seconds = at.rng.uniform(0, 4)
    await asyncio.sleep(seconds)
    await asyncio.to_thread(at.broker.restart)
    return {"away_s": round(seconds, 1)}


class Fault(NamedTuple):
    """``share``: so many for each kill, where no number is given. ``target``: what it happens to; see `ROOM`."""

    does: Callable[[Place], Awaitable[Done]]
    share: float
    target: str


#: So many faults of a target at a time.
ROOM: Mapping[str, int] = {"workers": 2, "store": 1, "files": 1, "broker": 1}

#: Each is an option. Of the kills, a third is at named points.
FAULTS: Mapping[str, Fault] = {
    "kill": Fault(kill, 0, "workers"),
    "point": Fault(point, 1 / 3, "workers"),
    "restart": Fault(restart, 1 / 10, "workers"),
    "rebalance": Fault(rebalance, 1 / 3, "workers"),
    "zombie": Fault(zombie, 1 / 10, "workers"),
    "redis_kill": Fault(redis_kill, 1 / 12, "store"),
    "lost_tail": Fault(lost_tail, 1 / 15, "store"),
    "backup": Fault(backup, 1 / 50, "files"),
    "wipe": Fault(wipe, 1 / 60, "store"),
    "failover": Fault(failover, 1 / 60, "store"),
    "away": Fault(away, 1 / 50, "store"),
    "away_long": Fault(away_long, 1 / 300, "store"),
    "hang": Fault(hang, 1 / 20, "store"),
    "full": Fault(full, 1 / 20, "store"),
    "disconnect": Fault(disconnect, 1 / 20, "store"),
    "half_reply": Fault(half_reply, 1 / 20, "store"),
    "slow": Fault(slow, 1 / 30, "store"),
    "broker_kill": Fault(broker_kill, 1 / 15, "broker"),
}
#: It takes five minutes, so a run of fewer kills has none that was not asked for.
AWAY_LONG_KILLS_MIN = 100


def numbers(kills: int, given: Mapping[str, int | None]) -> dict[str, int]:
    """How often each fault comes. ``kills`` counts those at random and those at named points."""
    chosen = {name: max(1, round(kills * fault.share)) if kills else 0 for name, fault in FAULTS.items() if fault.share}
    if kills < AWAY_LONG_KILLS_MIN:
        chosen["away_long"] = 0
    chosen.update({name: number for name, number in given.items() if number is not None})
    return {"kill": max(0, kills - chosen["point"]), **chosen}


def schedule(wanted: Mapping[str, int], rng: Random) -> list[str]:
    order = list(Counter(wanted).elements())
    rng.shuffle(order)
    return order
