"""How a dead letter is mended before it is published again."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from cli.dlq import Letters, Mend, Mended, grouped, mended_record, merged
from schemas.event import REPLAY_OF, Event, Rejection, decode
from schemas.identity import Namer
from schemas.outputs import DeadLetter, Origin

NOW_MS = 1_780_000_000_000
DAY_MS = 86_400_000
ENVELOPE = {"specversion": "1.0", "id": "e1", "source": "/shop", "type": "order.placed"}
DATA = {"order_id": "o1", "currency": "XQX", "amount_minor": 500}
CNY = {"data": {"currency": "CNY"}}


def letter(event: Any = None, **other: Any) -> DeadLetter:
    value = event if isinstance(event, bytes) else msgspec.json.encode(ENVELOPE | {"data": DATA} if event is None else event)
    fields: dict[str, Any] = {
        "origin": Origin("orders", 1, 17), "reason": "invalid", "path": "$.data.currency", "message": "m", "remedy": "r",
        "record_ms": NOW_MS - DAY_MS, "key": b"C1", "value": value,
    }  # fmt: skip
    fields |= other
    return DeadLetter(id=str(fields["origin"]), **fields)


def mended(dead: DeadLetter, mend: Mend) -> tuple[Mended, Event]:
    found = mended_record(dead, mend, NOW_MS)
    assert isinstance(found, Mended), found
    event = decode(found.topic, found.key, found.value, found.headers, NOW_MS)
    assert isinstance(event, Event)
    return found, event


def refused(dead: DeadLetter, mend: Mend | None = None) -> Rejection:
    found = mended_record(dead, mend or Mend(), NOW_MS)
    assert isinstance(found, Rejection), found
    return found


def test_a_patch_mends_and_the_record_names_its_origin() -> None:
    record, event = mended(letter(), Mend(patch=CNY))
    assert record.topic == "orders"
    assert event.data.currency == "CNY"
    assert dict(record.headers)[REPLAY_OF] == b"orders/1/17"


def test_what_is_still_wrong_is_refused_with_its_path() -> None:
    assert refused(letter()).path == "$.data.currency"
    assert refused(letter(), Mend(patch={"data": {"currency": "CNY", "amount_minor": -1}})).path == "$.data.amount_minor"


@pytest.mark.parametrize(
    ("key", "data", "path"),
    [
        (b"email:lin@shop.cn", {}, "key"),
        (b"social:lin", {}, "key"),
        (b"C1", {"identities": ["phone:13800138001"]}, "$.data.identities[0]"),
    ],
)
def test_what_workers_could_not_name_is_not_replayed_to_die_again(key: bytes, data: dict[str, Any], path: str) -> None:
    dead = letter(ENVELOPE | {"data": DATA | {"currency": "CNY"} | data}, key=key)
    assert refused(dead).path == path, "there is no key for hashes"
    found = mended_record(dead, Mend(), NOW_MS, Namer(b"sixteen bytes, or more"))
    assert isinstance(found, Rejection) == (key == b"social:lin")
    assert isinstance(found, Rejection) or found.key == key, "it travels as it was published"


def test_an_event_without_a_time_keeps_that_of_its_first_record() -> None:
    _, event = mended(letter(), Mend(patch=CNY))
    assert event.time_ms == NOW_MS - DAY_MS


@pytest.mark.parametrize("record_ms", [-1, 2**62])
def test_an_event_that_nobody_knows_the_time_of_is_refused_until_it_is_given_one(record_ms: int) -> None:
    dead = letter(record_ms=record_ms)
    assert refused(dead, Mend(patch=CNY)).path == "$.time"
    _, event = mended(dead, Mend(patch=CNY | {"time": "2026-01-02T03:04:05Z"}))
    assert event.time_ms == 1_767_323_045_000
    (group,) = grouped(Letters({dead.id: dead}, set()))
    assert group["newest"]["time"] == ""


def test_an_events_own_time_and_id_stay() -> None:
    fine = ENVELOPE | {"data": DATA | {"currency": "CNY"}, "time": "2026-01-02T03:04:05Z"}
    record, event = mended(letter(fine), Mend())
    assert msgspec.json.decode(record.value) == fine
    assert event.id == "e1"


def test_binary_mode_is_mended_as_well() -> None:
    headers = [("ce_specversion", b"1.0"), ("ce_id", b"e1"), ("ce_source", b"/shop"), ("ce_type", b"order.placed")]
    dead = letter(DATA, headers=[*headers, ("trace", b"t")])
    record, event = mended(dead, Mend(patch=CNY))
    assert (event.id, event.data.currency, event.time_ms) == ("e1", "CNY", NOW_MS - DAY_MS)
    assert dict(record.headers)["trace"] == b"t"
    structured = decode("orders", b"C1", msgspec.json.encode(ENVELOPE | {"data": DATA}), (), NOW_MS)
    assert not isinstance(structured, Event)  # it was the patch that mended it


def test_the_latest_origin_is_the_one_that_is_named() -> None:
    record, _ = mended(letter(headers=[(REPLAY_OF, b"orders/0/3")]), Mend(patch=CNY))
    assert [content for name, content in record.headers if name == REPLAY_OF] == [b"orders/1/17"]


def test_another_key_or_topic_mends_what_they_were_wrong_for() -> None:
    opened = ENVELOPE | {"type": "app.opened", "data": {}}
    record, event = mended(letter(opened, key=None), Mend(key="C9", topic="clicks"))
    assert (record.topic, event.customer_id) == ("clicks", "C9")


def test_what_is_no_json_cannot_be_patched_but_replaced() -> None:
    assert "--value" in refused(letter(b"{nope"), Mend(patch=CNY)).remedy
    whole = msgspec.json.encode(ENVELOPE | {"data": DATA | {"currency": "CNY"}})
    assert mended(letter(b"{nope"), Mend(value=whole))[1].data.currency == "CNY"


def test_a_value_of_which_only_the_beginning_was_kept_is_not_sent() -> None:
    assert refused(letter(value_truncated=True), Mend(patch=CNY)).path == "value"


def test_groups_show_one_that_still_waits() -> None:
    replayed = letter(origin=Origin("orders", 0, 2), record_ms=NOW_MS)
    waiting = letter(origin=Origin("orders", 0, 1))
    other = letter(origin=Origin("clicks", 0, 1), reason="not-json")
    groups = grouped(Letters({x.id: x for x in (waiting, replayed, other)}, {replayed.id}))
    assert [(g["reason"], g["letters"], g["waiting"]) for g in groups] == [("invalid", 2, 1), ("not-json", 1, 1)]
    assert groups[0]["newest"]["id"] == waiting.id
    assert (groups[0]["newest"]["remedy"], groups[0]["newest"]["key"]) == ("r", b"C1")


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [  # RFC 7396, appendix A
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patch_is_that_of_the_rfc(target: Any, patch: Any, result: Any) -> None:
    assert merged(target, patch) == result
