"""Where a partition is read from: every case of the table in streams/start.py, and how a log is recognised."""

from __future__ import annotations

import pytest

from profile_store.contract import Last, Position
from streams.start import LogLost, Start, last_of, start_of, unread
from tests.unit.loopkit import Rec

A = ("orders", 3)
LAST = Last(9, b"digested")
AT_10 = Position(10, 0, LAST)


@pytest.mark.parametrize(
    ("position", "committed", "beginning", "end", "start"),
    [
        (None, None, 0, 0, Start(0, 0)),  # a first start, or a new partition
        (None, None, 0, 20, Start(0, 0)),
        (None, 15, 0, 20, Start(0, 0)),  # Redis was wiped
        (None, 20, 0, 20, Start(0, 0)),
        (AT_10, None, 0, 20, Start(9, 10, LAST)),  # the last record before the position is read again, to be compared
        (AT_10, 8, 0, 20, Start(9, 10, LAST)),  # killed before Kafka was told
        (AT_10, 15, 0, 20, Start(9, 10, LAST)),  # Redis came back older
        (AT_10, 10, 0, 10, Start(9, 10, LAST)),  # all is read
        (AT_10, 10, 9, 20, Start(9, 10, LAST)),  # the very last record that can be compared
        (AT_10, 10, 10, 20, Start(10, 10)),  # retention took it: nothing to compare, and nothing is lost
        (AT_10, 10, 10, 10, Start(10, 10)),  # retention took all
        (Position(10, 0), 10, 0, 20, Start(10, 10)),  # written before there were digests
        (Position(0, 5), None, 0, 20, Start(0, 0)),  # an empty partition has a position too
        (Position(10, 0, Last(6, b"digested")), 10, 0, 20, Start(6, 10, Last(6, b"digested"))),  # markers lie between
        (Position(10, 0, Last(6, b"digested")), 10, 7, 20, Start(10, 10)),
        (Position(10, 0, Last(12, b"digested")), 10, 0, 20, Start(10, 10)),  # no such pair is ever written
    ],
)
def test_it_is_read_from(position: Position | None, committed: int | None, beginning: int, end: int, start: Start) -> None:
    assert start_of(A, position, committed, beginning, end) == start


@pytest.mark.parametrize(
    ("position", "committed", "beginning", "end", "said"),
    [
        (AT_10, None, 0, 9, "ends at offset 9, but Redis has folded it up to 10"),
        (AT_10, 7, 0, 9, "ends at offset 9, but Redis has folded it up to 10"),
        (AT_10, 10, 11, 20, "begins at offset 11, but Redis has folded it only up to 10"),
        (None, 5, 1, 20, "the profiles can't be rebuilt in full"),
        (None, 0, 1, 20, "the profiles can't be rebuilt in full"),
        (None, 21, 0, 20, "ends at offset 20, but its group has confirmed 21"),  # Redis was wiped, and the log lost its tail
        (AT_10, 21, 0, 20, "ends at offset 20, but its group has confirmed 21"),  # Redis came back older, and the log too
        (AT_10, 10, 0, 9, "ends at offset 9, but Redis has folded it up to 10"),
    ],
)
def test_it_is_refused(position: Position | None, committed: int | None, beginning: int, end: int, said: str) -> None:
    with pytest.raises(LogLost, match="orders/3") as refusal:
        start_of(A, position, committed, beginning, end)
    assert said in str(refusal.value)
    assert "docs/operating.md" in str(refusal.value)


def test_a_beginning_that_nobody_knows_is_told() -> None:
    start = start_of(A, None, None, 4, 20)
    assert (start.offset, start.position) == (4, 4)
    assert "lost its beginning" in start.doubt


RECORD = Rec(*A, 9, 1_700_000_000_000, b"C1", b'{"id": 1}')


@pytest.mark.parametrize(
    "changed",
    [
        {"offset": 10}, {"timestamp": 1_700_000_000_001}, {"key": b"C2"}, {"key": None}, {"key": b""}, {"value": None},
        {"value": b""}, {"key": b"C1{", "value": b'"id": 1}'},
    ],
    ids=str,
)  # fmt: skip
def test_another_record_has_another_mark(changed: dict[str, object]) -> None:
    assert last_of(RECORD) == last_of(RECORD._replace())
    assert last_of(RECORD) != last_of(RECORD._replace(**changed))


def records(*offsets: int) -> list[Rec]:
    return [RECORD._replace(offset=offset) for offset in offsets]


def test_what_was_folded_is_left_out_when_the_log_is_the_same() -> None:
    start = Start(9, 10, last_of(RECORD))
    assert unread(A, start, records(9, 10, 11)) == records(10, 11)
    assert unread(A, start, records(9)) == []


def test_another_record_in_its_place_is_refused() -> None:
    start = Start(9, 10, last_of(RECORD._replace(value=b"another log's")))
    with pytest.raises(LogLost, match="orders/3 holds another record at offset 9") as refusal:
        unread(A, start, records(9, 10))
    assert "portrait rebuild" in str(refusal.value)


def test_where_the_record_is_gone_there_is_nothing_to_compare() -> None:
    start = Start(9, 10, last_of(RECORD._replace(value=b"another log's")))
    assert unread(A, start, records(10, 11)) == records(10, 11)
    assert unread(A, start, []) == []
    assert unread(A, Start(4, 10), records(4, 9, 12)) == records(12)
