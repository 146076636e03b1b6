"""Who told us what is known: by source, with its freshness, its party, and how far it can be trusted."""

from __future__ import annotations

import msgspec
import pytest

from portrait.dimensions.provenance import party
from schemas.event import Event
from schemas.registry import BY_NAME
from tests.corekit import click, event
from tests.dimkit import derived, due_day


def by(source: str, *events: Event) -> list[Event]:
    return [msgspec.structs.replace(each, source=source) for each in events]


def mentions(source: str, n: int, day: float = 0) -> list[Event]:
    return by(source, *(event("mention.posted", day + k / 100, platform="weibo") for k in range(n)))


@pytest.mark.parametrize(
    ("source", "topic", "whose"),
    [
        ("/shop/checkout", "orders", "first"),
        ("partner:bank", "orders", "second"),
        ("/partner:bank", "orders", "second"),
        ("third:panel", "customers", "third"),
        ("/listening", "social-mentions", "third"),
        ("partner:agency", "social-mentions", "second"),
    ],
)
def test_the_rule_says_whose_word_it_is(source: str, topic: str, whose: str) -> None:
    assert party(source, BY_NAME[topic].code) == whose


def test_sources_by_name_with_what_they_told() -> None:
    view = derived("provenance", *by("/shop", *(click(n) for n in range(12))), *mentions("/listening", 3, day=5), now=11)
    assert {name: (s.events, s.party) for name, s in view.sources.items()} == {"/shop": (10, "first"), "/listening": (2, "third")}
    assert (view.mostly.value, view.mostly.of) == ("first", 10)


def test_a_source_ages_day_by_day_without_any_event() -> None:
    events = [*by("/shop", click(0)), *by("/crm", click(20.5))]
    seen = {now: derived("provenance", *events, now=now) for now in (21, 28, 40, 200)}
    assert [view.sources["/crm"].fresh for view in seen.values()] == ["week", "month", "month", "older"]
    assert [view.fresh for view in seen.values()] == ["week", "month", "month", "older"]
    assert seen[21].sources["/shop"].fresh == "month"
    assert due_day("provenance", *events, now=21) == 27, "seven days after the latest"


def test_it_is_trusted_by_whose_word_it_is() -> None:
    own, heard = by("/shop", *(click(n) for n in range(9))), mentions("/listening", 30)
    assert derived("provenance", *own).reliable.value == "high"
    assert derived("provenance", *own, *mentions("/listening", 9)).reliable.value == "medium"
    assert derived("provenance", *own, *heard).reliable.value == "low"
    assert derived("provenance", *heard).mostly.value == "third"


def test_many_sources_are_no_long_list() -> None:
    events = [each for n in range(6) for each in by(f"/s{n}", *(click(k + n / 10) for k in range(n + 1)))]
    assert list(derived("provenance", *events).sources) == ["/s5", "/s4", "/s3", "/s2"]
