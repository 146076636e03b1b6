"""Some seeds of the simulation, and the proof that it would notice. More of both: `make simulate`, `make fault-proof`.

A failure prints its seed; ``python -m tests.simulation --seed SEED`` tells it step by step.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.simulation.__main__ import many
from tests.simulation.mechanisms import MECHANISMS, Mechanism
from tests.simulation.proof import prove
from tests.simulation.simulate import simulate

SEEDS = 60
ROOT = Path(__file__).parents[2]

told = cache(simulate)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_nothing_is_lost_or_doubled(seed: int) -> None:
    outcome = told(seed)
    assert outcome.fine, f"seed {seed}:\n" + "\n".join(outcome.notes[:3])


def test_every_fault_happens() -> None:
    counts = Counter[str]()
    for seed in range(SEEDS):
        counts.update(told(seed).counts)
    assert min(counts[name] for name in ("crashes", "split", "uncertain", "conflicts", "zombies", "pauses", "redelivered")) > 0
    assert min(counts[name] for name in ("away", "full", "lost_tails", "backups", "wipes", "grown", "commits_failed")) > 0
    assert min(counts[name] for name in ("duplicates", "late", "poison", "gone_with_a_tail")) > 0


@pytest.mark.parametrize("mechanism", [m for m in MECHANISMS if m.within <= 100], ids=lambda mechanism: mechanism.name)
def test_without_it_harm_is_done(mechanism: Mechanism) -> None:
    """The control is `test_nothing_is_lost_or_doubled`. What takes longer to show: `make fault-proof`."""
    assert prove(mechanism).seed is not None, f"nobody noticed: {mechanism.taken_out}"


def test_a_seed_is_the_same_story_whatever_the_hash_seed() -> None:
    stories = {
        subprocess.run(
            [sys.executable, "-m", "tests.simulation", "--seed", "4"],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2", "3")
    }
    assert len(stories) == 1 and len(stories.pop()) > 1000


def test_ctrl_c_tells_what_was_done_and_where_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(simulate: Callable[[int], object], seeds: range, at_once: int) -> Iterator[object]:
        yield from map(simulate, seeds[:2])
        raise KeyboardInterrupt

    @contextmanager
    def pool(*_: object) -> Iterator[SimpleNamespace]:
        yield SimpleNamespace(imap=interrupted)

    monkeypatch.setattr(multiprocessing, "Pool", pool)
    assert many(7, 5, 1) == 130
    told = capsys.readouterr()
    summary = json.loads(told.out)
    assert (summary["seeds"], summary["from"], summary["left"], summary["interrupted_before"]) == (2, 7, 3, 9)
    assert summary["events"] > 0 and summary["failures"] == 0
    assert 'SEEDS=3 ARGS="--from 9"' in told.err
