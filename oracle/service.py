"""The parts `needs`, `feedback` and `contacts`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from language.understand import understand_asked, understand_complaint
from oracle.tools import OVERFLOWN, counts, ms_of, of_type, ones
from oracle.voice import text_of
from schemas.complaints import ComplaintOpened, ComplaintResolved, ComplaintUpdated
from schemas.contacts import Contact, ContactClicked, ContactDelivered, ContactOpened, ContactRefused, ContactSent
from schemas.event import Event
from schemas.feedback import ConversationClosed, RatingGiven, SurveyAnswered
from schemas.social import MentionShared

CASES_MAX = 8
SEVERITIES = ["low", "medium", "high", "critical"]
OUTCOMES = [ContactSent, ContactDelivered, ContactOpened, ContactClicked, ContactRefused]
CONTACT_CHANNELS_MAX = 8


def needs(events: Sequence[Event], today: int) -> list[Any]:
    opened, resolved = of_type(events, ComplaintOpened), of_type(events, ComplaintResolved)
    stars = [event.data.satisfaction for event in resolved if event.data.satisfaction is not None]
    return [
        ones(opened, today),
        len(opened),
        len(resolved),
        sum(stars),
        len(stars),
        counts([event.data.category for event in opened], 8),
        counts([event.data.product for event in opened], 6),
        _cases(of_type(events, ComplaintOpened, ComplaintUpdated, ComplaintResolved)),
    ]


def _cases(events: Sequence[Event]) -> list[list[Any]]:
    """The latest ones, ascending."""
    about: dict[tuple[int, str], list[Event]] = defaultdict(list)
    for event in events:
        opened_ms = event.time_ms if isinstance(event.data, ComplaintOpened) else ms_of(event.data.opened_at)
        about[opened_ms, event.data.complaint_id].append(event)
    return [_case(*name, about[name]) for name in sorted(about)[-CASES_MAX:]]


def _case(opened_ms: int, complaint_id: str, events: Sequence[Event]) -> list[Any]:
    severities = [
        SEVERITIES.index(event.data.severity)
        for event in of_type(events, ComplaintOpened, ComplaintUpdated)
        if event.data.severity is not None
    ]
    categories = [(event.time_ms, event.data.category) for event in events if event.data.category is not None]
    products = [event.data.product for event in of_type(events, ComplaintOpened) if event.data.product is not None]
    ends = [(event.time_ms, event.data.satisfaction or 0) for event in of_type(events, ComplaintResolved)]
    read = [event for event in of_type(events, ComplaintOpened, ComplaintUpdated) if event.data.text]
    understood = [
        (round(100 * found.sure), found.category)
        for event in read
        if event.data.category is None
        and (found := understand_complaint(event.data.text)) is not None
        and found.category != "other"
    ]
    category_ms, category = max(categories, default=(0, ""))
    resolved_ms, stars = max(ends, default=(0, 0))
    return [
        opened_ms,
        complaint_id,
        max(severities, default=0),
        category_ms,
        category,
        max(products, default=""),
        resolved_ms,
        stars,
        *max(understood, default=(0, "")),
        max((understand_asked(event.data.text).urgency for event in read), default=0),
    ]


def concerns(events: Sequence[Event], today: int) -> list[Any]:
    texts = [(event, text_of(event)) for event in events if text_of(event) and not isinstance(event.data, MentionShared)]
    asked = [(event, understand_asked(text)) for event, text in texts]
    found = [understand_complaint(text) for event, text in texts if _hurts(event)]
    return [
        counts([each.category for each in found if each is not None and each.category != "other"], 8),
        counts([topic for _, each in asked for topic in each.wishes], 16),
        ones([event for event, each in asked if each.leaving], today),
    ]


def _hurts(event: Event) -> bool:
    if isinstance(event.data, ComplaintOpened):
        return event.data.category is None
    return isinstance(event.data, RatingGiven) and event.data.stars <= 2


def feedback(events: Sequence[Event], today: int) -> list[Any]:
    surveys, closed = of_type(events, SurveyAnswered), of_type(events, ConversationClosed)
    stars = [(event.time_ms, event.data.stars) for event in of_type(events, RatingGiven, ConversationClosed)]
    stars = [given for given in stars if given[1] is not None]
    nps = [(event.time_ms, event.data.nps) for event in surveys if event.data.nps is not None]
    return [
        sum(given for _, given in stars),
        len(stars),
        max(stars, default=(0, 0)),
        max(nps, default=(0, -1)),
        len(surveys),
        len(closed),
        sum(1 for event in closed if event.data.solved is True),
        sum(1 for event in closed if event.data.solved is False),
        counts([event.data.channel for event in closed], 8),
        ones([event for event in events if is_unhappy(event)], today),
        counts([motive for event in surveys for motive in event.data.motives], 8),
        sum(event.data.messages for event in closed),
        sum(event.data.first_reply_ms or 0 for event in closed),
        sum(1 for event in closed if event.data.first_reply_ms is not None),
    ]


def is_unhappy(event: Event) -> bool:
    data = event.data
    if isinstance(data, SurveyAnswered):
        return data.nps is not None and data.nps <= 6
    if isinstance(data, (RatingGiven, ConversationClosed)):
        unsolved = isinstance(data, ConversationClosed) and data.solved is False
        return unsolved or (data.stars is not None and data.stars <= 2)
    return False


def contacts(events: Sequence[Event], today: int) -> list[Any]:
    messages = of_type(events, Contact)
    channels = {event.data.channel for event in messages}
    by_channel: dict[str, Any] = {
        channel: [sum(1 for e in messages if e.data.channel == channel and isinstance(e.data, kind)) for kind in OUTCOMES]
        for channel in channels
    }
    return [
        by_channel if len(channels) <= CONTACT_CHANNELS_MAX else OVERFLOWN,
        ones(of_type(messages, ContactRefused), today),
        max([0, *(event.time_ms for event in messages)]),
    ]
