"""The step of the journey: from awareness to advocacy, and back for who is lost."""

from __future__ import annotations

import msgspec
import pytest

from portrait.features.feedback import FEATURE as FEEDBACK
from schemas.event import Event
from tests.corekit import DAY0, Customer, at, click, complaint, event, order

BUYER = [order(0), order(5)]
POST = event("mention.posted", 8, platform="weibo", brands=["A"])


def step(*events: Event, day: float = 10) -> str:
    customer = Customer()
    customer.sees(*events)
    customer.waits_until(day)
    return str(msgspec.json.decode(customer.fields["journey"])["step"])


@pytest.mark.parametrize(
    ("expected", "events"),
    [
        ("awareness", [event("attributes.changed", 0, system="crm", attributes={"city": "x"})]),
        ("consideration", [click(0)]),
        ("purchase", [click(0), order(1)]),
        ("retention", BUYER),
        ("advocacy", [*BUYER, event("survey.answered", 6, survey="S", question="Q", nps=9)]),
        ("advocacy", [*BUYER, POST]),
        ("retention", [*BUYER, event("survey.answered", 6, survey="S", question="Q", nps=3), POST]),
        ("retention", [*BUYER, POST, event("mention.posted", 9, platform="weibo", brands=["B"], rivals=["B"])]),
        ("retention", [*BUYER, POST, complaint(7)]),
        ("retention", [*BUYER, event("mention.posted", 8, platform="weibo", text="太差了，再也不买了，大家避雷")]),
        ("advocacy", [*BUYER, event("mention.posted", 8, platform="weibo", text="质量很好，推荐给大家")]),
    ],
)
def test_the_step_follows_from_what_is_known(expected: str, events: list[Event]) -> None:
    assert step(*events) == expected


BUYS_ON = [order(day) for day in range(0, 600, 10)]


def asked(day: float, nps: int) -> Event:
    return event("survey.answered", day, survey="S", question="Q", nps=nps)


def rated(day: float, stars: int) -> Event:
    return event("rating.given", day, stars=stars)


def posted(day: float) -> Event:
    return event("mention.posted", day, platform="weibo", brands=["A"])


@pytest.mark.parametrize(
    ("expected", "events", "day"),
    [
        ("advocacy", [asked(10, 9)], 374),
        ("retention", [asked(10, 9)], 375),
        ("retention", [asked(10, 3), posted(370)], 374),
        ("advocacy", [asked(10, 3), posted(370)], 375),
        ("retention", [rated(10, 2), posted(370)], 374),
        ("advocacy", [rated(10, 2), posted(370)], 375),
        ("advocacy", [rated(10, 4), posted(370)], 374),
    ],
)
def test_an_answer_counts_for_a_year_and_no_longer(expected: str, events: list[Event], day: int) -> None:
    until = [bought for bought in BUYS_ON if bought.time_ms <= at(day)]
    assert step(*sorted([*until, *events], key=lambda event: event.time_ms), day=day) == expected


def test_the_day_on_which_an_answer_expires_is_due_by_itself() -> None:
    customer = Customer()
    customer.sees(order(0), order(300), asked(356, 9), asked(400, 10))
    assert FEEDBACK.view(customer.known.parts.feedback, DAY0 + 401)[1] == DAY0 + 400 + 365
    customer.sees(asked(402, 2))
    assert FEEDBACK.view(customer.known.parts.feedback, DAY0 + 403)[1] == DAY0 + 402 + 90


def test_who_is_lost_begins_anew() -> None:
    assert step(*BUYER, day=400) == "awareness"
    assert step(*BUYER, click(395), day=400) == "consideration"


def test_the_step_moves_with_time_alone() -> None:
    assert step(click(0), day=29) == "consideration"
    assert step(click(0), day=40) == "awareness"
