"""How a customer sounds, in whatever they write; from every event with a text. The text itself is not kept."""

from __future__ import annotations

from typing import Any

from msgspec import field

from language.understand import understand
from portrait.features.base import Feature, Part
from portrait.merging import columns, days, merging, tables, tallies, total
from portrait.structures import (
    DAY_MS,
    MORE,
    NEVER,
    Days,
    Tally,
    add_day,
    expire_days,
    greatest,
    tally,
    tops,
    windows,
    within,
)
from schemas.complaints import ComplaintOpened, ComplaintUpdated
from schemas.event import Event
from schemas.feedback import ConversationClosed, RatingGiven, SurveyAnswered
from schemas.profile import Trait
from schemas.social import MentionPosted, MentionShared

PLACES_MAX, TOPICS_MAX, LANGUAGES_MAX, LATEST_MAX, SHOWN = 8, 8, 3, 5, 3
#: From such a tone on a text is clearly pleased; from its negative on clearly displeased.
CLEAR = 20
#: Whoever knows nothing expects so many texts that speak for no mood.
DOUBT = 3

#: name -> [texts, their tones added up]
Tones = dict[str, list[int]]


class Voice(Part, array_like=True, gc=False):
    texts: Days = field(default_factory=dict)  # that say anything
    tones: Days = field(default_factory=dict)  # of these, added up
    count: int = 0
    tone_sum: int = 0
    pleased: int = 0
    displeased: int = 0
    places: Tones = field(default_factory=dict)  # by platform or channel
    topics: Tones = field(default_factory=dict)  # of mentions, and subjects of ratings
    languages: Tally | None = None
    latest: list[tuple[int, int]] = field(default_factory=list)  # (ms, tone), ascending


def hear(part: Voice, event: Event, today: int, text: str | None, place: str, topics: list[str]) -> None:
    """Take in a text, if it says anything that is understood."""
    if not text:
        return
    meaning = understand(text)
    tone = meaning.tone
    if not (meaning.language or tone):
        return
    day = event.time_ms // DAY_MS
    add_day(part.texts, day, today)
    if tone:
        add_day(part.tones, day, today, tone)
    part.count += 1
    part.tone_sum += tone
    part.pleased += tone >= CLEAR
    part.displeased += tone <= -CLEAR
    _add(part.places, place, tone, PLACES_MAX)
    for topic in topics:
        _add(part.topics, topic, tone, TOPICS_MAX)
    part.languages = tally(part.languages, meaning.language or None, LANGUAGES_MAX)
    part.latest = greatest([*part.latest, (event.time_ms, tone)], LATEST_MAX)


def _add(tones: Tones, name: str, tone: int, limit: int) -> None:
    row = tones.get(name)
    if row is not None:
        row[0] += 1
        row[1] += tone
    elif len(tones) - (MORE in tones) < limit:
        tones[name] = [1, tone]
    else:
        tones[MORE] = [1, 0]


def mentioned(part: Voice, event: Event, today: int) -> None:
    data: MentionPosted | MentionShared = event.data
    hear(part, event, today, data.text, data.platform, data.topics)


def rated(part: Voice, event: Event, today: int) -> None:
    data: RatingGiven = event.data
    hear(part, event, today, data.text, "rating", [data.subject])


def answered(part: Voice, event: Event, today: int) -> None:
    hear(part, event, today, event.data.answer, "survey", [])


def talked(part: Voice, event: Event, today: int) -> None:
    hear(part, event, today, event.data.text, event.data.channel, [])


def complained(part: Voice, event: Event, today: int) -> None:
    hear(part, event, today, event.data.text, event.data.channel or "complaint", [])


def insisted(part: Voice, event: Event, today: int) -> None:
    hear(part, event, today, event.data.text, "complaint", [])


def view(part: Voice, today: int) -> tuple[dict[str, Any] | None, int]:
    if not part.count:
        return None, NEVER
    week, month, quarter, due = windows(part.texts, today)
    *sums, _ = windows(part.tones, today)  # its days are days of texts, too
    shown: dict[str, Any] = {
        "texts": (week, month, quarter, part.count),
        "tone": [
            round(tones / n) if n else None
            for tones, n in zip((*sums, part.tone_sum), (week, month, quarter, part.count), strict=True)
        ],
        "pleased": part.pleased,
        "displeased": part.displeased,
        "last": part.latest[-1],
    }
    if quarter:
        shown["mood"] = mood(sums[2], quarter)
    for name, tones in (("by_place", part.places), ("by_topic", part.topics)):
        if tones:
            shown[name] = _loudest(tones)
    shown |= tops(part, ("languages",), LANGUAGES_MAX)
    return shown, due


def mood(tone_sum: int, texts: int) -> Trait:
    """What so many texts with these tones come to: what speaks for it, and some doubt against it."""
    mean = tone_sum / texts
    value = "pleased" if mean >= CLEAR else "displeased" if mean <= -CLEAR else "even"
    share = (100 + abs(mean)) / 200 if value != "even" else 1 - abs(mean) / 100
    return Trait(value=value, sure=round(share * texts / (texts + DOUBT), 2), of=texts)


def sounds_displeased(part: Voice, today: int) -> bool:
    """Whether the texts of the last 90 days are displeased on the whole."""
    texts = within(part.texts, today)
    return texts > 0 and within(part.tones, today) <= -CLEAR * texts


def _loudest(tones: Tones) -> dict[str, int]:
    """The mean tones of the names with the most texts."""
    ranked = sorted((-n, name, tones) for name, (n, tones) in tones.items() if name != MORE)
    return {name: round(tones / -n) for n, name, tones in ranked[:SHOWN]}


def merge_latest(a: list[tuple[int, int]], b: list[tuple[int, int]]) -> list[tuple[int, int]]:
    return greatest([*a, *b], LATEST_MAX)


def expire(part: Voice, today: int) -> None:
    expire_days(part.texts, today)
    expire_days(part.tones, today)


FEATURE = Feature(
    name="voice",
    part=Voice,
    folds={
        MentionPosted: mentioned,
        MentionShared: mentioned,
        RatingGiven: rated,
        SurveyAnswered: answered,
        ConversationClosed: talked,
        ComplaintOpened: complained,
        ComplaintUpdated: insisted,
    },
    merge=merging(
        Voice,
        texts=days,
        tones=days,
        count=total,
        tone_sum=total,
        pleased=total,
        displeased=total,
        places=tables(PLACES_MAX, columns(total, total), [0, 0], rank=tuple),
        topics=tables(TOPICS_MAX, columns(total, total), [0, 0], rank=tuple),
        languages=tallies(LANGUAGES_MAX),
        latest=merge_latest,
    ),
    view=view,
    expire=expire,
    newest=lambda part: part.latest[-1][0] if part.latest else 0,
)
