"""Where a partition is read from, whose ticks are whose, and how many actions a minute may go out."""

from __future__ import annotations

from collections.abc import Callable

from aiokafka.partitioner import murmur2

from profile_store.contract import Position
from streams.log import TP


class LogLost(Exception):
    """The log no longer holds what the positions say, or never did: a topic was recreated or truncated."""


def start_of(tp: TP, position: Position | None, committed: int | None, beginning: int, end: int) -> int:
    """Where to start reading a partition: at its position. Raises LogLost where that can't be right.

    What the position covers but had no effects yet is not read again: those effects are kept in the states, which are due.
    """
    name = f"{tp[0]}/{tp[1]}"
    if position is None:
        if beginning > 0 and committed is not None:
            raise LogLost(
                f"Redis holds no position for {name}, and the log begins at offset {beginning}: "
                "the profiles can't be rebuilt in full. "
                "Restore a backup of Redis, or delete the consumer group to begin with what the log still has"
            )
        return beginning
    if position.next_offset > end:
        raise LogLost(
            f"{name} ends at offset {end}, but Redis has folded it up to {position.next_offset}: "
            "the topic was recreated or truncated. Restore it, or wipe this prefix in Redis to rebuild the profiles from the log"
        )
    if position.next_offset < beginning:
        raise LogLost(
            f"{name} begins at offset {beginning}, but Redis has folded it only up to {position.next_offset}: "
            "records expired unread. Raise the topic's retention; restore a newer backup of Redis, or wipe it to accept the loss"
        )
    return position.next_offset


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
