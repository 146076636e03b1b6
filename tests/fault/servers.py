"""Redis or Valkey that comes to harm: killed, set back by seconds or minutes, emptied, stopped, full, rude to its clients."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections import deque
from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.servers_kafka import free_port
from tests.servers_redis import RedisServer, ServerMissing, find_server

#: A rewrite makes an older length of the file meaningless, so it comes seldom: the log of some minutes is larger than this.
OPTIONS = (
    "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes", "--appendfsync", "everysec", "--maxmemory-policy", "noeviction",
    "--auto-aof-rewrite-percentage", "100", "--auto-aof-rewrite-min-size", "512mb",
)  # fmt: skip
SAMPLES = 400
#: A power cut may also tear the last record.
TORN_BYTES_MAX = 300
#: The file's length is looked at so often.
LOOK_S = 0.5


class Length(NamedTuple):
    """How long the append-only file was at a time. It is the last one that the manifest names."""

    at_s: float  # time.monotonic
    manifest: str
    size: int


class Store:
    """A server with an append-only file, which can be cut where it ended some seconds ago."""

    def __init__(self, kind: str, rng: Random) -> None:
        binary = find_server(kind)
        if binary is None:
            raise ServerMissing(f"no {kind} server on this machine: the fault run needs a native one")
        self._rng = rng
        self._directory = Path(tempfile.mkdtemp(prefix="portrait-fault-redis-"))
        self._lengths: deque[Length] = deque(maxlen=SAMPLES)
        self._backup: Path | None = None
        self._backup_at_s = 0.0
        self.gone: list[tuple[float, float]] = []  # what was written between these two (epoch seconds) is lost
        self.server = RedisServer([binary, *OPTIONS], port=free_port(), directory=str(self._directory))
        self.url = self.server.url

    @property
    def _files(self) -> Path:
        return self._directory / "appendonlydir"

    def _now(self) -> Length | None:
        """None in the middle of a rewrite."""
        try:
            manifest = (self._files / "appendonly.aof.manifest").read_text()
            return Length(time.monotonic(), manifest, self._last(manifest).stat().st_size)
        except (OSError, IndexError):
            return None

    def _last(self, manifest: str) -> Path:
        return self._files / manifest.splitlines()[-1].split()[1]

    def remember(self) -> None:
        """To be called now and then."""
        if length := self._now():
            self._lengths.append(length)

    def kill(self) -> None:
        self.server.kill9()

    def start(self) -> None:
        self.server.start()

    def cut(self, seconds: float) -> tuple[float, int]:
        """While it is down: take away what was written in the last ``seconds``, or since the last rewrite. Seconds and bytes."""
        present = self._now()
        if present is None:
            return 0.0, 0
        known = [length for length in self._lengths if length.manifest == present.manifest]
        old = [length for length in known if present.at_s - length.at_s >= seconds] or known[:1]
        if not old:
            return 0.0, 0
        size = max(0, min(old[-1].size, present.size) - self._rng.randrange(TORN_BYTES_MAX))
        os.truncate(self._last(present.manifest), size)
        self._lose(present.at_s - old[-1].at_s + LOOK_S)
        return present.at_s - old[-1].at_s, present.size - size

    def back_up(self) -> bool:
        """A copy of the files as they are. False in the middle of a rewrite."""
        copy, before = self._directory / "backup", self._now()
        shutil.rmtree(copy, ignore_errors=True)
        try:
            shutil.copytree(self._files, copy)
        except (OSError, shutil.Error):
            return False
        after = self._now()
        self._backup, self._backup_at_s = copy, before.at_s if before else 0.0
        return before is not None and after is not None and before.manifest == after.manifest

    def restore(self) -> None:
        """While it is down."""
        if self._backup is None:
            raise RuntimeError("there is no backup")
        shutil.rmtree(self._files)
        shutil.copytree(self._backup, self._files)
        self._lengths.clear()
        self._lose(time.monotonic() - self._backup_at_s)

    def wipe(self) -> None:
        with self.server.client() as client:
            client.flushall()
        self._lose(time.time())

    def _lose(self, seconds: float) -> None:
        self.gone.append((time.time() - seconds, time.time()))

    def hang(self, on: bool) -> None:
        """Neither answers nor refuses."""
        process = self.server._process
        if process is not None:
            process.send_signal(signal.SIGSTOP if on else signal.SIGCONT)

    def fill(self, on: bool) -> None:
        with self.server.client() as client:
            client.config_set("maxmemory", 1_000_000 if on else 0)

    def disconnect(self) -> None:
        """All clients, whatever they are in the middle of."""
        with self.server.client() as client:
            client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")

    def stop(self) -> None:
        self.hang(False)
        self.server.stop()
