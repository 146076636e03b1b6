"""The workers of one group, what befalls them and their store, and the peaceful end in which one of them finishes the work."""

from __future__ import annotations

import asyncio

from streams.log import TP
from tests.simulation.shape import DAY_MS
from tests.simulation.worker import Worker
from tests.simulation.world import BACKUP_SHARE, TAIL_BACKUPS, World

#: Turns of the event loop in one round of the world, between which events come in and misfortunes happen.
TURNS = (3, 60)
#: Rounds after the last event: on the average so many.
AFTERWARDS = 8
#: A stopped worker goes on, in each round.
GOES_ON = 0.3
STEPS_MAX = 5000


class Stuck(Exception):
    """In peace, one worker does not come to an end."""


class Fleet:
    def __init__(self, world: World) -> None:
        self.world = world
        self.workers: list[Worker] = []
        self._made = 0

    async def live(self) -> None:
        """Until all events are published, and a while longer. Then everybody is killed."""
        world, rng = self.world, self.world.rng
        self.workers = [self._new() for _ in range(world.shape.workers)]
        self.rebalance()
        try:
            while world.applications.published < world.shape.records or rng.random() > 1 / AFTERWARDS:
                if world.applications.published < world.shape.records:
                    world.applications.publish(rng.randint(1, 10))
                world.now_ms += rng.choice((0, 0, 1000, DAY_MS))
                for _ in range(rng.randint(*TURNS)):
                    await asyncio.sleep(0)
                await self._bury()
                await self._misfortune()
        finally:
            for worker in self.workers:
                await worker.end()

    def _new(self) -> Worker:
        self._made += 1
        worker = Worker(self.world, f"w{self._made}")
        worker.start()
        return worker

    async def _bury(self) -> None:
        """A supervisor starts a new process for each that is dead; the group notices."""
        for i, worker in enumerate(self.workers):
            if worker.dead:
                await worker.end()
                self.world.tell(f"{worker.name} is dead")
                self.workers[i] = self._new()
                self.rebalance()

    def rebalance(self, *, all_hear: bool = False) -> None:
        """Share the partitions out anew among those who hear of it; the others are zombies, until a later one."""
        world, rng = self.world, self.world.rng
        deaf = [w for w in self.workers if w.paused or (w.log.assigned and not all_hear and world.hit(world.faults.zombie))]
        members = [worker for worker in self.workers if worker not in deaf]
        if not members:
            return
        world.count("rebalances")
        world.count("zombies", len(deaf))
        shares = self._shares(len(members))
        before, world.generation = world.generation, world.generation + 1
        world.tell(f"rebalance {before + 1}: {[(w.name, len(s)) for w, s in zip(members, shares, strict=True)]}")
        for worker, share in zip(members, shares, strict=True):
            worker.hear(share, world.generation)
        rng.shuffle(self.workers)

    def _shares(self, n: int) -> list[list[TP]]:
        """As Kafka's range assignor does (the same partition of all topics together), or any other way."""
        rng, shares = self.world.rng, [list[TP]() for _ in range(n)]
        together = rng.random() < 0.5
        for tp in sorted(self.world.log):
            shares[tp[1] % n if together else rng.randrange(n)].append(tp)
        return shares

    async def _misfortune(self) -> None:
        world, faults, rng = self.world, self.world.faults, self.world.rng
        for worker in self.workers:
            if rng.random() < 0.3:
                worker.commit()
        if world.hit(faults.grow):
            world.grow()
            self.rebalance(all_hear=True)
        if world.hit(faults.rebalance):
            self.rebalance()
        for worker in self.workers:
            if worker.paused and rng.random() < GOES_ON:
                self._go_on(worker)
        if world.hit(faults.pause):
            self._pause(rng.choice(self.workers))
        if world.hit(faults.restart):
            await self._restart(rng.choice(self.workers))
        self._store_misfortune()

    def _pause(self, worker: Worker) -> None:
        """SIGSTOP, for longer than the session timeout: the others take over. It goes on where it was, a zombie."""
        worker.paused = True
        self.world.count("pauses")
        self.world.tell(f"{worker.name} is stopped")
        self.rebalance()

    def _go_on(self, worker: Worker) -> None:
        worker.paused = False
        self.world.tell(f"{worker.name} goes on")

    async def _restart(self, worker: Worker) -> None:
        worker.commit()
        await worker.end()
        self.workers[self.workers.index(worker)] = self._new()
        self.world.count("restarts")
        self.rebalance()

    def _store_misfortune(self) -> None:
        world, faults = self.world, self.world.faults
        if world.rng.random() < BACKUP_SHARE:
            world.back_up()
        for why in ("away", "full"):
            if world.hit(getattr(faults, why)):
                world.store_fails(why)
        for chance, backups, what in (
            (faults.lost_tail, world.backups[-TAIL_BACKUPS:], "lost_tails"),
            (faults.backup, world.backups, "backups"),
        ):
            if backups and world.hit(chance):
                world.restore(world.rng.choice(backups))
                world.count(what)
                world.tell(f"the store comes back older: {what}")
        if world.hit(faults.wipe):
            world.restore(None)
            world.count("wipes")
            world.tell("the store is wiped")


async def catch_up(world: World) -> Worker:
    """No more faults: one worker reads all there is."""
    world.quiet = True
    last = Worker(world, "last")
    last.hear(sorted(world.log), world.generation)
    for _ in range(STEPS_MAX):
        if last.log.seek_due:
            await last.seek()
        elif any(at < len(world.log[tp]) for tp, at in last.at.items()):
            await last.poll()
        else:
            return last
        last.commit()
    raise Stuck(f"{sum(len(records) - last.at.get(tp, 0) for tp, records in world.log.items())} records are still unread")


async def finish(world: World) -> None:
    """One worker reads all there is, and waits for what silence brings."""
    last = await catch_up(world)
    tomorrow_ms = (world.now_ms // DAY_MS + 1) * DAY_MS
    world.now_ms = tomorrow_ms + DAY_MS // 2  # noon: what is due is due, whatever the margin of the ticks
    await rest(last)


async def rest(last: Worker) -> None:
    """Until nothing is due, and no published effect stands in the store."""
    for _ in range(3):
        last.look()
        await last.loop.sweep()
        last.commit()
    if last.log.seek_due or last.dead:
        raise Stuck("the last worker does not come to rest")
