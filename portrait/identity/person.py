"""A person of several identities: new events folded into their fragments, and what is derived of the person settled once. Pure.

A fragment's facts are its own and never move, so taking a link back restores them by doing nothing. What is derived of a person
(stage, score, labels, cooldowns, due times, view) stands in the fragment that the person goes by; the others point to it. It is
made anew, silently, whenever somebody has joined or left, or the fragments are not what it was made of: so a write that was
lost between two shards heals as soon as anybody looks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import reduce
from typing import NamedTuple

import msgspec

from portrait.evolve import Arrival, Change, advance, due_ms, evolve, expire, external_ids, fold, sift
from portrait.features.registry import Parts, merge_parts
from portrait.identity.graph import linked_to, reach, resolve
from portrait.identity.links import fold_event
from portrait.lifecycle import walk
from portrait.models.churn import Scorer
from portrait.renew import FIELDS, renew
from portrait.settle import PENDING_MAX, Policy, Settling
from portrait.state import State
from portrait.structures import DAY_MS, NEVER
from portrait.tags.held import moved
from schemas.event import Event
from schemas.identity import LINKS
from schemas.profile import GOES_BY

#: What a state holds that is derived of a person.
DERIVED = (
    "version", "moment_ms", "rhythm", "stage", "stages", "risk", "model", "scored_day", "rescore_day", "pending", "cooldowns",
    "effects", "shown_day", "due_days", "wake_ms", "value", "shown", "owes_silence", "tags", "tagged",
)  # fmt: skip
#: Of these a fragment that is not the person's own keeps what it still owes or was promised.
KEPT = ("version", "moment_ms", "rhythm", "cooldowns", "effects")
NO_VIEW = dict.fromkeys((*FIELDS, GOES_BY, "version", "updated_at_ms"))
NOT_SETTLED = (-1, 0)


class Turned(NamedTuple):
    """What one identity's write says. ``leads``: its view leads to another's, and must not be written before that one."""

    name: str
    change: Change
    leads: bool = False


class Lived(NamedTuple):
    """What a person has lived through, and whoever leaves them."""

    moment_ms: int
    cooldowns: dict[str, int]


class Moment(NamedTuple):
    """As `evolve` wants it."""

    clock_ms: int
    scorer: Scorer
    policy: Policy


def fold_links(name: str, state: State, arrivals: Iterable[Arrival]) -> bool:
    """Fold what they say of ``name``'s links, also where ``name`` is the other end. Folding again changes nothing."""
    changed = False
    for _, _, event in arrivals:
        if event.data.identities or type(event.data) in LINKS:
            state.links, folded = fold_event(state.links, name, event)
            changed |= folded
    return changed


def near(states: Mapping[str, State], start: Iterable[str], told: Collection[str] = ()) -> tuple[set[str], set[str]]:
    """(whose persons ``start`` and its links can touch, who must still be loaded to know them). ``told``: the ends of all links
    that are new, where ``start`` is a part of them."""
    graph = {name: state.links for name, state in states.items()}
    front = {name for name in start if name in states}
    found, told = set[str](), told or set(front)
    while not front <= found:
        found |= reach(graph, found | front, told)
        pointers = {other for name in found for other in (states[name].person, *states[name].members) if other}
        knowing = {name for name, state in states.items() if state.person in found or not found.isdisjoint(state.members)}
        front = found | pointers & states.keys() | knowing
    missing = {other for name in found for other in (*linked_to(name, graph[name]), states[name].person, *states[name].members)}
    return found, missing - states.keys() - {""}


def merged(states: Iterable[State]) -> State:
    """A state whose facts are those of all: what one identity would hold that had all their events."""
    known = list(states)
    parts = reduce(merge_parts, (state.parts for state in known), Parts())  # so that one alone is copied too
    days = parts.consumption.bought.days() if parts.consumption is not None else []
    events, audit = _sums(known)
    return State(moment_ms=max(state.moment_ms for state in known), events=events, audit=audit, parts=parts, rhythm=walk(days))


def evolve_persons(
    states: Mapping[str, State], arrivals: Mapping[str, Sequence[Arrival]], now: Moment, told: Collection[str] = ()
) -> list[Turned]:
    """Evolve whoever ``arrivals`` touch (an empty sequence is a tick), who have been loaded as far as `near` asks for.

    Links are folded already (`fold_links`). The states are changed in place. All of a person's fragments come back, whether
    they changed or not: they were read, and what others wrote meanwhile must show.
    """
    whom, _ = near(states, arrivals, told)
    members = resolve({name: state.links for name, state in states.items()}).members()
    # As they are now: who is evolved first must not change what the others take with them.
    lived = {name: Lived(state.moment_ms, dict(state.cooldowns)) for name, state in states.items() if state.members}
    turned: list[Turned] = []
    for name, names in members.items():
        if whom.isdisjoint(names):
            continue
        if len(names) == 1 and not states[name].person and not states[name].members:
            turned += _alone(name, states[name], arrivals.get(name, ()), now)
        else:
            turned += _Person(name, {each: states[each] for each in names}, lived, now).evolve(arrivals)
    return turned


def assembled(name: str, fragments: Mapping[str, State]) -> State:
    """A person as one state: the facts of all their fragments, and what is derived of them, as ``name``'s holds it."""
    whole = merged(fragments.values())
    _take_up(whole, fragments[name])
    return whole


def _take_up(whole: State, state: State) -> None:
    moment_ms = whole.moment_ms
    _copy(whole, state, DERIVED)
    whole.moment_ms = max(whole.moment_ms, moment_ms)


def _copy(state: State, other: State, names: Iterable[str]) -> None:
    for name in names:
        setattr(state, name, getattr(other, name))


def keep(state: State, live: State, moment_ms: int) -> None:
    """Of a person's fragment that was made anew: what is derived stays as it is, until somebody looks (`look_again`)."""
    _copy(state, live, (*DERIVED, "person", "members"))
    state.moment_ms, state.settled = moment_ms, NOT_SETTLED
    expire(state)


def look_again(state: State) -> None:
    """At once, by a tick: the person may have to be made anew."""
    state.wake_ms = state.moment_ms or 1


def own(name: str, arrivals: Sequence[Arrival]) -> list[Arrival]:
    """Without the links that others told of it."""
    return [arrival for arrival in arrivals if arrival.event.customer_id == name]


def _alone(name: str, state: State, arrivals: Sequence[Arrival], now: Moment) -> list[Turned]:
    mine = own(name, arrivals)
    if not mine and not state.events and state.links is None:
        return []  # nobody
    change = None
    if mine or state.events:
        change = evolve(state, name, mine, *now)
    else:
        state.wake_ms = NEVER
    return [Turned(name, change or Change(state, {}, state.stage, [], [], [], [], 0, 0, 0, 0, 0))]


def _sums(states: Iterable[State]) -> tuple[int, int]:
    known = list(states)
    return sum(state.events for state in known), sum(state.audit for state in known) & 0xFFFF_FFFF_FFFF_FFFF


class _Person:
    """One person's fragments, and the one that they go by."""

    def __init__(self, name: str, fragments: Mapping[str, State], lived: Mapping[str, Lived], now: Moment) -> None:
        self._name, self._fragments, self._lived, self._now = name, fragments, lived, now
        self._state = fragments[name]
        self._members = sorted(fragments) if len(fragments) > 1 else []

    def evolve(self, arrivals: Mapping[str, Sequence[Arrival]]) -> list[Turned]:
        before = {name: (state.stage, external_ids(state), state.tags) for name, state in self._fragments.items()}
        whole = merged(self._fragments.values())
        remade = not self._is_current(whole)
        fields = self._remake(whole) if remade else {}
        if not remade:
            _take_up(whole, self._state)
        fresh, counts = self._fold(arrivals)
        work = Settling(self._name, whole, *self._now)
        due = whole.effects or (due_ms(whole) or NEVER) <= self._now.clock_ms
        if (whole.events or fresh) and (fresh or remade or due):
            fields |= advance(work, fresh)
        self._keep(whole)
        turned = []
        for name, state in self._fragments.items():
            leads = name != self._name
            shown = self._lead(state, whole.moment_ms) if leads else fields
            capped, dropped = (0, 0) if leads else (work.capped, work.dropped)
            stage, external, tags = before[name]
            now = external_ids(state)
            indexes = sorted(now - external), sorted(external - now), *moved(tags, state.tags)
            turned.append(Turned(name, Change(state, shown, stage, *indexes, *counts[name], capped, dropped), leads))
        return sorted(turned, key=lambda one: one.leads)

    def _is_current(self, whole: State) -> bool:
        """Is what stands there derived of just these fragments, as they are?"""
        mine = self._state
        return (
            not mine.person
            and mine.members == self._members
            and mine.settled == (whole.events, whole.audit)
            and all(state.person == self._name for name, state in self._fragments.items() if name != self._name)
        )

    def _remake(self, whole: State) -> dict[str, bytes | None]:
        """Derive the person anew, silently, as of the fragments' latest moment. What any of them was promised stays."""
        states = list(self._fragments.values())
        former = [self._lived[state.person] for state in states if state.person in self._lived]
        promised = State(effects=self._state.effects, owes_silence=any(state.owes_silence for state in states))
        for cooldowns in (*(state.cooldowns for state in states), *(lived.cooldowns for lived in former)):
            for rule, until_ms in cooldowns.items():
                promised.cooldowns[rule] = max(promised.cooldowns.get(rule, 0), until_ms)
        pending = {msgspec.msgpack.encode(one): one for state in states for one in state.pending}
        promised.pending = sorted(pending.values(), key=lambda one: (one.day, one.version, one.packed))[:PENDING_MAX]
        whole.version = self._state.version
        if not whole.events:
            whole.effects, whole.cooldowns = promised.effects, promised.cooldowns
            return dict(NO_VIEW)
        # Who leaves a person has lived to that one's moment, and what has cooled down by then has.
        whole.moment_ms = max(whole.moment_ms, *(lived.moment_ms for lived in former), 0)
        if whole.moment_ms:
            return {**NO_VIEW, **renew(self._name, whole, promised, whole.moment_ms, whole.version, self._now.scorer)}
        _copy(whole, promised, ("effects", "cooldowns", "pending", "owes_silence"))
        return dict(NO_VIEW)

    def _fold(self, arrivals: Mapping[str, Sequence[Arrival]]) -> tuple[list[Event], dict[str, tuple[int, int, int]]]:
        """Into each fragment what is its own; all that was new, by time; and folded, repeated, duplicates of each."""
        every: list[Event] = []
        counts: dict[str, tuple[int, int, int]] = {}
        for name, state in self._fragments.items():
            fresh, repeated, duplicates = sift(state, own(name, arrivals.get(name, ())))
            for event in fresh:
                fold(state, event, set())
            every += fresh
            counts[name] = len(fresh), repeated, duplicates
        return sorted(every, key=lambda event: event.time_ms), counts

    def _keep(self, whole: State) -> None:
        """What was derived, in the fragment that the person goes by."""
        mine, day = self._state, self._state.moment_ms // DAY_MS
        _copy(mine, whole, DERIVED)
        mine.person, mine.members, mine.settled = "", self._members, _sums(self._fragments.values())
        if not mine.events and not self._members:
            mine.moment_ms, mine.cooldowns = 0, {}  # as of one that nothing was seen of
        if day < mine.moment_ms // DAY_MS:
            expire(mine)

    def _lead(self, state: State, moment_ms: int) -> dict[str, bytes | None]:
        """Of another fragment: its view leads to the person's, and nothing is due of it but what it still has to publish."""
        if state.events and state.moment_ms // DAY_MS < moment_ms // DAY_MS:
            state.moment_ms = moment_ms
            expire(state)
        if state.person == self._name and state.wake_ms == NEVER:
            return {}
        _copy(state, State(), set(DERIVED).difference(KEPT))
        state.person, state.members, state.settled = self._name, [], (0, 0)
        state.version += 1
        shown = {GOES_BY: self._name.encode(), "version": b"%d" % state.version, "updated_at_ms": b"%d" % moment_ms}
        return {**NO_VIEW, **shown}
