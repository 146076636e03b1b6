"""Who hears a customer, and on what."""

from __future__ import annotations

import pytest

from schemas.event import Event
from tests.corekit import click, event
from tests.dimkit import derived


def posts(n: int, day: float = 0, **data: object) -> list[Event]:
    return [event("mention.posted", day + k / 100, **{"platform": "weibo", **data}) for k in range(n)]


def shares(n: int, day: float = 1, **data: object) -> list[Event]:
    return [event("mention.shared", day + k / 100, **{"platform": "weibo", **data}) for k in range(n)]


FOLLOWS = event("account.followed", 2, platform="bilibili", account="runners")


@pytest.mark.parametrize(
    ("events", "kind"),
    [
        (posts(3, audience=20_000), "opinion_leader"),
        (posts(3, engagement=80), "opinion_leader"),
        (posts(1, audience=20_000), "voice"),  # one post is no habit
        (posts(3, audience=200, engagement=3), "voice"),
        ([*posts(1), *shares(5)], "connector"),
        ([FOLLOWS], "listener"),
    ],
)
def test_kinds(events: list[Event], kind: str) -> None:
    assert derived("influence", *events).kind.value == kind


def test_more_of_the_same_makes_surer() -> None:
    few, many = derived("influence", *shares(4)).kind, derived("influence", *shares(40)).kind
    assert (few.value, many.value) == ("connector", "connector")
    assert few.sure < many.sure
    assert (few.of, many.of) == (2, 20)


def test_others_react_in_some_domains_more_than_in_others() -> None:
    events = [
        *posts(2, topics=["running"], engagement=90),
        *posts(2, 3, topics=["food"], engagement=10),
        *posts(9, 4, topics=["cats"]),
    ]
    domains = derived("influence", *events).domains
    assert [(d.value, d.sure, d.of) for d in domains] == [("running", 0.9, 100), ("food", 0.1, 20)]


def test_audience_and_reach_are_told_in_coarse_steps() -> None:
    view = derived("influence", *posts(3, audience=4_800))
    assert (view.audience, view.reach) == ("nano", 10_000)
    more = derived("influence", *posts(4, audience=4_800))
    assert (more.audience, more.reach) == (view.audience, view.reach), "one more post is no news"
    assert derived("influence", *posts(1)).audience == ""


@pytest.mark.parametrize(("written", "passed_on", "habit"), [(6, 1, "writes"), (1, 6, "passes_on"), (3, 3, "both")])
def test_the_habit_of_sharing(written: int, passed_on: int, habit: str) -> None:
    assert derived("influence", *posts(written), *shares(passed_on)).sharing.value == habit


def test_who_says_nothing_in_public_has_no_influence_that_we_know_of() -> None:
    assert derived("influence", click(0)) is None
