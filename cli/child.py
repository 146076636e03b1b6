"""A worker as a child process, and its figures: for `portrait up`."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import aiohttp
import msgspec
from prometheus_client.parser import text_string_to_metric_families

import cli
from cli.embedded import HOST, die_with_parent, tail
from schemas.registry import ACTIONS, EVENT_TOPICS
from streams.settings import Settings

#: A worker finishes the batch under way, commits, and leaves its group.
STOP_TIMEOUT_S = 15.0
FIGURES_TIMEOUT_S = 2.0

#: The modules take seconds to load: that is done by the time that standard input ends, and not before does the worker begin.
_PROGRAM = "import sys, uvloop, streams.worker; sys.stdin.read(); from cli.main import main; main()"
_TOPICS = frozenset(topic.name for topic in EVENT_TOPICS)


class WorkerEnded(RuntimeError):
    """The worker is not there any more; the message ends with its last log lines."""


class Figures(NamedTuple):
    """What a worker has done since it started."""

    folded: int = 0
    actions: int = 0
    lag: int = 0  # unread events
    ticks: int = 0  # silent customers settled
    lessons: int = 0
    model: str = ""
    log_loss: float = 0.0


class Worker:
    """A worker process that has loaded, or is loading, what it needs. Made by `worker`."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, metrics_url: str) -> None:
        self.metrics_url = metrics_url
        self._process, self._log = process, log

    def begin(self) -> None:
        """Let it run. Raises WorkerEnded."""
        self.check()
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):  # the next `check` will tell
                self._process.stdin.close()

    def check(self) -> None:
        """Raises WorkerEnded."""
        if self._process.poll() is not None:
            raise WorkerEnded(
                f"the worker ended by itself (exit {self._process.returncode}). The end of its log:\n{tail(self._log)}"
            )

    async def figures(self) -> Figures | None:
        """None while it does not answer. Raises WorkerEnded."""
        self.check()
        timeout = aiohttp.ClientTimeout(total=FIGURES_TIMEOUT_S)
        try:
            async with aiohttp.ClientSession(timeout=timeout) as session, session.get(self.metrics_url) as answer:
                return read_figures(await answer.text())
        except (aiohttp.ClientError, TimeoutError):
            return None


@contextlib.contextmanager
def worker(settings: Settings) -> Iterator[Worker]:
    """A worker with these settings, its log in a file; it waits for `Worker.begin`. It ends with the block, and with this process
    whatever happens to it.

    What a user set in PORTRAIT_* beyond `settings` counts for it as well.
    """
    with tempfile.TemporaryDirectory(prefix="portrait-worker-") as scratch:
        log = Path(scratch, "worker.log")
        with log.open("wb") as lines:
            process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, "worker"],
                stdin=subprocess.PIPE,
                stdout=lines,
                stderr=subprocess.STDOUT,
                cwd=Path(cli.__file__).parent.parent,  # it looks there first: these sources, and no other `cli`
                env=environment(settings, os.environ),
                start_new_session=True,  # Ctrl-C is for us alone
                preexec_fn=die_with_parent(),
            )
        try:
            yield Worker(process, log, f"http://{HOST}:{settings.http_port}/metrics")
        finally:
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def environment(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    """``environ`` with all of ``settings`` in it, and no file that would override them."""
    ours = {f"PORTRAIT_{name.upper()}": str(value) for name, value in msgspec.structs.asdict(settings).items()}
    return {name: value for name, value in environ.items() if name.removesuffix("_FILE") not in ours} | ours


def read_figures(text: str) -> Figures:
    """From what /metrics answers."""
    found = Figures()
    for family in text_string_to_metric_families(text):
        for name, labels, value, *_ in family.samples:
            match name, labels:
                case "portrait_arrivals_total", {"outcome": "folded"}:
                    found = found._replace(folded=int(value))
                case "portrait_published_total", {"topic": topic} if topic == ACTIONS:
                    found = found._replace(actions=int(value))
                case "portrait_lag_records", {"topic": topic} if topic in _TOPICS:
                    found = found._replace(lag=found.lag + int(value))
                case "portrait_ticks_total", _:
                    found = found._replace(ticks=int(value))
                case "portrait_model_lessons", _:
                    found = found._replace(lessons=int(value))
                case "portrait_model_log_loss", _:
                    found = found._replace(log_loss=value)
                case "portrait_model_info", {"version": version} if value:
                    found = found._replace(model=version)
    return found
