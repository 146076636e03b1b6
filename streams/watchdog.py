"""Ends a worker that no longer works, with a reason, so that a supervisor starts another.

Whoever waits for a store or a broker tries again and again, and each try is a sign of life. What gives none is held against the
worker only while Kafka answers somebody else. Looks are counted, not the clock: a process that was stopped for an hour, by a
signal or with its whole machine, is not to blame for it.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import traceback
from collections.abc import Awaitable, Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager

import structlog

LOOK_S = 5.0
#: Silence after which Kafka is asked whether it is there; after which /livez fails; after which the process ends.
ASK_LOOKS, PROBLEM_LOOKS, STALLED_LOOKS = 6, 12, 24
BEAT_S = 1.0
BLOCKED_BEATS = 60
LAST_WORDS_S = 5.0
EXIT_STALLED = 70
FRAMES = 8

log = structlog.get_logger()


class Watched:
    """Something that should give signs of life, and for how many looks it has given none."""

    def __init__(self, trouble: str, sign: Callable[[], Hashable]) -> None:
        """``sign``: other than at the last look means life; None: there is nothing to do. ``trouble``: what its absence means."""
        self.trouble = trouble
        self.looks = 0
        self._sign = sign
        self._last: Hashable = None

    def look(self) -> int:
        before, self._last = self._last, self._sign()
        self.looks = 0 if self._last is None or self._last != before else self.looks + 1
        return self.looks


class Watchdog:
    """Looks after what runs in the event loop. ``die`` is called with the reason."""

    def __init__(
        self, watched: Sequence[Watched], kafka_answers: Callable[[], Awaitable[bool]], die: Callable[[str], object]
    ) -> None:
        self._watched, self._kafka_answers, self._die = watched, kafka_answers, die

    async def look(self) -> None:
        """Once every LOOK_S."""
        if max([watched.look() for watched in self._watched], default=0) < ASK_LOOKS:
            return
        if not await self._kafka_answers():
            log.warning("nothing moves, and Kafka does not answer: waiting")
            for watched in self._watched:
                watched.looks = 0
        for watched in self._watched:
            if watched.looks >= STALLED_LOOKS:
                self._die(_told(watched))

    def problems(self) -> Sequence[str]:
        """What is wrong already, though not yet for long enough."""
        return [_told(watched) for watched in self._watched if watched.looks >= PROBLEM_LOOKS]


def _told(watched: Watched) -> str:
    return f"{watched.trouble} for {watched.looks * LOOK_S:.0f} s"


class LoopGuard:
    """A thread that ends the process when the event loop stands still: nothing that runs in the loop could notice that."""

    def __init__(self, die: Callable[[str], object]) -> None:
        self._die = die
        self._beats = 0
        self._ended = threading.Event()
        self._loop_thread = threading.get_ident()

    async def beat(self) -> None:
        """Once every BEAT_S, from the loop."""
        self._beats += 1

    @contextmanager
    def on_guard(self) -> Iterator[None]:
        threading.Thread(target=self._watch, name="loop guard", daemon=True).start()
        try:
            yield
        finally:
            self._ended.set()

    def _watch(self) -> None:
        seen, missed = -1, 0
        while not self._ended.wait(BEAT_S):
            missed = missed + 1 if self._beats == seen else 0
            seen = self._beats
            if missed >= BLOCKED_BEATS:
                self._end(f"the event loop has not turned for {missed * BEAT_S:.0f} s; it stands in\n{self._where()}")

    def _where(self) -> str:
        """Files, lines and the source there; no values, which may be personal data."""
        frame = sys._current_frames().get(self._loop_thread)
        return "".join(traceback.format_stack(frame)[-FRAMES:])

    def _end(self, reason: str) -> None:
        """Leaves even if the log is what the loop hangs in."""
        threading.Thread(target=self._die, args=(reason,), daemon=True).start()
        time.sleep(LAST_WORDS_S)
        os._exit(EXIT_STALLED)
