"""What stood in the store just before the harness took it away.

After a wipe all facts are folded anew, after a backup those of its minutes: whatever was lost or counted twice before is healed,
and the verdict at the end can't see it. So the store's files are kept, and the verdict looks at each copy too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from oracle.refold import Place
from portrait.state import State, mark_of
from schemas.event import Event
from tests.fault.verdict import Verdict


class Held(NamedTuple):
    """What a state says of the events in it."""

    events: int = 0
    audit: int = 0
    marks: Mapping[int, int] = {}


NOTHING = Held()


class Witness:
    """``positions`` are the next offsets, by topic's code and partition."""

    def __init__(self, name: str, positions: Mapping[tuple[int, int], int], states: Mapping[str, State]) -> None:
        self._name, self._positions = name, positions
        self.held = {customer_id: Held(s.events, s.audit, s.marks) for customer_id, s in states.items()}

    def compare(self, customer_id: str, log: Mapping[Place, Event], verdict: Verdict) -> None:
        """``log``: the customer's events that count. All below the positions must be in the state, and others up to its marks:
        where a batch's positions were not written, for others' states had changed meanwhile, its other states were."""
        held = self.held.get(customer_id, NOTHING)
        expected = [event for place, event in log.items() if place[2] < self._end(held, place)]
        total = sum(int.from_bytes(event.hash, "little") for event in expected) % 2**64
        if (held.events, held.audit) == (len(expected), total):
            return
        others = int(held.events == len(expected))  # as many, but not the same ones
        verdict.lost += max(others, len(expected) - held.events)
        verdict.double += max(others, held.events - len(expected))
        verdict.notes.append(f"{self._name}: {customer_id}: {len(expected)} events before the cut, {held.events} in the state")

    def _end(self, held: Held, place: Place) -> int:
        code, partition, _ = place
        return max(self._positions.get((code, partition), 0), held.marks.get(mark_of(code, partition), -1) + 1)
