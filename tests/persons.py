"""What must be so of a person of several identities, held against the oracle: for the judges of simulation and fault run."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import oracle.identities
from oracle.identities import words
from oracle.orders import purchase_days
from oracle.stage import stage_of
from oracle.tools import day_of
from portrait.identity.person import assembled
from portrait.state import State
from portrait.structures import ESTIMATED, MORE
from schemas.event import Event
from tests.readers import Fields, equal, unlike

#: Tables of features that keep the names that came first, and as what they are shown.
TABLES = {"voice": {"places": "by_place", "topics": "by_topic"}, "contacts": {"channels": "by_channel"}}


class Wrong(NamedTuple):
    counter: str
    note: str


def households(events: Iterable[Event]) -> dict[str, str]:
    """Every identity that was ever named together with another, with the one that stands for all that hang together by such
    words, whatever became of them. Of no two households can any be one person."""
    root: dict[str, str] = {}

    def find(name: str) -> str:
        while root.setdefault(name, name) != name:
            name = root[name]
        return name

    for event in events:
        for word in words(event):
            if word.key != word.other:
                one, other = sorted((find(word.key), find(word.other)))
                root[other] = one
    return {name: find(name) for name in list(root)}


def persons(events: Sequence[Event]) -> dict[str, str]:
    """As the oracle has them, household by household: it looks at every word again for each pair."""
    of_household = households(events)
    said: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        if event.customer_id in of_household and any(words(event)):
            said[of_household[event.customer_id]].append(event)
    return {name: person for told in said.values() for name, person in oracle.identities.persons(told).items()}


def groups(of_person: Mapping[str, str], names: Iterable[str]) -> dict[str, list[str]]:
    """All of each person, sorted, by the one that they go by; who has no links is a person alone."""
    found: dict[str, list[str]] = defaultdict(list)
    for name in sorted(names):
        found[of_person.get(name, name)].append(name)
    return found


def leads(person: str, members: Sequence[str], states: Mapping[str, State], goes_by: Mapping[str, str]) -> Iterator[Wrong]:
    """The others lead to the one that the person goes by, and it knows them, and is what their events make it."""
    mine = states[person]
    if mine.members != (list(members) if len(members) > 1 else []):
        yield Wrong("views_wrong", f"{person} has {mine.members}, not {members}")
    if len(members) > 1 and not is_settled(mine, [states[name] for name in members]):
        yield Wrong("views_wrong", f"{person} was settled of other events than the fragments have")
    for name in members:
        told, wanted = (states[name].person, goes_by.get(name, "")), "" if name == person else person
        if told != (wanted, wanted):
            yield Wrong("views_wrong", f"{name} leads to {told}, not {wanted!r}")


def shown(person: str, state: State, view: Fields, events: Sequence[Event], days: Iterable[int]) -> Iterator[Wrong]:
    """The stage as of one of the ``days``, and how many events and purchase days readers see. ``events``: of the whole person, at
    least one."""
    first_day, bought = day_of(min(event.time_ms for event in events)), purchase_days(events)
    right = {stage_of(bought, first_day, day).name for day in days}
    if state.stage not in right:
        yield Wrong("stages_wrong", f"{person}: {state.stage}, not {sorted(right)}")
    seen = json.loads(view.get("activity", b'{"events": [0, 0, 0, 0]}'))["events"][3]
    if seen != len(events):
        yield Wrong("views_wrong", f"{person} shows {seen} of {len(events)} events")
    days_seen = json.loads(view.get("lifecycle", b"{}")).get("purchase_days", 0)
    if days_seen != len(bought):
        yield Wrong("views_wrong", f"{person} shows {days_seen} of {len(bought)} purchase days")


def is_settled(mine: State, fragments: Sequence[State]) -> bool:
    """Is what stands there derived of just these events?"""
    audit = sum(state.audit for state in fragments) % 2**64
    return mine.settled == (sum(state.events for state in fragments), audit)


def is_torn(name: str, states: Mapping[str, State]) -> bool:
    """A person of whom another commit is owed: as after a kill, their view may show less than the fragments hold."""
    members = states[name].members
    if any(states.get(other, State()).person != name for other in members if other != name):
        return True
    return bool(members) and not is_settled(states[name], [states[other] for other in members])


def unseen(name: str, states: Mapping[str, State], view: Fields) -> list[str]:
    """Names of the fields that are not what the fragments show; who leads elsewhere shows nothing but that."""
    state = states[name]
    goes_by = {field: value for field, value in view.items() if field not in ("version", "updated_at_ms")}
    if state.person:
        return [] if goes_by == {"goes_by": state.person.encode()} else ["goes_by"]
    whole = assembled(name, {other: states[other] for other in sorted({name, *state.members} & states.keys())})
    if not whole.events:  # only links are known
        return sorted(goes_by)
    alike = partial(but_for_estimates, tables=overflown(whole)) if state.members else equal
    return unlike(whole, view, alike) + ["goes_by"] * ("goes_by" in view)


def overflown(state: State) -> set[str]:
    """Names under which tables are shown that had to leave names out: what they say of the others is an estimate, too."""
    parts = [(getattr(state.parts, feature), tables) for feature, tables in TABLES.items()]
    rows = [(getattr(part, table), shown) for part, tables in parts if part is not None for table, shown in tables.items()]
    return {shown for table, shown in rows if MORE in table}


def but_for_estimates(a: Any, b: Any, tables: Container[str] = ()) -> bool:
    """Are they the same, but for these tables, and tallies that have overflown? Tallies show by how much they may be wrong;
    merged, both depend on when that was done, and tallies may come to nothing."""
    if not (isinstance(a, dict) and isinstance(b, dict)):
        return _is_estimate(a) or _is_estimate(b) or equal(a, b)
    if _is_estimate(a) or _is_estimate(b):
        return True
    return all(name in tables or but_for_estimates(a.get(name), b.get(name), tables) for name in a.keys() | b.keys())


def _is_estimate(value: Any) -> bool:
    return isinstance(value, dict) and ESTIMATED in value
