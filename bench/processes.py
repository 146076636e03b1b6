"""Child processes of the benchmark: started with their settings, read line by line, ended in any case."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence

LOG_BYTES_SHOWN = 3000


class Child:
    """A running ``python -m MODULE``. Its errors go to a file, of which a failure shows the end."""

    def __init__(self, arguments: Sequence[str], settings: Mapping[str, str]) -> None:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("PORTRAIT_")}
        environ |= {f"PORTRAIT_{name.upper()}": value for name, value in settings.items()}
        self._name = " ".join(arguments)
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `end`
        self._process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def line(self, timeout_s: float) -> bytes:
        """The next line of its output. Raises RuntimeError if it ends or takes too long."""
        watchdog = threading.Timer(timeout_s, self._process.kill)
        watchdog.start()
        try:
            assert self._process.stdout is not None
            line = self._process.stdout.readline()
        finally:
            watchdog.cancel()
        if not line:
            self._process.wait()
            self._errors.seek(0)
            tail = self._errors.read()[-LOG_BYTES_SHOWN:].decode(errors="replace")
            raise RuntimeError(f"{self._name} ended with {self._process.returncode}, or took over {timeout_s:.0f} s:\n{tail}")
        return line

    def alive(self) -> bool:
        return self._process.poll() is None

    def end(self) -> None:
        """At once: what it knows has been told, and the next one starts from an empty store."""
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._errors.close()


@contextlib.contextmanager
def child(*arguments: str, **settings: str) -> Iterator[Child]:
    """``python -m`` with these arguments; ``settings`` become PORTRAIT_*."""
    process = Child(arguments, settings)
    try:
        yield process
    finally:
        process.end()
