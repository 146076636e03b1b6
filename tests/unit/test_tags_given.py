"""Each tag is given to somebody by the events that are said to feed it, and goes when it is said to."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from portrait.models.churn import Scorer, fresh
from portrait.models.spending import Average, Spending
from portrait.structures import DAY_MS
from portrait.tags.base import HABIT, KEPT, SAID, Tag
from portrait.tags.registry import BY_ID, TAGS
from portrait.tags.why import dimension_of, evidence
from portrait.tags.why import lapses as lapses_ms
from schemas.event import Event
from tests.corekit import Customer, at, click, complaint, event, order, rfc3339

json = msgspec.json.decode
#: Of customers of whom this is known on the last day, or on the one that is given.
Life = tuple[list[Event], float]

WORST = msgspec.structs.replace(fresh(60), bias=4.0)
RICH = msgspec.structs.replace(fresh(60), spending=Spending({"CNY": Average(5_000.0, 2.0)}, high=0.2))


def told(**attributes: str) -> list[Event]:
    return [event("attributes.changed", 0, system="crm", attributes=attributes)]


def orders(n: int, every: float = 20, **data: Any) -> list[Event]:
    return [order(every * i + 0.5, id=f"o{i}", order_id=f"O{i}", **data) for i in range(n)]


def line(**data: Any) -> list[dict[str, Any]]:
    return [{"sku": "s", "quantity": 1, "unit_price_minor": 100} | data]


def viewed(n: int, day: float = 0.5, **data: Any) -> list[Event]:
    return [event("item.viewed", day + i / 1000, sku=f"S{i}", **data) for i in range(n)]


def posts(n: int, name: str = "mention.posted", **data: Any) -> list[Event]:
    return [event(name, 0.5 + i / 100, platform="weibo", **data) for i in range(n)]


def messages(channel: str, *outcomes: str) -> list[Event]:
    return [event(f"contact.{name}", i / 10, message_id=f"m{i}", channel=channel) for i, name in enumerate(outcomes)]


def cart(day: float) -> Event:
    return event("cart.changed", day, action="added", sku="s")


def survey(day: float = 0.5, **data: Any) -> Event:
    return event("survey.answered", day, survey="s", question="?", **data)


def lives_through(n: int, **data: Any) -> list[Event]:
    return [event("page.viewed", i, page="/", **data) for i in range(n)]


def interests(category: str) -> list[Event]:
    """Eight weeks of books, then something new."""
    return [*viewed(8, 0.5, category="books"), *viewed(8, 30.5, category="books"), *viewed(6, 85.5, category=category)]


REFUSED = event("consent.changed", 0, purpose="marketing", granted=False)
LATE = event("order.delivered", 3, order_id="O1", placed_at=rfc3339(at(0)), promised_at=rfc3339(at(1)))
RIVAL = event("mention.posted", 70, platform="weibo", rivals=["Acme"])
MOTIVES = ("quality", "efficiency", "identity", "status", "sustainability", "health", "novelty")
#: Tag -> the life of somebody who has it: events, and the day (after the first) on which it is looked at.
GIVEN: dict[str, Life] = {
    "prospect": ([click(0)], 0),
    "newcomer": (orders(1), 1),
    "growing": (orders(4), 61),
    "regular": (orders(12), 221),
    "declining": (orders(4), 120),
    "dormant": (orders(4), 160),
    "lost": (orders(4), 400),
    "won-back": ([*orders(4), order(500)], 500),
    "at-risk": (orders(4), 61),
    "high-value": (orders(5), 81),
    "rising-value": ([*orders(4, 30), *(order(200 + 10 * i, amount_minor=90_000) for i in range(5))], 241),
    "valuable-and-leaving": (orders(5), 81),
    "student": (told(occupation="学生"), 0),
    "first-job": (told(occupation="实习生"), 0),
    "newly-married": (told(marital_status="新婚"), 0),
    "parent": (orders(2, lines=line(category="母婴用品")), 21),
    "retired": (told(occupation="退休"), 0),
    "minor": (told(birthday="2010-03-01"), 0),
    "young-adult": (told(birthday="1999-03-01"), 0),
    "senior": (told(age="70"), 0),
    "high-income": (told(income="高"), 0),
    "researcher": ([*viewed(60), *orders(3)], 41),
    "impulsive": ([*viewed(1), *orders(4)], 61),
    "bargain-hunter": ([*viewed(12), *orders(4, coupon="c")], 61),
    "leaves-carts": ([cart(0), cart(5), cart(9)], 12),
    "night-owl": ([click(0.1 + i) for i in range(4)], 4),
    "early-bird": ([click(0.4 + i) for i in range(4)], 4),
    "video-lover": ([event("content.engaged", i, content=f"c{i}", kind="video") for i in range(3)], 3),
    "reader": ([event("content.engaged", i, content=f"c{i}", kind="text") for i in range(3)], 3),
    "weekender": ([click(day) for day in (1, 2, 8, 9, 15, 16, 22, 23)], 23),  # DAY0 is a Friday
    "workday-customer": ([click(day) for day in (0, 3, 4, 5, 6, 7, 10, 11)], 11),
    "innovator": ([*orders(4, lines=line(new_arrival=True), channel="app")], 61),
    "early-adopter": (
        [*orders(10, lines=line(), channel="app"),
         *(order(190 + d, lines=line(new_arrival=True), channel="app") for d in (0, 1))],
        200),
    "laggard": ([*orders(6, lines=line(), channel="phone")], 101),
    "self-service": ([event("page.viewed", i, page="/", channel="app") for i in range(6)], 6),
    "needs-a-person": (orders(6, channel="phone"), 101),
    "promotion-sensitive": (orders(4, coupon="c"), 61),
    "price-driven": (orders(4, discount_minor=500), 61),
    "value-driven": (orders(4), 61),
    "pays-by-instalments": (orders(4, instalments=3), 61),
    "returns-often": (
        [*orders(3), *(event("order.refunded", 41, order_id=f"O{i}", placed_at=rfc3339(at(0.5)), currency="CNY", amount_minor=9)
                       for i in range(2))], 42),
    "cancels-often": (
        [*orders(3), *(event("order.cancelled", 41, order_id=f"O{i}", placed_at=rfc3339(at(0.5)), currency="CNY", amount_minor=9)
                       for i in range(2))], 42),
    "frequent-buyer": (orders(20, 7), 140),
    **{f"seeks-{motive}": ([survey(motives=[motive])], 1) for motive in MOTIVES},
    "seeks-low-price": ([survey(motives=["price"])], 1),
    "risk-taker": (orders(4, instalments=6), 61),
    "careful": ([*(event("search.made", i / 10, query="测评", results=3) for i in range(8)), *orders(4)], 61),
    "complaint-open": ([complaint(0)], 1),
    "severe-complaint": ([complaint(0, severity="critical")], 1),
    "complains-again": ([complaint(i, f"K{i}") for i in range(3)], 3),
    "unhappy": ([event("rating.given", 0.5, stars=1)], 1),
    "delivered-late": ([LATE], 4),
    "cart-left": ([cart(0)], 5),
    "unmet-wish": ([event("search.made", 0, query="x", results=0)], 1),
    "promoter": ([survey(nps=10)], 1),
    "detractor": ([survey(nps=2)], 1),
    "no-marketing": ([REFUSED], 0),
    "no-profiling": ([event("consent.changed", 0, purpose="profiling", granted=False)], 0),
    "prefers-wechat": (lives_through(4, channel="wechat"), 4),
    "prefers-app": (lives_through(4, channel="app"), 4),
    "prefers-phone": (orders(4, channel="phone"), 61),
    "prefers-shop": (orders(4, channel="store"), 61),
    "answers-on-wechat": (messages("wechat", "sent", "opened", "sent", "opened"), 1),
    "answers-mail": (messages("email", "sent", "opened", "sent", "opened"), 1),
    "answers-sms": (messages("sms", "sent", "clicked", "sent", "clicked"), 1),
    "answers-push": (messages("push", "sent", "opened", "sent", "opened"), 1),
    "refuses-sms": (messages("sms", "sent", "refused"), 1),
    "refuses-mail": (messages("email", "sent", "refused"), 1),
    "refuses-push": (messages("push", "sent", "refused"), 1),
    "refuses-calls": (messages("phone", "sent", "refused"), 1),
    "offline": (orders(4, channel="store"), 61),
    "online-and-offline": ([*orders(2, channel="store"), *lives_through(2, channel="app")], 21),
    "advocate": ([*orders(2), survey(21, nps=10)], 22),
    "loyal": (orders(6), 101),
    "wavering": (orders(4), 120),
    "belongs": ([*posts(6), *posts(6, "account.followed", account="us")], 1),
    "thinks-ill-of-us": ([survey(nps=1)], 1),
    "considering": (viewed(3), 1),
    "rival-in-view": ([*orders(4), RIVAL], 71),
    "lost-to-rival": ([*orders(4), RIVAL], 160),
    "won-from-rival": ([*orders(4), RIVAL, order(80)], 81),
    "opinion-leader": (posts(3, audience=50_000), 1),
    "connector": (posts(4, "mention.shared"), 1),
    "large-audience": (posts(3, audience=500_000), 1),
    "more-active": ([*lives_through(3), *(click(95 + i / 2) for i in range(12))], 101),
    "less-active": ([*(click(i * 3) for i in range(20)), click(91)], 92),
    "expects-a-baby": (interests("母婴用品"), 86),
    "new-home": (interests("furniture"), 86),
    "wedding": (interests("婚礼"), 86),
    "new-pet": (interests("pet"), 86),
}  # fmt: skip
SCORERS: dict[str, Scorer] = {
    "at-risk": WORST,
    "valuable-and-leaving": msgspec.structs.replace(RICH, bias=4.0),
    "high-value": RICH,
}


def living(tag: str) -> Customer:
    """Each event when it happens, and the day that is given."""
    events, day = GIVEN[tag]
    customer = Customer(SCORERS.get(tag))
    for each in sorted(events, key=lambda e: e.time_ms):
        customer.sees(each)
        customer.flush()
    customer.waits_until(day)
    customer.flush()
    return customer


def tags_of(customer: Customer) -> dict[str, float]:
    return msgspec.json.decode(customer.fields.get("tags", b"{}"))


def test_there_is_somebody_for_each_tag() -> None:
    assert set(GIVEN) == set(BY_ID)


@pytest.mark.parametrize("tag", TAGS, ids=lambda tag: tag.id)
def test_it_is_given_with_evidence_and_lapses_when_it_says(tag: Tag) -> None:
    customer = living(tag.id)
    assert tag.id in tags_of(customer)
    sure = tags_of(customer)[tag.id]
    if dimension_of(tag) is not None:
        assert evidence(tag, None, customer.known) is None
    field = json(customer.fields[tag.of]) if dimension_of(tag) is not None else None
    sign = evidence(tag, field, customer.known)
    assert sign is not None
    assert round(sign.sure * 20) == round(sure * 20)
    lapses = lapses_ms("C1", customer.known, customer.scorer).get(tag.id)
    if tag.lasts in (HABIT, KEPT, SAID):
        assert lapses is None or tag.of in ("brand", "experience"), "habits and words do not age"
    if tag.lasts.days is not None:
        last_ms = max(e.time_ms for e in GIVEN[tag.id][0])
        assert lapses == (last_ms // DAY_MS + tag.lasts.days) * DAY_MS
    if lapses is not None:
        day = lapses / DAY_MS - at(0) / DAY_MS
        customer.waits_until(day - 0.01)
        assert tag.id in tags_of(customer)
        customer.waits_until(day)
        assert tag.id not in tags_of(customer)
