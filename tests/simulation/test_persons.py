"""Identities are linked and parted amid all faults; and what keeps their persons right is missed when it is taken out."""

from __future__ import annotations

import pytest

from tests.simulation.mechanisms import Mechanism
from tests.simulation.person_mechanisms import PERSON_MECHANISMS
from tests.simulation.proof import prove
from tests.simulation.shape import draw_crowds, draw_linked
from tests.simulation.simulate import simulate

SEEDS = 25
CROWDS = 8  # two of each kind


@pytest.mark.parametrize("seed", range(SEEDS))
def test_every_person_is_right_in_the_end(seed: int) -> None:
    outcome = simulate(seed, drawn=draw_linked)
    assert outcome.fine, f"seed {seed}:\n" + "\n".join(outcome.notes[:3])


@pytest.mark.parametrize("seed", range(CROWDS))
def test_so_is_a_crowd_that_is_linked_at_once(seed: int) -> None:
    outcome = simulate(seed, drawn=draw_crowds)
    assert outcome.fine, f"seed {seed}:\n" + "\n".join(outcome.notes[:3])


@pytest.mark.parametrize("mechanism", PERSON_MECHANISMS, ids=lambda mechanism: mechanism.name)
def test_without_it_harm_is_done(mechanism: Mechanism) -> None:
    """The control are the tests above."""
    assert prove(mechanism).seed is not None, f"nobody noticed: {mechanism.taken_out}"
