"""Reading records whose header names are not UTF-8.

Kafka takes any bytes as the name of a header; aiokafka raises UnicodeDecodeError at the record, again and again, so that one
such record would stop its partition for ever. With this, for every consumer of the process, the rest of that fetch is read by
aiokafka's own parser in Python, which sees U+FFFD where a name is not UTF-8. All others are read as before.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, SupportsIndex, overload

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.legacy_records import LegacyRecordBatch
from aiokafka.record.memory_records import MemoryRecords, _MemoryRecordsPy

_HAS_HEADERS = 2  # the format since Kafka 0.11


def install() -> None:
    """Of no further effect when it was called before."""
    fetcher.MemoryRecords = _Records
    fetcher.PartitionRecords = _PartitionRecords


class _Records:
    """aiokafka's compiled reader of a fetch, which does not give back the bytes that it reads."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        records = MemoryRecords(raw)
        self.has_next, self.next_batch, self.size_in_bytes = records.has_next, records.next_batch, records.size_in_bytes


class _PartitionRecords(fetcher.PartitionRecords):
    _records: Any

    def _unpack_records(self) -> Iterator[Any]:
        raw = self._records.raw
        try:
            yield from super()._unpack_records()
        except UnicodeDecodeError:
            self._records = _LenientRecords(raw, self.next_fetch_offset)
            yield from super()._unpack_records()  # of the first batch it passes over what has been read


class _LenientRecords(_MemoryRecordsPy):
    """The batches of a fetch, from the one that holds ``offset``."""

    def __init__(self, raw: bytes, offset: int) -> None:
        super().__init__(raw)
        while self.has_next() and self._upcoming().next_offset <= offset:
            super().next_batch()

    def next_batch(self, *_: int) -> Any:
        batch = self._upcoming()
        super().next_batch()
        return batch

    def _upcoming(self) -> Any:
        raw: Any = self._next_slice
        magic = raw[self.MAGIC_OFFSET]
        return _LenientBatch(raw) if magic >= _HAS_HEADERS else LegacyRecordBatch(raw, magic)


class _LenientBatch(_DefaultRecordBatchPy):
    _buffer: bytearray

    def _maybe_uncompress(self) -> None:
        super()._maybe_uncompress()
        self._buffer = _LenientBytes(self._buffer)


class _LenientBytes(bytearray):
    """Bytes of which every slice decodes to something."""

    @overload
    def __getitem__(self, key: SupportsIndex, /) -> int: ...
    @overload
    def __getitem__(self, key: slice, /) -> _LenientBytes: ...
    def __getitem__(self, key: SupportsIndex | slice, /) -> int | _LenientBytes:
        return _LenientBytes(super().__getitem__(key)) if isinstance(key, slice) else super().__getitem__(key)

    def decode(self, encoding: str = "utf-8", errors: str = "replace") -> str:
        return super().decode(encoding, errors)
