"""The workers of a run: started, killed, stopped for a while, and started again, as a supervisor would."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random

from tests.fault.worker import POINT_EXIT, POINTS

ROOT = Path(__file__).parents[2]
TERM_S = 40.0
POINT_S = 15.0
RESPAWN_S = 2.0
LOG_BYTES_SHOWN = 2000


class Worker:
    """One process. ``expected``: the harness is about to end it, so its end is no news."""

    def __init__(self, number: int, directory: Path, environment: Mapping[str, str]) -> None:
        self.number = number
        self.expected = self.stopped = False
        self.log = directory / f"worker-{number}.log"
        self._arm = directory / f"arm-{number}"
        ours = {"FAULT_ARM": str(self._arm), "FAULT_OWED": str(directory / "owed"), "PYTHONPATH": str(ROOT)}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.fault.worker"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=ROOT, env={**os.environ, **environment, **ours},
            )  # fmt: skip

    @property
    def up(self) -> bool:
        return self.process.poll() is None and not self.stopped and not self.expected

    @property
    def ready(self) -> bool:
        """It has been assigned partitions."""
        return self.up and b'"assigned"' in self.log.read_bytes()[-200_000:]

    def arm(self, point: str) -> None:
        partial = self._arm.with_suffix(".new")
        partial.write_text(point)
        partial.rename(self._arm)

    def disarm(self) -> None:
        self._arm.unlink(missing_ok=True)

    def signal(self, number: int) -> None:
        if self.process.poll() is None:
            self.process.send_signal(number)

    async def began(self, timeout_s: float) -> None:
        for _ in range(int(timeout_s / 0.05)):
            if self.ready or self.process.poll() is not None:
                return
            await asyncio.sleep(0.05)

    async def ended(self, timeout_s: float) -> bool:
        for _ in range(int(timeout_s / 0.05)):
            if self.process.poll() is not None:
                return True
            await asyncio.sleep(0.05)
        return self.process.poll() is not None


class Fleet:
    """``wanted`` workers, whatever happens to them. ``tell`` takes an event's name and details."""

    def __init__(self, directory: Path, environment: Mapping[str, str], rng: Random, tell: Callable[..., None]) -> None:
        self.wanted = 0
        self.workers: list[Worker] = []
        self.unexpected: list[str] = []
        self._directory, self._environment, self._rng, self._tell = directory, environment, rng, tell
        self._number = 0

    async def supervise(self) -> None:
        """Until cancelled: notice who ended, and start another after a moment."""
        while True:
            for worker in [w for w in self.workers if w.process.poll() is not None]:
                self.workers.remove(worker)
                worker.disarm()
                if not worker.expected:
                    self._note(worker)
            if len(self.workers) < self.wanted:
                await asyncio.sleep(self._rng.random() * RESPAWN_S)
                if len(self.workers) < self.wanted:
                    self.spawn()
            await asyncio.sleep(0.1)

    def _note(self, worker: Worker) -> None:
        end = worker.log.read_bytes()[-LOG_BYTES_SHOWN:].decode(errors="replace")
        self.unexpected.append(f"worker {worker.number} ended by itself (exit {worker.process.returncode}): ...{end}")
        self._tell("ended by itself", worker=worker.number, exit=worker.process.returncode, log=end[-600:])

    def spawn(self) -> Worker:
        self._number += 1
        worker = Worker(self._number, self._directory, self._environment)
        self.workers.append(worker)
        return worker

    async def pick(self) -> Worker:
        """A worker that has work. Waits for one."""
        while True:
            if ready := [worker for worker in self.workers if worker.ready]:
                return self._rng.choice(ready)
            await asyncio.sleep(0.2)

    async def kill(self) -> int:
        worker = await self.pick()
        worker.expected = True
        worker.signal(signal.SIGKILL)
        await worker.ended(10)
        return worker.number

    async def kill_at(self, point: str) -> tuple[int, bool]:
        """Let it die at a named point, or anywhere if it does not come by. Which worker, and whether it came by."""
        if point not in POINTS:
            raise ValueError(point)
        worker = await self.pick()
        worker.expected = True
        worker.arm(point)
        if not await worker.ended(POINT_S):
            worker.signal(signal.SIGKILL)
            await worker.ended(10)
        return worker.number, worker.process.returncode == POINT_EXIT

    async def restart(self) -> int | None:
        """Asked to end. Its exit code: None if it did not end in time, and was killed."""
        worker = await self.pick()
        worker.expected = True
        worker.signal(signal.SIGTERM)
        if await worker.ended(TERM_S):
            return worker.process.returncode
        worker.signal(signal.SIGKILL)
        await worker.ended(10)
        return None

    async def freeze(self, seconds: float) -> int:
        """A zombie: it does not know that its partitions went to another."""
        worker = await self.pick()
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
            await worker.began(TERM_S)
            worker.expected = True
            worker.signal(signal.SIGCONT)
            worker.signal(signal.SIGTERM)
        for worker in self.workers:
            if not await worker.ended(TERM_S):
                worker.signal(signal.SIGKILL)
                await worker.ended(10)
        return [worker.process.returncode for worker in self.workers]
