"""Competitors: who is named, what for, and whether the customer was won or lost."""

from __future__ import annotations

from portrait.dimensions.competitors import DIMENSION, Competitors, Rival
from schemas.event import Event
from tests.corekit import at, concluded, event, order


def named(day: float, *rivals: str, topics: tuple[str, ...] = ()) -> Event:
    return event("mention.posted", day, platform="x", brands=list(rivals), rivals=list(rivals), topics=list(topics))


def competitors(*events: Event, day: float = 40) -> Competitors:
    view = concluded(DIMENSION, *events, day=day)
    assert isinstance(view, Competitors)
    return view


def outcome(*events: Event, day: float = 40) -> str:
    return competitors(*events, day=day).rivals["Q"].outcome


def test_nothing_without_a_rival() -> None:
    assert concluded(DIMENSION, event("mention.posted", 0, platform="x", brands=["A"], topics=["price"]), order(1), day=5) is None


def test_the_three_named_latest_how_often_and_what_for() -> None:
    view = competitors(
        named(1, "A", topics=("price",)),
        named(2, "B", topics=("delivery", "price")),
        named(3, "C", "D"),
        named(4, "B", topics=("price", "range")),
        event("mention.posted", 5, platform="x", topics=["style"]),
    )
    assert view == Competitors(
        rivals={
            "B": Rival(mentions=2, last_ms=at(4)),
            "C": Rival(mentions=1, last_ms=at(3)),
            "D": Rival(mentions=1, last_ms=at(3)),
        },
        compared_for=["price", "delivery", "range"],
    )


def test_won_is_who_bought_from_us_since() -> None:
    assert outcome(named(5, "Q"), order(6)) == "won"
    assert outcome(order(4), named(5, "Q"), day=6) == "open"
    assert outcome(named(5, "Q"), order(6), named(7, "Q"), day=8) == "open"


def test_lost_is_who_stays_silent_for_longer_than_usual() -> None:
    weekly = [order(7 * i, order_id=f"O{i}") for i in range(5)]  # a usual gap of (90 + 28) / 5: declining after 35 days
    assert outcome(*weekly, named(30, "Q"), day=64) == "open"
    assert outcome(*weekly, named(30, "Q"), day=65) == "lost"
    assert outcome(*weekly, named(30, "Q"), order(64), day=65) == "won"


def test_who_never_bought_can_not_be_lost() -> None:
    assert outcome(named(5, "Q"), day=900) == "open"
