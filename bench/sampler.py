"""Where a worker's CPU time goes, by layer: each thread's stack is looked at often, and weighted by the CPU that it used since.

Weighting by the thread's own CPU clock leaves out what merely waits. Like every sampler within the process it sees a thread
only where it may be interrupted, so a long call into C counts for the line that made it.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import defaultdict
from types import FrameType

INTERVAL_S = 0.002
#: The innermost frame that matches decides: (part of the file's path, functions or any, layer).
LAYERS: tuple[tuple[str, frozenset[str], str], ...] = (
    ("streams/profiles.py", frozenset({"_write", "_cleanings"}), "encode"),
    ("streams/intake.py", frozenset(), "decode"),
    ("schemas/event.py", frozenset(), "decode"),
    ("portrait/show.py", frozenset({"show"}), "view"),
    ("portrait/settle.py", frozenset({"settle", "rescore"}), "settle"),
    ("portrait/evolve.py", frozenset(), "evolve"),
    ("portrait/state.py", frozenset({"decode"}), "decode states"),
    ("portrait/state.py", frozenset({"encode"}), "encode"),
    ("profile_store/", frozenset(), "store"),
    ("streams/producer.py", frozenset(), "publish"),
    ("aiokafka/producer/", frozenset(), "publish"),
    ("streams/trainer.py", frozenset({"on_batch", "flush", "save"}), "trainer"),
    ("streams/tail.py", frozenset(), "trainer"),
    ("streams/metrics.py", frozenset(), "metrics"),
    ("streams/profiles.py", frozenset(), "loop"),
    ("streams/loop.py", frozenset(), "loop"),
    ("streams/transport.py", frozenset({"fetch_here"}), "fetch"),
    ("aiokafka/", frozenset(), "fetch"),
    ("/mode/threads.py", frozenset(), "fetch"),  # the thread of aiokafka's consumer
    ("streams/transport.py", frozenset(), "faust"),
    ("/faust/", frozenset(), "faust"),
    ("/mode/", frozenset(), "faust"),
    ("asyncio/runners.py", frozenset(), "event loop"),
)
TICKS = "of it for ticks"


class Sampler(threading.Thread):
    """Starts at `start`; `shares` may be asked at any time."""

    def __init__(self) -> None:
        super().__init__(daemon=True, name="sampler")
        self._seconds: defaultdict[str, float] = defaultdict(float)

    def run(self) -> None:
        before: dict[int, float] = {}
        while True:
            time.sleep(INTERVAL_S)
            frames = sys._current_frames()
            for ident, frame in frames.items():
                if ident == self.ident:
                    continue
                try:
                    used_s = time.clock_gettime(time.pthread_getcpuclockid(ident))
                except OSError:  # it has ended meanwhile
                    continue
                spent_s = used_s - before.get(ident, used_s)
                before[ident] = used_s
                if spent_s > 0:
                    self._count(frame, spent_s)
            del frames

    def _count(self, frame: FrameType, spent_s: float) -> None:
        layer, ticks = layer_of(frame)
        self._seconds[layer] += spent_s
        if ticks:
            self._seconds[TICKS] += spent_s

    def shares(self) -> dict[str, float]:
        """Shares of the CPU time seen, greatest first. Ticks are counted again, beside the layers."""
        total = sum(seconds for layer, seconds in self._seconds.items() if layer != TICKS) or 1.0
        return {layer: round(seconds / total, 4) for layer, seconds in sorted(self._seconds.items(), key=lambda item: -item[1])}


def layer_of(frame: FrameType | None) -> tuple[str, bool]:
    """The layer, and whether this is work for a tick."""
    layer, ticks = "", False
    while frame is not None:
        path, function = frame.f_code.co_filename, frame.f_code.co_name
        if not layer:
            layer = next((name for part, only, name in LAYERS if part in path and (not only or function in only)), "")
        ticks = ticks or (function == "_ticks" and path.endswith("streams/loop.py"))
        frame = frame.f_back
    return layer or "other", ticks
