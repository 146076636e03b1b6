"""A header whose name is not UTF-8 does not stop a partition. (The real thing: tests/integration/test_transport_kafka.py.)"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy
from aiokafka.record.memory_records import MemoryRecords

import streams.kafka  # installs it
from tests.odd_headers import NOT_UTF8, NotUtf8

GZIP, NONE = 1, 0
BASE_OFFSET = struct.Struct(">q")


def batch(base: int, names: list[str], compression: int = NONE, producer: int = -1) -> bytes:
    """Records at ``base`` and on, each with a header of this name; of a transaction, if a producer is named."""
    builder = _DefaultRecordBatchBuilderPy(2, compression, producer >= 0, producer, 0 if producer >= 0 else -1, 0, 10**6)
    for offset, name in enumerate(names):
        builder.append(offset, 7_000 + offset, b"k", b"v%d" % (base + offset), [(name, b"h"), ("none", None)])
    built = bytearray(builder.build())
    BASE_OFFSET.pack_into(built, 0, base)
    return bytes(built)


def read(raw: bytes, start: int = 0, aborted: Sequence[tuple[int, int]] = ()) -> list[Any]:
    records = fetcher.MemoryRecords(raw)
    return list(
        fetcher.PartitionRecords(TopicPartition("t", 0), records, aborted, start, None, None, True, fetcher.READ_COMMITTED)
    )


def test_aiokafka_stumbles_over_it_or_this_could_go() -> None:
    assert streams.kafka
    (first, *_) = [MemoryRecords(batch(0, [NotUtf8()])).next_batch()]
    with pytest.raises(UnicodeDecodeError):
        list(first)


@pytest.mark.parametrize("compression", [NONE, GZIP])
@pytest.mark.parametrize("start", [0, 2, 3, 5])
def test_every_record_is_read_once_and_only_the_name_is_replaced(compression: int, start: int) -> None:
    batches = batch(0, ["a", "b"]), batch(2, ["c", NotUtf8(), "客"], compression), batch(5, [NotUtf8()]), batch(6, ["d"])
    ends = (2, 5, 6, 7)  # a fetch begins with the batch that holds the offset
    found = read(b"".join(raw for raw, end in zip(batches, ends, strict=True) if end > start), start)
    assert [record.offset for record in found] == list(range(start, 7))
    assert [record.value for record in found] == [b"v%d" % offset for offset in range(start, 7)]
    names = ["a", "b", "c", NOT_UTF8.decode(errors="replace"), "客", NOT_UTF8.decode(errors="replace"), "d"]
    assert [record.headers for record in found] == [((name, b"h"), ("none", None)) for name in names[start:]]
    assert [record.timestamp for record in found] == [7_000, 7_001, 7_000, 7_001, 7_002, 7_000, 7_000][start:]


def test_what_is_cut_off_at_the_end_is_left_for_the_next_fetch() -> None:
    raw = batch(0, [NotUtf8()]) + batch(1, ["a"])[:-1]
    assert [record.offset for record in read(raw)] == [0]


def test_what_an_aborted_transaction_wrote_stays_unread() -> None:
    raw = batch(0, ["a"], producer=7) + batch(1, [NotUtf8()]) + batch(2, [NotUtf8()], producer=7) + batch(3, ["b"], producer=8)
    assert [record.offset for record in read(raw, aborted=[(7, 0)])] == [1, 3]


def test_another_error_is_still_one() -> None:
    raw = bytearray(batch(0, [NotUtf8()]) + batch(1, ["a"]))
    raw[-1] ^= 1
    with pytest.raises(Exception, match="CRC"):
        read(bytes(raw))
