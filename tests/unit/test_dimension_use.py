"""What the profile suggests doing: what went wrong first, nothing sold to who refused, on the channel that is answered."""

from __future__ import annotations

import pytest

from portrait.dimensions.use import SUGGESTIONS
from schemas.event import Event
from tests.corekit import at, click, complaint, event, order, rfc3339
from tests.dimkit import derived, due_day


def codes(*events: Event, now: float | None = None) -> list[str]:
    view = derived("use", *events, now=now)
    return [reason.code.removeprefix("use.") for reason in view.do] if view else []


def consent(day: float, granted: bool, purpose: str = "marketing") -> Event:
    return event("consent.changed", day, purpose=purpose, granted=granted)


def late(day: float) -> Event:
    return event("order.delivered", day, order_id="O", placed_at=rfc3339(at(0)), promised_at=rfc3339(at(0.5)))


def promoter(day: float) -> Event:
    return event("survey.answered", day, survey="s", question="?", nps=10)


def cheap(n: int) -> list[Event]:
    return [order(day, discount_minor=500) for day in range(n)]


CART = event("cart.changed", 4, action="added", sku="s")
LEADER = [event("mention.posted", 5 + n / 10, platform="weibo", audience=50_000) for n in range(2)]
NEW = [order(n / 9, lines=[{"sku": "s", "quantity": 1, "unit_price_minor": 1, "new_arrival": True}]) for n in range(3)]
UNMET = event("search.made", 6, query="q", results=0)


@pytest.mark.parametrize(
    ("code", "events"),
    [
        ("solve-complaint", [complaint(0)]),
        ("apologise-late", [late(2)]),
        ("ask-what-was-wrong", [event("rating.given", 0, stars=1)]),
        ("remind-cart", [CART]),
        ("ask-review", [promoter(0)]),
        ("invite-leader", LEADER),
        ("offer", cheap(4)),
        ("show-new", NEW),
        ("tell-found", [UNMET]),
    ],
)
def test_each_fact_suggests_something(code: str, events: list[Event]) -> None:
    assert codes(*events, now=8) == [code]


DANGER = "充电宝爆炸了，孩子受伤住院"


def test_an_urgent_text_comes_first_however_severe_its_publisher_calls_it() -> None:
    assert codes(late(2), complaint(3, text=DANGER), now=4) == ["call-at-once", "solve-complaint", "apologise-late"]
    assert codes(complaint(3, text="颜色不好看"), now=4) == ["solve-complaint"]
    solved = event("complaint.resolved", 4, complaint_id="K1", opened_at=rfc3339(at(3)))
    assert codes(complaint(3, text=DANGER), solved, now=5) == []


def test_who_is_silent_is_to_be_won_back() -> None:
    buys = [order(day) for day in range(0, 50, 10)]
    assert codes(*buys, now=45) == []
    assert codes(*buys, now=200) == ["win-back"]


def test_the_most_urgent_three_in_the_order_that_is_written_down() -> None:
    events = [late(2), event("rating.given", 3, stars=1), CART, *LEADER, *cheap(4), UNMET]
    found = codes(*events, now=9)
    order_of = [suggestion.reason.code.removeprefix("use.") for suggestion in SUGGESTIONS]
    assert found == ["apologise-late", "ask-what-was-wrong", "remind-cart"]
    assert found == sorted(found, key=order_of.index)


def test_while_a_complaint_is_open_nothing_is_sold() -> None:
    resolved = event("complaint.resolved", 3, complaint_id="K1", opened_at=rfc3339(at(0)))
    assert codes(complaint(0), *cheap(4), late(2), now=9) == ["solve-complaint", "apologise-late"]
    assert codes(complaint(0), resolved, *cheap(4), late(2), now=9) == ["apologise-late", "offer"]


@pytest.mark.parametrize("purpose", ["marketing", "profiling"])
def test_who_refused_is_served_and_not_sold_to(purpose: str) -> None:
    events = [*cheap(4), late(2), consent(3, False, purpose)]
    assert codes(*events, now=9) == ["apologise-late"]
    assert derived("use", *events, now=9).refused == [purpose]
    assert codes(*events, consent(5, True, purpose), now=9) == ["apologise-late", "offer"]


def test_a_minor_is_served_and_not_sold_to_until_they_come_of_age() -> None:
    events = [*cheap(4), late(2), event("attributes.changed", 3, attributes={"birthday": "2006-10-20"})]  # day 16
    assert codes(*events, now=15) == ["apologise-late"]
    assert due_day("use", *events, now=9) == 16
    assert codes(*events, now=16) == ["apologise-late", "offer"]


def test_to_who_refused_a_profile_nothing_is_said_that_was_inferred() -> None:
    events = [*(event("contact.opened", n, message_id=f"m{n}", channel="wechat") for n in range(9)), late(9)]
    view = derived("use", *events)
    assert (view.channel.value, view.daypart.value) == ("wechat", "night")
    refused = derived("use", *events, consent(9, False, "profiling"))
    assert [reason.code for reason in refused.do] == ["use.apologise-late"]
    assert (refused.channel, refused.daypart) == (None, None)


HATE = "垃圾，太差了，大家千万别买"


def test_who_speaks_ill_of_us_is_not_invited_to_speak_however_many_listen() -> None:
    def posts(text: str) -> list[Event]:
        return [event("mention.posted", n, platform="weibo", audience=1_500_000, text=text) for n in range(6)]

    assert codes(*posts("很好用，推荐"), now=8) == ["invite-leader"]
    assert codes(*posts(HATE), now=8) == []
    assert codes(*posts(HATE), now=200) == [], "nothing else was heard of them since"
    assert codes(
        *posts(HATE), *(event("mention.posted", 150, platform="red", text="很好用，推荐") for _ in range(3)), now=200
    ) == ["invite-leader"]


def test_who_refused_service_is_left_alone() -> None:
    view = derived("use", late(2), complaint(0), consent(3, False, "service"), now=9)
    assert (view.do, view.refused) == ([], ["service"])


def test_a_promoter_with_trouble_is_not_asked_for_a_review_before_it_is_forgotten() -> None:
    events = [promoter(0), event("rating.given", 10, stars=2)]
    assert "ask-review" not in codes(*events, now=60)
    assert due_day("use", *events, now=60) == 100
    assert codes(*events, now=100) == ["ask-review"]


def test_an_apology_is_not_owed_for_ever_and_a_cart_is_soon_forgotten() -> None:
    assert due_day("use", late(2), now=9) == 32
    assert codes(late(2), now=32) == []
    assert due_day("use", CART, now=5) == 8
    assert codes(CART, now=5) == []
    assert due_day("use", CART, now=8) == 11
    assert codes(CART, now=11) == []


def test_it_says_where_and_when() -> None:
    def message(name: str, n: int, channel: str) -> list[Event]:
        return [event(f"contact.{name}", 1 + k / 100, message_id=f"m{k}", channel=channel) for k in range(n)]

    events = [
        *message("sent", 4, "wechat"),
        *message("opened", 3, "wechat"),
        *message("sent", 4, "sms"),
        *message("refused", 2, "sms"),
    ]
    view = derived("use", *events, late(2), *(click(3 + n + 19.5 / 24) for n in range(8)))
    assert view.channel.value == "wechat"
    assert view.avoid == ["sms"]
    assert view.daypart.value == "evening"


def test_a_channel_is_not_told_where_there_is_nothing_to_say() -> None:
    events = [event("contact.opened", n, message_id=f"m{n}", channel="wechat") for n in range(3)]
    assert derived("use", *events) is None
    assert derived("use", *events, consent(5, False)).channel is None
