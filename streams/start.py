"""Where a partition is read from, whose ticks are whose, and how many actions a minute may go out.

Four figures decide about a start: the position in Redis, the offset that Kafka has committed, and the log's beginning and end. A
position knows the last record before it: reading begins there, and goes on only if the log still has that very record.

| position | committed | log | |
|---|---|---|---|
| past the end | any | | refuse: the log has lost what it had acknowledged, or is another one |
| any | past the end | | refuse: the same |
| before the beginning | any | | refuse: records expired unread |
| within the log | any | has the last record before the position | go on |
| within the log | any | has another record in its place | refuse: the topic was made anew, and has grown past the position |
| within the log | any | has lost that record (retention, compaction), or it was never known | go on: nothing is lost |
| none | any | begins at 0 | read all of it, without effects up to the committed offset: Redis is new, or was wiped |
| none | some | begins later | refuse: Redis was wiped, and its profiles can't be rebuilt in full |
| none | none | begins later | go on with what there is, and say so: nobody can tell a first start from a wipe of both |
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import NamedTuple

from aiokafka.partitioner import murmur2

from profile_store.contract import Last, Position
from streams.log import TP, Record

DIGEST_BYTES = 8
_SEE = 'See "Refusals" in docs/operating.md'


class LogLost(Exception):
    """The log no longer holds what the positions say, or never did: a topic was made anew or truncated."""


class Start(NamedTuple):
    """Where the reading of a partition begins."""

    offset: int  # of the last record before the position, where that is known and may still be there
    position: int  # what lies before it has been folded
    last: Last | None = None  # what must lie at ``offset``
    doubt: str = ""  # what should be told about it


def start_of(tp: TP, position: Position | None, committed: int | None, beginning: int, end: int) -> Start:
    """Where to start reading a partition: see the module's table. Raises LogLost where that can't be right.

    What the position covers but had no effects yet is not read again: those effects are kept in the states, which are due.
    """
    name = f"{tp[0]}/{tp[1]}"
    if position and position.next_offset > end:
        raise LogLost(
            f"{name} ends at offset {end}, but Redis has folded it up to {position.next_offset}: "
            "the topic was made anew or truncated, or this is another Kafka. "
            f"Bring its records back; or go on without them: `portrait rebuild --accept-log`. {_SEE}"
        )
    if committed is not None and committed > end:
        raise LogLost(
            f"{name} ends at offset {end}, but its group has confirmed {committed} to Kafka: the broker has lost what it had "
            "acknowledged, or the topic was made anew. "
            f"Bring its records back; or go on without them: `portrait rebuild --accept-log`. {_SEE}"
        )
    if position is None:
        if beginning == 0:
            return Start(0, 0)
        if committed is not None:
            raise LogLost(
                f"Redis holds no position for {name}, and the log begins at offset {beginning}: "
                "the profiles can't be rebuilt in full. "
                f"Restore a backup of Redis; or begin with what the log still has: `portrait rebuild --accept-log`. {_SEE}"
            )
        doubt = "the log has lost its beginning, and nothing is known of what it held: profiles begin with what is left"
        return Start(beginning, beginning, doubt=doubt)
    next_offset, _, last = position
    if next_offset < beginning:
        raise LogLost(
            f"{name} begins at offset {beginning}, but Redis has folded it only up to {next_offset}: "
            "records expired unread. Raise the topic's retention; restore a newer backup of Redis, "
            f"or accept the loss: `portrait rebuild --accept-log`. {_SEE}"
        )
    if last and beginning <= last.offset < next_offset:
        return Start(last.offset, next_offset, last)
    return Start(next_offset, next_offset)


def last_of(record: Record) -> Last:
    """By what a record is recognised: its offset, and a digest of its key, value and time."""
    key, value = record.key, record.value
    sizes = [-1 if part is None else len(part) for part in (key, value)]
    content = b"%d %d %d " % (record.timestamp, *sizes) + (key or b"") + (value or b"")
    return Last(record.offset, blake2b(content, digest_size=DIGEST_BYTES).digest())


def unread(tp: TP, start: Start, records: Sequence[Record]) -> Sequence[Record]:
    """The first ``records`` of a partition without those that lie before its position. Raises LogLost if it is another log."""
    if records and start.last and records[0].offset == start.last.offset and last_of(records[0]) != start.last:
        raise LogLost(
            f"{tp[0]}/{tp[1]} holds another record at offset {start.last.offset} than the one that Redis has folded: "
            "the topic was made anew, and has grown past the position. "
            f"Go on with this one: `portrait rebuild --accept-log`. {_SEE}"
        )
    return [record for record in records if record.offset >= start.position]


def partition_of(key: str, partitions: int) -> int:
    """Where Kafka's own partitioner puts a key: murmur2 of its bytes."""
    return (murmur2(key.encode()) & 0x7FFFFFFF) % partitions


class ActionCap:
    """How many actions a minute rules may raise that the model can set off for everybody at once. The rest is dropped.

    It is looked at before each piece of a batch, so it may be passed by the customers of one piece.
    """

    def __init__(self, per_minute_max: int, wall_ms: Callable[[], int]) -> None:
        self._max, self._wall_ms = per_minute_max, wall_ms
        self._minute = self._count = 0

    def open(self) -> bool:
        minute = self._wall_ms() // 60_000
        if minute != self._minute:
            self._minute, self._count = minute, 0
        return self._count < self._max

    def count(self, capped: int) -> None:
        self._count += capped
