"""One fault run: servers, workers, load, faults; then silence, and the verdict. It may be made in several sittings."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from cli.embedded import die_with_parent
from streams import kafka
from streams.settings import Clock, Settings
from streams.topics import plan
from tests.fault import commits
from tests.fault.commits import Sampler
from tests.fault.faults import FAULTS, ROOM, SESSION_TIMEOUT_S, Place, schedule
from tests.fault.fleet import ROOT, Fleet
from tests.fault.journal import Journal
from tests.fault.judge import effects_left, judge
from tests.fault.load import At, Load, recall
from tests.fault.servers import UNWRITTEN_S, Store
from tests.fault.summary import summary_of
from tests.fault.watch import Recovery, Watch
from tests.servers_kafka import Broker

#: A fault not recovered from within the run's patience: until then only workers come to harm, when all are at work, and slowly.
PATIENT_PAUSE_S = 8.0
#: What has not recovered by then is not going to.
STUCK_S = 1200.0
#: Published effects leave the states with a later sweep; those that are there after so long are for the verdict.
EFFECTS_S = 180.0
PROGRESS_S = 1.0


class Options(msgspec.Struct, kw_only=True):
    """What a run is. Kept in its directory, for the next sitting."""

    seed: int
    faults: dict[str, int]
    workers: int
    rate: float
    customers: int
    partitions: int
    pause_s: float
    redis: str
    clock: Clock
    patience_s: float = 45.0
    links: float = 0.0  # shares of the load
    unlinks: float = 0.0
    warm_up_s: float = 12.0  # before the first fault
    quiet_s: float = 8.0  # after everything was read: time for ticks and cleanings


class Stuck(Exception):
    """The service does not recover."""


class Run:
    def __init__(self, options: Options, directory: Path, broker: Broker) -> None:
        self.options, self.directory, self.broker = options, directory, broker
        self.journal = Journal(directory / "journal.jsonl")
        self.store = Store(options.redis, directory / "store", self._rng("store"), self._lost)
        self.settings = Settings(
            kafka=broker.bootstrap,
            redis=self.store.url,
            partitions=options.partitions,
            clock=options.clock,
            session_timeout_s=SESSION_TIMEOUT_S,
            expire_idle_days=0,  # the simulation has worlds for it; the verdict here knows no void events
            http_port=-1,
        )
        self.fleet = Fleet(directory, _environment(self.settings), self._rng("fleet"), self.journal.tell)
        self.fleet.wanted = options.workers
        self.watch = Watch(broker.bootstrap, lambda: self.store.server.url, options.partitions, self._recovered)
        self.commits = Sampler(directory / commits.NAME, broker.bootstrap, self.settings.group, options.partitions)
        self.position = directory / "load.json"

    def _rng(self, purpose: object) -> Random:
        return Random(f"{self.options.seed} {purpose}")

    def _lost(self, since_s: float, until_s: float) -> None:
        self.journal.tell("lost", since_s=since_s, until_s=until_s)

    def _recovered(self, recovery: Recovery, took_s: float) -> None:
        self.journal.tell("recovered", fault=recovery.fault, number=recovery.number, took_s=round(took_s, 2), lag=self.watch.lag)

    # -- faults -----------------------------------------------------------------------------------------------------------------

    async def faults(self) -> None:
        """Those that no sitting before has done; some at the same time."""
        await asyncio.sleep(self.options.warm_up_s)
        done = {entry["number"] for entry in self.journal.of("fault")}
        order = enumerate(schedule(self.options.faults, self._rng("order")), 1)
        pending = {number: name for number, name in order if number not in done}
        under_way: dict[asyncio.Task[None], str] = {}
        pace = self._rng(f"pace after {len(done)}")
        try:
            while pending or under_way:
                under_way = {task: target for task, target in under_way.items() if not task.done()}
                patient = self.watch.oldest_s() > self.options.patience_s
                if self.watch.oldest_s() > STUCK_S:
                    raise Stuck(f"after {STUCK_S:.0f} s the lag is {self.watch.lag}")
                number = _first(pending, Counter(under_way.values()), patient)
                if number is None or (patient and not self.fleet.complete):
                    await asyncio.sleep(0.2)
                    continue
                name = pending.pop(number)
                under_way[asyncio.create_task(self._fault(number, name))] = FAULTS[name].target
                await asyncio.sleep(PATIENT_PAUSE_S if patient else pace.uniform(0.2, self.options.pause_s))
        finally:
            for task in under_way:
                task.cancel()

    async def _fault(self, number: int, name: str) -> None:
        recovery = self.watch.begins(number, name)
        lag = self.watch.lag
        place = Place(self.fleet, self.store, self.broker, self.options.workers, self._rng(f"fault {number}"), recovery.strikes)
        try:
            done = await FAULTS[name].does(place)
        except Exception as error:
            self.journal.tell("problem", what=f"the harness could not do {name}: {error!r}")
            done = {"failed": True}
        recovery.over = True
        self.journal.tell("fault", number=number, name=name, **done, lag_before=lag, lag=self.watch.lag)

    # -- the end ----------------------------------------------------------------------------------------------------------------

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
        await self._effects_are_gone()

    async def _effects_are_gone(self) -> None:
        """For a while: after a long lag, ticks go on bringing some when all has long been read."""
        patience = time.monotonic() + EFFECTS_S
        gone_since = time.monotonic()
        while time.monotonic() < patience and time.monotonic() - gone_since < self.options.quiet_s:
            if await asyncio.to_thread(effects_left, self.store.server.url):
                gone_since = time.monotonic()
            await asyncio.sleep(0.5)

    async def progress(self) -> None:
        """A line at the bottom of a terminal, until cancelled."""
        of = sum(self.options.faults.values())
        while True:
            done, load = len(self.journal.of("fault")), self.loaded()
            lag = "away" if self.watch.lag is None else f"{self.watch.lag:,}"
            self.journal.progress(f"{done} of {of} faults · {load.sent:,} events · lag {lag} · {self.journal.now_s / 60:.0f} min")
            await asyncio.sleep(PROGRESS_S)

    def loaded(self) -> At:
        return recall(self.position)


def _first(pending: dict[int, str], busy: Counter[str], patient: bool) -> int | None:
    """The first in the order that can come now."""
    for number, name in pending.items():
        target = FAULTS[name].target
        if busy[target] < ROOM[target] and (target == "workers" or not patient):
            return number
    return None


async def fault_run(options: Options, directory: Path, broker: Broker) -> tuple[dict[str, Any], bool]:
    """The summary, and whether all was right. Cancelled, or killed, it can be called again, and goes on."""
    run = Run(options, directory, broker)
    journal, owed = run.journal, directory / "owed"
    try:
        if journal.entries and owed.exists():  # the end of the last sitting was Redis's as well
            run._lost(owed.stat().st_mtime - UNWRITTEN_S, time.time())
        journal.tell("sitting", broker=broker.name, store=options.redis, seed=options.seed, faults=options.faults)
        async with kafka.admin(broker.bootstrap) as admin:
            made = await admin.create_topics(plan(run.settings, create_time=True))
        if refused := [topic for topic in made if topic.error]:
            raise RuntimeError(f"topics could not be made: {refused}")
        await run.store.open()
        await _under_load(run)
        exits = await run.fleet.stop_all()
        await run.commits.finish()
        journal.tell("quiet", exits=exits, seconds=journal.now_s)
        if any(exits):
            journal.tell("problem", what=f"workers that were asked to end did not end well: {exits}")
        began = time.monotonic()
        lost = [(entry["since_s"], entry["until_s"]) for entry in journal.of("lost")]
        verdict = await judge(broker.bootstrap, run.store.server.url, owed, lost, run.store.witnesses())
        return summary_of(journal, verdict, run.loaded(), directory, judging_s=time.monotonic() - began)
    finally:
        run.fleet.end()
        run.store.end()


async def _under_load(run: Run) -> None:
    async with _beside(run.fleet.supervise(), run.watch.run(), run.commits.run(), run.store.remember(), run.progress()):
        load = None if run.journal.of("load ended") else _start_load(run)
        try:
            await run.faults()
            run.journal.tell("no more faults", lag=run.watch.lag)
            if load is not None:
                load.send_signal(signal.SIGTERM)
                await asyncio.to_thread(load.wait, timeout=120)
                run.journal.tell("load ended", sent=run.loaded().sent)
            await run.settle()
        except Stuck as stuck:
            run.journal.tell("problem", what=f"stuck: {stuck}")
        finally:
            if load is not None:
                load.kill()
                load.wait()


def _start_load(run: Run) -> subprocess.Popen[bytes]:
    options = run.options
    load = Load(
        kafka=run.broker.bootstrap,
        file=str(run.position),
        seed=options.seed,
        rate=options.rate,
        customers=options.customers,
        links=options.links,
        unlinks=options.unlinks,
    )
    command = [sys.executable, "-m", "tests.fault.load", msgspec.json.encode(load).decode()]
    with (run.directory / "load.log").open("ab") as log:
        return subprocess.Popen(
            command, stdout=log, stderr=log, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, preexec_fn=die_with_parent()
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


def _environment(settings: Settings) -> dict[str, str]:
    return {f"PORTRAIT_{name.upper()}": str(value) for name, value in msgspec.structs.asdict(settings).items()}
