"""What a customer met on the way, what broke, and what they make of it."""

from __future__ import annotations

import pytest

from schemas.event import Event
from tests.corekit import at, click, complaint, event, order, rfc3339
from tests.dimkit import derived, due_day


def cart(day: float) -> Event:
    return event("cart.changed", day, action="added", sku="s")


def answered(day: float, nps: int) -> Event:
    return event("survey.answered", day, survey="s", question="recommend?", nps=nps)


def rated(day: float, stars: int) -> Event:
    return event("rating.given", day, stars=stars)


def talk(day: float, **data: object) -> Event:
    return event("conversation.closed", day, conversation_id=f"c{day}", channel="chat", **data)


def test_touchpoints_from_the_first_contact_to_the_recommendation() -> None:
    view = derived(
        "experience",
        event("contact.sent", 0, message_id="m", channel="sms"),
        event("page.viewed", 1, page="/", referrer="https://search.example/"),
        event("item.viewed", 1.1, sku="s"),
        order(2),
        event("order.delivered", 3, order_id="O2", placed_at=rfc3339(at(2))),
        complaint(4),
        talk(5),
        rated(6, 5),
        event("mention.posted", 7, platform="weibo"),
    )
    assert view.awareness == ["referral", "sms"]
    assert view.consideration == ["item"]
    assert view.purchase == ["order", "delivery"]
    assert view.service == ["complaint", "chat"]
    assert view.advocacy == ["rating", "mention"]


def test_breaks_are_counted_in_steps() -> None:
    late = [
        event("order.delivered", 5 + n, order_id=f"O{n}", placed_at=rfc3339(at(0)), promised_at=rfc3339(at(1))) for n in range(3)
    ]
    view = derived(
        "experience",
        complaint(0, "K1"),
        complaint(1, "K2"),
        event("complaint.resolved", 2, complaint_id="K2", opened_at=rfc3339(at(1))),
        *late,
        *(event("search.made", 3 + n / 10, query=f"q{n}", results=0) for n in range(5)),
        talk(6, solved=False),
        event("contact.refused", 7, message_id="m", channel="sms"),
    )
    assert view.breaks == {"open_complaint": 1, "late_delivery": 2, "unmet_search": 5, "unsolved": 1, "refusal": 1}


def test_a_cart_is_abandoned_when_three_more_days_have_brought_no_order() -> None:
    assert "abandoned_cart" not in derived("experience", cart(0), now=3).breaks
    assert due_day("experience", cart(0), now=3) == 4
    assert derived("experience", cart(0), now=4).breaks["abandoned_cart"] == 1
    assert "abandoned_cart" not in derived("experience", cart(0), order(3), now=10).breaks
    assert derived("experience", cart(0), order(4), now=10).breaks["abandoned_cart"] == 1
    assert due_day("experience", cart(0), now=10) == 90
    assert "abandoned_cart" not in derived("experience", cart(0), now=90).breaks


def test_trouble_is_what_calls_for_an_excuse_now() -> None:
    severe = complaint(0, "K1", severity="high")
    late = event("order.delivered", 2, order_id="O", placed_at=rfc3339(at(0)), promised_at=rfc3339(at(1)))
    solved = event("complaint.resolved", 3, complaint_id="K1", opened_at=rfc3339(at(0)))
    assert derived("experience", severe, late, rated(1, 2)).trouble == ["severe_complaint", "late_delivery", "unhappy"]
    assert derived("experience", severe, late, rated(1, 2), solved, now=31).trouble == ["late_delivery"]
    assert due_day("experience", late, rated(1, 2), now=3) == 31
    assert due_day("experience", late, rated(1, 2), now=31) == 32
    assert derived("experience", late, rated(1, 2), now=32).trouble == []
    assert derived("experience", complaint(0, "K1", severity="medium"), rated(1, 3)).trouble == []


def test_a_text_that_tells_of_danger_is_trouble_and_the_severity_stays_as_it_was_told() -> None:
    danger = complaint(0, "K1", text="充电宝爆炸了，孩子受伤住院", severity="low")
    solved = event("complaint.resolved", 3, complaint_id="K1", opened_at=rfc3339(at(0)))
    assert derived("experience", danger).trouble == ["urgent_complaint"]
    assert derived("experience", danger, solved).trouble == []
    assert derived("experience", complaint(0, "K1", text="颜色不好看")).trouble == []


def test_three_complaints_in_90_days_are_too_many() -> None:
    three = [complaint(day, f"K{day}") for day in (0, 10, 20)]
    assert derived("experience", *three[:2]).trouble == []
    assert derived("experience", *three).trouble == ["complains_again"]
    assert due_day("experience", *three, now=20) == 90
    assert derived("experience", *three, now=90).trouble == []
    assert derived("experience", *three, complaint(30, "K30"), now=90).trouble == ["complains_again"]


def test_service_is_measured_in_messages_and_minutes() -> None:
    view = derived("experience", talk(0, messages=4, first_reply_ms=60_000), talk(1, messages=20, first_reply_ms=26 * 60_000))
    assert (view.messages_each, view.first_reply_min) == (10, 10)


@pytest.mark.parametrize(("nps", "value"), [(10, "promoter"), (9, "promoter"), (8, "passive"), (6, "detractor")])
def test_an_answer_is_told_not_inferred(nps: int, value: str) -> None:
    recommends = derived("experience", answered(0, nps)).recommends
    assert (recommends.value, recommends.told, recommends.sure) == (value, True, 1.0)


def test_trouble_since_the_answer_makes_it_doubtful_for_a_while() -> None:
    events = [answered(0, 10), rated(5, 1)]
    assert derived("experience", *events).recommends.sure == 0.5
    assert due_day("experience", *events, now=40) == 95
    assert derived("experience", *events, now=95).recommends.sure == 1.0
    assert derived("experience", rated(0, 1), answered(5, 10)).recommends.sure == 1.0


@pytest.mark.parametrize(
    ("stars", "value"), [([5, 5, 5, 4], "promoter"), ([1, 2, 1], "detractor"), ([3, 4, 3], None), ([5, 5], None)]
)
def test_without_an_answer_stars_are_what_there_is(stars: list[int], value: str | None) -> None:
    recommends = derived("experience", *(rated(n, given) for n, given in enumerate(stars))).recommends
    assert (recommends and recommends.value) == value
    assert recommends is None or (not recommends.told and recommends.sure < 1)


def test_a_page_alone_is_no_experience() -> None:
    assert derived("experience", click(0)) is None


GOOD, BAD = "质量很好，非常满意", "质量太差，非常失望，要求退货"


def wrote(day: float, text: str) -> Event:
    return event("mention.posted", day, platform="weibo", text=text)


@pytest.mark.parametrize(("before", "lately", "sounds"), [(GOOD, BAD, "cooler"), (BAD, GOOD, "warmer"), (GOOD, GOOD, "steady")])
def test_a_tone_that_turns_is_told(before: str, lately: str, sounds: str) -> None:
    view = derived("experience", *(wrote(day, before) for day in range(4)), *(wrote(60 + day, lately) for day in range(4)))
    assert view.sounds.value == sounds and view.sounds.sure > 0.5


def test_a_few_texts_turn_nothing() -> None:
    view = derived("experience", *(wrote(day, GOOD) for day in range(4)), wrote(60, BAD), wrote(61, BAD))
    assert view.sounds is None
