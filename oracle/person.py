"""The parts `basic`, `social`, `rivals` and `sources`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from oracle.tools import OVERFLOWN, counts, latest, of_type, ones, total
from schemas.customers import AttributesChanged, ConsentChanged, ExternalIdAssigned
from schemas.event import Event
from schemas.social import AccountFollowed, Mention, MentionPosted, MentionShared
from schemas.trust import trust


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
    told, others = _believed(attributes)
    return [told, latest(external, 8), latest(consent, 16), others]


def _believed(given: Sequence[tuple[str, tuple[int, str, str]]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """For each attribute the best word, and the best of all systems but the one whose that is."""
    told: dict[str, Any] = {}
    others: dict[str, Any] = {}
    for name in {name for name, _ in given}:
        words = sorted((word for named, word in given if named == name), key=lambda word: (trust(word[2]), word))
        told[name] = words[-1]
        if rest := [word for word in words if word[2] != words[-1][2]]:
            others[name] = rest[-1]
    return (told, others) if len(told) <= 32 else (OVERFLOWN, OVERFLOWN)


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
        _heard(said),
        max([0, *(event.time_ms for event in mentions)]),
        counts([event.data.account for event in of_type(mentions, AccountFollowed)], 6),
    ]


def _heard(said: Sequence[Event]) -> dict[str, int]:
    """What each topic brought."""
    sums: Counter[str] = Counter()
    for event in said:
        for topic in event.data.topics if event.data.engagement else ():
            sums[topic] += event.data.engagement
    return dict(sums) if len(sums) <= 8 else OVERFLOWN


def rivals(events: Sequence[Event], today: int) -> list[Any]:
    naming = [event for event in of_type(events, Mention) if event.data.rivals]
    by_name: dict[str, list[int]] = {}
    for event in naming:
        for rival in event.data.rivals:
            count, latest_ms = by_name.get(rival, [0, 0])
            by_name[rival] = [count + 1, max(latest_ms, event.time_ms)]
    topics = [topic for event in naming for topic in event.data.topics]
    return [by_name if len(by_name) <= 5 else OVERFLOWN, counts(topics, 5)]


def sources(events: Sequence[Event], today: int) -> list[Any]:
    by_name: dict[str, list[Event]] = {}
    for event in events:
        by_name.setdefault(event.source[:64], []).append(event)
    told = {
        name: [len(told), max(event.topic_code for event in told), max(event.time_ms for event in told)]
        for name, told in by_name.items()
    }
    refused = [field for event in events for field in event.refused]
    refused_by = [event.source[:64] for event in events for _ in event.refused]
    return [told if len(told) <= 6 else OVERFLOWN, counts(refused, 12), counts(refused_by, 6)]
