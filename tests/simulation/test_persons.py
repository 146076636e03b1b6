"""Identities are linked and parted amid all faults; and what keeps their persons right is missed when it is taken out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any
from unittest.mock import patch

import pytest

from portrait.identity import person
from portrait.identity.graph import linked_to, reach
from streams import loop, profiles
from streams.intake import take_in
from tests.simulation.mechanisms import Mechanism, Patches
from tests.simulation.persons import linked_worlds
from tests.simulation.proof import prove
from tests.simulation.simulate import simulate
from tests.simulation.world import Died

SEEDS = 25
WITHIN = 60
SHARE = 0.2  # of the events: four times what `python -m tests.simulation.persons` has by itself


@pytest.fixture(autouse=True)
def _worlds() -> Iterator[None]:
    with linked_worlds(SHARE):
        yield


@pytest.mark.parametrize("seed", range(SEEDS))
def test_every_person_is_right_in_the_end(seed: int) -> None:
    outcome = simulate(seed)
    assert outcome.fine, f"seed {seed}:\n" + "\n".join(outcome.notes[:3])


def _mirrors() -> Patches:
    """The other end of a link does not hear of it."""

    def only_own(*arguments: Any) -> Any:
        intake = take_in(*arguments)
        for name, arrivals in list(intake.arrivals.items()):
            arrivals[:] = [arrival for arrival in arrivals if arrival.event.customer_id == name]
            if not arrivals:
                del intake.arrivals[name]
        return intake

    return [patch.object(loop, "take_in", only_own)]


def _pointers() -> Patches:
    """Who has left is not looked for where they were."""

    def near(states: Mapping[str, Any], start: Any) -> tuple[set[str], set[str]]:
        graph = {name: state.links for name, state in states.items()}
        found = reach(graph, start)
        return found, {other for name in found for other in linked_to(graph[name])} - states.keys()

    return [patch.object(module, "near", near) for module in (person, profiles)]


def _order(*, behind: bool) -> Patches:
    """Fragments that lead elsewhere are written before the others; or behind them, though these were not written."""
    real = profiles.Profiles._commit

    async def commit_persons(self: Any, first: Sequence[Any], leading: Sequence[Any], positions: Any) -> dict[str, None]:
        one, other = (first, leading) if behind else (leading, first)
        lost = {one[i].id: None for i in await real(self, one, {})}
        return lost | {other[i].id: None for i in await real(self, other, {} if lost else positions)}

    return [patch.object(profiles.Profiles, "_commit_persons", commit_persons)]


def _alone() -> Patches:
    """Links are folded, and nobody looks beyond the identity that an event names."""
    real = person.near
    return [patch.object(module, "near", lambda states, start: (real(states, start)[0], set())) for module in (person, profiles)]


TAKEN_OUT: tuple[tuple[str, str, Callable[[], Patches]], ...] = (
    ("mirrors", "views_wrong", _mirrors),
    ("pointers", "views_wrong", _pointers),
    ("loading all of a person", "views_wrong", _alone),
    ("the person's own fragment first", "actions_missing", partial(_order, behind=False)),
    ("nothing behind a conflict", "actions_missing", partial(_order, behind=True)),
)


def noticed(mechanism: Mechanism) -> bool:
    try:
        return prove(mechanism).seed is not None
    except Died:
        return True


@pytest.mark.parametrize(("name", "counter", "patches"), TAKEN_OUT, ids=[name for name, _, _ in TAKEN_OUT])
def test_without_it_harm_is_done(name: str, counter: str, patches: Callable[[], Patches]) -> None:
    """The control is the test above."""
    assert noticed(Mechanism(name, name, counter, WITHIN, patches)), f"nobody noticed: {name}"
