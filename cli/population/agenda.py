"""The clock of the simulated world: processes that sleep, one heap, and what they emit.

A process is a generator that yields how many milliseconds it sleeps. The heap wakes the earliest; what it emits while awake
is handed on in time order. Memory is bounded by the processes that are asleep: a few a customer.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from datetime import datetime, timedelta, timezone
from heapq import heappop, heappush
from math import log
from random import Random
from typing import Any, NamedTuple, TypeVar

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

Process = Generator[int, None, None]
T = TypeVar("T")


#: Which of a company's applications would publish to a topic; all others: the shop.
SOURCES = {
    "complaints": "/simulator/service",
    "feedback": "/simulator/service",
    "customers": "/simulator/crm",
    "contacts": "/simulator/campaigns",
    "social-mentions": "/simulator/listening",
}


class Emitted(NamedTuple):
    """One event: when, to which topic, under which key, and its CloudEvents envelope (ready for JSON)."""

    time_ms: int
    topic: str
    key: str
    event: dict[str, Any]


class Agenda:
    """What happens next, and the one source of chance.

    ``now_ms`` is simulated time, ``present_ms`` the time that events carry. The two are the same in a history. Live, the
    world runs faster than the wall clock, ``pace`` times, and events carry the wall clock's time.
    """

    def __init__(self, rng: Random, start_ms: int) -> None:
        self.rng = rng
        self.now_ms = self.present_ms = start_ms
        self.pace = 1.0
        self.emitted = 0
        self._run = f"{rng.getrandbits(32):08x}{start_ms // 1000:08x}"
        #: Chance of what colours a life and changes nothing in it: places, answers, attributes.
        self.colour = Random(self._run)
        self._heap: list[tuple[int, int, Process]] = []
        self._started = 0
        self._numbers = 0
        self._outbox: list[Emitted] = []
        self._zones: dict[int, timezone] = {}

    def start(self, process: Process, after_ms: int = 0) -> None:
        """Let ``process`` run, from ``after_ms`` on."""
        self._started += 1
        heappush(self._heap, (self.now_ms + after_ms, self._started, process))

    def run(self, until_ms: int | None, clock_ms: Callable[[], int] | None = None) -> Iterator[Emitted]:
        """Events before ``until_ms`` in time order; call it again to go on. With ``clock_ms`` they carry its time."""
        heap, outbox = self._heap, self._outbox
        while heap and (until_ms is None or heap[0][0] < until_ms):
            self.now_ms, number, process = heappop(heap)
            self.present_ms = clock_ms() if clock_ms else self.now_ms
            sleep_ms = next(process, None)
            if sleep_ms is not None:
                heappush(heap, (self.now_ms + max(1, sleep_ms), number, process))
            if outbox:
                yield from outbox
                outbox.clear()

    def emit(self, topic: str, type_: str, key: str, offset_min: int, data: dict[str, Any]) -> None:
        """Publish an event of this moment; ``offset_min`` is the customer's offset from UTC."""
        self.emitted += 1
        event = {
            "specversion": "1.0",
            "id": f"{self._run}-{self.emitted:x}",
            "source": SOURCES.get(topic, "/simulator/shop"),
            "type": type_,
            "time": self.iso(self.present_ms, offset_min),
            "datacontenttype": "application/json",
            "data": data,
        }
        self._outbox.append(Emitted(self.present_ms, topic, key, event))

    def iso(self, time_ms: int, offset_min: int) -> str:
        """RFC 3339 with the customer's offset."""
        zone = self._zones.get(offset_min)
        if zone is None:
            zone = self._zones[offset_min] = timezone(timedelta(minutes=offset_min))
        return datetime.fromtimestamp(time_ms / 1000, zone).isoformat(timespec="milliseconds")

    def later(self, delay_ms: int) -> int:
        """The time that events will carry after ``delay_ms`` of simulated time."""
        return self.present_ms + round(delay_ms / self.pace)

    def number(self, prefix: str) -> str:
        """A new identifier of this run: an order, a session, a message."""
        self._numbers += 1
        return f"{prefix}{self._run[:6]}{self._numbers:06d}"

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def pick(self, options: Sequence[T]) -> T:
        return options[int(self.rng.random() * len(options))]

    def tint(self, options: Sequence[T]) -> T:
        """One of ``options``, as `pick`, by the chance that changes nobody's fate."""
        return options[int(self.colour.random() * len(options))]

    def days(self, mean: float) -> int:
        """A waiting time without memory, in milliseconds, of ``mean`` days."""
        return int(-log(1.0 - self.rng.random()) * mean * DAY_MS)

    def between(self, low_ms: int, high_ms: int) -> int:
        return low_ms + int(self.rng.random() * (high_ms - low_ms))

    def until_hour(self, delay_ms: int, hours: Sequence[int], offset_min: int) -> int:
        """``delay_ms``, moved within its local day to one of ``hours`` (and at least a minute ahead)."""
        local_ms = self.now_ms + delay_ms + offset_min * MINUTE_MS
        wanted_ms = local_ms - local_ms % DAY_MS + self.pick(hours) * HOUR_MS + int(self.rng.random() * HOUR_MS)
        return max(MINUTE_MS, wanted_ms - offset_min * MINUTE_MS - self.now_ms)

    def hour(self, offset_min: int) -> int:
        """Local hour, 0 to 23."""
        return (self.now_ms + offset_min * MINUTE_MS) // HOUR_MS % 24

    def weekday(self, offset_min: int) -> int:
        """Local day of the week: 0 is Monday. (1970-01-01 was a Thursday.)"""
        return ((self.now_ms + offset_min * MINUTE_MS) // DAY_MS + 3) % 7
