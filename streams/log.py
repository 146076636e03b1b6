"""The log as the batch loop sees it. Faust implements it for real (`streams/transport.py`), the simulation with a virtual one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

TP = tuple[str, int]


class Record(Protocol):
    """A record as aiokafka's ConsumerRecord has it. ``timestamp`` is in epoch milliseconds."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


class Batch(NamedTuple):
    """What one poll brought: records in offset order for each partition, of one epoch.

    ``ends`` is the log's end offset (high watermark) as last seen, for every assigned partition of events.
    """

    epoch: int
    records: Mapping[TP, Sequence[Record]]
    ends: Mapping[TP, int]


class Outgoing(NamedTuple):
    topic: str
    key: bytes
    value: bytes
    headers: Sequence[tuple[str, bytes]] = ()


class Log(Protocol):
    """What the loop asks of the log."""

    @property
    def epoch(self) -> int:
        """Grows with every seek and rebalance: batches of an older epoch are to be dropped."""

    def ends(self) -> Mapping[TP, int]:
        """High watermarks of the assigned partitions of events, as last seen."""

    def partitions(self) -> Sequence[TP]:
        """All partitions of all event topics, whoever owns them."""

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        """Returns when the broker has acknowledged them all; waits while it is away."""

    def confirm(self, offsets: Mapping[TP, int]) -> None:
        """These next offsets are durable and have had their effects: commit them to Kafka soon. They never go back within an epoch."""

    async def rewind(self) -> None:
        """Seek again to where the loop's `start_offsets` says, in a new epoch. Batches already under way become stale."""
