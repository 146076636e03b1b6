"""The part `voice`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from language.understand import understand
from oracle.tools import OVERFLOWN, Amount, by_day, counts, day_of, of_type
from schemas.complaints import ComplaintOpened, ComplaintUpdated
from schemas.event import Event
from schemas.feedback import ConversationClosed, RatingGiven, SurveyAnswered
from schemas.social import MentionPosted, MentionShared


def voice(events: Sequence[Event], today: int) -> list[Any]:
    texts = [(event, understand(text_of(event))) for event in events if text_of(event)]
    heard = [(event, meaning) for event, meaning in texts if meaning.language != "" or meaning.tone != 0]
    days = [(day_of(event.time_ms), meaning.tone) for event, meaning in heard]
    tones = [tone for _, tone in days]
    return [
        by_day([Amount(day, day, 1) for day, _ in days], today),
        by_day([Amount(day, day, tone) for day, tone in days], today),
        len(tones),
        sum(tones),
        sum(1 for tone in tones if tone >= 20),
        sum(1 for tone in tones if tone <= -20),
        _by_name([(place_of(event), meaning.tone) for event, meaning in heard]),
        _by_name([(topic, meaning.tone) for event, meaning in heard for topic in topics_of(event)]),
        counts([meaning.language or None for _, meaning in heard], 3),
        sorted([event.time_ms, meaning.tone] for event, meaning in heard)[-5:],
    ]


def text_of(event: Event) -> str:
    data = event.data
    if isinstance(data, SurveyAnswered):
        return data.answer or ""
    if of_type([event], MentionPosted, MentionShared, RatingGiven, ConversationClosed, ComplaintOpened, ComplaintUpdated):
        return data.text or ""
    return ""


def place_of(event: Event) -> str:
    data = event.data
    if isinstance(data, (MentionPosted, MentionShared)):
        return data.platform
    if isinstance(data, (RatingGiven, SurveyAnswered)):
        return "rating" if isinstance(data, RatingGiven) else "survey"
    return getattr(data, "channel", None) or "complaint"


def topics_of(event: Event) -> list[str]:
    data = event.data
    if isinstance(data, (MentionPosted, MentionShared)):
        return data.topics
    return [data.subject] if isinstance(data, RatingGiven) else []


def _by_name(tones: list[tuple[str, int]]) -> dict[str, Any]:
    names = {name for name, _ in tones}
    if len(names) > 8:
        return OVERFLOWN
    return {name: [len(of), sum(of)] for name in names for of in [[tone for other, tone in tones if other == name]]}
