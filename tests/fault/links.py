"""Links in the load: every other household has people of several identities, who are linked and parted all the time.

The others are never named in a link, so that for them the refold can say of each action whether it had to come (docs/refold.md).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator
from random import Random
from typing import Any, NamedTuple

import msgspec

from cli.parcel import Parcel
from schemas.registry import TYPES

#: Customers of one household, who share a device: it is linked to all of them, and joins nobody.
HOUSEHOLD = 4
#: Of what somebody of these households does: so much under another identity than the customer's.
ELSEWHERE = 0.3
#: And so much carries one more of their identities, which is a link as well.
CARRIED = 0.02
MISTAKEN, DECIDED = 0.1, 0.15
CONFIDENCES = (1, 1, 0.95, 0.6, 0.3)
#: An unlink ends one of the last so many links, or what has been said anew since.
REMEMBERED = 300
TOPIC = TYPES["identity.linked"][0].name


class Identity(NamedTuple):
    name: str
    kind: str  # what its publishers say it is


def identities(number: int) -> list[Identity]:
    """By which a customer is known; the first is the customer id itself, the last the household's device."""
    return [
        Identity(f"C{number:06d}", "customer"),
        Identity(f"device:d{number}", "device"),
        Identity(f"anonymous:a{number}-1", "anonymous"),
        Identity(f"anonymous:a{number}-2", "anonymous"),
        Identity(f"handle_{number}", "social"),  # without a form: what it is only its links say
        Identity(f"C{number:06d}-2", "customer"),  # a second account, by mistake
        Identity(f"device:home-{number // HOUSEHOLD}", "device"),
    ]


def number_of(key: bytes | None) -> int | None:
    """Of a customer of the population who has several identities."""
    if key is None or key[:1] != b"C" or not key[1:].isdigit():
        return None
    number = int(key[1:])
    return number if number // HOUSEHOLD % 2 else None


def linked(history: Iterable[Parcel], chance: Random, *, links: float, unlinks: float) -> Iterator[Parcel]:
    """The history, in which some do things under other identities, with these shares of links and of their ends after it."""
    known: dict[int, None] = {}
    said: deque[tuple[Identity, Identity]] = deque(maxlen=REMEMBERED)
    for number, parcel in enumerate(history):
        if (customer := number_of(parcel.key)) is not None:
            known[customer] = None
            if parcel.topic != TOPIC and chance.random() < ELSEWHERE:  # an external id stays with one identity
                parcel = parcel._replace(key=chance.choice(identities(customer)[1:]).name.encode())
            if chance.random() < CARRIED:
                parcel = _carrying(parcel, chance.choice(identities(customer)).name)
        yield parcel
        drawn = chance.random()
        if known and drawn < links:
            pair = _pair(chance, chance.choice(list(known)))
            said.append(pair)
            yield _said("identity.linked", f"link-{number}", parcel.time_ms, pair, chance)
        elif said and links <= drawn < links + unlinks:
            yield _said("identity.unlinked", f"unlink-{number}", parcel.time_ms, chance.choice(said), chance)


def _carrying(parcel: Parcel, name: str) -> Parcel:
    value = (parcel.value or b"").replace(b'"data":{', b'"data":{"identities":["%b"],' % name.encode(), 1)
    return parcel._replace(value=value)


def _pair(chance: Random, customer: int) -> tuple[Identity, Identity]:
    """Mostly the customer and one of their other identities; or two of these; or, by mistake, somebody else's at home."""
    whose = customer
    if chance.random() < MISTAKEN:
        whose = customer // HOUSEHOLD * HOUSEHOLD + chance.randrange(HOUSEHOLD)
    own, others = identities(customer), identities(whose)
    one = own[0] if chance.random() < 0.7 else chance.choice(own)
    other = chance.choice([each for each in others if each != one])
    return (one, other) if chance.random() < 0.5 else (other, one)


def _said(type_: str, id_: str, time_ms: int, pair: tuple[Identity, Identity], chance: Random) -> Parcel:
    one, other = pair if chance.random() < 0.7 else pair[::-1]
    data: dict[str, Any] = {"other": other.name, "kind": other.kind, "key_kind": one.kind}
    if type_ == "identity.linked":
        data["confidence"] = chance.choice(CONFIDENCES)
    if chance.random() < DECIDED:
        data["by"] = "lin"
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time_ms // 1000))
    event = {"specversion": "1.0", "id": f"{id_}-{time_ms}", "source": "/identities", "type": type_, "time": when, "data": data}
    return Parcel(time_ms, TOPIC, one.name.encode(), msgspec.json.encode(event))
