"""From records to arrivals: decode, group by customer, and write a dead letter for what can't be folded."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import NamedTuple

import msgspec

from language.names import Names
from portrait.evolve import Arrival
from portrait.state import mark_of
from schemas.event import Event, Rejection, decode
from schemas.identity import LINKS, Namer, may_have_form, others_of
from schemas.outputs import DeadLetter, Origin
from schemas.registry import BY_NAME, DEAD_LETTERS
from streams.held import NOBODY, Offsets, among
from streams.log import TP, Outgoing, Record

#: More of a value is not kept in its dead letter.
VALUE_BYTES_KEPT = 300 * 1024
KEY_BYTES_KEPT = 1024
HEADERS_KEPT, HEADER_BYTES_KEPT = 20, 1024

_json = msgspec.json.Encoder().encode


#: Without a key for what is personal.
NAMER = Namer()


class Intake(NamedTuple):
    """A batch, decoded."""

    arrivals: dict[str, list[Arrival]]  # by customer id, in the order of the log within each partition
    dead: list[Outgoing]
    reasons: list[tuple[str, str]]  # (topic, reason) of each dead letter
    events: dict[TP, int]  # how many could be decoded
    reached_ms: dict[TP, int]  # greatest event time
    skipped: int  # origins that come in by their replay, or wait for it
    refused: list[str]  # field of each value that cleaning left out
    linked: set[str]  # identities, both ends, of whose links something is said; their arrivals tell both of it


def take_in(
    records: Mapping[TP, Sequence[Record]],
    replayed: Container[str],
    held: Offsets = NOBODY,
    names: Names | None = None,
    namer: Namer = NAMER,
) -> Intake:
    """Decode all records. ``replayed``: origins (as text) that are folded by their replay instead. ``held``: dead letters, which
    are not folded before that either. ``names`` are looked for in texts; ``namer`` names the identities."""
    intake = Intake({}, [], [], {}, {}, 0, [], set())
    arrivals, skipped = intake.arrivals, 0
    for tp, of_partition in records.items():
        topic, partition = tp
        mark = mark_of(BY_NAME[topic].code, partition)
        waiting = held.get(tp)
        reached = decoded = 0
        for record in of_partition:
            event = decode(topic, record.key, record.value, record.headers, record.timestamp)
            says_links = False
            if isinstance(event, Event):
                says_links = bool(event.data.identities) or type(event.data) in LINKS
                if says_links or may_have_form(event.customer_id):
                    event = namer.named(event)
            if replayed and f"{topic}/{partition}/{record.offset}" in replayed:
                skipped += 1
            elif isinstance(event, Event):
                if waiting and among(record.offset, waiting):
                    skipped += 1
                    continue
                decoded += 1
                if names is not None:
                    event.data = names.read(event.data)
                if event.refused:
                    intake.refused.extend(event.refused)
                if event.time_ms > reached:
                    reached = event.time_ms
                arrival = Arrival(mark, record.offset, event)
                if says_links and (others := others_of(event)):
                    intake.linked.update((event.customer_id, *others))
                    for other in others:
                        arrivals.setdefault(other, []).append(arrival)
                group = arrivals.get(event.customer_id)
                if group is None:
                    arrivals[event.customer_id] = [arrival]
                else:
                    group.append(arrival)
            else:
                intake.dead.append(dead_letter(record, event))
                intake.reasons.append((topic, event.reason))
        intake.events[tp], intake.reached_ms[tp] = decoded, reached
    return intake._replace(skipped=skipped)


def dead_letter(record: Record, rejection: Rejection) -> Outgoing:
    """The message for the topic of dead letters; its key and id are the origin, so that a repetition is recognised."""
    origin = Origin(record.topic, record.partition, record.offset)
    value, key = record.value, record.key
    letter = DeadLetter(
        id=str(origin),
        origin=origin,
        reason=rejection.reason,
        path=rejection.path,
        message=rejection.message,
        remedy=rejection.remedy,
        record_ms=record.timestamp,
        key=None if key is None else bytes(key[:KEY_BYTES_KEPT]),
        value=None if value is None else bytes(value[:VALUE_BYTES_KEPT]),
        value_truncated=len(value or b"") > VALUE_BYTES_KEPT or len(key or b"") > KEY_BYTES_KEPT,
        headers=[(name, bytes(raw or b"")[:HEADER_BYTES_KEPT]) for name, raw in record.headers[:HEADERS_KEPT]],
    )
    return Outgoing(DEAD_LETTERS, str(origin).encode(), _json(letter))


def without_value(message: Outgoing) -> Outgoing:
    """A dead letter that the broker can take for sure."""
    letter = msgspec.json.decode(message.value or b"", type=DeadLetter)
    return message._replace(value=_json(msgspec.structs.replace(letter, value=None, value_truncated=True, headers=[])))
