"""What has expired, as the topic `expired` tells it: held for as long as it runs by whoever folds the log (ADR 20)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from struct import pack, unpack

import msgspec

from portrait.expiry import merged_cuts
from portrait.state import mark_of
from schemas.outputs import Expired
from schemas.registry import BY_NAME
from streams.log import TP, LogReader

KEY_BYTES = 8
#: Of the cuts that were heard last: whom nobody has looked at since.
HEARD_MAX = 10_000

_decode = msgspec.json.Decoder(Expired).decode


class Cuts:
    """By identity, of each source the last offset that is void. Some 150 bytes an identity: a hash of its name, and numbers."""

    def __init__(self) -> None:
        self._cuts: dict[bytes, bytes] = {}
        self.heard: dict[str, None] = {}  # whose cuts have grown since `forget_heard`: they may have been folded without knowing

    def __bool__(self) -> bool:
        return bool(self._cuts)

    def of(self, name: str) -> Mapping[int, int] | None:
        """None: nothing is void."""
        found = self._cuts.get(_key(name)) if self._cuts else None
        return _unpacked(found) if found is not None else None

    def take(self, value: bytes | None) -> None:
        """A record's value. Raises what decoding may raise (`streams.failures.UNREADABLE`)."""
        if not value:
            return
        told = _decode(value)
        cut = {mark: offset for source, offset in told.marks.items() if (mark := _mark_of(source)) is not None}
        key = _key(told.id)
        before = self._cuts.get(key)
        packed = _packed(merged_cuts(_unpacked(before), cut) if before is not None else cut)
        if packed != before:
            self._cuts[key] = packed
            self.heard[told.id] = None
            if len(self.heard) > HEARD_MAX:
                self.heard.pop(next(iter(self.heard)))

    def looked_at(self, names: Iterable[str]) -> None:
        for name in names:
            self.heard.pop(name, None)

    def forget_heard(self) -> None:
        self.heard.clear()


async def nothing_to_hear() -> None:
    """Where nothing ever expires."""


class Follower:
    """Reads the topic `expired` now and then, as far as it goes."""

    def __init__(self, log: LogReader, partitions: Sequence[TP]) -> None:
        """``partitions``: of the topic; none where it is missing."""
        self.cuts = Cuts()
        self._log, self._read = log, dict.fromkeys(partitions, 0)

    async def follow(self) -> None:
        """Raises what the reader raises, and for what is no such record ValueError."""
        if not self._read:
            return
        _, ends = await self._log.bounds(list(self._read))
        starts = {tp: offset for tp, offset in self._read.items() if offset < ends[tp]}
        if starts:
            async for record in self._log.between(starts, {tp: ends[tp] for tp in starts}):
                self.cuts.take(record.value)
            self._read.update({tp: ends[tp] for tp in starts})
        self.cuts.forget_heard()


def _key(name: str) -> bytes:
    return blake2b(name.encode(), digest_size=KEY_BYTES).digest()


def _packed(cut: Mapping[int, int]) -> bytes:
    return pack(f"<{2 * len(cut)}q", *(number for pair in sorted(cut.items()) for number in pair))


def _unpacked(packed: bytes) -> dict[int, int]:
    numbers = unpack(f"<{len(packed) // 8}q", packed)
    return dict(zip(numbers[::2], numbers[1::2], strict=True))


@lru_cache(4096)
def _mark_of(source: str) -> int | None:
    """None where no topic has this name."""
    topic, _, partition = source.rpartition("/")
    return mark_of(BY_NAME[topic].code, int(partition)) if topic in BY_NAME and partition.isdecimal() else None
