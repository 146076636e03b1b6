"""Whatever comes in, decoding answers: an Event that folds, or a Rejection with reason, place and remedy. Nothing raises."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from portrait.evolve import Arrival, evolve
from portrait.models.churn import fresh
from portrait.state import decode as decode_state
from portrait.state import encode, mark_of
from schemas import examples
from schemas.event import CUSTOMER_ID_BYTES_MAX, FUTURE_SKEW_MS, VALUE_BYTES_MAX, Event, Rejection, decode
from schemas.registry import BY_NAME, TYPES
from tests.fuzz.odd import VALUES, nested, paths, with_value

NOW_MS = 1_790_000_000_000
SCORER = fresh(60)
#: A state of one event, with all that the contracts let it hold, is below this.
ONE_EVENT_BYTES_MAX = 150_000

topics = st.sampled_from([*BY_NAME, "lessons", ""])
names = st.sampled_from(list(TYPES))


def check(topic: str, key: bytes | None, value: bytes | None, headers: Any = (), record_ms: int = NOW_MS) -> Event | Rejection:
    """Decode, and hold what is promised of the answer."""
    result = decode(topic, key, value, headers, record_ms)
    if isinstance(result, Rejection):
        assert result.reason
        assert result.path
        assert result.message
        assert result.remedy
        msgspec.json.encode(result)  # it is going to be a dead letter
        return result
    assert isinstance(result, Event)
    assert 0 <= result.time_ms <= record_ms + FUTURE_SKEW_MS
    assert 0 <= result.hour <= 23
    assert len(result.hash) == 8
    assert result.customer_id.encode() == key
    _fold(result)
    return result


def _fold(event: Event) -> None:
    """An event that is accepted can be folded, stored, and looked at years later."""
    arrivals = [Arrival(mark_of(event.topic_code, 0), 0, event)]
    change = evolve(None, event.customer_id, arrivals, NOW_MS, SCORER)
    assert change is not None
    blob = encode(change.state)
    assert len(blob) < ONE_EVENT_BYTES_MAX
    evolve(decode_state(blob), event.customer_id, [], NOW_MS + 10**12, SCORER)


def encoded(value: Any) -> bytes:
    """JSON as some publishers write it: NaN, Infinity and lone surrogates too."""
    return json.dumps(value).encode()


# Anything at all


@given(topics, st.none() | st.binary(max_size=300), st.none() | st.binary(max_size=300), st.integers(-1, 2**62))
def test_any_bytes(topic: str, key: bytes | None, value: bytes | None, record_ms: int) -> None:
    check(topic, key, value, (), record_ms)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(st.characters(codec=None)), inner, max_size=5),
    max_leaves=20,
)


@given(topics, json_values)
def test_any_json(topic: str, value: Any) -> None:
    check(topic, b"C1", encoded(value))


@given(topics, st.lists(st.tuples(st.text(), st.none() | st.binary())), st.binary())
def test_any_headers(topic: str, headers: list[tuple[str, bytes | None]], value: bytes) -> None:
    check(topic, b"C1", value, headers)
    check(topic, b"C1", value, [("ce_specversion", b"1.0"), *headers])


# Valid events that something happened to


ODD = json_values | st.sampled_from(VALUES)


@given(names, st.data())
@settings(max_examples=400)
def test_an_event_with_one_thing_changed(name: str, data: st.DataObject) -> None:
    event = examples.event(name)
    path = data.draw(st.sampled_from(paths(event)))
    check(TYPES[name][0].name, b"C1", encoded(with_value(event, path, data.draw(ODD))))


@given(names, st.data())
def test_an_event_with_one_thing_missing(name: str, data: st.DataObject) -> None:
    event = examples.event(name)
    path = data.draw(st.sampled_from([p for p in paths(event) if p and isinstance(p[-1], str)]))
    holder = event
    for step in path[:-1]:
        holder = holder[step]
    del holder[path[-1]]
    check(TYPES[name][0].name, b"C1", encoded(event))


@given(names, st.data())
def test_an_event_with_bytes_flipped_cut_or_doubled(name: str, data: st.DataObject) -> None:
    value = msgspec.json.encode(examples.event(name))
    at = data.draw(st.integers(0, len(value) - 1))
    cut = data.draw(st.integers(0, 8))
    check(TYPES[name][0].name, b"C1", value[:at] + data.draw(st.binary(max_size=8)) + value[at + cut :])


@given(names, st.dictionaries(st.text(max_size=20), json_values, max_size=4))
def test_unknown_attributes_and_fields_are_ignored(name: str, more: dict[str, Any]) -> None:
    plain = examples.event(name)
    event = {**more, **plain, "data": {**more, **plain["data"]}}
    try:
        value = json.dumps(event, allow_nan=False).encode()
        value.decode()
        msgspec.json.decode(value)
    except (ValueError, msgspec.DecodeError):  # what is no JSON at all, elsewhere tested
        return
    if set(more) & (set(_attributes(name)) | {"datacontenttype", "subject"}):
        return
    assert check(TYPES[name][0].name, b"C1", value) == check(TYPES[name][0].name, b"C1", msgspec.json.encode(plain))


def _attributes(name: str) -> set[str]:
    return set(TYPES[name][1].data.__struct_fields__)


@given(names, st.data())
def test_binary_mode_with_bad_bytes_missing_or_odd_attributes(name: str, data: st.DataObject) -> None:
    event = examples.event(name)
    headers = [(f"ce_{key}", value.encode()) for key, value in event.items() if key != "data"]
    index = data.draw(st.integers(0, len(headers) - 1))
    odd = data.draw(st.none() | st.binary(max_size=40) | st.sampled_from([b"", b"\xff", b"\xed\xa0\x80", b'"', b"\\", b"\x00"]))
    headers[index] = (headers[index][0], odd)
    if data.draw(st.booleans()):
        del headers[index]
    check(TYPES[name][0].name, b"C1", msgspec.json.encode(event["data"]), headers)


# What was found, or asked for by name


def one(name: str = "page.viewed", **attributes: Any) -> bytes:
    return encoded({**examples.event(name), **attributes})


@pytest.mark.parametrize(
    "key", ["{}", "{0}:C1", "a:b", "客户", "C 1", "%7B", "*", "x" * CUSTOMER_ID_BYTES_MAX, "😀" * 64], ids=range(9)
)
def test_any_printable_id_is_a_customer(key: str) -> None:
    assert isinstance(check("clicks", key.encode(), one()), Event)


@pytest.mark.parametrize(
    "key",
    [
        None,
        b"",
        b"a\nb",
        b"a\x00b",
        b"a\rb",
        b"\x7f",
        b"\xff",
        b"x" * 10_000,
        b"x" * (CUSTOMER_ID_BYTES_MAX + 1),
        "\u2028".encode(),
    ],
)
def test_an_id_that_could_break_a_line_a_log_or_a_key_is_refused(key: bytes | None) -> None:
    result = check("clicks", key, one())
    assert isinstance(result, Rejection)
    assert (result.reason, result.path) == ("bad-key", "key")


@pytest.mark.parametrize(
    ("value", "reason", "path"),
    [
        (None, "no-value", "value"),
        (b"", "no-value", "value"),
        (b" " * (VALUE_BYTES_MAX + 1), "too-large", "value"),
        (b"x" * 1_000_000, "too-large", "value"),
        (b"\xff\xfe", "not-json", "$"),
        (b"{", "not-json", "$"),
        (b"null", "invalid", "$"),
        (b"[]", "invalid", "$"),
        (one() + b"{}", "not-json", "$"),
        (b"[" * 100_000, "invalid", "$"),
        (one(data=nested(900)), "invalid", "$.data"),
        (b'{"x":' + b"[" * 50_000 + b"]" * 50_000 + b"}", "not-json", "$"),
        (one(type="page.vued"), "unknown-type", "$.type"),
        (one(type="order.placed"), "wrong-topic", "$.type"),
        (one(type=None), "unknown-type", "$.type"),
        (one(specversion="0.3"), "invalid", "$.specversion"),
        (one(specversion=1.0), "invalid", "$.specversion"),
        (one(id=""), "invalid", "$.id"),
        (one(id="x" * 10_000), "invalid", "$.id"),
        (one(id=7), "invalid", "$.id"),
        (one(time="1969-12-31T23:59:59.999Z"), "bad-time", "$.time"),
        (one(time="2026-05-01T09:30:00"), "invalid", "$.time"),
        (one(time=1_777_599_000_000), "invalid", "$.time"),
        (one(time="2126-01-01T00:00:00Z"), "bad-time", "$.time"),
        (one(data={"page": "x", "dwell_ms": -1}), "invalid", "$.data.dwell_ms"),
        (one(data={"page": "x", "dwell_ms": 10**30}), "invalid", "$.data.dwell_ms"),
        (one(data={"page": "x", "dwell_ms": 1.5}), "invalid", "$.data.dwell_ms"),
        (one(data={"page": "x", "dwell_ms": float("nan")}), "not-json", "$"),
        (one(data={"page": "\ud800"}), "not-json", "$"),
        (one(data=None), "invalid", "$.data"),
    ],
)
def test_what_is_wrong_is_told_by_reason_and_place(value: bytes | None, reason: str, path: str) -> None:
    result = check("clicks", b"C1", value)
    assert isinstance(result, Rejection), result
    assert (result.reason, result.path) == (reason, path), result


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"currency": "XXX"}, "$.data.currency"),
        ({"currency": "cny"}, "$.data.currency"),
        ({"amount_minor": -1}, "$.data.amount_minor"),
        ({"amount_minor": 12.5}, "$.data.amount_minor"),
        ({"amount_minor": "1250"}, "$.data.amount_minor"),
        ({"amount_minor": 10**14}, "$.data.amount_minor"),
        ({"lines": [{"sku": "a", "quantity": 0, "unit_price_minor": 1}]}, "$.data.lines[0].quantity"),
        ({"lines": [{"sku": "a", "quantity": 1, "unit_price_minor": 1}] * 501}, "$.data.lines"),
        ({"order_id": "x" * 129}, "$.data.order_id"),
    ],
)
def test_absurd_orders_are_refused_with_the_path(change: dict[str, Any], path: str) -> None:
    event = examples.event("order.placed")
    result = check("orders", b"C1", encoded({**event, "data": event["data"] | change}))
    assert isinstance(result, Rejection)
    assert (result.reason, result.path) == ("invalid", path)


@pytest.mark.parametrize("placed_at", ["1969-01-01T00:00:00Z", "2026-05-02T00:00:00Z"])
def test_what_an_event_closes_began_before_it(placed_at: str) -> None:
    event = examples.event("order.cancelled")
    result = check("orders", b"C1", encoded({**event, "data": event["data"] | {"placed_at": placed_at}}))
    assert isinstance(result, Rejection)
    assert (result.reason, result.path) == ("bad-time", "$.data.placed_at")


@pytest.mark.parametrize("attributes", [{"": "x"}, {"x" * 65: "y"}])
def test_a_bad_name_of_an_attribute_is_told_with_its_place(attributes: dict[str, str]) -> None:
    event = examples.event("attributes.changed")
    result = check("customers", b"C1", encoded({**event, "data": {"attributes": attributes}}))
    assert isinstance(result, Rejection)
    assert result.path == "$.data.attributes"
    assert "key" in result.message


def test_of_duplicate_json_keys_the_last_counts_as_in_most_languages() -> None:
    value = one().replace(b'"page": ', b'"page": "first", "page": ')
    assert check("clicks", b"C1", value) == check("clicks", b"C1", one())


def test_an_event_without_time_takes_its_records() -> None:
    event = examples.event("page.viewed")
    del event["time"]
    result = check("clicks", b"C1", encoded(event))
    assert isinstance(result, Event)
    assert result.time_ms == NOW_MS
    timeless = check("clicks", b"C1", encoded(event), (), -1)
    assert isinstance(timeless, Rejection)
    assert timeless.path == "$.time"


@pytest.mark.parametrize(("ahead_ms", "accepted"), [(FUTURE_SKEW_MS, True), (FUTURE_SKEW_MS + 1, False)])
def test_clocks_may_differ_by_five_minutes_and_no_more(ahead_ms: int, accepted: bool) -> None:
    event = one(time="2026-05-01T01:12:00Z")
    decoded = check("clicks", b"C1", event)
    assert isinstance(decoded, Event)
    result = check("clicks", b"C1", event, (), decoded.time_ms - ahead_ms)
    assert isinstance(result, Event) == accepted


BINARY = [("ce_specversion", b"1.0"), ("ce_id", b"1"), ("ce_source", b"/s"), ("ce_type", b"page.viewed")]


@example(b'{"page":"x"},"id":"forged"')
@example(b'{"page":"x"},"type":"app.opened","data":{}')
@given(st.binary(max_size=60))
def test_a_binary_mode_value_cannot_write_over_the_headers(value: bytes) -> None:
    result = check("clicks", b"C1", value, BINARY)
    assert isinstance(result, Rejection) or result.id == "1"


def test_a_binary_mode_header_with_bad_bytes_is_named() -> None:
    result = check("clicks", b"C1", b'{"page":"x"}', [*BINARY, ("ce_time", b"\xff")])
    assert isinstance(result, Rejection)
    assert result.path == "headers.ce_time"


@pytest.mark.parametrize(
    ("header", "content", "reason"),
    [
        ("ce_id", b"", "invalid"),
        ("ce_id", None, "invalid"),
        ("ce_source", b"x" * 300, "invalid"),
        ("ce_source", b"/a\x00b", "invalid"),
        ("ce_specversion", b"0.3", "invalid"),
        ("ce_type", b"page.vued", "unknown-type"),
        ("ce_type", b"order.placed", "wrong-topic"),
        ("ce_time", b"yesterday", "invalid"),
        ("ce_time", b"1969-12-31T23:59:59Z", "bad-time"),
    ],
)
def test_what_is_wrong_with_a_header_is_told_by_its_name(header: str, content: bytes | None, reason: str) -> None:
    headers = [*((name, value) for name, value in BINARY if name != header), (header, content)]
    result = check("clicks", b"C1", b'{"page":"x"}', headers)
    assert isinstance(result, Rejection)
    assert (result.reason, result.path) == (reason, f"headers.{header}")
    assert "$." not in result.remedy


def test_a_header_that_is_missing_is_named() -> None:
    result = check("clicks", b"C1", b'{"page":"x"}', [header for header in BINARY if header[0] != "ce_id"])
    assert isinstance(result, Rejection)
    assert result.path == "headers.ce_id"


def test_in_binary_mode_data_is_the_value() -> None:
    result = check("clicks", b"C1", b'{"page":7}', BINARY)
    assert isinstance(result, Rejection)
    assert result.path == "$.data.page"


@pytest.mark.parametrize(("record_ms", "time"), [(2**62, None), (2**63 - 1, None), (2**62, "9999-12-31T23:59:59-23:59")])
def test_no_claim_of_a_producer_makes_a_time_that_no_calendar_has(record_ms: int, time: str | None) -> None:
    result = check("clicks", b"C1", one(time=time), (), record_ms)
    assert isinstance(result, Rejection)
    assert (result.reason, result.path) == ("bad-time", "$.time")


def test_an_unknown_topic_is_refused() -> None:
    result = check("lessons", b"C1", one())
    assert isinstance(result, Rejection)
    assert result.reason == "unknown-topic"
