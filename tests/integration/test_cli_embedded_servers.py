"""The embedded servers work, and end: at the end of their block, by SIGTERM, and when their parent is killed."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cli import embedded

pytestmark = pytest.mark.integration

PARENT = """
import time
from cli import embedded
with embedded.broker() as b, embedded.store() as s:
    print(b.pid, s.pid, b.log.parent, s.log.parent, flush=True)
    time.sleep(120)
"""


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


def is_running(pid: int) -> bool:
    """A zombie that nobody has buried yet does not count."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        if Path("/proc/self/stat").exists():
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        os.kill(pid, 0)
        return True
    return False


def say(port: int, words: bytes) -> bytes:
    with socket.create_connection((embedded.HOST, port), 5) as connection:
        connection.sendall(words)
        return connection.recv(1024)


def test_the_store_answers_keeps_hashes_compact_and_is_gone_afterwards() -> None:
    with embedded.store() as server:
        assert server.address == f"redis://127.0.0.1:{server.port}/0"
        assert b"1024" in say(server.port, b"CONFIG GET hash-max-listpack-value\r\n")
        scratch = server.log.parent
    assert not is_running(server.pid)
    assert not scratch.exists()


def test_a_directory_of_ones_own_keeps_the_data(tmp_path: Path) -> None:
    with embedded.store(append_only=True, directory=tmp_path) as server:
        assert say(server.port, b"SET a 1\r\n").startswith(b"+OK")
    with embedded.store(append_only=True, directory=tmp_path) as server:
        assert say(server.port, b"GET a\r\n") == b"$1\r\n1\r\n"


def test_a_port_that_is_taken_is_told() -> None:
    with socket.socket() as other:
        other.bind((embedded.HOST, 0))
        port = other.getsockname()[1]
        with pytest.raises(embedded.EmbeddedError, match=str(port)), embedded.store(port):
            pass


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_servers_end_with_their_parent(number: signal.Signals) -> None:
    if number == signal.SIGKILL and sys.platform != "linux":
        pytest.skip("only Linux ends the children of a parent that was killed")
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    broker, store, *scratch = parent.stdout.readline().split()
    assert is_running(int(broker))
    assert is_running(int(store))
    parent.send_signal(number)
    parent.wait()
    assert eventually(lambda: not is_running(int(broker)) and not is_running(int(store)))
    if number == signal.SIGTERM:
        assert not any(map(os.path.exists, scratch))
    for directory in scratch:  # a killed parent can't tidy up
        subprocess.run(["rm", "-rf", directory], check=True)
