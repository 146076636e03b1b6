"""The workers of a run: started, killed, stopped for a while, and started again, as a supervisor would."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random

from cli.embedded import die_with_parent
from streams.trainer import LEARNING
from tests.fault.worker import POINT_EXIT, work

ROOT = Path(__file__).parents[2]
#: Workers are forked from a process that has their modules loaded: to import them takes seconds of CPU, which hundreds of
#: kills would spend on nothing that is tried here.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.fault.tied", work.__module__, *LEARNING])
TERM_S = 40.0
#: Every worker with work to do comes by.
COMMON_POINT = "written"
#: When nobody has had work for so long (Redis is away, say), a worker that has none will do.
PATIENCE_S = 20.0
#: Of the kills that come at random, so many hit a worker that has work; the others just any.
READY_SHARE = 0.8
RESPAWN_S = 2.0
#: How a worker ends that is sent these.
EXITS = {signal.SIGKILL: (-signal.SIGKILL,), signal.SIGTERM: (0,)}
LOG_BYTES_SHOWN = 2000


class Worker:
    """One process. ``expected``: the harness is about to end it. That is no news, if it ends in the way that was asked for."""

    def __init__(self, number: int, directory: Path, environment: Mapping[str, str]) -> None:
        self.number = number
        self.expected = self.stopped = self._began = False
        self._asked: set[int] = set()  # exit codes
        self.log = directory / f"worker-{number}.log"
        self._arm = directory / f"arm-{number}"
        ours = {"FAULT_ARM": str(self._arm), "FAULT_OWED": str(directory / "owed")}
        self.log.touch()
        self.process = PROCESSES.Process(target=_child, args=({**environment, **ours}, self.log), daemon=True)
        self.process.start()

    @property
    def exit(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs."""
        return self.process.exitcode

    @property
    def as_asked(self) -> bool:
        """It has ended in a way that the harness has asked for, and nothing of its own came first."""
        return self.expected and self.exit in self._asked

    @property
    def up(self) -> bool:
        return self.exit is None and not self.stopped and not self.expected

    @property
    def ready(self) -> bool:
        """It has been assigned partitions."""
        return self.up and self.began

    @property
    def began(self) -> bool:
        self._began = self._began or b'"assigned"' in self.log.read_bytes()
        return self._began

    def arm(self, point: str) -> None:
        self._asked.add(POINT_EXIT)
        partial = self._arm.with_suffix(".new")
        partial.write_text(point)
        partial.rename(self._arm)

    def disarm(self) -> None:
        self._arm.unlink(missing_ok=True)

    def signal(self, number: int) -> None:
        if self.exit is None and self.process.pid:
            self._asked.update(EXITS.get(number, ()))
            os.kill(self.process.pid, number)

    async def has_begun(self, timeout_s: float) -> None:
        for _ in range(int(timeout_s / 0.05)):
            if self.began or self.exit is not None:
                return
            await asyncio.sleep(0.05)

    async def ended(self, timeout_s: float) -> bool:
        for _ in range(int(timeout_s / 0.05)):
            if self.exit is not None:
                return True
            await asyncio.sleep(0.05)
        return self.exit is not None


def _child(environment: Mapping[str, str], log: Path) -> None:
    """In a process of its own, which ends with the one that forked it, and that with the harness."""
    if (tie := die_with_parent(os.getppid())) is not None:
        tie()
    work(environment, log)


class Fleet:
    """``wanted`` workers, whatever happens to them. ``tell`` takes an event's name and details."""

    def __init__(self, directory: Path, environment: Mapping[str, str], rng: Random, tell: Callable[..., None]) -> None:
        self.wanted = 0
        self.workers: list[Worker] = []
        self._directory, self._environment, self._rng, self._tell = directory, environment, rng, tell
        self._number = sum(1 for _ in directory.glob("worker-*.log"))  # of sittings before

    async def supervise(self) -> None:
        """Until cancelled: notice who ended, and start another after a moment."""
        while True:
            for worker in [w for w in self.workers if w.exit is not None]:
                self.workers.remove(worker)
                worker.disarm()
                if not worker.as_asked:
                    self._note(worker)
            if len(self.workers) < self.wanted:
                await asyncio.sleep(self._rng.random() * RESPAWN_S)
                if len(self.workers) < self.wanted:
                    self.spawn()
            await asyncio.sleep(0.1)

    def _note(self, worker: Worker) -> None:
        end = worker.log.read_bytes()[-LOG_BYTES_SHOWN:].decode(errors="replace")
        self._tell("ended by itself", worker=worker.number, exit=worker.exit, log=end)

    def spawn(self) -> Worker:
        self._number += 1
        worker = Worker(self._number, self._directory, self._environment)
        self.workers.append(worker)
        return worker

    @property
    def complete(self) -> bool:
        """Everybody is at work."""
        return sum(worker.ready for worker in self.workers) >= self.wanted

    async def pick(self, rng: Random, ready: bool = True) -> Worker:
        """A worker that has work, or just any. Waits for one."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            late = time.monotonic() > deadline
            if found := [worker for worker in self.workers if worker.ready or (worker.up and (late or not ready))]:
                return rng.choice(found)
            await asyncio.sleep(0.2)

    async def kill(self, rng: Random) -> int:
        """At any moment, also while it starts."""
        worker = await self.pick(rng, ready=rng.random() < READY_SHARE)
        await self._kill(worker)
        return worker.number

    async def _kill(self, worker: Worker) -> None:
        worker.expected = True
        worker.signal(signal.SIGKILL)
        await worker.ended(10)

    async def kill_at(self, point: str, rng: Random, patience_s: float) -> tuple[int, str]:
        """Let it die at a named point. If it does not come by in time, at a common one; if not even there, anywhere.

        Which worker, and where: "" for anywhere."""
        worker = await self.pick(rng)
        worker.expected = True
        for armed in (point, COMMON_POINT):
            worker.arm(armed)
            if await worker.ended(patience_s):
                break
        else:
            await self._kill(worker)
        return worker.number, armed if worker.exit == POINT_EXIT else ""

    async def restart(self, rng: Random) -> int | None:
        """Asked to end. Its exit code: None if it did not end in time, and was killed."""
        worker = await self.pick(rng)
        worker.expected = True
        await worker.has_begun(TERM_S)
        worker.signal(signal.SIGTERM)
        if await worker.ended(TERM_S):
            return worker.exit
        await self._kill(worker)
        return None

    async def freeze(self, seconds: float, rng: Random) -> int:
        """A zombie: it does not know that its partitions went to another."""
        worker = await self.pick(rng)
        worker.stopped = True
        worker.signal(signal.SIGSTOP)
        await asyncio.sleep(seconds)
        worker.signal(signal.SIGCONT)
        worker.stopped = False
        return worker.number

    def end(self) -> None:
        """At once, whatever they are doing."""
        for worker in self.workers:
            worker.signal(signal.SIGKILL)

    async def stop_all(self) -> list[int | None]:
        """Exit codes of all that ran; supervision must have ended. One that has just begun is given time to begin."""
        self.wanted = 0
        for worker in self.workers:
            await worker.has_begun(TERM_S)
            worker.expected = True
            worker.signal(signal.SIGCONT)
            worker.signal(signal.SIGTERM)
        for worker in self.workers:
            if not await worker.ended(TERM_S):
                await self._kill(worker)
        return [worker.exit for worker in self.workers]
