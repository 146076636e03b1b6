"""Loggers that repeat themselves: while a broker is away aiokafka writes sixty lines a second, all of them the same."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

NOISY = (
    "aiokafka",
    "aiokafka.cluster",
    "aiokafka.conn",
    "aiokafka.consumer.fetcher",
    "aiokafka.consumer.group_coordinator",
    "aiokafka.producer.sender",
    "mode.timers",
)
INTERVAL_S = 30.0
#: Kinds of lines to remember, of each logger. They are the formats in a library's source, so this is never reached.
KINDS_MAX = 1000


class Seldom(logging.Filter):
    """Lets a line pass once an interval; lines of one kind have the same unformatted message. Those held back are counted."""

    def __init__(self, interval_s: float = INTERVAL_S, clock_s: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._interval_s, self._clock_s = interval_s, clock_s
        self._passed: dict[str, float] = {}
        self._held: dict[str, int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        kind, now = str(record.msg), self._clock_s()
        last = self._passed.get(kind)
        if last is not None and now - last < self._interval_s:
            self._held[kind] = self._held.get(kind, 0) + 1
            return False
        if len(self._passed) >= KINDS_MAX:
            self._passed.clear()
        self._passed[kind] = now
        if held := self._held.pop(kind, 0):
            record.msg = f"{record.getMessage()} (and {held} more like it)"
            record.args = ()
        return True


def calm() -> None:
    """Let the noisy loggers say the same thing twice a minute at most."""
    for name in NOISY:
        logger = logging.getLogger(name)
        if not any(isinstance(known, Seldom) for known in logger.filters):
            logger.addFilter(Seldom())
