"""Redis or Valkey that comes to harm: killed, set back by seconds or minutes, replaced by a replica, emptied, stopped, full."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple

from redis.exceptions import RedisError

from cli.embedded import die_with_parent
from tests.fault.proxy import Proxy
from tests.servers_kafka import HOST
from tests.servers_redis import RedisServer, ServerMissing, find_server, free_port

#: A rewrite makes an older length of the file meaningless, so it comes seldom: the log of some minutes is larger than this.
OPTIONS = (
    "--bind", HOST, "--save", "", "--appendonly", "yes", "--appendfsync", "everysec", "--maxmemory-policy", "noeviction",
    "--auto-aof-rewrite-percentage", "100", "--auto-aof-rewrite-min-size", "512mb", "--repl-diskless-sync-delay", "0",
)  # fmt: skip
SAMPLES = 400
#: A power cut may also tear the last record.
TORN_BYTES_MAX = 300
#: The file's length is looked at so often.
LOOK_S = 0.5
#: With `everysec`, a write waits for a sync under way for up to two seconds; its client has long been answered.
UNWRITTEN_S = 2.5
MARKER = "fault:marker"
#: Where a server keeps its append-only files, within its directory.
FILES = "appendonlydir"
#: Redis ends a script's writes in its append-only file with EXEC; so much of the file's end holds the last ones.
BEGIN, END, LOOK_BACK_BYTES = b"*1\r\n$5\r\nMULTI\r\n", b"*1\r\n$4\r\nEXEC\r\n", 1 << 25
SYNC_S = 90.0
CUT_TRIES = 60
#: A replica that lacks less has missed nothing but the primary's pings.
BEHIND_BYTES, BEHIND_TRIES = 1000, 60
FULL_BYTES = 1_000_000


class Length(NamedTuple):
    """How long the append-only file was at a time. It is the last one that the manifest names."""

    at_s: float  # time.time
    manifest: str
    size: int


class Backup(NamedTuple):
    files: Path
    at_s: float  # time.time


class Store:
    """A server with an append-only file behind an address that never changes: ``url``. ``lost`` hears of what it loses:
    what was written between two moments (epoch seconds).

    ``directory`` holds everything; a store that finds data there goes on with them.
    """

    def __init__(self, kind: str, directory: Path, rng: Random, lost: Callable[[float, float], None]) -> None:
        binary = find_server(kind)
        if binary is None:
            raise ServerMissing(f"no {kind} server on this machine: the fault run needs a native one")
        self.mine = asyncio.Lock()  # whoever does something to the server or its files
        self._kind, self._binary, self._directory, self._rng, self._lost = kind, binary, directory, rng, lost
        self._lengths: deque[Length] = deque(maxlen=SAMPLES)
        self._marker, self._killed_s = 0, 0.0
        self._current = directory / "current"
        self._number = int(self._current.read_text()) if self._current.exists() else 1
        self._mend(self._files)
        self.server = self._serve(self._number)
        self._settle_on(self._number)
        self.proxy = Proxy(self.server.port, rng)
        self.url = f"redis://{HOST}:{self.proxy.port}/0"

    def _serve(self, number: int) -> RedisServer:
        """A server on its own directory, and a port of its own. Blocks until it answers."""
        home = self._home(number)
        home.mkdir(parents=True, exist_ok=True)
        return self._serve_in(home)

    def _serve_in(self, home: Path) -> RedisServer:
        command = [self._binary, *OPTIONS]
        return RedisServer(command, port=free_port(), directory=str(home), preexec=die_with_parent())

    def _home(self, number: int) -> Path:
        return self._directory / str(number)

    def _settle_on(self, number: int) -> None:
        partial = self._current.with_suffix(".new")
        partial.write_text(str(number))
        partial.rename(self._current)

    async def open(self) -> None:
        await self.proxy.open()

    async def remember(self) -> None:
        """Looks at the file's length now and then, until cancelled."""
        while True:
            if length := _length(self._files):
                self._lengths.append(length)
            await asyncio.sleep(LOOK_S)

    @property
    def _files(self) -> Path:
        return self._home(self._number) / FILES

    # -- kill, and start --------------------------------------------------------------------------------------------------------

    async def kill(self) -> None:
        self._marker = await asyncio.to_thread(self._mark)
        self.server.kill9()
        self._killed_s = time.time()
        await self.proxy.shut()

    async def start(self) -> bool:
        """Whether it has lost what it had answered just before it was killed."""
        self._mend(self._files)
        await asyncio.to_thread(self.server.start)
        unwritten = await asyncio.to_thread(self._marked) < self._marker
        if unwritten:
            self._lost(self._killed_s - UNWRITTEN_S, self._killed_s)
        await self.proxy.open()
        return unwritten

    def _mend(self, files: Path) -> None:
        """What `redis-check-aof --fix` does, and Valkey by itself: take away a transaction that has no end.

        Redis ignores it, leaves it in the file, and at its next start executes a part of it (seen with 7.0.15).
        """
        length = _length(files)
        if self._kind != "redis" or length is None:
            return
        with _last(files, length.manifest).open("r+b") as file:
            first = file.seek(max(0, length.size - LOOK_BACK_BYTES))
            end = file.read()
            if (begin := end.rfind(BEGIN)) > end.rfind(END):
                file.truncate(first + begin)

    def _mark(self) -> int:
        """A last write. If it is there afterwards, so is all that came before it."""
        with self.server.client() as client:
            return int(client.incr(MARKER))

    def _marked(self) -> int:
        with self.server.client() as client:
            return int(client.get(MARKER) or 0)

    # -- set back ---------------------------------------------------------------------------------------------------------------

    async def can_be_cut(self, seconds: float) -> None:
        """Returns once there was no rewrite for so long."""
        for _ in range(CUT_TRIES):
            if (present := _length(self._files)) and self._earlier(present, seconds):
                return
            await asyncio.sleep(LOOK_S)
        raise RuntimeError("rewrite after rewrite: there is no tail to cut")

    def cut(self, seconds: float) -> tuple[float, int]:
        """While it is down: take away what was written in the last ``seconds``. Seconds and bytes; 0 after a rewrite."""
        present = _length(self._files)
        old = present and self._earlier(present, seconds)
        if not present or not old:
            return 0.0, 0
        size = max(0, min(old.size, present.size) - self._rng.randrange(TORN_BYTES_MAX))
        self._lost(old.at_s - UNWRITTEN_S, time.time())
        self._lengths.clear()
        os.truncate(_last(self._files, present.manifest), size)
        return present.at_s - old.at_s, present.size - size

    def _earlier(self, present: Length, seconds: float) -> Length | None:
        old = [known for known in self._lengths if known.manifest == present.manifest and present.at_s - known.at_s >= seconds]
        return old[-1] if old else None

    def back_up(self) -> Backup | None:
        """A copy of the files as they are. None in the middle of a rewrite."""
        copy, at_s = self._directory / "backup", time.time()
        return Backup(copy, at_s) if self._copy(copy) else None

    def _copy(self, copy: Path) -> bool:
        before = _length(self._files)
        shutil.rmtree(copy, ignore_errors=True)
        try:
            shutil.copytree(self._files, copy)
        except (OSError, shutil.Error):
            return False
        after = _length(self._files)
        return bool(before and after and before.manifest == after.manifest)

    def restore(self, backup: Backup) -> None:
        """While it is down. What was there is kept as a witness."""
        self._lost(backup.at_s - UNWRITTEN_S, time.time())
        self._keep(self._files)
        shutil.copytree(backup.files, self._files)
        self._lengths.clear()

    def wipe(self) -> None:
        self._lost(0.0, time.time())
        with self.server.client() as client:
            client.flushall()
        self._lost(0.0, time.time())

    # -- witnesses --------------------------------------------------------------------------------------------------------------

    def witness(self) -> bool:
        """Keep a copy of the files, for the verdict. False in the middle of a rewrite."""
        copy = self._directory / "copy"
        if copied := self._copy(copy):
            self._keep(copy)
        return copied

    def _keep(self, files: Path) -> None:
        home = self._directory / f"witness-{1 + len(self._witnesses())}"
        home.mkdir()
        files.rename(home / FILES)

    def _witnesses(self) -> list[Path]:
        return list(self._directory.glob("witness-*"))

    def witnesses(self) -> Iterator[tuple[str, str]]:
        """Name and URL of a server that has loaded it, and is up until the next is asked for."""
        for home in self._witnesses():
            self._mend(home / FILES)
            server = self._serve_in(home)
            try:
                yield home.name, server.url
            finally:
                server.kill9()

    # -- failover ---------------------------------------------------------------------------------------------------------------

    async def fail_over(self, lag_s: float, strikes: Callable[[], None]) -> int:
        """kill -9; and a replica that has heard nothing for ``lag_s`` or longer takes the address. How many bytes it lacks."""
        news = Proxy(self.server.port, self._rng)
        await news.open()
        shutil.rmtree(self._home(self._number + 1), ignore_errors=True)  # of a sitting that was interrupted
        replica = await asyncio.to_thread(self._serve, self._number + 1)
        try:
            await asyncio.to_thread(_follow, replica, news.port)
            news.freeze()
            frozen_s = time.time()
            await asyncio.sleep(lag_s)
            for _ in range(BEHIND_TRIES):  # nobody may have written meanwhile
                if (behind := await asyncio.to_thread(_behind, self.server, replica)) >= BEHIND_BYTES:
                    break
                await asyncio.sleep(0.5)
            self._lost(frozen_s - 1, time.time() + 1)
            self._settle_on(self._number + 1)
        except BaseException:
            replica.stop()
            raise
        finally:
            await news.shut()
        strikes()
        old, self.server, self._number = self.server, replica, self._number + 1
        old.kill9()
        await self.proxy.shut()
        with replica.client() as client:
            client.replicaof("NO", "ONE")
        self._lengths.clear()
        self.proxy.lead_to(replica.port)
        await self.proxy.open()
        await asyncio.to_thread(old.stop)  # its files
        return behind

    # -- others -----------------------------------------------------------------------------------------------------------------

    def hang(self, on: bool) -> None:
        """Neither answers nor refuses."""
        self.server.signal(signal.SIGSTOP if on else signal.SIGCONT)

    def fill(self, on: bool) -> None:
        with self.server.client() as client:
            client.config_set("maxmemory", FULL_BYTES if on else 0)

    def disconnect(self) -> None:
        """All clients, whatever they are in the middle of."""
        with self.server.client() as client:
            client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")

    def end(self) -> None:
        """At once; its data stay."""
        self.server.kill9()


def _length(files: Path) -> Length | None:
    """None in the middle of a rewrite."""
    try:
        manifest = (files / "appendonly.aof.manifest").read_text()
        return Length(time.time(), manifest, _last(files, manifest).stat().st_size)
    except (OSError, IndexError):
        return None


def _last(files: Path, manifest: str) -> Path:
    return files / manifest.splitlines()[-1].split()[1]


def _follow(replica: RedisServer, port: int) -> None:
    """Returns when it holds what the server at ``port`` holds, also in its own append-only file."""
    deadline = time.monotonic() + SYNC_S
    with replica.client() as client:
        client.replicaof(HOST, port)
        while time.monotonic() < deadline:
            info = client.info()
            if info["master_link_status"] == "up" and not (
                info["master_sync_in_progress"] or info["aof_rewrite_in_progress"] or info["aof_rewrite_scheduled"]
            ):
                return
            time.sleep(0.1)
    raise RedisError(f"the replica did not catch up within {SYNC_S:.0f} s")


def _behind(primary: RedisServer, replica: RedisServer) -> int:
    with primary.client() as there, replica.client() as here:
        return int(there.info("replication")["master_repl_offset"] - here.info("replication")["slave_repl_offset"])
