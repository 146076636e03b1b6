"""Names of keys: nothing in an id can break or forge one."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profile_store.contract import shard_of
from profile_store.keys import ShardKeys, encode, encode_all, external_field

texts = st.text(st.characters(exclude_categories=["Cs"]))


# By ECMA-262: all but letters, digits and -_.!~*'() as the percent-encoded bytes of UTF-8, in capitals.
@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("C-1_a.b!c~d*e'f(g)", "C-1_a.b!c~d*e'f(g)"),
        ("a:b{c}", "a%3Ab%7Bc%7D"),
        ("客户", "%E5%AE%A2%E6%88%B7"),
        ("😀", "%F0%9F%98%80"),
        ("100% + 1/2", "100%25%20%2B%201%2F2"),
        ("a@b.c?x=1&y;#$,", "a%40b.c%3Fx%3D1%26y%3B%23%24%2C"),
        ("\0\n\x7f", "%00%0A%7F"),
        ("", ""),
    ],
)
def test_ids_are_encoded_as_encodeuricomponent_does(text: str, encoded: str) -> None:
    assert encode(text) == encoded


@given(texts)
def test_an_encoded_id_has_nothing_that_means_something_in_a_key_and_goes_back(text: str) -> None:
    encoded = encode(text)
    assert not set(encoded) & set(":{} \n\0")
    assert unquote(encoded, errors="strict") == text


@given(st.lists(texts))
def test_many_are_encoded_as_each(ids: list[str]) -> None:
    assert list(encode_all(ids)) == [encode(text) for text in ids]


@given(st.tuples(texts, texts), st.tuples(texts, texts))
def test_two_external_ids_never_share_a_field(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert (external_field(*one) == external_field(*other)) == (one == other)


def test_the_keys_are_the_published_ones() -> None:
    keys = ShardKeys("eu:", 2)
    assert keys.states(["C1", "a:b"]) == ["eu:state:{2}:C1", "eu:state:{2}:a%3Ab"]
    assert keys.profiles(["C1"]) == ["eu:profile:{2}:C1"]
    assert keys.of_stage("won back") == "eu:stage:{2}:won%20back"
    assert [keys.due, keys.risk, keys.external] == ["eu:due:{2}", "eu:risk:{2}", "eu:external:{2}"]
    assert [keys.positions, keys.clear, keys.meta, keys.changes] == [
        "eu:pos:{2}",
        "eu:clear:{2}",
        "eu:meta:{2}",
        "eu:changes:{2}",
    ]


def test_the_shard_is_the_published_one() -> None:
    assert shard_of("123456789", 10**9) == 0xCBF43926 % 10**9  # the check value of CRC-32
    assert {shard_of(name, 1) for name in ("a", "客户")} == {0}
