"""How ``portrait publish`` makes a record of a line, and which lines it refuses."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import msgspec
import pytest

from cli.publish import SOURCE, Defaults, Ready, _lines, complete, prepare
from schemas.event import Rejection, decode

NOW_MS = 1_780_000_000_000
ORDER = {"order_id": "o1", "currency": "CNY", "amount_minor": 500}


def line(**event: Any) -> bytes:
    return msgspec.json.encode({"type": "order.placed", "data": ORDER} | event)


def ready(content: bytes, **defaults: Any) -> Ready:
    found = prepare(content, Defaults(**defaults), NOW_MS)
    assert isinstance(found, Ready), found
    return found


def refused(content: bytes, **defaults: Any) -> Rejection:
    found = prepare(content, Defaults(**defaults), NOW_MS)
    assert isinstance(found, Rejection), found
    return found


def test_the_least_that_works_is_a_key_a_type_and_data() -> None:
    record = ready(line(key="C1"))
    assert (record.topic, record.key) == ("orders", b"C1")
    event = decode(record.topic, record.key, record.value, (), NOW_MS)
    assert not isinstance(event, Rejection)
    assert event.customer_id == "C1"
    assert event.time_ms == NOW_MS


def test_key_and_topic_do_not_travel_inside_the_event() -> None:
    event = msgspec.json.decode(ready(line(key="C1", topic="orders")).value)
    assert not {"key", "topic"} & event.keys()


def test_the_key_is_the_lines_own_then_the_option_then_the_subject() -> None:
    assert ready(line(key="own", subject="subject"), key="option").key == b"own"
    assert ready(line(subject="subject"), key="option").key == b"option"
    assert ready(line(subject="subject")).key == b"subject"


def test_what_is_given_is_never_overwritten() -> None:
    given = {"id": "7", "source": "/shop", "specversion": "1.0", "time": "2026-01-02T03:04:05+08:00"}
    assert complete(given, NOW_MS) == given


def test_two_events_filled_in_are_two_events() -> None:
    first, second = complete({}, NOW_MS), complete({}, NOW_MS)
    assert first["source"] == second["source"] == SOURCE
    assert first["id"] != second["id"]


@pytest.mark.parametrize(
    ("content", "reason", "path"),
    [
        (b"not json", "not-json", "$"),
        (b"[1]", "not-json", "$"),
        (b'{"a": "\xff"}', "not-json", "$"),
        (b"[" * 100_000, "not-json", "$"),
        (line(), "bad-key", "key"),
        (line(key=7), "bad-key", "key"),
        (line(key="a\nb"), "bad-key", "key"),
        (line(key="C1", type="order.dreamt"), "unknown-type", "$.type"),
        (line(key="C1", type=["x"]), "unknown-type", "$.type"),
        (line(key="C1", topic="clicks"), "wrong-topic", "$.type"),
        (line(key="C1", topic="nowhere"), "unknown-topic", "topic"),
        (line(key="C1", data=ORDER | {"amount_minor": -1}), "invalid", "$.data.amount_minor"),
        (line(key="C1", time="yesterday"), "invalid", "$.time"),
        (line(key="email:lin"), "bad-key", "key"),
        (line(key="social:lin"), "bad-key", "key"),
        (line(key="C1", type="identity.linked", data={"other": "email:lin", "kind": "customer"}), "bad-key", "$.data.other"),
        (line(key="C1", time="2100-01-01T00:00:00Z"), "bad-time", "$.time"),
    ],
)
def test_a_bad_line_is_refused_with_its_path_and_a_remedy(content: bytes, reason: str, path: str) -> None:
    problem = refused(content)
    assert (problem.reason, problem.path) == (reason, path)
    assert problem.remedy


def test_unchecked_sends_what_is_wrong_as_it_is() -> None:
    wrong = ORDER | {"amount_minor": -1}
    assert b"-1" in ready(line(key="C1", data=wrong), check=False).value
    assert ready(b"not json", check=False, topic="orders").value == b"not json"
    assert ready(line(), check=False).key is None


def test_unchecked_still_needs_to_know_where_to() -> None:
    assert refused(b"not json", check=False).reason == "not-json"
    assert refused(line(type="order.dreamt"), check=False).reason == "unknown-type"


def test_a_past_event_may_carry_its_own_time_into_the_record() -> None:
    record = ready(line(key="C1", time="2011-05-01T00:00:00Z"), event_time=True)
    assert record.time_ms == 1_304_208_000_000


@pytest.mark.parametrize("text", [b"a\nb", b"a\nb\n", b"a\r\nb", b"\na\n\nb"])
def test_lines_are_the_same_with_or_without_a_last_newline(text: bytes) -> None:
    async def stripped() -> list[bytes]:
        return [found.strip() async for found in _lines(io.BytesIO(text)) if found.strip()]

    assert asyncio.run(stripped()) == [b"a", b"b"]


def test_what_workers_will_leave_out_is_told_and_sent() -> None:
    found = ready(line(key="C1", data=ORDER | {"identities": ["email:lin@shop.cn", "email:lin", "device:d1"]}))
    assert found.left_out == ("identities",) and b"email:lin" in found.value
    assert ready(line(key="C1", data=ORDER | {"channel": "null"})).left_out == ("channel",)
    assert ready(line(key="email:lin@shop.cn", data=ORDER | {"identities": ["device:d1"]})).left_out == ()


@pytest.mark.parametrize(
    ("event", "in_clear"),
    [
        ({"key": "lin@shop.cn"}, True),
        ({"key": "+86 138 0013 8001"}, True),
        ({"key": "C1", "data": ORDER | {"identities": ["lin@shop.cn"]}}, True),
        ({"key": "C1", "data": ORDER | {"identities": [{"other": "lin@shop.cn", "kind": "mail"}]}}, False),
        ({"key": "C1", "type": "identity.linked", "data": {"other": "lin@shop.cn", "kind": "account"}}, True),
        ({"key": "C1", "type": "identity.linked", "data": {"other": "lin@shop.cn", "kind": "email"}}, False),
        ({"key": "email:lin@shop.cn"}, False),
        ({"key": "13800138001"}, False),
        ({"key": "@lin"}, False),
        ({"key": "a@b"}, False),
    ],
)
def test_an_address_as_a_customer_id_is_told_of(event: dict[str, Any], in_clear: bool) -> None:
    assert ready(line(**event)).in_clear is in_clear
