"""Anonymous fragments that were never linked expire: what one held is void, and it starts anew. Pure (ADR 20).

What is void is a *cut*: of each source (`portrait.state.mark_of`) the last offset that had been folded. It says the same in
whatever order records are folded, and two cuts of one identity are as good as one with the greater offsets of both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from portrait.evolve import Arrival, Change, evolve, external_ids
from portrait.identity.person import NO_VIEW, Moment
from portrait.settle import digest
from portrait.state import Effect, Expiry, State, source_of
from portrait.structures import DAY_MS, NEVER
from portrait.tags import held
from schemas.identity import kind_of
from schemas.outputs import Expired
from schemas.registry import BY_CODE, EXPIRED

#: Kinds whose values name a browser or an apparatus, and no person.
ANONYMOUS_KINDS = ("device", "anonymous")
#: An empty fragment keeps its watermarks for so long: whoever still has its records under way meets them.
EMPTY_MS = DAY_MS

#: By source: an offset. What lies at or below it is void.
Cut = Mapping[int, int]
NO_CUT: Cut = {}
_json = msgspec.json.Encoder(order="deterministic").encode


class Outcome(NamedTuple):
    """What became of one fragment. No ``change``, and not ``gone``: it is as it was."""

    change: Change | None
    gone: bool = False  # it is empty, and is to be removed
    again: bool = False  # it was emptied; its arrivals have not been looked at


def may_expire(name: str) -> bool:
    """Quickly: False for nearly all customers, and only for customers."""
    return ":" in name


def begun(cut: Cut | None) -> State:
    """Of one that nothing is kept of: what is void was folded as far as it is concerned."""
    return State(marks=dict(cut), expiry=Expiry(cut=dict(cut))) if cut else State()


def merged_cuts(a: Cut, b: Cut) -> dict[int, int]:
    """Void by either."""
    return {mark: max(a.get(mark, -1), b.get(mark, -1)) for mark in {**a, **b}}


def covers(a: Cut, b: Cut) -> bool:
    """Is all void by ``a`` that is by ``b``?"""
    return all(a.get(mark, -1) >= offset for mark, offset in b.items())


def cut_of(state: State) -> dict[int, int]:
    """After what the state began."""
    return state.expiry.cut if state.expiry is not None else {}


def is_stale(state: State, cut: Cut | None) -> bool:
    """From before a cut, in a store that has come back older; and nobody has linked it."""
    return cut is not None and state.links is None and not covers(cut_of(state), cut)


def heeded(state: State, cut: Cut) -> State | None:
    """The same without what is void by a cut that is known only now; None: it was folded together with what is not."""
    if covers(cut_of(state), cut):
        return state
    return begun(merged_cuts(cut_of(state), cut)) if covers(cut, state.marks) else None


def evolve_anonymous(
    state: State | None, name: str, arrivals: Sequence[Arrival], now: Moment, idle_ms: int, cut: Cut | None = None
) -> Outcome:
    """As `evolve`, for one that may expire. ``idle_ms``: after so long; 0: never. ``cut``: what is known to be void.

    A state that does not know of the cut is from before it, in a store that has come back older. It is emptied; and if it holds
    what is not void as well, all of it expires, for what it would be without the rest nobody can tell from the state.
    """
    if state is None:
        state = begun(cut) if cut else None
    elif cut and is_stale(state, cut):
        void = not state.events or covers(cut, state.marks)
        return Outcome(emptied(state, now.clock_ms, cut) if void else expired(state, name, now.clock_ms, cut), again=True)
    if state is not None and not state.events and state.links is None and not _news(state, arrivals):
        due_ms = state.expiry.due_ms if state.expiry is not None else NEVER
        return Outcome(None, gone=not arrivals and not state.effects and due_ms <= now.clock_ms)
    if state is not None and not arrivals and is_idle(state, idle_ms, now.clock_ms):
        return Outcome(expired(state, name, now.clock_ms))
    change = evolve(state, name, arrivals, *now)
    if change is not None:
        plan(change.state, idle_ms)
    return Outcome(change)


def is_idle(state: State, idle_ms: int, clock_ms: int) -> bool:
    """Never linked, nothing left to publish, and silent for so long."""
    alone = state.links is None and not state.effects and state.events > 0
    return alone and idle_ms > 0 and state.parts.activity.last_ms + idle_ms <= clock_ms


def plan(state: State, idle_ms: int) -> None:
    """When it expires if nothing more is told of it; `due_ms` looks at it."""
    if idle_ms and state.links is None and state.events:
        state.expiry = Expiry(state.parts.activity.last_ms + idle_ms, cut_of(state))
    elif state.expiry is not None:
        state.expiry = Expiry(NEVER, state.expiry.cut) if state.expiry.cut else None


def expired(state: State, name: str, clock_ms: int, cut: Cut = NO_CUT) -> Change:
    """The state emptied, and a record of it to publish: the same for the same state, whenever."""
    change = emptied(state, clock_ms, cut)
    cut = cut_of(change.state)
    void = {f"{BY_CODE[code].name}/{n}": cut[mark] for mark in sorted(cut) for code, n in [source_of(mark)]}
    id_ = digest(name, EXPIRED, *(f"{source}={offset}" for source, offset in void.items()))
    change.state.effects.append(Effect(EXPIRED, id_, _json(Expired(id=name, marks=void, at_ms=change.state.moment_ms))))
    return change


def emptied(state: State, clock_ms: int, cut: Cut = NO_CUT) -> Change:
    """Nothing left but watermarks, what is still to be published, and the version that readers have seen."""
    moment_ms = max(state.moment_ms, clock_ms)
    marks = merged_cuts(merged_cuts(state.marks, cut_of(state)), cut)
    empty = State(
        version=state.version + 1,
        moment_ms=moment_ms,
        marks=dict(marks),
        effects=list(state.effects),
        expiry=Expiry(moment_ms + EMPTY_MS, marks),
    )
    external, tags = sorted(external_ids(state)), held.ids(state.tags)
    return Change(empty, dict(NO_VIEW), state.stage, [], external, [], tags, 0, 0, 0, 0, 0)


def _news(state: State, arrivals: Sequence[Arrival]) -> bool:
    return any(offset > state.marks.get(mark, -1) for mark, offset, _ in arrivals)


def idle_ms_of(name: str, rule: Mapping[str, int]) -> int:
    """``rule``: by kind, after how many milliseconds; a kind that is not there never expires."""
    return rule.get(kind_of(name), 0)
