"""What hurts a customer, what they wish for, and whether they speak of leaving: from whatever they write. No text is kept."""

from __future__ import annotations

from typing import Any

from msgspec import field

from language.understand import understand_asked, understand_complaint
from portrait.features.base import Feature, Part
from portrait.features.feedback import LOW_STARS
from portrait.merging import days, merging, tallies
from portrait.structures import DAY_MS, Days, Tally, add_day, expire_days, tally, tops, windows
from schemas.complaints import ComplaintOpened, ComplaintUpdated
from schemas.event import Event
from schemas.feedback import ConversationClosed, RatingGiven, SurveyAnswered
from schemas.social import MentionPosted

#: As many as there are: both lists are closed (`language.complaints`, `language.signals`).
PAINS_MAX, WISHES_MAX, SHOWN = 8, 16, 3


class Concerns(Part, array_like=True, gc=False):
    pains: Tally | None = None  # categories understood of complaints that name none, and of ratings with few stars
    wishes: Tally | None = None  # topics
    leaving: Days = field(default_factory=dict)  # texts that say so


def heed(part: Concerns, event: Event, today: int, text: str | None) -> None:
    if not text:
        return
    asked = understand_asked(text)
    for topic in asked.wishes:
        part.wishes = tally(part.wishes, topic, WISHES_MAX)
    if asked.leaving:
        add_day(part.leaving, event.time_ms // DAY_MS, today)


def suffer(part: Concerns, text: str | None) -> None:
    found = understand_complaint(text) if text else None
    if found is not None and found.category != "other":
        part.pains = tally(part.pains, found.category, PAINS_MAX)


def opened(part: Concerns, event: Event, today: int) -> None:
    data: ComplaintOpened = event.data
    if data.category is None:
        suffer(part, data.text)
    heed(part, event, today, data.text)


def rated(part: Concerns, event: Event, today: int) -> None:
    data: RatingGiven = event.data
    if data.stars <= LOW_STARS:
        suffer(part, data.text)
    heed(part, event, today, data.text)


def wrote(part: Concerns, event: Event, today: int) -> None:
    data: ComplaintUpdated | ConversationClosed | MentionPosted = event.data
    heed(part, event, today, data.text)


def answered(part: Concerns, event: Event, today: int) -> None:
    data: SurveyAnswered = event.data
    heed(part, event, today, data.answer)


def view(part: Concerns, today: int) -> tuple[dict[str, Any] | None, int]:
    _, _, quarter, due = windows(part.leaving, today)
    shown: dict[str, Any] = tops(part, ("pains", "wishes"), SHOWN)
    if quarter:
        shown["leaving_90d"] = quarter
    return shown or None, due


def expire(part: Concerns, today: int) -> None:
    expire_days(part.leaving, today)


FEATURE = Feature(
    name="concerns",
    part=Concerns,
    folds={
        ComplaintOpened: opened,
        RatingGiven: rated,
        SurveyAnswered: answered,
        **dict.fromkeys((ComplaintUpdated, ConversationClosed, MentionPosted), wrote),
    },
    merge=merging(Concerns, pains=tallies(PAINS_MAX), wishes=tallies(WISHES_MAX), leaving=days),
    view=view,
    expire=expire,
)
