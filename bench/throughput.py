"""Events a second of the contenders, in interleaved rounds over the same events in the same log."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence

import msgspec

from bench.events import DAY_MS, events
from bench.meter import Measured
from bench.preload import preload
from bench.processes import child
from bench.servers import Servers
from schemas.registry import ACTIONS, DEAD_LETTERS, LESSONS, MODELS

TIMEOUT_S = 300.0
#: The naive contender is some ten times slower, so it gets a slice.
SLICES = {"naive": 20_000}
OUTPUTS = frozenset({ACTIONS, DEAD_LETTERS, LESSONS, MODELS})

Say = Callable[[str], None]


class Run(msgspec.Struct, kw_only=True):
    """One contender in one round: its processes, and what the store's server used of the CPU meanwhile."""

    name: str
    workers: list[Measured]
    store_cpu_s: float

    @property
    def events(self) -> int:
        return sum(worker.events for worker in self.workers)

    @property
    def per_s(self) -> float:
        """From the first record of any of the workers to the last of all."""
        began, ended = min(w.first_ns for w in self.workers), max(w.last_ns for w in self.workers)
        return self.events * 1e9 / (ended - began)

    @property
    def cpu_us_per_event(self) -> float:
        return sum(worker.cpu_s for worker in self.workers) * 1e6 / self.events

    @property
    def store_cpu_us_per_event(self) -> float:
        return self.store_cpu_s * 1e6 / self.events


def prepare(servers: Servers, count: int, seed: int, span_days: float, end_ms: int, each: Callable[[], None]) -> None:
    """All topics anew, and the events of all rounds in them."""
    servers.fresh_topics()
    preload(servers.kafka, events(count, seed=seed, start_ms=end_ms - int(span_days * DAY_MS), end_ms=end_ms), each)


def run_one(servers: Servers, name: str, count: int, *, workers: int = 1, sample: bool = False) -> Run:
    """One contender over the events: new group, empty store, empty topics of output."""
    servers.fresh_topics(OUTPUTS)
    with servers.store.client() as client:
        client.flushall()
    settings = {
        "kafka": servers.kafka,
        "redis": servers.store.url,
        "group": f"bench-{secrets.token_hex(4)}",
        "http_port": "-1",
        "log_level": "WARNING",
    }
    wanted = min(count, SLICES.get(name, count))
    arguments = ["bench.contenders", name, "--events", str(wanted), "--workers", str(workers), *(["--sample"] if sample else [])]
    before_s = servers.store.cpu_s()
    measured = _measure(arguments, settings, workers)
    return Run(name=name, workers=measured, store_cpu_s=servers.store.cpu_s() - before_s)


def _measure(arguments: Sequence[str], settings: dict[str, str], workers: int) -> list[Measured]:
    """The workers' reports. None is ended before all have reported: a rebalance would disturb the others."""
    with child(*arguments, **settings) as first:
        others = [child(*arguments, **settings) for _ in range(workers - 1)]
        started = [first, *(other.__enter__() for other in others)]
        try:
            return [msgspec.json.decode(process.line(TIMEOUT_S), type=Measured) for process in started]
        finally:
            for other in others:
                other.__exit__(None, None, None)


def rounds(servers: Servers, names: Sequence[str], count: int, times: int, say: Say) -> list[dict[str, Run]]:
    """``times`` rounds of all contenders in turn: A B C D A B C D."""
    done: list[dict[str, Run]] = []
    for number in range(1, times + 1):
        found: dict[str, Run] = {}
        for name in names:
            found[name] = run_one(servers, name, count)
            say(
                f"round {number} of {times}  {name:13} {found[name].per_s:9,.0f} events/s  "
                f"{found[name].cpu_us_per_event:5.0f} us CPU an event"
            )
        done.append(found)
    return done
