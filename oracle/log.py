"""Which records of the log count: events, without their duplicates, and dead letters (docs/facts.md, "Which records count")."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

from oracle.facts import facts
from schemas.event import Event, Rejection, decode

#: A producer's duplicate is recognised while at most so many events of its customer and partition came after the first.
HORIZON_EVENTS = 16
NOTHING: frozenset[str] = frozenset()


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


def read(
    records: Iterable[Record], replayed: Container[str] = NOTHING, held: Container[str] = NOTHING
) -> Iterator[tuple[Record, Event | Dead]]:
    """The records that count, with what they hold, in the order given: that of the offsets within each partition.

    ``replayed`` are origins that came in again by a replay, ``held`` those that wait in the topic of dead letters.
    """
    recent: dict[tuple[str, int], dict[str, array[int]]] = defaultdict(lambda: defaultdict(lambda: array("Q")))
    for record in records:
        origin = f"{record.topic}/{record.partition}/{record.offset}"
        if origin in replayed:
            continue
        found = decode(record.topic, record.key, record.value, record.headers, record.timestamp)
        if isinstance(found, Rejection):
            yield record, Dead(origin, found.reason, found.path)
        elif origin in held:
            yield record, Dead(origin, "held", "")
        elif _is_new(recent[record.topic, record.partition][found.customer_id], found):
            yield record, found


def _is_new(recent: array[int], event: Event) -> bool:
    """Remembers an event that counts."""
    number = int.from_bytes(event.hash, "little")
    if number in recent:
        return False
    recent.append(number)
    if len(recent) > HORIZON_EVENTS:
        recent.pop(0)
    return True


def fold(records: Iterable[Record], at_ms: int, replayed: Container[str] = NOTHING) -> Fold:
    """The facts of every customer as of ``at_ms``, and the dead letters. Holds all events in memory."""
    events: dict[str, list[Event]] = defaultdict(list)
    dead: list[Dead] = []
    for _, found in read(records, replayed):
        if isinstance(found, Event):
            events[found.customer_id].append(found)
        else:
            dead.append(found)
    return Fold({customer_id: facts(of_customer, at_ms) for customer_id, of_customer in events.items()}, dead)


def audits(records: Iterable[Record], replayed: Container[str] = NOTHING) -> dict[str, Audit]:
    """Count and sum of the events of every customer. Memory grows with the customers, not with their events."""
    found: dict[str, Audit] = defaultdict(Audit)
    for _, event in read(records, replayed):
        if isinstance(event, Event):
            found[event.customer_id].add(event)
    return dict(found)
