"""Who is one person, read from the store as workers see it; and what was ever said of links, read from the log."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import aclosing
from typing import NamedTuple

import msgspec

from cli import output
from portrait.identity.graph import Proposal, Resolution, resolve
from portrait.identity.links import Links, own_kind
from portrait.identity.person import near
from portrait.state import State, decode
from profile_store.scan import StateReader
from schemas.customers import TOPIC, IdentityLinked
from schemas.event import Event, Rejection
from schemas.event import decode as decode_event
from schemas.identity import CUSTOMER, LINKS, REMEDY, BadIdentity, linked_of
from streams import kafka
from streams.settings import Settings, namer_of

#: Why a link joins nobody.
REASONS = {
    "unsure": "too unsure",
    "two-customers": "it would make two customers one",
    "other-customer": "another customer's, who was linked first",
    "too-many": "too many identities for one person",
    "shared": "one of them is many people's",
    "full": "one of them has been linked to more than can be kept",
    "blocked": "one of them is a value that stands for nobody",
    "runaway": "too many hang together: a mistake of whoever links",
}
#: Of these a person's decision makes a merge.
WAITING = ("unsure", "two-customers", "other-customer", "too-many")


class Graph(NamedTuple):
    """Identities that hang together, with their states: an empty one where there is none."""

    states: dict[str, State]
    resolution: Resolution

    def knows(self, name: str) -> bool:
        state = self.states[name]
        return bool(state.events) or state.links is not None

    def kind(self, name: str) -> str:
        return own_kind(name, self.states[name].links)

    def person(self, name: str) -> tuple[str, list[str]]:
        """The identity that the person goes by, and all of theirs."""
        person = self.resolution.persons[name]
        return person, self.resolution.members()[person]

    def beside(self, members: Collection[str]) -> list[Proposal]:
        """Links of these that join nobody."""
        return [p for p in self.resolution.proposals if p.a in members or p.b in members]


class Word(msgspec.Struct, omit_defaults=True):
    """What was said of a link, once."""

    ms: int
    said: str  # linked, unlinked
    key: str
    other: str
    source: str
    confidence: float | None = None
    by: str | None = None
    reason: str | None = None


def name_of(settings: Settings, text: str, kind: str | None = None) -> str:
    """The name under which workers keep an identity; ends the process where it can have none. ``kind``: what it is, where its
    form does not show it; so an address, or a number, may be given as it is."""
    try:
        return linked_of(text, kind or CUSTOMER, settings.identity_key.encode(), settings.country).id
    except BadIdentity as error:
        output.fail(f"{error}; {REMEDY}", output.USAGE)


async def graph_of(settings: Settings, ids: Iterable[str]) -> Graph:
    """As far as it takes to know the persons of ``ids``, and what they are linked to. Raises BrokenState, NewerFormat."""
    states: dict[str, State] = {}
    missing: Collection[str] = set(ids)
    async with state_reader(settings) as reader:
        while missing:
            for name in missing:
                states[name] = await state_of(reader, name) or State()
            missing = near(states, ids)[1]
    return Graph(states, resolve({name: state.links for name, state in states.items()}))


async def kinds_of(settings: Settings, names: Iterable[str]) -> dict[str, str]:
    """What workers know that these are. Raises BrokenState, NewerFormat."""
    async with state_reader(settings) as reader:
        return {name: own_kind(name, (await state_of(reader, name) or State()).links) for name in names}


async def proposed(settings: Settings) -> list[Proposal]:
    """Of all persons. Holds the links of everybody who has any. Raises BrokenState, NewerFormat."""
    links: dict[str, Links | None] = {}
    async with state_reader(settings) as reader:
        async for name, loaded in reader.scan_states():
            if (state := decode(loaded.state)).links is not None:
                links[name] = state.links
    return resolve(links).proposals


async def words_of(settings: Settings, members: Sequence[str]) -> tuple[list[Word], int]:
    """All that the log says of links of these, by time, under the names that workers give them; and how many links can't be
    told because they name what can have no name: an address, and there is no key. Raises KafkaProblem."""
    found, nameless, namer = [], 0, namer_of(settings)
    async with aclosing(kafka.read_topic(settings.kafka, TOPIC.name)) as records:
        async for record in records:
            event = decode_event(TOPIC.name, record.key, record.value, record.headers, record.timestamp)
            if not isinstance(event, Event) or type(event.data) not in LINKS:
                continue
            if isinstance(namer.named(event), Rejection):
                nameless += 1
                continue
            if event.customer_id in members or event.data.other in members:
                found.append(_word(event))
    return sorted(found, key=lambda word: word.ms), nameless


def _word(event: Event) -> Word:
    data = event.data
    said = "linked" if isinstance(data, IdentityLinked) else "unlinked"
    word = Word(event.time_ms, said, event.customer_id, data.other, event.source, by=data.by)
    if isinstance(data, IdentityLinked):
        word.confidence = data.confidence
    else:
        word.reason = data.reason
    return word


async def state_of(reader: StateReader, name: str) -> State | None:
    """Raises BrokenState, NewerFormat."""
    loaded = await reader.state_of(name)
    return decode(loaded.state) if loaded.state else None


def state_reader(settings: Settings) -> StateReader:
    """Use it in ``async with``. Whoever has another key is refused."""
    key, country = settings.identity_key, settings.country
    return StateReader(settings.redis, prefix=settings.prefix, cluster=settings.cluster, identity_key=key, country=country)
