"""Topic ``feedback``: ratings, survey answers, service conversations."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from schemas.topic import EventType, Topic
from schemas.types import Data, DurationMs, Key, Line, Motive, Name, Stars, Text


class RatingGiven(Data, frozen=True, kw_only=True, gc=False):
    """Stars for a product, the service, the delivery or the app."""

    stars: Stars
    subject: Literal["product", "service", "delivery", "app"] = "product"
    sku: Key | None = None
    text: Text | None = None


class SurveyAnswered(Data, frozen=True, kw_only=True, gc=False):
    """One question of a survey was answered."""

    survey: Key
    question: Line
    answer: Text | None = None
    #: 0 to 10, as in "how likely are you to recommend us?"
    nps: Annotated[int, Meta(ge=0, le=10)] | None = None
    #: Why the customer buys, as the answer says: any of those that docs/dimensions.md explains.
    motives: Annotated[list[Motive], Meta(max_length=8)] = []


class ConversationClosed(Data, frozen=True, kw_only=True, gc=False):
    """A conversation with customer service ended."""

    conversation_id: Key
    channel: Name
    messages: Annotated[int, Meta(ge=0, le=100_000)] = 0
    first_reply_ms: DurationMs | None = None
    solved: bool | None = None
    stars: Stars | None = None
    text: Text | None = None


TOPIC = Topic(
    name="feedback",
    code=5,
    doc=__doc__,
    events=(
        EventType("rating.given", RatingGiven),
        EventType("survey.answered", SurveyAnswered),
        EventType("conversation.closed", ConversationClosed),
    ),
)
