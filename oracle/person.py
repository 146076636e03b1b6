"""The parts `basic` and `social`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from oracle.tools import counts, latest, of_type, ones, total
from schemas.customers import AttributesChanged, ConsentChanged, ExternalIdAssigned
from schemas.event import Event
from schemas.social import AccountFollowed, Mention, MentionPosted, MentionShared


def basic(events: Sequence[Event], today: int) -> list[Any]:
    attributes = [
        (name, (event.time_ms, value.strip(), event.data.system))
        for event in of_type(events, AttributesChanged)
        for name, value in event.data.attributes.items()
    ]
    external = [(event.data.system, (event.time_ms, event.data.external_id, "")) for event in of_type(events, ExternalIdAssigned)]
    consent = [
        (event.data.purpose, (event.time_ms, "granted" if event.data.granted else "refused", event.data.basis))
        for event in of_type(events, ConsentChanged)
    ]
    return [latest(attributes, 32), latest(external, 8), latest(consent, 16)]


def social(events: Sequence[Event], today: int) -> list[Any]:
    mentions, said = of_type(events, Mention), of_type(events, MentionPosted, MentionShared)
    audiences = [event.data.audience or 0 for event in said]
    handles = [
        (event.data.platform, (event.time_ms, event.data.handle, "")) for event in mentions if event.data.handle is not None
    ]
    return [
        ones(said, today),
        len(of_type(mentions, MentionPosted)),
        len(of_type(mentions, MentionShared)),
        len(of_type(mentions, AccountFollowed)),
        sum(audiences),
        max(audiences, default=0),
        total(said, lambda data: data.engagement),
        counts([event.data.platform for event in mentions], 8),
        counts([topic for event in mentions for topic in event.data.topics], 8),
        counts([brand for event in mentions for brand in event.data.brands], 8),
        latest(handles, 8),
        ones([event for event in mentions if event.data.rivals], today),
    ]
