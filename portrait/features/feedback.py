"""What a customer answers: ratings, surveys, service conversations; from ``feedback``."""

from __future__ import annotations

from typing import Any

from msgspec import field

from portrait.features.base import Feature, Part
from portrait.merging import days, merging, tallies, total
from portrait.structures import DAY_MS, NEVER, WINDOW_DAYS, Days, Tally, add_day, expire_days, tally, tops
from schemas.event import Event
from schemas.feedback import ConversationClosed, RatingGiven, SurveyAnswered

CHANNELS_MAX, MOTIVES_MAX = 8, 8
#: Up to these an answer is an unhappy one: of five stars, and of the ten of "would you recommend us?" (its detractors).
LOW_STARS, LOW_NPS = 2, 6
#: For so long the latest answer of a kind says what the customer thinks of the shop.
ANSWER_DAYS = 365


class Feedback(Part, array_like=True, gc=False):
    stars_sum: int = 0
    stars_count: int = 0
    last_stars: tuple[int, int] = (0, 0)  # (ms, stars)
    last_nps: tuple[int, int] = (0, -1)  # (ms, 0 to 10)
    answers: int = 0
    conversations: int = 0
    solved: int = 0
    unsolved: int = 0
    channels: Tally | None = None
    unhappy_days: Days = field(default_factory=dict)  # low stars, low recommendation, a conversation that solved nothing
    motives: Tally | None = None  # that answers named
    messages: int = 0  # in conversations
    first_reply_ms: int = 0  # added up, over those conversations that say it
    first_replies: int = 0


def stars(part: Feedback, event: Event, given: int | None) -> None:
    if given is not None:
        part.stars_sum += given
        part.stars_count += 1
        part.last_stars = max(part.last_stars, (event.time_ms, given))


def unhappy(part: Feedback, event: Event, today: int) -> None:
    add_day(part.unhappy_days, event.time_ms // DAY_MS, today)


def rated(part: Feedback, event: Event, today: int) -> None:
    stars(part, event, event.data.stars)
    if event.data.stars <= LOW_STARS:
        unhappy(part, event, today)


def answered(part: Feedback, event: Event, today: int) -> None:
    part.answers += 1
    for motive in event.data.motives:
        part.motives = tally(part.motives, motive, MOTIVES_MAX)
    if event.data.nps is not None:
        part.last_nps = max(part.last_nps, (event.time_ms, event.data.nps))
        if event.data.nps <= LOW_NPS:
            unhappy(part, event, today)


def closed(part: Feedback, event: Event, today: int) -> None:
    data: ConversationClosed = event.data
    part.conversations += 1
    part.messages += data.messages
    if data.first_reply_ms is not None:
        part.first_reply_ms += data.first_reply_ms
        part.first_replies += 1
    part.channels = tally(part.channels, data.channel, CHANNELS_MAX)
    if data.solved is not None:
        if data.solved:
            part.solved += 1
        else:
            part.unsolved += 1
    stars(part, event, data.stars)
    if data.solved is False or (data.stars is not None and data.stars <= LOW_STARS):
        unhappy(part, event, today)


def expire(part: Feedback, today: int) -> None:
    expire_days(part.unhappy_days, today)


def view(part: Feedback, today: int) -> tuple[dict[str, Any] | None, int]:
    shown: dict[str, Any] = {}
    if part.stars_count:
        shown["ratings"] = {
            "count": part.stars_count,
            "average": round(part.stars_sum / part.stars_count, 2),
            "last": part.last_stars[1],
            "last_at_ms": part.last_stars[0],
        }
    if part.last_nps[1] >= 0:
        shown["nps"] = {"last": part.last_nps[1], "at_ms": part.last_nps[0]}
    if part.answers:
        shown["survey_answers"] = part.answers
    if part.conversations:
        shown["conversations"] = {"count": part.conversations, "solved": part.solved, "unsolved": part.unsolved}
        shown |= tops(part, ("channels",), CHANNELS_MAX)
    return shown or None, _due_day(part, today)


def newest(part: Feedback) -> int:
    """Of answers that give stars or a number; of others the day alone is known, if they were unhappy ones."""
    return max(part.last_stars[0], part.last_nps[0], max(part.unhappy_days, default=0) * DAY_MS)


def recommends(part: Feedback, today: int) -> int:
    """The latest answer to "would you recommend us?", 0 to 10; -1: none that still says something."""
    ms, answer = part.last_nps
    return answer if today - ms // DAY_MS < ANSWER_DAYS else -1


def displeased(part: Feedback, today: int) -> bool:
    """Whether the latest answer of a kind was an unhappy one, and still says something."""
    ms, given = part.last_stars
    few = 0 < given <= LOW_STARS and today - ms // DAY_MS < ANSWER_DAYS
    return few or 0 <= recommends(part, today) <= LOW_NPS


def _due_day(part: Feedback, today: int) -> int:
    """When an answer says nothing any more: the step of the journey may change."""
    ends = [day + WINDOW_DAYS for day in part.unhappy_days]
    ends += [ms // DAY_MS + ANSWER_DAYS for ms in (part.last_nps[0], part.last_stars[0]) if ms]
    return min((day for day in ends if day > today), default=NEVER)


FEATURE = Feature(
    name="feedback",
    part=Feedback,
    folds={RatingGiven: rated, SurveyAnswered: answered, ConversationClosed: closed},
    merge=merging(
        Feedback,
        stars_sum=total,
        stars_count=total,
        last_stars=max,
        last_nps=max,
        answers=total,
        conversations=total,
        solved=total,
        unsolved=total,
        channels=tallies(CHANNELS_MAX),
        unhappy_days=days,
        motives=tallies(MOTIVES_MAX),
        messages=total,
        first_reply_ms=total,
        first_replies=total,
    ),
    view=view,
    expire=expire,
    newest=newest,
)
