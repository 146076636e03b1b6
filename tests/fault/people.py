"""The verdict on who has several identities: who is one person, what is shown of them, what they score, and their actions.

The refold (`retrace`) knows one identity at a time. So of whoever was ever named in a link it is not asked which actions had to
come; only that each that a state held was published, that each complaint was told, and that no action names what never happened.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from oracle import score
from oracle.identities import Word, words
from oracle.ledger import Ledger
from oracle.rules import CAME_BACK, COMPLAINED, FELL, RISK_ROSE, VALUED_ORDERS, VALUED_SPENT_MINOR
from oracle.tools import day_of, of_type
from portrait.state import State
from schemas.complaints import ComplaintOpened
from schemas.event import Event
from schemas.orders import OrderPlaced
from schemas.outputs import Action
from tests import persons
from tests.fault.retrace import LATE_MS, RISK_TOLERANCE
from tests.fault.verdict import Verdict
from tests.persons import Wrong
from tests.simulation.rules import EVERY_COMPLAINT

Events = Mapping[str, Sequence[Event]]


class People:
    """``said``: all events that say something of links, in any order. Names are as the load writes them: in their own form."""

    def __init__(self, said: Sequence[Event], models: Iterable[score.Model], views: Mapping[str, Mapping[str, bytes]]) -> None:
        """``models`` that were ever published; ``views`` by identity."""
        self._said: dict[frozenset[str], list[Word]] = defaultdict(list)
        for word in (word for event in said for word in words(event)):
            self._said[frozenset((word.key, word.other))].append(word)
        self._household, self._person = persons.households(said), persons.persons(said)
        self._models = list(models)
        self._views = views

    def are_linked(self, name: str) -> bool:
        """Was it ever named together with another?"""
        return name in self._household

    def household(self, name: str) -> str:
        """A name that stands for all who can ever have been one person with it."""
        return self._household.get(name, name)

    def named(self) -> list[str]:
        return list(self._household)

    def persons(self) -> dict[str, list[str]]:
        """All who were ever named in a link, by the one that their person goes by."""
        return persons.groups(self._person, self._person)

    def judge(self, names: Iterable[str], events: Events, states: Mapping[str, State], at_ms: int, verdict: Verdict) -> None:
        """All persons among ``names``, who are whole households. ``at_ms``: the moment until which silence was looked at."""
        for person, members in persons.groups(self._person, names).items():
            if not self.are_linked(person):
                continue
            verdict.persons += len(members) > 1
            if missing := [name for name in members if name not in states]:
                verdict.lost += len(missing)
                verdict.notes.append(f"no state of {missing}")
                continue
            for counter, note in self._person_wrong(person, members, events, states, at_ms):
                setattr(verdict, counter, getattr(verdict, counter) + 1)
                verdict.notes.append(note)
        for pair in self._said:
            if len(pair) == 2 and pair <= set(names):
                self._compare_link(*sorted(pair), states, verdict)

    def judge_actions(
        self, log: Mapping[str, Mapping[Any, Event]], actions: Mapping[str, Sequence[Action]], verdict: Verdict, *, traced: bool
    ) -> None:
        """``log`` and ``actions`` of whole households, the actions by `household`. ``traced``: workers told every complaint."""
        events: dict[str, list[Event]] = defaultdict(list)
        for name, of_name in log.items():
            events[self.household(name)] += of_name.values()
        for home in events.keys() | actions.keys():
            for action in actions.get(home, ()):
                judged = self.are_linked(action.customer_id) or action.rule == EVERY_COMPLAINT.name
                if judged and not is_founded(action, events[home]):
                    verdict.wrong_actions += 1
                    verdict.notes.append(f"nothing of that happened to {action.customer_id}: {action.rule} {action.episode}")
            if traced and (missing := untold(events[home], actions.get(home, ()))):
                verdict.actions_missing += len(missing)
                verdict.notes.append(f"{home}: no action tells the complaints {sorted(missing)}")
            verdict.complaints_again += again(actions.get(home, ()))

    def _person_wrong(
        self, person: str, members: Sequence[str], events: Events, states: Mapping[str, State], at_ms: int
    ) -> Iterator[Wrong]:
        goes_by = {name: self._views.get(name, {}).get("goes_by", b"").decode() for name in members}
        yield from persons.leads(person, members, states, goes_by)
        every, mine = [event for name in members for event in events.get(name, [])], states[person]
        if every:
            due = day_of(max(at_ms - LATE_MS, mine.moment_ms))
            yield from persons.shown(person, mine, self._views.get(person, {}), every, {due, day_of(at_ms)})
            yield from self._scored(person, mine, every)

    def _scored(self, person: str, state: State, events: Sequence[Event]) -> Iterator[Wrong]:
        """The score is a function of all that was told of the person, and of the day on which it was made."""
        ledger = Ledger()
        for event in sorted(events, key=lambda event: event.time_ms):
            ledger.add(event)
        if not ledger.bought:
            if state.risk is not None:
                yield Wrong("scores_wrong", f"risk of {person}, who bought nothing: {state.risk}")
            return
        models = [model for model in self._models if model.version == state.model]
        right = [model.risk(score.values_of(ledger, state.scored_day, model)) for model in models]
        if state.risk is None or not any(abs(state.risk - risk) <= RISK_TOLERANCE for risk in right):
            yield Wrong("scores_wrong", f"risk of {person}: {state.risk} stored, {right} from all fragments, model {state.model}")

    def _compare_link(self, a: str, b: str, states: Mapping[str, State], verdict: Verdict) -> None:
        """Both ends hold the last word about the two, unless one of them has more others than it keeps, and knows of none."""
        last = max(self._said[frozenset((a, b))], key=lambda word: word.order)
        for one, other in ((a, b), (b, a)):
            links = states[one].links if one in states else None
            link = links.others.get(other) if links is not None else None
            if links is not None and links.full and link is None:
                continue
            told = (link.ms, link.on) if link is not None else None
            if told != (last.ms, last.on):
                verdict.links_wrong += 1
                verdict.notes.append(f"{one} holds {told} of {other}, not {(last.ms, last.on)}")


def again(actions: Iterable[Action]) -> int:
    """How often a complaint was told once more, by another action: under another name, or together with others."""
    told = Counter(id_ for action in actions if action.rule == EVERY_COMPLAINT.name for id_ in action.episode.split(","))
    return sum(told.values()) - len(told)


def untold(events: Iterable[Event], actions: Iterable[Action]) -> set[str]:
    """Complaints that no action of the rule `every-complaint` names, whoever their customers went by then."""
    told = {id_ for action in actions if action.rule == EVERY_COMPLAINT.name for id_ in action.episode.split(",")}
    return {event.data.complaint_id for event in of_type(events, ComplaintOpened)} - told


def is_founded(action: Action, events: Sequence[Event]) -> bool:
    """Does it name what happened to somebody of the household whose events these are? That it had to come is not said by that."""
    complaints = {event.data.complaint_id for event in of_type(events, ComplaintOpened)}
    days = {day_of(event.time_ms) for event in of_type(events, OrderPlaced)}
    if action.rule == EVERY_COMPLAINT.name:
        return complaints.issuperset(action.episode.split(","))
    if action.rule == COMPLAINED.name:
        placed = of_type(events, OrderPlaced)
        valued = len(placed) >= VALUED_ORDERS or sum(event.data.amount_minor for event in placed) >= VALUED_SPENT_MINOR
        return action.episode in complaints and valued
    if action.rule == RISK_ROSE.name:
        return int(action.episode) in days
    if action.rule == FELL.name:
        return any(day < int(action.episode.rpartition(":")[2]) for day in days)
    return action.rule == CAME_BACK.name and int(action.episode) in days and min(days) < int(action.episode)
