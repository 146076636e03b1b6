"""A customer's state and profile stay bounded whatever comes: the longest texts the contracts allow, all of them different."""

from __future__ import annotations

import random
from collections.abc import Iterator

import msgspec

from bench.sizes import AT_ONCE, folded, make
from cli.population import Population
from cli.simulate import parcel_of
from portrait.evolve import Arrival
from portrait.features.base import unseen
from portrait.features.registry import FEATURES
from portrait.settle import EFFECTS_MAX
from portrait.state import decode, encode, mark_of
from portrait.structures import DAY_MS
from schemas.event import Event
from schemas.event import decode as decode_event
from tests.corekit import Customer, event, order

#: The worst that anyone can make of one customer, with all the effects that may wait. An ordinary one takes about a kilobyte.
STATE_BYTES_MAX = 250_000
FIELDS_BYTES_MAX = 150_000
#: After ten thousand events of a year, without long words: what readers get, and what the worker keeps (compressed). In Redis
#: each takes a little more: `python -m bench --only bytes` asks the server. The owner asks for 8,192 bytes of both together
#: (docs/benchmarks.md says what they consist of).
EVENTS, END_MS = 10_000, 1_790_000_000_000
FULL_FIELDS_BYTES_MAX, FULL_STATE_BYTES_MAX = 5_000, 3_150
#: The same of one who does what eighty simulated customers do, in every topic and both languages: all their counts overflow.
EVERYBODY, EVERY_FIELDS_BYTES_MAX, EVERY_STATE_BYTES_MAX = 80, 7_900, 5_000
ROUNDS = 40  # more different names than any tally holds


def worst(rng: random.Random, day: float) -> list[Event]:
    """One event of each kind that stores names, each as long as may be, in four bytes a character."""

    def text(length: int) -> str:
        return "".join(chr(rng.randrange(0x1F300, 0x1F600)) for _ in range(length))

    def name() -> str:
        return text(64)

    query = "".join(rng.choice("ΐΰὒὖ") for _ in range(256))  # three characters each in small letters
    line = {"sku": text(128), "quantity": 1_000_000, "unit_price_minor": 10**13, "category": name(), "brand": name()}
    currency = rng.choice(["CNY", "USD", "EUR", "GBP", "JPY", "HKD"])
    return [
        event("item.viewed", day, sku=text(128), category=name(), brand=name(), device=name(), region=name(), channel=name()),
        event("page.viewed", day, page=text(256)),
        event("search.made", day, query=query, results=0),
        event("content.engaged", day, content=text(128), kind="video", topic=name()),
        order(day, order_id=text(128), currency=currency, amount_minor=10**13, payment_method=name(), lines=[line]),
        event("complaint.opened", day, complaint_id=text(128), category=name(), product=name()),
        event("mention.posted", day, platform=name(), handle=name(), topics=[name()], brands=[name()], audience=10**12),
        event("conversation.closed", day, conversation_id="x", channel=name()),
        event("attributes.changed", day, attributes={name(): text(256)}, system=name()),
        event("external-id.assigned", day, system=name(), external_id=text(128)),
        event("consent.changed", day, purpose=name(), granted=True),
        event("contact.refused", day, message_id="m", channel=name()),
    ]


def test_a_full_profile_after_ten_thousand_events_is_small() -> None:
    write = make(EVENTS, 1, END_MS)
    assert sum(len(name) + len(value) for name, value in write.fields.items()) < FULL_FIELDS_BYTES_MAX
    assert len(write.state) < FULL_STATE_BYTES_MAX


def test_so_is_one_with_ten_thousand_events_of_all_kinds() -> None:
    write = folded("C1", everybodys_events())
    assert write.fields.keys() >= {feature.name for feature in FEATURES if feature.view is not unseen}
    assert sum(len(name) + len(value) for name, value in write.fields.items()) < EVERY_FIELDS_BYTES_MAX
    assert len(write.state) < EVERY_STATE_BYTES_MAX


def everybodys_events() -> Iterator[list[Arrival]]:
    """What many simulated customers do in a year, as one customer's, four events at a time."""
    people = Population(random.Random(1), customers=EVERYBODY, start_ms=END_MS - 365 * DAY_MS, end_ms=END_MS)
    parcels = [parcel_of(emitted) for emitted in people.history()]
    known = [decode_event(p.topic, b"C1", p.value, (), p.time_ms) for p in parcels]
    events = [e for e in known if isinstance(e, Event)]
    chosen = [events[i * len(events) // EVENTS] for i in range(EVENTS)]
    arrivals = [Arrival(mark_of(e.topic_code, 0), offset, e) for offset, e in enumerate(chosen)]
    for first in range(0, EVENTS, AT_ONCE):
        yield arrivals[first : first + AT_ONCE]


def test_the_worst_that_can_come_has_a_size_and_no_more() -> None:
    rng, customer, sizes = random.Random(1), Customer(), []
    for day in range(4 * ROUNDS):
        customer.sees(*worst(rng, day))
        sizes.append(len(msgspec.msgpack.encode(customer.known)))
    assert len(customer.known.effects) == EFFECTS_MAX
    assert max(sizes) < STATE_BYTES_MAX
    assert sum(map(len, customer.fields.values())) < FIELDS_BYTES_MAX
    assert max(sizes[2 * ROUNDS :]) < max(sizes[: 2 * ROUNDS]) * 1.05, "full after a while: only days and counts grow"
    assert decode(encode(customer.known)) == customer.known, "and the store can hold it"
