"""Which records of the log count: events, without their duplicates, and dead letters (docs/facts.md, "Which records count")."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec

from language.names import Names
from oracle.facts import facts
from schemas.event import Event, Rejection, decode
from schemas.outputs import Expired

#: A producer's duplicate is recognised while at most so many events of its customer and partition came after the first.
HORIZON_EVENTS = 16
NOTHING: frozenset[str] = frozenset()
#: Of each identity that has expired, by (topic, partition): the last offset that is void.
Cuts = Mapping[str, Mapping[tuple[str, int], int]]
NO_CUTS: Cuts = {}


class Record(Protocol):
    """A record as Kafka's clients have it. ``timestamp`` is in epoch milliseconds."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


class Dead(NamedTuple):
    """A record that is no event. ``origin`` is topic/partition/offset."""

    origin: str
    reason: str
    path: str


class Audit:
    """How many events, and the sum of their hashes modulo 2^64."""

    __slots__ = ("events", "total")

    def __init__(self) -> None:
        self.events = self.total = 0

    def add(self, event: Event) -> None:
        self.events += 1
        self.total = (self.total + int.from_bytes(event.hash, "little")) % 2**64


class Fold(NamedTuple):
    """A whole log."""

    facts: dict[str, bytes]  # by customer id
    dead: list[Dead]


class Reader:
    """Says what each record holds. Takes the records in the order of the offsets within each partition."""

    def __init__(
        self,
        replayed: Container[str] = NOTHING,
        held: Container[str] = NOTHING,
        names: Names | None = None,
        named: Callable[[Event], Event | Rejection] | None = None,
        cuts: Cuts = NO_CUTS,
    ) -> None:
        """``replayed`` are origins that came in again by a replay, ``held`` those that stand in the topic of dead letters.
        ``names`` are looked for in texts, as the workers do; ``named`` gives identities their names, in place. ``cuts``: what is
        void."""
        self._replayed, self._held, self._names, self._named, self._cuts = replayed, held, names, named, cuts
        self._recent: dict[tuple[str, int], dict[str, array[int]]] = defaultdict(lambda: defaultdict(lambda: array("Q")))

    def take(self, record: Record) -> Event | Dead | None:
        """None: the record does not count, as a duplicate, because it was replayed, or because it is void."""
        origin = f"{record.topic}/{record.partition}/{record.offset}"
        if origin in self._replayed:
            return None
        found = decode(record.topic, record.key, record.value, record.headers, record.timestamp)
        if isinstance(found, Event) and self._named is not None:
            found = self._named(found)
        if isinstance(found, Rejection):
            return Dead(origin, found.reason, found.path)
        if origin in self._held:
            return Dead(origin, "held", "")
        if self._is_void(record, found) or not self._is_new(record, found):
            return None
        if self._names is not None:
            found.data = self._names.read(found.data)
        return found

    def _is_void(self, record: Record, event: Event) -> bool:
        cut = self._cuts.get(event.customer_id)
        return cut is not None and record.offset <= cut.get((record.topic, record.partition), -1)

    def _is_new(self, record: Record, event: Event) -> bool:
        """Remembers an event that counts."""
        recent = self._recent[record.topic, record.partition][event.customer_id]
        number = int.from_bytes(event.hash, "little")
        if number in recent:
            return False
        recent.append(number)
        if len(recent) > HORIZON_EVENTS:
            recent.pop(0)
        return True


def cuts_of(values: Iterable[bytes | None]) -> dict[str, dict[tuple[str, int], int]]:
    """What the records of the topic `expired` say, in any order."""
    cuts: dict[str, dict[tuple[str, int], int]] = {}
    for value in values:
        if not value:
            continue
        told = msgspec.json.decode(value, type=Expired)
        cut = cuts.setdefault(told.id, {})
        for source, offset in told.marks.items():
            topic, partition = source.rsplit("/", 1)
            cut[topic, int(partition)] = max(offset, cut.get((topic, int(partition)), -1))
    return cuts


def fold(records: Iterable[Record], at_ms: int, replayed: Container[str] = NOTHING, cuts: Cuts = NO_CUTS) -> Fold:
    """The facts of every customer as of ``at_ms``, and the dead letters. Holds all events in memory."""
    reader = Reader(replayed, cuts=cuts)
    events: dict[str, list[Event]] = defaultdict(list)
    dead: list[Dead] = []
    for record in records:
        found = reader.take(record)
        if isinstance(found, Event):
            events[found.customer_id].append(found)
        elif found is not None:
            dead.append(found)
    return Fold({customer_id: facts(of_customer, at_ms) for customer_id, of_customer in events.items()}, dead)


def audits(records: Iterable[Record], replayed: Container[str] = NOTHING) -> dict[str, Audit]:
    """Count and sum of the events of every customer. Memory grows with the customers, not with their events."""
    reader = Reader(replayed)
    found: dict[str, Audit] = defaultdict(Audit)
    for record in records:
        event = reader.take(record)
        if isinstance(event, Event):
            found[event.customer_id].add(event)
    return dict(found)
