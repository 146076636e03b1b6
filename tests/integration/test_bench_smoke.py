"""`make bench` runs, and its last line is the JSON that it promises. No figure is looked at here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.integration
def test_a_small_run_of_the_parts_that_need_no_kafka() -> None:
    before = {path: path.read_bytes() for path in (ROOT / "docs").glob("benchmarks.*")}
    command = [sys.executable, "-m", "bench", "--quick", "--only", "bytes,read"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    sizes = {f"bytes_per_profile_{events}{config}" for events in (100, 10_000) for config in ("", "_stock_config")}
    assert sizes | {"read_p50_ms", "read_p99_ms", "store", "machine", "seconds"} <= figures.keys()
    assert {path: path.read_bytes() for path in before} == before, "a small run must not be taken for the real one"


@pytest.mark.integration
def test_a_part_that_does_not_exist_is_refused() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--only", "nothing"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert "throughput" in done.stderr
