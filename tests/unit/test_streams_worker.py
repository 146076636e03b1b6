"""A worker that is asked to end before it has found its servers ends, as one that works does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

#: Nothing listens there: a port below 1024 that no test opens.
NOWHERE = "127.0.0.1:1"
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_worker_that_still_waits_for_its_store(number: signal.Signals) -> None:
    environment = {**os.environ, "PORTRAIT_REDIS": f"redis://{NOWHERE}/0", "PORTRAIT_KAFKA": NOWHERE, "PORTRAIT_HTTP_PORT": "-1"}
    worker = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "worker"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=ROOT, env=environment, text=True,
    )  # fmt: skip
    try:
        assert worker.stdout is not None
        assert any("waiting" in line for line in worker.stdout), "it says what it waits for"
        worker.send_signal(number)
        assert worker.wait(timeout=30) == 0
    finally:
        worker.kill()
        worker.wait()


def test_a_worker_that_only_scores_does_not_load_what_training_needs() -> None:
    """River brings pandas: seconds at every start, during which customers wait, and a hundred megabytes."""
    script = "import sys, streams.worker; print(sorted({'river', 'pandas', 'scipy', 'sklearn'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
