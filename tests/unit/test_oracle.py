"""The oracle on lives that can be reckoned by hand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

import oracle.facts
from oracle.log import Audit, Dead, Reader, audits, fold
from oracle.stage import stage_of
from schemas.event import Event
from schemas.registry import TYPES
from tests.property.lives import DAY_MS, END_MS, LogRecord

TODAY = END_MS // DAY_MS


def record(offset: int, id: str, type_: str = "app.opened", *, day: float = 0, key: bytes = b"C1", **data: Any) -> LogRecord:
    """``day`` is relative to TODAY."""
    envelope = {"specversion": "1.0", "id": id, "source": "/test", "type": type_, "time": rfc3339(day), "data": data}
    return LogRecord(TYPES[type_][0].name, 0, offset, END_MS, key, msgspec.json.encode(envelope))


def rfc3339(day: float) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=TODAY + day)).isoformat()


def counted(records: Sequence[LogRecord]) -> int:
    return sum(audit.events for audit in audits(records).values())


def part_of(records: Sequence[LogRecord], name: str, at_ms: int = END_MS) -> list[Any]:
    return msgspec.json.decode(fold(records, at_ms).facts["C1"])["parts"][name]


def test_a_duplicate_counts_once_within_sixteen_events_and_twice_beyond() -> None:
    others = [record(i, f"e{i}") for i in range(1, 17)]
    assert counted([record(0, "e0"), *others[:15], record(16, "e0")]) == 16
    assert counted([record(0, "e0"), *others, record(17, "e0")]) == 18


def test_duplicates_do_not_push_others_out_of_the_memory() -> None:
    again = [record(offset, "e1") for offset in range(2, 60)]
    assert counted([record(0, "e0"), record(1, "e1"), *again, record(60, "e0")]) == 2


def test_the_same_id_from_another_customer_partition_or_source_is_no_duplicate() -> None:
    first = record(0, "e0")
    other_source = first._replace(offset=1, value=(first.value or b"").replace(b"/test", b"/other"))
    assert counted([first, first._replace(key=b"C2"), first._replace(partition=1), other_source]) == 4


def test_what_is_no_event_is_a_dead_letter_with_its_origin() -> None:
    bad = record(7, "e7", "rating.given", stars=9)
    assert fold([bad], END_MS).dead == [Dead("feedback/0/7", "invalid", "$.data.stars")]


def test_a_replayed_origin_counts_neither_as_event_nor_as_dead_letter() -> None:
    records = [record(3, "e3"), record(4, "e4")._replace(value=b"{")]
    found = fold(records, END_MS, replayed={"clicks/0/3", "clicks/0/4"})
    assert (found.facts, found.dead) == ({}, [])


def test_what_is_held_as_a_dead_letter_is_no_event_though_it_could_be_one() -> None:
    reader = Reader(held={"clicks/0/3"})
    assert isinstance(reader.take(record(3, "e3")), Dead)
    assert isinstance(reader.take(record(4, "e3")), Event)  # and it is not remembered


def test_the_audit_is_the_sum_of_the_hashes_modulo_2_to_the_64() -> None:
    audit, events = Audit(), [Reader().take(record(i, f"e{i}")) for i in range(9)]
    for event in events:
        assert isinstance(event, Event)
        audit.add(event)
    assert audit.events == 9
    assert audit.total == sum(int.from_bytes(e.hash, "little") for e in events if isinstance(e, Event)) % 2**64


def test_a_window_day_leaves_after_ninety_days_and_the_totals_stay() -> None:
    records = [record(0, "e0", day=-89), record(1, "e1", day=-90)]
    assert part_of(records, "behaviour")[:2] == [{str(TODAY - 89): 1}, 2]
    assert part_of(records, "behaviour", END_MS + DAY_MS)[:2] == [{}, 2]


def test_a_cancellation_takes_the_order_off_its_own_day() -> None:
    order = {"order_id": "O1", "currency": "CNY", "amount_minor": 500}
    placed = record(0, "e0", "order.placed", day=-3, **order)
    cancelled = record(1, "e1", "order.cancelled", day=-1, placed_at=rfc3339(-3), **order)
    refunded = record(2, "e2", "order.refunded", day=0, placed_at=rfc3339(-3), **order | {"amount_minor": 20})
    days, bought, money, *_ = part_of([cancelled, refunded, placed], "consumption")
    assert days == {}
    assert bought == [TODAY - 3, "AQ=="]
    assert money == {"CNY": [500, 500, 20, 0, {str(TODAY - 3): -20}, 1]}


def test_counts_are_facts_up_to_their_limit() -> None:
    pages = [record(i, f"e{i}", "page.viewed", page=f"/{i}") for i in range(9)]
    assert part_of(pages[:8], "behaviour")[4] == {f"/{i}": 1 for i in range(8)}
    assert part_of(pages, "behaviour")[4] == {"": 1}


def test_the_later_word_wins_and_at_one_moment_the_refusal() -> None:
    def consent(offset: int, granted: bool, day: float) -> LogRecord:
        return record(offset, f"e{offset}", "consent.changed", day=day, purpose="marketing", granted=granted)

    granted, refused, later = consent(0, True, -2), consent(1, False, -2), consent(2, True, -1)
    assert part_of([refused, granted], "basic")[2]["marketing"][1] == "refused"
    assert part_of([later, refused, granted], "basic")[2]["marketing"][1] == "granted"


def test_a_complaint_is_put_together_from_events_in_any_order() -> None:
    opened = record(0, "e0", "complaint.opened", day=-5, complaint_id="K1", severity="high", product="shoe")
    updated = record(1, "e1", "complaint.updated", day=-4, complaint_id="K1", opened_at=rfc3339(-5), category="size")
    resolved = record(2, "e2", "complaint.resolved", day=-1, complaint_id="K1", opened_at=rfc3339(-5), satisfaction=4)
    opened_ms, updated_ms, resolved_ms = ((TODAY + day) * DAY_MS for day in (-5, -4, -1))
    expected = [[opened_ms, "K1", 2, updated_ms, "size", "shoe", resolved_ms, 4, 0, "", 0]]
    assert part_of([resolved, updated, opened], "needs")[7] == expected


@pytest.mark.parametrize(
    ("days", "today", "expected"),
    [
        ([], 100, ("prospect", 40, "seen", 0)),
        ([100], 219, ("new", 100, "first_purchase", 0)),
        ([100], 220, ("declining", 220, "silent", 120)),  # 1.5 times 90 is 135, at most 120
        ([100], 310, ("dormant", 310, "silent", 210)),
        ([100], 460, ("churned", 460, "silent", 360)),  # 4 times 90
        ([100], 9_000, ("churned", 460, "silent", 360)),
        ([100, 110, 120], 121, ("growing", 120, "bought_often", 3)),
        ([100, 460], 461, ("won_back", 460, "bought_after_loss", 360)),
        ([100, 459], 461, ("new", 459, "bought_after_silence", 359)),
        ([100, 460, 461, 462], 463, ("growing", 462, "bought_often", 4)),
        ([*range(100, 240, 20), 280], 281, ("mature", 280, "bought_often", 8)),
        ([*range(100, 240, 20), 279], 281, ("growing", 279, "bought_after_silence", 59)),
    ],
)
def test_the_stage_follows_from_the_purchase_days(days: list[int], today: int, expected: tuple[Any, ...]) -> None:
    assert stage_of(set(days), 40, today) == expected


def test_facts_are_one_line_of_sorted_json() -> None:
    event = Reader().take(record(0, "e0"))
    assert isinstance(event, Event)
    encoded = oracle.facts.facts([event], END_MS)
    assert encoded == msgspec.json.encode(msgspec.json.decode(encoded), order="sorted")
