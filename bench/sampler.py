"""Where a worker's CPU time goes, by layer: the main thread's stack, looked at whenever the process has used so much CPU.

Each look weighs what the main thread has used since the last one. A signal asks for it, not a thread: a thread gets its turn most
often where the code lets go of the interpreter's lock, and would see too much of that. The other threads are the consumer's.
"""

from __future__ import annotations

import signal
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
    ("streams/transport.py", frozenset(), "faust"),
    ("/faust/", frozenset(), "faust"),
    ("/mode/", frozenset(), "faust"),
    ("asyncio/runners.py", frozenset(), "event loop"),
)
FETCH = "fetch"
TICKS = "of it for ticks"


class Sampler:
    """Begins at `start`, in the main thread; `shares` may be asked at any time."""

    def __init__(self) -> None:
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._main_s = self._process_s = self._last_s = 0.0

    def start(self) -> None:
        self._main_s = self._last_s = time.thread_time()
        self._process_s = time.process_time()
        signal.signal(signal.SIGPROF, self._look)
        signal.setitimer(signal.ITIMER_PROF, INTERVAL_S, INTERVAL_S)

    def _look(self, _: int, frame: FrameType | None) -> None:
        spent_s = time.thread_time() - self._last_s
        layer, ticks = layer_of(frame)
        self._seconds[layer] += spent_s
        if ticks:
            self._seconds[TICKS] += spent_s
        self._last_s = time.thread_time()  # the looking itself counts for nobody

    def shares(self) -> dict[str, float]:
        """Shares of the CPU time, greatest first. Ticks are counted again, beside the layers."""
        signal.setitimer(signal.ITIMER_PROF, 0)
        main_s = time.thread_time() - self._main_s
        seconds = dict(self._seconds)
        seconds[FETCH] = seconds.get(FETCH, 0.0) + time.process_time() - self._process_s - main_s
        total = sum(spent for layer, spent in seconds.items() if layer != TICKS) or 1.0
        return {layer: round(spent / total, 4) for layer, spent in sorted(seconds.items(), key=lambda item: -item[1])}


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
