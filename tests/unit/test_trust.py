"""Whom to believe: the written order of trust, in whatever order words come, and what is said of those who disagree."""

from __future__ import annotations

from itertools import permutations
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import oracle.person
from portrait.features.basic import Basic, tell, view
from portrait.structures import Register, canonical
from schemas.trust import ORDER, grade_of, trust
from tests.corekit import Customer, event


def told(day: float, system: str, **attributes: str) -> Any:
    return event("attributes.changed", day, attributes=attributes, system=system)


def basic(*events: Any) -> dict[str, Any]:
    """What readers see, which must not depend on the order; the oracle's facts are the same."""
    shown = []
    for ordered in list(permutations(events))[:24]:
        customer = Customer()
        for each in ordered:
            customer.sees(each, now=20)
        facts = msgspec.json.encode(canonical(customer.known.parts.basic), order="sorted")
        assert facts == msgspec.json.encode(oracle.person.basic(events, 0), order="sorted")
        shown.append(msgspec.json.decode(customer.fields["basic"]))
    assert all(each == shown[0] for each in shown)
    return shown[0]


@pytest.mark.parametrize(
    ("system", "grade"),
    [
        ("self", "customer"),
        ("本人", "customer"),
        ("crm", "crm"),
        ("crm:eu", "crm"),
        ("checkout", "own"),
        ("loyalty-club", "own"),
        ("selfie-app", "own"),
        ("partner:insight", "partner"),
        ("third:panel", "partner"),
        ("model:age", "inferred"),
    ],
)
def test_a_system_has_its_place_in_the_order(system: str, grade: str) -> None:
    assert grade_of(system) == grade


def test_the_order_is_the_declared_one() -> None:
    assert [grade.name for grade in ORDER] == ["customer", "crm", "own", "partner", "inferred"]
    assert trust("self") > trust("crm") > trust("shop") > trust("partner:x") > trust("inferred")


def test_the_more_trusted_word_stands_though_it_is_older() -> None:
    view = basic(told(0, "self", city="上海"), told(3, "crm", city="北京"), told(9, "partner:x", city="深圳"))
    assert view["attributes"] == {"city": "上海"}
    assert view["disputed"] == {"city": {"told_by": "self", "other": "crm", "says": "北京"}}


def test_of_systems_that_are_trusted_alike_the_latest_word_stands() -> None:
    view = basic(told(0, "checkout", job="nurse"), told(3, "club", job="teacher"), told(5, "checkout", job="nurse"))
    assert view["attributes"] == {"occupation": "nurse"}
    assert view["disputed"]["occupation"]["says"] == "teacher"


def test_who_comes_to_agree_disputes_no_more() -> None:
    view = basic(told(0, "crm", city="上海"), told(1, "club", city="Beijing"), told(2, "club", city="Shanghai"))
    assert view == {"attributes": {"city": "上海"}}


def test_who_says_it_more_exactly_does_not_disagree() -> None:
    view = basic(told(0, "crm", birth_year="1990"), told(1, "club", dob="1990-06-15"))
    assert view == {"attributes": {"birthday": "1990"}}
    assert basic(told(0, "crm", birth_year="1990"), told(1, "club", dob="1991-06-15"))["disputed"]


def test_what_is_taken_back_is_not_told_again_by_who_is_trusted_less() -> None:
    view = basic(told(0, "club", city="上海"), told(1, "crm", city=""), told(3, "club", city="北京", job="nurse"))
    assert view["attributes"] == {"occupation": "nurse"}
    again = basic(told(0, "partner:x", city=""), told(1, "crm", city="上海"))
    assert again == {"attributes": {"city": "上海"}}


WORDS = st.lists(
    st.tuples(
        st.integers(0, 3), st.sampled_from(["", "a", "b"]), st.sampled_from(["self", "crm", "shop", "club", "partner:x", "model"])
    ),
    min_size=1,
    max_size=12,
)


@given(WORDS, st.randoms(use_true_random=False))
def test_any_order_of_words_gives_the_oracles_two(words: list[tuple[int, str, str]], rng: Random) -> None:
    told, others = oracle.person._believed([("city", word) for word in words])
    for _ in range(3):
        rng.shuffle(words)
        part = Basic()
        for word in words:
            tell(part, "city", Register(*word))
        found = {name: msgspec.structs.astuple(register) for name, register in (part.attributes or {}).items()}
        beside = {name: msgspec.structs.astuple(register) for name, register in (part.others or {}).items()}
        assert (found, beside) == (told, others)


def test_two_words_an_attribute_are_all_that_is_kept() -> None:
    part = Basic()
    for n in range(50):
        tell(part, "city", Register(n, f"c{n}", f"system{n}"))
    assert (len(part.attributes or {}), len(part.others or {})) == (1, 1)
    assert (part.attributes or {})["city"].value == "c49"
    assert (part.others or {})["city"].value == "c48"
    assert view(part, 0)[0] is not None
