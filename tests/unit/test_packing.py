"""Large states are stored with their days in rows, and come back as they were."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from portrait.features.registry import FEATURES
from portrait.packing import DAYS_MIN, SPAN_MAX, pack_days, put_back, unpack_days
from portrait.state import PACK_DAYS, BrokenState, NewerFormat, State, decode, encode
from portrait.structures import Days
from tests.corekit import Customer, click, event, order

amounts = st.integers(-(2**50), 2**50)
days_of_anything = st.dictionaries(st.integers(0, 2**40), amounts, max_size=3 * DAYS_MIN) | st.dictionaries(
    st.integers(20_000, 20_090), amounts | st.integers(0, 3), max_size=91
)


def lively() -> Customer:
    customer = Customer()
    customer.sees(*[order(day, id=f"o{day}", lines=[], currency="CNY") for day in range(PACK_DAYS)])
    customer.sees(*[click(day, id=f"c{day}") for day in range(PACK_DAYS)])
    return customer


@given(days_of_anything, days_of_anything)
def test_days_come_back_in_any_order_and_of_any_amount(clicks: Days, spend: Days) -> None:
    parts = lively_parts()
    parts.behaviour.days, parts.consumption.money["CNY"].days = dict(clicks), dict(spend)
    pack_days(parts)
    near = len(clicks) >= DAYS_MIN and max(clicks) - min(clicks) < SPAN_MAX
    assert isinstance(parts.behaviour.days, list) == near
    unpack_days(parts)
    assert parts.behaviour.days == clicks
    assert parts.consumption.money["CNY"].days == spend


@given(days_of_anything)
def test_a_row_is_the_same_in_whatever_order_the_days_came(days: Days) -> None:
    one, other = lively_parts(), lively_parts()
    one.behaviour.days, other.behaviour.days = dict(days), dict(reversed(days.items()))
    pack_days(one)
    pack_days(other)
    assert one.behaviour.days == other.behaviour.days


def test_rows_of_format_2_are_read() -> None:
    parts = lively_parts()
    parts.behaviour.days = [20_000, 2, 1, 5, -6, 7]
    unpack_days(parts)
    assert parts.behaviour.days == {20_000: 5, 20_002: -6, 20_003: 7}


def test_where_active_days_lie_too_far_apart_no_days_are_packed() -> None:
    """They do while a fragment is not looked at: what of them has left the windows is let go of when it is."""
    state = lively().known
    first = min(state.parts.activity.days)
    state.parts.activity.days[first - SPAN_MAX] = 1
    before = msgspec.msgpack.encode(state)
    assert msgspec.msgpack.encode(decode(encode(state))) == before


def lively_parts() -> Any:
    if not _known:
        _known.append(lively().known)
    return decode(encode(_known[0])).parts


_known: list[State] = []


def test_a_large_state_comes_back_as_it_was_and_is_not_changed_by_being_stored() -> None:
    state = lively().known
    blob = encode(state)
    assert isinstance(state.parts.activity.days, dict)
    assert decode(blob) == state
    assert encode(decode(blob)) == blob
    assert len(blob) < len(msgspec.msgpack.encode(state)) / 2


def test_the_days_of_every_feature_are_packed() -> None:
    """Whatever a feature keeps by day: in its part, or in rows by name."""
    parts = lively_parts()
    many: Days = dict.fromkeys(range(20_000, 20_000 + PACK_DAYS), 1)
    for feature in FEATURES:
        part = feature.part()
        for field in msgspec.structs.fields(feature.part):
            if field.type == Days:
                setattr(part, field.name, dict(many))
        setattr(parts, feature.name, part)
    packed = pack_days(parts)
    assert len(packed) >= len(FEATURES) - 5
    assert not list(pairs_by_day(msgspec.msgpack.decode(msgspec.msgpack.encode(parts), strict=False)))
    put_back(packed)
    assert parts.activity.days == many


def pairs_by_day(value: Any) -> Any:
    if isinstance(value, dict):
        if len(value) >= PACK_DAYS:
            yield value
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from pairs_by_day(inner)


@pytest.mark.parametrize(
    "row",
    [
        [20_000, 1, 1],
        [20_000, 8, 0, 1, b"\xff\xff\xff"],
        [20_000, 0, 0, 1, b""],
        [20_000, 10**9, 0, 1, b""],
        [20_000, 8, 0, -1, b""],
        [b"", 8, 0, 1, b""],
    ],
)
def test_a_row_that_is_none_is_told_as_broken(row: list[Any]) -> None:
    state = lively().known
    state.parts.behaviour.days = row
    with pytest.raises(BrokenState, match="rebuild"):
        decode(encode(state))


def test_a_state_that_is_compressed_with_a_newer_dictionary_is_refused() -> None:
    """The dictionary's number is the sixth byte of the frame (RFC 8878, 3.1.1.1). Older ones: tests/golden/states.jsonl."""
    blob = encode(lively().known)
    assert decode(blob).events == 2 * PACK_DAYS
    with pytest.raises(NewerFormat, match="dictionary 99"):
        decode(blob[:5] + bytes([99]) + blob[6:])


def test_a_frame_of_no_dictionary_that_ever_was_is_broken_and_no_newer_one() -> None:
    blob = encode(lively().known)
    with pytest.raises(BrokenState, match="rebuild"):
        decode(blob[:5] + bytes([0]) + blob[6:])


@given(data=st.data())
def test_whatever_is_damaged_is_told_as_broken(data: st.DataObject) -> None:
    """By these `portrait rebuild --broken` finds it, and a worker that meets it tells the remedy: nothing else may come out."""
    customer = Customer()
    customer.sees(event("search.made", 1, query="跑鞋 宽楦"), order(2))
    blob = bytearray(encode(data.draw(st.sampled_from([customer.known, lively().known]))))
    for place, byte in data.draw(st.dictionaries(st.integers(0, len(blob) - 1), st.integers(0, 255), min_size=1)).items():
        blob[place] = byte
    with suppress(BrokenState, NewerFormat):
        decode(bytes(blob))


def test_a_text_that_is_no_utf_8_is_told_as_broken() -> None:
    customer = Customer()
    customer.sees(event("search.made", 1, query="跑鞋"))
    blob = encode(customer.known)
    with pytest.raises(BrokenState, match="rebuild"):
        decode(blob.replace("跑鞋".encode(), b"\xff\xff\xff" * 2))
