"""The step of the journey: from awareness to advocacy, and back for who is lost."""

from __future__ import annotations

import msgspec
import pytest

from schemas.event import Event
from tests.corekit import Customer, click, complaint, event, order

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
    ],
)
def test_the_step_follows_from_what_is_known(expected: str, events: list[Event]) -> None:
    assert step(*events) == expected


def test_who_is_lost_begins_anew() -> None:
    assert step(*BUYER, day=400) == "awareness"
    assert step(*BUYER, click(395), day=400) == "consideration"


def test_the_step_moves_with_time_alone() -> None:
    assert step(click(0), day=29) == "consideration"
    assert step(click(0), day=40) == "awareness"
