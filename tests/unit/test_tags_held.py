"""Tags as a customer has them: which are kept, which are told, and how they follow the declarations."""

from __future__ import annotations

from unittest import mock

import msgspec

from portrait import show
from portrait.tags import held
from portrait.tags.base import Rule, Sign, Tag, Words
from portrait.tags.registry import BY_ID, TAGS
from tests.corekit import Customer, click, complaint, event, order

N = {name: tag.number for name, tag in BY_ID.items()}


def tags_of(customer: Customer) -> dict[str, float]:
    return msgspec.json.decode(customer.fields.get("tags", b"{}"))


def tag_that(look: object) -> Tag:
    return BY_ID["parent"]._replace(rule=Rule(look, Words("", "")))  # type: ignore[arg-type]


def test_what_changes_nothing_gives_the_same_dictionary() -> None:
    tag = tag_that(lambda said: Sign(0.5, "m", said))
    looks = held.arranged([tag])
    has = held.looked_at({}, looks, "x")
    assert has == {tag.number: 10}
    assert held.looked_at(has, looks, "y") is has
    assert held.looked_at(has, looks, None) == {}
    assert has == {tag.number: 10}, "it may be somebody else's still"


def test_what_is_hardly_sure_is_no_tag() -> None:
    assert held.looked_at({}, held.arranged([tag_that(lambda said: Sign(0.2, "m", "x"))]), "x") == {}
    assert held.looked_at({}, held.arranged([tag_that(lambda said: Sign(0.25, "m", "x"))]), "x") != {}


def test_what_asks_for_action_comes_first_then_the_surest() -> None:
    has = {N["parent"]: 20, N["student"]: 10, N["unhappy"]: 5, 9_999: 20}
    assert list(held.told(has).items()) == [("unhappy", 0.25), ("parent", 1.0), ("student", 0.5)]


def test_the_lightest_are_left_out_where_there_are_too_many() -> None:
    has = {N["parent"]: 20, N["student"]: 10, N["unhappy"]: 5}
    with mock.patch.object(held, "TAGS_MAX", 2):
        assert held.heaviest(has) == {N["unhappy"]: 5, N["parent"]: 20}
    assert held.TAGS_MAX == 64


def test_a_tag_that_was_left_out_comes_back_when_there_is_room() -> None:
    customer = Customer()
    with mock.patch.object(held, "TAGS_MAX", 1), mock.patch.object(show, "TAGS_MAX", 1):
        customer.sees(complaint(0), order(0))
        assert list(tags_of(customer)) == ["complaint-open"]
        change = customer.sees(event("complaint.resolved", 1, complaint_id="K1", opened_at="2024-10-04T00:00:00Z"))
        assert list(tags_of(customer)) == ["newcomer"]
        assert (change.tags_got, change.tags_lost) == (["newcomer"], ["complaint-open"])


def test_who_was_tagged_by_other_declarations_is_tagged_anew_at_the_next_event() -> None:
    customer = Customer()
    customer.sees(complaint(0), order(0))
    customer.known.tags, customer.known.tagged = {N["lost"]: 20}, 1
    change = customer.sees(click(0.5))
    assert set(tags_of(customer)) == {"complaint-open", "newcomer"}
    assert (change.tags_got, change.tags_lost) == (["newcomer", "complaint-open"], ["lost"])


def test_tags_of_a_newer_worker_are_left_to_it() -> None:
    customer = Customer()
    customer.sees(complaint(0))
    customer.known.tags = {**customer.known.tags, 9_999: 7}
    change = customer.sees(order(1))
    assert customer.known.tags[9_999] == 7
    assert set(tags_of(customer)) == {"complaint-open", "newcomer"}
    assert (change.tags_got, change.tags_lost) == (["newcomer"], ["prospect"])


def test_they_are_moved_as_the_index_is() -> None:
    assert held.moved({N["parent"]: 3, N["lost"]: 20}, {N["parent"]: 9, N["student"]: 20}) == (["student"], ["lost"])


def test_each_can_be_told_at_once_in_a_field_of_two_kilobytes() -> None:
    most = held.heaviest({tag.number: 20 for tag in TAGS})
    assert len(most) == held.TAGS_MAX
    assert len(msgspec.json.encode(held.told(most))) < 2_000
    assert len(msgspec.msgpack.encode(most)) < 260, "in the state"
