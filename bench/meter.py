"""The stopwatch that every contender carries: from the first record handed over to the last one done. And its CPU time.

All contenders are measured from within by the same few lines, so start-up, joining the group and the first fetch count for none.
"""

from __future__ import annotations

import resource
import sys
import time
from typing import Any

import msgspec


class Measured(msgspec.Struct, kw_only=True):
    """One process's run. Nanoseconds are of the monotonic clock, which all processes of a machine share."""

    events: int
    first_ns: int
    last_ns: int
    cpu_s: float  # of this process, all threads, user and system, between the two
    memory_mb: float  # the most it had resident
    counts: dict[str, float] = {}  # what else happened, by name
    where: dict[str, float] = {}  # share of the CPU time by layer, if it was sampled

    @property
    def seconds(self) -> float:
        return (self.last_ns - self.first_ns) / 1e9

    @property
    def per_s(self) -> float:
        return self.events / self.seconds


def cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


class Meter:
    """`begin` at the first record, `done` after the last; both may be called again, and the first call counts."""

    def __init__(self) -> None:
        self.first_ns = 0
        self._cpu_s = 0.0
        self._reported = False

    def begin(self) -> None:
        if not self.first_ns:
            self.first_ns, self._cpu_s = time.monotonic_ns(), cpu_s()

    def done(self, events: int, **more: Any) -> None:
        """Report on stdout, once. The parent ends the process when it has read that."""
        if self._reported:
            return
        self._reported = True
        last_ns, used_s = time.monotonic_ns(), cpu_s() - self._cpu_s
        memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        measured = Measured(events=events, first_ns=self.first_ns, last_ns=last_ns, cpu_s=used_s, memory_mb=memory_mb, **more)
        sys.stdout.buffer.write(msgspec.json.encode(measured) + b"\n")
        sys.stdout.buffer.flush()


class Counter:
    """A meter for a known number of events."""

    def __init__(self, expected: int) -> None:
        self._meter, self._expected, self._seen = Meter(), expected, 0

    def begin(self) -> None:
        self._meter.begin()

    def count(self, events: int) -> None:
        self._seen += events
        if self._seen >= self._expected:
            self._meter.done(self._seen)
