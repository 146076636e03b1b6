"""What keeps persons of several identities right, each as a way to take it out of the running code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from unittest.mock import patch

from portrait.identity import graph, person
from portrait.identity.graph import RUNAWAY, linked_to, reach
from portrait.state import State
from streams import loop, profiles
from streams.intake import take_in
from tests.simulation import simulate
from tests.simulation.mechanisms import Mechanism, Patches
from tests.simulation.shape import draw_crowds, draw_linked, draw_torn


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

    def near(states: Mapping[str, Any], start: Any, _: Any = ()) -> tuple[set[str], set[str]]:
        links = {name: state.links for name, state in states.items()}
        found = reach(links, start)
        return found, {other for name in found for other in linked_to(name, links[name])} - states.keys()

    return [patch.object(module, "near", near) for module in (person, profiles)]


def _leading_first() -> Patches:
    return _order(behind=False)


def _behind_conflicts() -> Patches:
    return _order(behind=True)


def _order(*, behind: bool) -> Patches:
    """Fragments that lead elsewhere are written before the others; or behind them, though these were not written."""
    real = profiles.Profiles._commit

    async def commit_persons(self: Any, first: Sequence[Any], leading: Sequence[Any], _: Any, positions: Any) -> dict[str, None]:
        one, other = (first, leading) if behind else (leading, first)
        lost = {one[i].id: None for i in await real(self, one, {})}
        return lost | {other[i].id: None for i in await real(self, other, {} if lost else positions)}

    return [patch.object(profiles.Profiles, "_commit_persons", commit_persons)]


def _alone() -> Patches:
    """Links are folded, and nobody looks beyond the identity that an event names."""
    real = person.near
    return [patch.object(module, "near", lambda *of: (real(*of)[0], set())) for module in (person, profiles)]


def _settled() -> Patches:
    """A person is not made anew because the fragments are not what it was settled of."""
    real = person._Person._is_current

    def is_current(self: Any, whole: State) -> bool:
        self._state.settled = (whole.events, whole.audit)
        return real(self, whole)

    return [patch.object(person._Person, "_is_current", is_current)]


def _by_own_word() -> Patches:
    """Whoever has not heard yet that they belong to a person is settled alone."""
    return [patch.object(profiles, "_is_linked", lambda state: state is not None and bool(state.links or state.members))]


def _each_alone() -> Patches:
    """All identities of a batch together are followed no further than those of one person."""

    def together(links: Mapping[str, Any], start: Iterable[str], _: Any) -> set[str]:
        found, front = set[str](), [name for name in start if name in links]
        while front and len(found) <= RUNAWAY:
            name = front.pop()
            if name not in found:
                found.add(name)
                front += reach({other: links[other] for other in {name, *linked_to(name, links[name])} & links.keys()}, [name])
        return found

    return [patch.object(person, "reach", together), patch.object(simulate, "HANG_CPU_S", 10.0)]


def _runaway() -> Patches:
    """Nobody sees that a cluster has run away: it is followed no further, and joined as far as a person may go."""
    return [patch.object(graph, "_runaway", lambda edges: set())]


PERSON_MECHANISMS = tuple(
    Mechanism(name, taken_out, counter, within, patches, drawn)
    for name, taken_out, counter, within, patches, drawn in (
        ("mirrors", "the other end of a link does not hear of it", "views_wrong", 60, _mirrors, draw_linked),
        ("pointers", "who has left is not looked for where they were", "views_wrong", 200, _pointers, draw_linked),
        ("whole persons", "only identities that the events name are loaded", "views_wrong", 60, _alone, draw_linked),
        ("settled sum", "nobody sees that one of two shards was set back", "views_wrong", 200, _settled, draw_torn),
        ("own fragment first", "those that lead elsewhere are written first", "actions_missing", 60, _leading_first, draw_linked),
        (
            "nothing behind a conflict",
            "they are written though it was not",
            "actions_missing",
            200,
            _behind_conflicts,
            draw_linked,
        ),
        ("by anybody's word", "who belongs to a person by another's alone is not", "views_wrong", 60, _by_own_word, draw_linked),
        ("each person alone", "a batch is followed no further than one person", "stuck", 20, _each_alone, draw_crowds),
        ("runaway", "what has run away is joined as far as a person may go", "views_wrong", 20, _runaway, draw_crowds),
    )
)
