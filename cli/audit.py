"""Comparing stored states with the log: exact on a live system, for a state tells by its marks how much of the log it holds.

The positions are taken first. A state that is read later holds everything before them, and beyond them what its own marks
say. Where a mark lies beyond the position, it is the cut for this customer; elsewhere the position is.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from random import Random
from typing import Any, NamedTuple

import msgspec

import oracle.facts
from language.names import Names
from oracle import log
from portrait.features.registry import FEATURES
from portrait.state import State, decode, facts, source_of
from profile_store.contract import TP
from schemas.event import Event
from schemas.identity import Namer
from schemas.registry import BY_CODE

NOTHING: Mapping[TP, int] = {}


class Stored(NamedTuple):
    """What a state says of the events in it. ``beyond``: the next offset, of partitions in which it is ahead of the position."""

    events: int
    total: int
    beyond: Mapping[TP, int]


class Difference(NamedTuple):
    """A fact in which the state and the oracle differ. None: not there."""

    path: str
    stored: Any
    expected: Any


class Checked(NamedTuple):
    """A customer who was recomputed in full. ``known``: False where there is neither a state nor an event."""

    id: str
    known: bool
    differences: list[Difference]


class Report(msgspec.Struct, kw_only=True):
    """``customers`` are all that the log or the store knows: those that agree, that differ, that are extra, that are missing.

    ``lost`` and ``double`` count events: how many fewer than the log has, how many more. A state with as many events as the log,
    but not the same ones, counts one in each.
    """

    customers: int = 0
    events: int = 0  # in the log, before the cuts
    agree: int = 0
    differ: int = 0
    lost: int = 0
    double: int = 0
    extra: int = 0  # customers with a state, and no event in the log
    missing: int = 0  # customers with events, and no state
    dead_letters: int = 0  # records before the positions that are no events
    dead_letters_missing: int = 0  # those of them that the topic of dead letters should hold, and does not
    full: list[Checked] = []
    ids: dict[str, list[str]] = {}  # whom it concerns

    @property
    def fine(self) -> bool:
        exact = all(checked.known and not checked.differences for checked in self.full)
        return self.agree == self.customers and not self.dead_letters_missing and exact


def tp_of(mark: int) -> TP:
    code, partition = source_of(mark)
    return BY_CODE[code].name, partition


class Audit:
    """First all states, then all records before `ends` in the order of the log, then the report."""

    def __init__(self, positions: Mapping[TP, int], *, full: Iterable[str] = (), sample: int = 0, rng: Random) -> None:
        """``positions``: the next offset of every partition. ``full`` and a random ``sample`` are recomputed in full."""
        self._positions = positions
        self._stored: dict[str, Stored] = {}
        self._full: dict[str, State | None] = dict.fromkeys(full)
        self._wanted = frozenset(self._full)
        self._sampled: list[str] = []
        self._sample_max, self._rng = sample, rng
        self._expected: dict[str, log.Audit] = {}
        self._events: dict[str, list[Event]] = {}
        self._reader = log.Reader()
        self._held: Container[str] | None = None
        self._began: dict[str, dict[TP, int]] = {}  # after what the states of those who had expired began
        self._cuts: log.Cuts = log.NO_CUTS
        self._report = Report()

    def take_state(self, customer_id: str, blob: bytes) -> None:
        """A stored state; the same customer's may come again, newer. Raises BrokenState, NewerFormat.

        An identity of which nothing is known but its links has no events, in the log or elsewhere: it is passed over. So is one
        that has expired.
        """
        state = decode(blob)
        self._began.pop(customer_id, None)
        if state.expiry is not None and state.expiry.cut:
            self._began[customer_id] = {tp_of(mark): offset for mark, offset in state.expiry.cut.items()}
        if not state.events and (state.links is not None or customer_id in self._began):
            self._stored.pop(customer_id, None)
            return
        if customer_id not in self._stored:
            self._draw(customer_id)
        beyond = {}
        for mark, offset in state.marks.items():
            tp = tp_of(mark)
            if offset >= self._positions.get(tp, 0):
                beyond[tp] = offset + 1
        self._stored[customer_id] = Stored(state.events, state.audit, beyond or NOTHING)
        if customer_id in self._full:
            self._full[customer_id] = state

    def _draw(self, customer_id: str) -> None:
        """A sample of which every state is as likely a member as any other (Vitter's algorithm R)."""
        if len(self._sampled) < self._sample_max:
            self._sampled.append(customer_id)
            self._full.setdefault(customer_id)
        elif self._sample_max and (place := self._rng.randrange(len(self._stored) + 1)) < self._sample_max:
            if self._sampled[place] not in self._wanted:
                del self._full[self._sampled[place]]
            self._sampled[place] = customer_id
            self._full.setdefault(customer_id)

    def ends(self) -> dict[TP, int]:
        """The next offset up to which the log must be read, of every partition that the positions or a state name."""
        ends = dict(self._positions)
        for stored in self._stored.values():
            for tp, end in stored.beyond.items():
                ends[tp] = max(ends.get(tp, 0), end)
        return ends

    def take_expired(self, before: log.Cuts, after: log.Cuts) -> None:
        """What had expired before the states were read, and after. States hold none of the first, and say what else they began
        after; of who has no state, all is void that was told by then."""
        cuts = dict(after)
        for customer_id in {*self._began, *(self._stored.keys() & after.keys())}:
            known = before.get(customer_id, NOTHING), self._began.get(customer_id, NOTHING)
            cuts[customer_id] = {tp: max(cut.get(tp, -1) for cut in known) for tp in {**known[0], **known[1]}}
        self._cuts = cuts

    def begin_log(
        self,
        replayed: Container[str],
        held: Container[str],
        *,
        held_is_complete: bool,
        names: Names | None = None,
        namer: Namer | None = None,
    ) -> None:
        """``replayed``, ``held``: origins in the topics of replayed and of dead letters, read after the positions were."""
        self._reader = log.Reader(replayed, held, names, namer.named if namer is not None else None, self._cuts)
        self._held = held if held_is_complete else None

    def take_record(self, record: log.Record) -> None:
        found = self._reader.take(record)
        tp = record.topic, record.partition
        if isinstance(found, Event):
            stored = self._stored.get(found.customer_id)
            beyond = stored.beyond if stored is not None else NOTHING
            if record.offset < beyond.get(tp, self._positions.get(tp, 0)):
                self._take_event(found)
        elif found is not None and record.offset < self._positions.get(tp, 0):
            self._report.dead_letters += 1
            self._report.dead_letters_missing += self._held is not None and found.origin not in self._held

    def _take_event(self, event: Event) -> None:
        self._report.events += 1
        expected = self._expected.get(event.customer_id)
        if expected is None:
            expected = self._expected[event.customer_id] = log.Audit()
        expected.add(event)
        if event.customer_id in self._full:
            self._events.setdefault(event.customer_id, []).append(event)

    def report(self, at_ms: int) -> Report:
        """``at_ms``: the moment as of which facts are compared; a state that is ahead of it is compared as of its own."""
        report = self._report
        everyone = self._stored.keys() | self._expected.keys()
        report.customers = len(everyone)
        report.ids = {"lost": [], "double": [], "extra": [], "missing": []}
        for customer_id in sorted(everyone):
            self._compare(customer_id)
        report.full = [self._check(customer_id, state, at_ms) for customer_id, state in self._full.items()]
        return report

    def _compare(self, customer_id: str) -> None:
        report, stored, expected = self._report, self._stored.get(customer_id), self._expected.get(customer_id)
        if expected is None:
            report.extra += 1
            report.ids["extra"].append(customer_id)
        elif stored is None:
            report.missing += 1
            report.lost += expected.events
            report.ids["missing"].append(customer_id)
        elif (stored.events, stored.total) == (expected.events, expected.total):
            report.agree += 1
        else:
            report.differ += 1
            same_number = stored.events == expected.events
            if lost := max(expected.events - stored.events, int(same_number)):
                report.lost += lost
                report.ids["lost"].append(customer_id)
            if double := max(stored.events - expected.events, int(same_number)):
                report.double += double
                report.ids["double"].append(customer_id)

    def _check(self, customer_id: str, state: State | None, at_ms: int) -> Checked:
        events = self._events.get(customer_id, [])
        moment_ms = max(at_ms, state.moment_ms if state else 0)
        found = named(facts(state, moment_ms)) if state else {}
        expected = named(oracle.facts.facts(events, moment_ms)) if events else {}
        return Checked(customer_id, bool(found or expected), list(differences(found, expected)))


def named(encoded: bytes) -> dict[str, Any]:
    """Facts with the names of their fields, for people. Equal bytes give equal contents, and only they do."""
    content = msgspec.json.decode(encoded)
    parts = content.pop("parts")
    for feature in FEATURES:
        content[feature.name] = dict(zip(feature.part.__struct_fields__, parts[feature.name], strict=True))
    return content


def differences(stored: Any, expected: Any, path: str = "") -> Iterator[Difference]:
    """Where the two differ, as deep as both are objects."""
    if isinstance(stored, dict) and isinstance(expected, dict):
        for key in sorted(stored.keys() | expected.keys()):
            yield from differences(stored.get(key), expected.get(key), f"{path}.{key}" if path else key)
    elif stored != expected:
        yield Difference(path, stored, expected)
