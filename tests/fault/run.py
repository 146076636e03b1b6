"""One fault run: servers, workers, load, faults; then silence, and the verdict."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from streams import kafka
from streams.settings import Clock, Settings
from streams.topics import plan
from tests.fault.faults import SESSION_TIMEOUT_S, Harm, schedule
from tests.fault.fleet import ROOT, Fleet
from tests.fault.judge import Verdict, effects_left, judge
from tests.fault.load import Load
from tests.fault.servers import LOOK_S, Store
from tests.fault.watch import Watch, quantile
from tests.servers_kafka import Broker

#: Faults wait while an older one has not been recovered from for so long; after STUCK_S nobody waits any more.
PATIENCE_S, STUCK_S = 45.0, 600.0
#: Published effects leave the states with a later sweep; those that are there after so long are for the verdict.
EFFECTS_S = 60.0


@dataclass
class Options:
    seed: int
    faults: dict[str, int]
    workers: int
    rate: float
    customers: int
    partitions: int
    pause_s: float
    redis: str
    clock: Clock
    directory: Path
    warm_up_s: float = 12.0  # before the first fault
    quiet_s: float = 8.0  # after everything was read: time for ticks and cleanings


class Journal:
    """The raw log of the run: one JSON line an event, with seconds since the start."""

    def __init__(self, file: Path) -> None:
        self._file, self._began_s = file.open("a"), time.monotonic()

    def tell(self, event: str, **details: Any) -> None:
        line = json.dumps({"s": round(time.monotonic() - self._began_s, 2), "event": event, **details}, ensure_ascii=False)
        self._file.write(line + "\n")
        self._file.flush()
        sys.stderr.write(line[:300] + "\n")


class Stuck(Exception):
    """The service does not recover."""


class Run:
    def __init__(self, options: Options, broker: Broker, store: Store, rng: Random) -> None:
        self.options, self.broker, self.store = options, broker, store
        self.journal = Journal(options.directory / "journal.jsonl")
        self.settings = Settings(
            kafka=broker.bootstrap,
            redis=store.url,
            partitions=options.partitions,
            clock=options.clock,
            session_timeout_s=SESSION_TIMEOUT_S,
            http_port=-1,
        )
        self.fleet = Fleet(options.directory, _environment(self.settings), rng, self.journal.tell)
        self.fleet.wanted = options.workers
        self.watch = Watch(broker.bootstrap, store.url, options.partitions)
        self.harm = Harm(self.fleet, store, broker, rng)
        self.done: Counter[str] = Counter()
        self.problems: list[str] = []
        self._rng = rng

    async def faults(self) -> None:
        """All of them, some at the same time."""
        await asyncio.sleep(self.options.warm_up_s)
        under_way: set[asyncio.Task[None]] = set()
        for fault in schedule(self.options.faults, self._rng):
            task = asyncio.create_task(self._fault(fault))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
            await asyncio.sleep(self._rng.uniform(0.2, self.options.pause_s))
            await self._patience()
        if under_way:
            await asyncio.wait(under_way)

    async def _fault(self, fault: str) -> None:
        recovery = self.watch.begins(fault)
        lag = self.watch.lag
        try:
            done = await self.harm.named(fault)()
        except Exception as error:
            self.problems.append(f"the harness could not do {fault}: {error!r}")
            self.journal.tell("failed", fault=fault, error=repr(error))
            done = "failed"
        recovery.over = True
        self.done[fault] += 1
        self.journal.tell(fault, done=done, number=self.done.total(), lag_before=lag, lag=self.watch.lag)

    async def _patience(self) -> None:
        began = time.monotonic()
        while self.watch.oldest_s() > PATIENCE_S and any(r.over and r.took_s is None for r in self.watch.recoveries):
            if time.monotonic() - began > STUCK_S:
                raise Stuck(f"after {STUCK_S:.0f} s the lag is {self.watch.lag}")
            await asyncio.sleep(0.5)

    async def settle(self) -> None:
        """Everything is read, and for a while nothing changes: ticks and cleanings are done."""
        deadline = time.monotonic() + STUCK_S
        quiet_since = time.monotonic()
        while time.monotonic() - quiet_since < self.options.quiet_s:
            if self.watch.lag != 0:
                quiet_since = time.monotonic()
            if time.monotonic() > deadline:
                raise Stuck(f"after {STUCK_S:.0f} s without faults the lag is {self.watch.lag}")
            await asyncio.sleep(0.25)
        patience = time.monotonic() + EFFECTS_S
        while time.monotonic() < patience and await asyncio.to_thread(effects_left, self.store.url):
            await asyncio.sleep(0.5)


async def fault_run(options: Options, broker: Broker, rng: Random) -> tuple[dict[str, Any], bool]:
    """The summary, and whether all was right."""
    store = Store(options.redis, rng)
    run = Run(options, broker, store, rng)
    try:
        async with kafka.admin(broker.bootstrap) as admin:
            made = await admin.create_topics(plan(run.settings, create_time=True))
        if refused := [topic for topic in made if topic.error]:
            raise RuntimeError(f"topics could not be made: {refused}")
        run.journal.tell("begins", broker=broker.name, store=options.redis, seed=options.seed, faults=options.faults)
        began = time.monotonic()
        sent = await _under_load(run)
        exits = await run.fleet.stop_all()
        run.journal.tell("quiet", exits=exits, unexpected=len(run.fleet.unexpected))
        if any(exits):
            run.problems.append(f"workers that were asked to end did not end well: {exits}")
        verdict = await judge(broker.bootstrap, store.url, options.directory / "owed", store.gone)
        return _conclude(run, verdict, sent, time.monotonic() - began)
    finally:
        run.fleet.end()
        store.stop()


async def _under_load(run: Run) -> int:
    """Returns how many records the load handed over."""
    async with _beside(run.fleet.supervise(), run.watch.run(), _remember(run.store)):
        load = _start_load(run)
        try:
            await run.faults()
            run.journal.tell("no more faults", lag=run.watch.lag)
            load.send_signal(signal.SIGTERM)
            out, _ = await asyncio.to_thread(load.communicate, timeout=120)
            await run.settle()
            return json.loads(out)["sent"]
        except Stuck as stuck:
            run.problems.append(f"stuck: {stuck}")
            run.journal.tell("stuck", why=str(stuck))
            return 0
        finally:
            load.kill()
            load.wait()


def _start_load(run: Run) -> subprocess.Popen[bytes]:
    options = run.options
    plan_ = Load(kafka=run.broker.bootstrap, seed=options.seed, rate=options.rate, customers=options.customers)
    command = [sys.executable, "-m", "tests.fault.load", msgspec.json.encode(plan_).decode()]
    with (options.directory / "load.log").open("ab") as log:
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
        )


@contextlib.asynccontextmanager
async def _beside(*work: Any) -> AsyncIterator[None]:
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome


async def _remember(store: Store) -> None:
    while True:
        store.remember()
        await asyncio.sleep(LOOK_S)


def _environment(settings: Settings) -> dict[str, str]:
    return {f"PORTRAIT_{name.upper()}": str(value) for name, value in msgspec.structs.asdict(settings).items()}


def _conclude(run: Run, verdict: Verdict, sent: int, seconds: float) -> tuple[dict[str, Any], bool]:
    done, recoveries = run.done, run.watch.recoveries
    took = [recovery.took_s for recovery in recoveries if recovery.took_s is not None]
    by_fault = {
        fault: round(max((r.took_s or 0.0 for r in recoveries if r.fault == fault), default=0.0), 1) for fault in sorted(done)
    }
    problems = [*run.problems, *run.fleet.unexpected, *verdict.notes]
    (run.options.directory / "verdict.txt").write_text("\n\n".join(problems))
    fine = verdict.fine and not run.problems and not run.fleet.unexpected
    summary = {
        **{name: number for name in verdict.__struct_fields__ if isinstance(number := getattr(verdict, name), int)},
        "sent": sent,
        "kills": done["kill"] + done["point"],
        "kills_at_points": done["point"],
        "rebalances": done["rebalance"] + done["restart"],
        "zombies": done["zombie"],
        "redis_restarts": done["redis_kill"] + done["lost_tail"] + done["backup"] + done["away"],
        "lost_tails": done["lost_tail"] + done["backup"],
        "wipes": done["wipe"],
        "broker_kills": done["broker_kill"],
        "other_faults": done["hang"] + done["full"] + done["disconnect"],
        "unexpected_exits": len(run.fleet.unexpected),
        "recovery_s_median": round(quantile(took, 0.5), 1),
        "recovery_s_worst": round(max(took, default=0.0), 1),
        "recovery_s_worst_by_fault": by_fault,
        "minutes": round(seconds / 60, 1),
        "seed": run.options.seed,
        "problems": len(problems),
        "directory": str(run.options.directory),
    }
    run.journal.tell("verdict", **summary)
    return summary, fine
