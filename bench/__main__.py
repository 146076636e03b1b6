"""``python -m bench`` (`make bench`): speed and size beside peers, in one run; the last line is JSON. See docs/benchmarks.md."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from bench import latency, linking, reads, report, sizes, throughput
from bench.events import DAY_MS, EVENTS, SPAN_MS
from bench.machine import machine
from bench.servers import Servers, has_store, servers, store

PARTS = ("bytes", "read", "latency", "link", "throughput", "second", "where", "live")
WITH_KAFKA = frozenset(PARTS[2:])
FEW_EVENTS, MANY_EVENTS = 100, 10_000
SECOND_WORKER_ROUNDS = LIVE_ROUNDS = 3
LIVE_DAYS = 1.0
HOUR_MS = 3_600_000
LINE_CHARS = 160  # of a table that goes into a file


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How much of everything."""

    parts: tuple[str, ...]
    store: str
    events: int
    span_days: float
    rounds: int
    seed: int
    latency_seconds: int
    latency_rate: int
    warm_up: int
    few_profiles: int  # with FEW_EVENTS each
    many_profiles: int  # with MANY_EVENTS each
    reads: int
    quick: bool


def main() -> None:
    plan = _plan(sys.argv[1:])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that servers and workers end with it
    console = Console(stderr=True, highlight=False)
    bar = Progress(
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=console, transient=True
    )
    with bar:
        bench = Bench(plan, bar)
        bench.run()
    figures = bench.figures
    out = Console(highlight=False, width=None if sys.stdout.isatty() else LINE_CHARS)
    for title, heads, rows in report.tables(figures, bench.sizes):
        table = Table(*heads, title=title, title_justify="left", box=None)
        for row in rows:
            table.add_row(*row)
        out.print(table, "")
    if set(plan.parts) == set(PARTS) and not plan.quick:
        _write(figures, bench.sizes)
    print(msgspec.json.encode(figures).decode())


def _write(figures: report.Figures, found: list[sizes.Sizes]) -> None:
    everything = {**figures, "sizes": found}
    (report.DOCS / "benchmarks.json").write_bytes(msgspec.json.format(msgspec.json.encode(everything)) + b"\n")
    page = report.DOCS / "benchmarks.md"
    page.write_text(report.between_markers(page.read_text(), report.markdown(figures, found)))


def _plan(arguments: list[str]) -> Plan:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", metavar="NAME[,NAME]", help=f"of {', '.join(PARTS)}; without it all, and docs/ is written")
    parser.add_argument("--quick", action="store_true", help="a small run that only shows that everything works")
    parser.add_argument("--store", choices=("redis", "valkey"), default="valkey", help="what the figures are measured on")
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--span-days", type=float, default=SPAN_MS / DAY_MS, help="days that the events are spread over")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--latency-seconds", type=int, default=185)
    parser.add_argument("--latency-rate", type=int, default=1000)
    parser.add_argument("--warm-up", type=int, default=100_000, help="earlier events, before latency and links are measured")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    parts = tuple(given.only.split(",")) if given.only else PARTS
    if unknown := set(parts) - set(PARTS):
        parser.error(f"--only: there is no {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    quick = given.quick
    return Plan(
        parts=parts,
        store=given.store,
        events=min(given.events, 5000) if quick else given.events,
        span_days=given.span_days,
        rounds=1 if quick else given.rounds,
        seed=given.seed,
        latency_seconds=5 if quick else given.latency_seconds,
        latency_rate=given.latency_rate,
        warm_up=2000 if quick else given.warm_up,
        few_profiles=20 if quick else 1000,
        many_profiles=1 if quick else 20,
        reads=500 if quick else 20_000,
        quick=quick,
    )


class Bench:
    """One run, part by part; ``figures`` grow."""

    def __init__(self, plan: Plan, bar: Progress) -> None:
        self.plan, self._bar = plan, bar
        self.figures: report.Figures = {
            "date": datetime.now(UTC).date().isoformat(),
            "parts": list(plan.parts),
            "machine": machine(),
        }
        self.sizes: list[sizes.Sizes] = []
        # All of a run's events end at the same full hour just before it: a log that ends long ago would end in a storm of ticks.
        self._end_ms = time.time_ns() // 1_000_000 // HOUR_MS * HOUR_MS

    def run(self) -> None:
        began_s = time.monotonic()
        if {"bytes", "read"} & set(self.plan.parts):
            self._profiles()
        if WITH_KAFKA & set(self.plan.parts):
            with self._step("starting Kafka and the store"), contextlib.ExitStack() as stack:
                found = stack.enter_context(servers(self.plan.store))
                self._with_kafka(found)
        self.figures["seconds"] = round(time.monotonic() - began_s)

    def _say(self, text: str) -> None:
        self._bar.console.print(f"  {text}")

    @contextlib.contextmanager
    def _step(self, title: str, total: int | None = None) -> Any:
        """A bar; gives what to call for each step done."""
        task = self._bar.add_task(title, total=total)
        try:
            yield lambda: self._bar.advance(task)
        finally:
            self._bar.remove_task(task)

    def _profiles(self) -> None:
        plan = self.plan
        with self._step("profiles of a year", plan.few_profiles) as each:
            few = sizes.profiles(plan.few_profiles, FEW_EVENTS, self._end_ms, each)
        if "bytes" in plan.parts:
            with self._step("profiles of many events", plan.many_profiles) as each:
                many = sizes.profiles(plan.many_profiles, MANY_EVENTS, self._end_ms, each)
            kinds = [plan.store, *(kind for kind in ("valkey", "redis") if kind != plan.store and has_store(kind))]
            with self._step("their bytes"):
                self.sizes = sizes.run(kinds, few, many, FEW_EVENTS, MANY_EVENTS)
            self.figures |= report.of_sizes(self.sizes)
        if "read" in plan.parts:
            with self._step("reading"), store(plan.store) as found:
                self.figures["store"] = found.name
                sizes.fill(found, few)
                self.figures |= report.of_reads(reads.run(found.url, [write.id for write in few], plan.reads, plan.seed))

    def _with_kafka(self, found: Servers) -> None:
        plan = self.plan
        self.figures |= {"kafka": found.kafka_name, "store": found.store.name}
        if "latency" in plan.parts:
            with self._step("publishing to readable, open loop"):
                measured = latency.run(found, plan.latency_rate, plan.latency_seconds, plan.warm_up, plan.seed + 1, self._say)
            self.figures |= report.of_latency(measured)
        if "link" in plan.parts:
            with self._step("links and their ends"):
                seen = linking.run(found, plan.latency_rate, plan.latency_seconds, plan.warm_up, plan.seed, self._say)
            self.figures |= report.of_linking(seen)
        if {"throughput", "second", "where"} & set(plan.parts):
            with self._step("filling the log", plan.events) as each:
                throughput.prepare(found, plan.events, plan.seed, plan.span_days, self._end_ms, each)
            self.figures["span_days"] = plan.span_days
        for part, work in (("throughput", self._throughput), ("second", self._second), ("where", self._where)):
            if part in plan.parts:
                self.figures |= work(found)
        if "live" in plan.parts:
            self.figures |= self._live(found)

    def _throughput(self, found: Servers) -> report.Figures:
        names = ["ours", *report.PEERS]
        with self._step("rounds", self.plan.rounds * len(names)) as each:
            done = throughput.rounds(found, names, self.plan.events, self.plan.rounds, self._each(each))
        return report.of_rounds(done)

    def _each(self, each: Callable[[], None]) -> Callable[[str], None]:
        def say(text: str) -> None:
            each()
            self._say(text)

        return say

    def _second(self, found: Servers) -> report.Figures:
        pairs = []
        for _ in range(1 if self.plan.quick else SECOND_WORKER_ROUNDS):
            with self._step("one worker, then two"):
                one = throughput.run_one(found, "ours", self.plan.events)
                pairs.append((one, throughput.run_one(found, "ours", self.plan.events, workers=2)))
            self._say(f"one worker {pairs[-1][0].per_s:,.0f}, two {pairs[-1][1].per_s:,.0f} events/s")
        return report.of_second_worker(pairs)

    def _where(self, found: Servers) -> report.Figures:
        with self._step("where the time goes"):
            return report.of_where(throughput.run_one(found, "ours", self.plan.events, sample=True))

    def _live(self, found: Servers) -> report.Figures:
        """As many events within one day, as a live stream has them: next to no silence in between."""
        plan, names = self.plan, ["ours", *report.LIVE_PEERS]
        with self._step("filling the log with one day", plan.events) as each:
            throughput.prepare(found, plan.events, plan.seed, LIVE_DAYS, self._end_ms, each)
        times = 1 if plan.quick else LIVE_ROUNDS
        with self._step("rounds of one day", times * len(names)) as each:
            return report.of_live(throughput.rounds(found, names, plan.events, times, self._each(each)))


if __name__ == "__main__":
    main()
