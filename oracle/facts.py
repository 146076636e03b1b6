"""All facts of one customer, as canonical JSON (docs/facts.md)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from oracle import orders, person, service, visits, voice
from oracle.stage import stage_of
from oracle.tools import day_of
from schemas.event import Event

#: Each computes its part from all events of a customer and the day.
PARTS: dict[str, Callable[[Sequence[Event], int], list[Any]]] = {
    "activity": visits.activity,
    "behaviour": visits.behaviour,
    "consumption": orders.consumption,
    "needs": service.needs,
    "social": person.social,
    "feedback": service.feedback,
    "basic": person.basic,
    "contacts": service.contacts,
    "context": visits.context,
    "sources": person.sources,
    "rivals": person.rivals,
    "interests": visits.interests,
    "voice": voice.voice,
    "concerns": service.concerns,
}


def facts(events: Sequence[Event], at_ms: int) -> bytes:
    """The facts as of ``at_ms`` of a customer whose events these are, in any order and without duplicates; at least one."""
    today = day_of(at_ms)
    first_day = day_of(min(event.time_ms for event in events))
    audit = sum(int.from_bytes(event.hash, "little") for event in events) % 2**64
    return msgspec.json.encode(
        {
            "events": len(events),
            "audit": audit,
            "stage": stage_of(orders.purchase_days(events), first_day, today),
            "parts": {name: part(events, today) for name, part in PARTS.items()},
        },
        order="sorted",
    )
