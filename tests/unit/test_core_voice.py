"""How a customer sounds, over time and by place."""

from __future__ import annotations

from typing import Any

import pytest

from language.understand import understand
from schemas.profile import Voice, parse
from tests.corekit import Customer, event

GOOD, BAD = "质量很好，非常满意，值得购买", "质量太差，非常失望，要求退货"


def voice_of(customer: Customer) -> Voice:
    voice = parse(customer.fields).voice
    assert voice is not None
    return voice


def post(day: float, text: str, **data: Any) -> Any:
    return event("mention.posted", day, platform="weibo", text=text, **data)


def test_nothing_said_nothing_shown() -> None:
    customer = Customer()
    customer.sees(event("rating.given", 0, stars=5), event("rating.given", 1, stars=5, text=""), post(2, "12345"))
    assert "voice" not in customer.fields


def test_every_kind_of_text_is_heard() -> None:
    customer = Customer()
    customer.sees(
        post(0, GOOD, topics=["面料"]),
        event("mention.shared", 0, platform="bilibili", text=GOOD),
        event("rating.given", 0, stars=1, subject="delivery", text=BAD),
        event("survey.answered", 0, survey="s", question="?", answer=BAD),
        event("conversation.closed", 0, conversation_id="v", channel="phone", text=BAD),
        event("complaint.opened", 0, complaint_id="c", text=BAD),
        event("complaint.updated", 0, complaint_id="c", opened_at="2024-01-01T00:00:00Z", text=BAD),
    )
    voice = voice_of(customer)
    assert voice.texts.total == 7
    assert (voice.pleased, voice.displeased) == (2, 5)
    assert voice.by_topic == {"面料": understand(GOOD).tone, "delivery": understand(BAD).tone}
    assert "complaint" in voice.by_place
    assert voice.languages == {"zh": 7}


def test_tone_over_time_and_mood_age() -> None:
    customer = Customer()
    customer.sees(*(post(day, GOOD) for day in range(3)), *(post(60 + day, BAD) for day in range(3)))
    voice = voice_of(customer)
    assert voice.tone.week == voice.tone.month == understand(BAD).tone
    assert voice.tone.quarter is not None and voice.tone.quarter > voice.tone.month
    assert voice.last.tone == understand(BAD).tone
    customer.sees(event("app.opened", 200))
    voice = voice_of(customer)
    assert voice.mood is None and voice.tone.quarter is None, "nobody knows how they feel today"
    assert voice.texts.total == 6


@pytest.mark.parametrize(("text", "mood"), [(GOOD, "pleased"), (BAD, "displeased")])
def test_more_texts_make_a_mood_surer(text: str, mood: str) -> None:
    sure = []
    for n in (1, 8):
        customer = Customer()
        customer.sees(*(post(day, text) for day in range(n)))
        found = voice_of(customer).mood
        assert found is not None and found.value == mood and found.of == n
        sure.append(found.sure)
    assert sure[0] < 0.3 < sure[1]


def test_the_text_is_not_kept() -> None:
    customer = Customer()
    customer.sees(post(0, "我的猫叫咪咪，" + GOOD))
    assert "咪咪" not in repr(customer.known) and not any("咪咪".encode() in field for field in customer.fields.values())
