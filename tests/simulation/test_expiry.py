"""Anonymous fragments expire and come back amid all faults; and what keeps replays right is missed when it is taken out."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest

from portrait import expiry
from streams import profiles
from streams.cuts import Cuts
from tests.simulation.mechanisms import Mechanism, Patches
from tests.simulation.proof import prove
from tests.simulation.shape import draw_idle
from tests.simulation.simulate import simulate

SEEDS = 25
WITHIN = 100


@pytest.mark.parametrize("seed", range(SEEDS))
def test_who_is_there_in_the_end_is_who_is_not_void(seed: int) -> None:
    outcome = simulate(seed, drawn=draw_idle)
    assert outcome.fine, f"seed {seed}:\n" + "\n".join(outcome.notes[:3])


def _record() -> Patches:
    """It is emptied, and nobody is told."""

    def untold(state: Any, name: str, clock_ms: int, cut: Any = expiry.NO_CUT) -> Any:
        return expiry.emptied(state, clock_ms, cut)

    return [patch.object(expiry, "expired", untold)]


def _cuts() -> Patches:
    """Workers don't hear what has expired."""
    return [patch.object(Cuts, "of", lambda self, name: None)]


def _stale() -> Patches:
    """A state that has come back from before a cut goes on."""

    def known(state: Any, name: str, arrivals: Any, now: Any, idle_ms: int, cut: Any = None) -> Any:
        return real(state, name, arrivals, now, idle_ms, cut if state is None else None)

    real = expiry.evolve_anonymous
    return [patch.object(profiles, "evolve_anonymous", known)]


def _sweep() -> Patches:
    """Nobody is ever due to expire."""
    return [patch.object(profiles, "idle_ms_of", lambda name, rule: 0)]


TAKEN_OUT = (
    Mechanism("the record", "what expires is not told", "lost", WITHIN, _record, draw_idle),
    Mechanism("hearing it", "workers don't hear what has expired", "double", WITHIN, _cuts, draw_idle),
    Mechanism("emptying", "a state from before a cut goes on", "double", WITHIN, _stale, draw_idle),
    Mechanism("the tick", "nobody is due to expire", "not_expired", WITHIN, _sweep, draw_idle),
)


@pytest.mark.parametrize("mechanism", TAKEN_OUT, ids=lambda mechanism: mechanism.name)
def test_without_it_harm_is_done(mechanism: Mechanism) -> None:
    """The control is the test above."""
    assert prove(mechanism).seed is not None, f"nobody noticed: {mechanism.taken_out}"
