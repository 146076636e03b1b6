"""One process: the real loop over the real bookkeeping of offsets, driven as `streams.transport` drives it."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import NoReturn

from portrait.models import churn
from streams.cuts import Cuts
from streams.faust_log import FaustLog
from streams.log import TP, Batch, Outgoing
from streams.loop import Loop
from streams.metrics import Metrics
from tests.simulation.store import FaultyStore
from tests.simulation.world import Died, Rec, World

METRICS = Metrics()  # nobody looks at them here, and making a set takes as long as some hundred events
REDELIVERED_MAX = (10, 100)  # records, a little or a lot


class Broker:
    """Publishes for one worker."""

    def __init__(self, world: World, worker: Worker) -> None:
        self._world, self._worker = world, worker

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        world = self._world
        await world.point(self._worker)
        if world.hit(world.faults.unpublished):
            world.crash(self._worker)
        for message in messages:
            world.take(message)
            if world.hit(world.faults.published_twice):
                world.take(message)
            if world.hit(world.faults.crash / 4):
                world.crash(self._worker)
        await world.point(self._worker)


class Worker:
    """``start`` lets it live: it seeks, polls, handles, and sweeps beside that, until it is killed."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name = world, name
        self.dead = self.paused = self.seeking = False
        self.generation = 0
        self.log = FaustLog(Broker(world, self), lambda: world.now_ms)  # type: ignore[arg-type]
        self.at: dict[TP, int] = {}  # what was fetched
        self._seen_ms: dict[TP, int] = {}  # when the broker last answered for a partition
        self._tasks: list[asyncio.Task[None]] = []
        self._cuts, self._heard = Cuts(), 0
        scorer = churn.fresh(world.settings.horizon_days)
        self.loop = Loop(
            world.settings,
            FaultyStore(world, self, f"{name}-{world.rng.random()}"),
            self.log,
            wall_ms=lambda: world.now_ms,
            random_bytes=world.rng.randbytes,
            scorer=lambda: scorer,
            replayed=frozenset,
            metrics=METRICS,
            die=self._die,
            sleep=lambda seconds: asyncio.sleep(0),
            look_again=self._look_again,
            dead_letters=self._dead_letters,
            cuts=self._cuts,
            hear=self._hear,
        )
        self._overhear(1.0)
        self._cuts.forget_heard()

    def _die(self, reason: str) -> NoReturn:
        self.dead = True
        self.world.deaths.append(reason)
        self.world.tell(f"{self.name} ended itself: {reason}\n{traceback.format_exc()}")
        raise Died(reason)

    async def _look_again(self, partitions: Sequence[TP]) -> Mapping[TP, int]:
        return {tp: len(self.world.log[tp]) for tp in partitions}

    async def _dead_letters(self) -> AsyncIterator[str]:
        for origin in sorted(self.world.dead_letters):
            yield origin

    async def _hear(self) -> None:
        await self.world.point(self)
        self._overhear(1.0)

    def _overhear(self, some: float) -> None:
        """What has expired is told beside the batches, sooner or later."""
        if self.world.quiet or self.world.rng.random() < some:
            for value in self.world.expired[self._heard :]:
                self._cuts.take(value)
            self._heard = len(self.world.expired)

    # -- its life -------------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        self._tasks = [asyncio.ensure_future(self._live()), asyncio.ensure_future(self._sweep())]

    async def _live(self) -> None:
        while True:
            await asyncio.sleep(0)
            await self.world.point(self)
            if self.log.assigned and self.log.seek_due:
                await self.seek()
            elif self.log.assigned:
                await self.poll()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(0)
            if self.world.rng.random() < self.world.shape.sweep:
                self.look()
                await self.loop.sweep()

    async def end(self) -> None:
        """kill -9, and nothing of it goes on. Raises what should not have been raised at all."""
        self.dead = True
        for task in self._tasks:
            task.cancel()
        for outcome in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome

    # -- what the transport does ----------------------------------------------------------------------------------------------

    def hear(self, partitions: Sequence[TP], generation: int) -> None:
        """A rebalance has given it these partitions. A seek under way is given up, as the transport does."""
        if self.seeking and self._tasks:
            self._tasks[0].cancel()
            self._tasks[0] = asyncio.ensure_future(self._live_after(self._tasks[0]))
        elif self.world.rng.random() < 0.5:
            self.commit()
        self.generation = generation
        self.at, self._seen_ms = {}, {}
        self.log.assign(partitions)

    async def _live_after(self, before: asyncio.Task[None]) -> None:
        await asyncio.wait({before})
        self.seeking = False
        await self._live()

    async def seek(self) -> None:
        """As `Consumer._seek_feed`."""
        world, log = self.world, self.log
        self.seeking = True
        async with log.busy:
            epoch = log.begin_epoch()
            self.commit()
            mine, ends = sorted(log.assigned), world.ends()
            committed = {tp: world.committed.get(tp) for tp in mine}
            log.surveyed(sorted(world.log), {tp: world.moments.get(tp, 0) for tp in sorted(world.log)})
            starts = await self.loop.start_offsets(committed, dict.fromkeys(mine, 0), {tp: ends[tp] for tp in mine})
            if epoch == log.epoch:
                self.at = dict(starts)
                log.sought(epoch, committed, {tp: ends[tp] for tp in mine}, starts)
                world.tell(f"{self.name} begins at {sum(starts.values())} in {len(starts)} partitions")
        self.seeking = False

    def look(self, some: float = 0.5) -> list[TP]:
        """The broker has answered for some partitions: their ends are known as of now, whatever is read of them."""
        world, answered = self.world, []
        self._overhear(0.3)
        if self.log.assigned and not self.log.seek_due:
            answered = [tp for tp in sorted(self.log.assigned) if world.quiet or world.rng.random() < some]
            self._seen_ms.update(dict.fromkeys(answered, world.now_ms))
            as_of_ms = min(self._seen_ms.get(tp, 0) for tp in self.log.assigned)
            self.log.polled({tp: len(world.log[tp]) for tp in answered}, as_of_ms)
        return answered

    async def poll(self) -> None:
        """One fetch, and its batch handled."""
        world, log = self.world, self.log
        records: dict[TP, list[Rec]] = {}
        reached: dict[TP, int] = {}
        for tp in self.look():
            if world.hit(world.faults.redeliver) and self.at[tp]:
                self.at[tp] = max(0, self.at[tp] - world.rng.randint(1, world.rng.choice(REDELIVERED_MAX)))
                world.count("redelivered")
            fetched = world.log[tp][self.at[tp] : self.at[tp] + world.rng.randint(1, world.shape.batch_max)]
            self.at[tp] += len(fetched)
            if found := [record for record in fetched if record is not None]:
                records[tp] = found
            if fetched and fetched[-1] is None:
                reached[tp] = self.at[tp]
        if records or reached:
            batch = Batch(log.epoch, records, dict(log.ends()), reached)
            async with log.busy:
                await self.loop.on_batch(batch)
                log.finished_batch(batch)

    def committable(self) -> Mapping[TP, int]:
        return self.log.committable()

    def commit(self) -> None:
        """As `Consumer.force_commit`: the request, or its reply, may be lost; and who is no member any more is refused."""
        world = self.world
        offsets = self.committable()
        if not offsets:
            return
        moments = self.log.moments_reached()
        if self.generation != world.generation or world.hit(world.faults.commit_lost / 2):
            world.count("commits_failed")
            return
        world.committed.update(offsets)
        world.moments.update({tp: moments.get(tp, 0) for tp in offsets})
        if world.hit(world.faults.commit_lost / 2):
            world.count("commits_failed")
            return
        self.log.committed(offsets, moments)
