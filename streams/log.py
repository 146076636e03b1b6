"""The log as the batch loop sees it. Faust implements it for real (`streams/transport.py`), the simulation with a virtual one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import NamedTuple, Protocol

TP = tuple[str, int]
NOTHING: Mapping[TP, int] = {}


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

    ``ends`` is the log's end offset (high watermark) as last seen, for every assigned partition of events. ``reached`` is the
    next offset where that is beyond the last record: markers of transactions and holes of compaction take offsets too. There
    may be nothing else in a batch.
    """

    epoch: int
    records: Mapping[TP, Sequence[Record]]
    ends: Mapping[TP, int]
    reached: Mapping[TP, int] = NOTHING


def next_offsets(records: Mapping[TP, Sequence[Record]], reached: Mapping[TP, int] = NOTHING) -> dict[TP, int]:
    """Where each partition of a batch goes on, once the batch is done."""
    after = {tp: of_partition[-1].offset + 1 for tp, of_partition in records.items() if of_partition}
    return after | {tp: max(at, after.get(tp, 0)) for tp, at in reached.items()}


class Outgoing(NamedTuple):
    topic: str
    key: bytes
    value: bytes | None  # None, on a compacted topic: the key is done with
    headers: Sequence[tuple[str, bytes]] = ()


class Log(Protocol):
    """What the loop asks of the log."""

    @property
    def epoch(self) -> int:
        """Grows with every seek and rebalance: batches of an older epoch are to be dropped."""

    def ends(self) -> Mapping[TP, int]:
        """High watermarks of the assigned partitions of events, as last seen."""

    def ends_as_of_ms(self) -> int:
        """Wall time at which all of `ends` were still true; 0: they have not been seen yet."""

    def partitions(self) -> Sequence[TP]:
        """All partitions of all event topics, whoever owns them."""

    def moments(self) -> Mapping[TP, int]:
        """What `confirm` was told with the offsets, of all partitions, whoever owned them, as Kafka knew it at the last seek.

        0 where nothing has been confirmed; left out where the broker does not keep it.
        """

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        """Returns when the broker has acknowledged them all; waits while it is away."""

    def confirm(self, offsets: Mapping[TP, int], moments_ms: Mapping[TP, int] = NOTHING) -> None:
        """These next offsets are durable and have had their effects: commit them to Kafka soon, with the moments beside them.

        Neither ever goes back within an epoch.
        """

    async def rewind(self) -> None:
        """Seek again to where the loop's `start_offsets` says, in a new epoch. Batches already under way become stale."""


class LogReader(Protocol):
    """Reads pieces of the log of events: `streams.kafka.LogReader`, or a virtual one."""

    async def bounds(self, partitions: Sequence[TP]) -> tuple[Mapping[TP, int], Mapping[TP, int]]:
        """First and next offset of each partition."""

    def between(self, starts: Mapping[TP, int], ends: Mapping[TP, int]) -> AsyncIterator[Record]:
        """The records from the first to the second offsets, in their order within each partition."""


class Unpublishable(Exception):
    """The broker will never take these messages (too large, impossible topic); all the others of the call were acknowledged.

    ``rejected`` pairs each with the reason, the name of Kafka's error.
    """

    def __init__(self, rejected: Sequence[tuple[Outgoing, str]]) -> None:
        super().__init__(", ".join(sorted({f"{message.topic}: {reason}" for message, reason in rejected})))
        self.rejected = rejected


class BatchHandler(Protocol):
    """Who does the work of some topics: the batch loop for the events, the trainer for the lessons.

    The transport never calls two methods of one handler at the same time. An exception that leaves any of them ends the
    process at once, before anything is confirmed. Either may be cancelled (a rebalance, the end of the process).
    """

    @property
    def topics(self) -> Sequence[str]:
        """The topics that it wants, all partitions that this worker is assigned. No two handlers share one."""

    async def start_offsets(
        self, committed: Mapping[TP, int | None], beginnings: Mapping[TP, int], ends: Mapping[TP, int]
    ) -> Mapping[TP, int]:
        """Where to seek each assigned partition, after an assignment or a rewind. May wait for its store.

        The three have the same keys, the assigned partitions: Kafka's committed next offset, None if there is none yet; the
        first offset that the log still has; the end, one past the last. Never called with no partition.
        """

    async def on_batch(self, batch: Batch) -> None:
        """Do everything about the batch, and confirm what is done. Returns soon once ``batch.epoch`` is no longer the log's."""
