"""What is understood of complaints and of other texts, in the profile."""

from __future__ import annotations

from schemas.profile import Concerns, OpenComplaint, parse
from tests.corekit import Customer, complaint, event

LATE = "快递太慢，等了十天还没收到"
RUDE = "Customer service never answered my e-mails and the phone is always busy"


def open_complaint(customer: Customer) -> OpenComplaint:
    needs = parse(customer.fields).needs
    assert needs is not None
    return needs.open[0]


def concerns(customer: Customer) -> Concerns | None:
    return parse(customer.fields).concerns


def test_a_complaint_without_a_category_gets_the_understood_one() -> None:
    customer = Customer()
    customer.sees(complaint(0, text=LATE))
    found = open_complaint(customer)
    assert (found.category, found.understood) == ("delivery", True)
    assert found.sure is not None and 0.4 <= found.sure <= 1
    assert concerns(customer) == Concerns(pains={"delivery": 1})


def test_a_category_that_is_told_wins_whenever_it_is_told() -> None:
    for later in (False, True):
        customer = Customer()
        if later:
            opened_at = complaint(0).time_ms
            customer.sees(complaint(0, text=LATE))
            customer.sees(event("complaint.updated", 1, complaint_id="K1", opened_at=iso(opened_at), category="warranty"))
        else:
            customer.sees(complaint(0, text=LATE, category="warranty"))
        found = open_complaint(customer)
        assert (found.category, found.understood, found.sure) == ("warranty", False, None)


def test_the_surest_category_and_the_greatest_urgency_count() -> None:
    opened_at = iso(complaint(0).time_ms)
    first = complaint(0, text="充电器冒烟着火了")
    last = event("complaint.updated", 2, complaint_id="K1", opened_at=opened_at, text=RUDE)
    for order in ((first, last), (last, first)):
        customer = Customer()
        for each in order:
            customer.sees(each, now=3)
        found = open_complaint(customer)
        assert (found.category, found.urgency) == ("service", 3)


def test_a_text_that_says_nothing_leaves_the_category_open() -> None:
    customer = Customer()
    customer.sees(complaint(0, text="？？？"))
    assert open_complaint(customer).category is None
    assert concerns(customer) is None


def test_low_ratings_hurt_and_good_ones_do_not() -> None:
    customer = Customer()
    customer.sees(event("rating.given", 0, stars=1, text=LATE), event("rating.given", 1, stars=5, text=LATE))
    assert concerns(customer) == Concerns(pains={"delivery": 1})


def test_wishes_and_leaving_come_from_whatever_is_written() -> None:
    customer = Customer()
    customer.sees(
        event("mention.posted", 0, platform="weibo", text="希望电池能耐用一点"),
        event("survey.answered", 1, survey="S", question="?", answer="I wish it had a better battery"),
        event("conversation.closed", 2, conversation_id="c", channel="app", text="算了，以后再也不买了"),
    )
    found = concerns(customer)
    assert found is not None
    assert found.wishes["battery"] == 2
    assert found.leaving_90d == 1
    customer.waits_until(95)
    later = concerns(customer)
    assert later is not None
    assert later.leaving_90d == 0


def iso(ms: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(ms / 1000, UTC).isoformat()
