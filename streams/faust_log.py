"""One handler's view of the log: what it may ask (the `Log` protocol), and what the transport keeps for it.

An epoch begins with an assignment or a rewind, and with a seek before the first batch. Everything here runs in the
worker's event loop; nothing here knows Faust.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from streams.health import Health
from streams.log import NOTHING, TP, Batch, Outgoing, next_offsets
from streams.producer import Publisher


def now_ms() -> int:
    return int(time.time() * 1000)


class FaustLog:
    """The `Log` of one handler. Make it first, then the handler with it, then the app with both."""

    def __init__(self, publisher: Publisher, clock_ms: Callable[[], int] = now_ms) -> None:
        self.health = Health()
        self.busy = asyncio.Lock()  # held while the handler works: it never has two things to do at once
        self.changed = asyncio.Event()  # something the drain loop may be waiting for: room, an assignment, a rewind
        self.assigned: frozenset[TP] = frozenset()
        self.awaited = False  # a rebalance has taken the partitions back, and has not shared them out yet
        self.seek_due = False
        self._publisher = publisher
        self._clock_ms = clock_ms
        self._epoch = 0
        self._ends: dict[TP, int] = {}
        self._partitions: tuple[TP, ...] = ()
        self._moments: dict[TP, int] = {}
        self._moments_known: dict[TP, int] = {}  # to Kafka; of all partitions
        self._confirmed: dict[TP, int] = {}
        self._committed: dict[TP, int] | None = None  # None: not known, so nothing may be committed

    # What the handler asks.

    @property
    def epoch(self) -> int:
        return self._epoch

    def ends(self) -> Mapping[TP, int]:
        return self._ends

    def ends_as_of_ms(self) -> int:
        return self.health.ends_as_of_ms

    def partitions(self) -> Sequence[TP]:
        return self._partitions

    def moments(self) -> Mapping[TP, int]:
        return self._moments_known

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        await self._publisher.publish(messages)

    def confirm(self, offsets: Mapping[TP, int], moments_ms: Mapping[TP, int] = NOTHING) -> None:
        """Partitions that are no longer assigned are passed over: whoever has them now will find out by himself."""
        for tp, offset in offsets.items():
            if tp in self.assigned:
                self._confirmed[tp] = max(offset, self._confirmed.get(tp, 0))
                self.health.confirmed[tp] = max(offset, self.health.confirmed.get(tp, 0))
        for tp, moment_ms in moments_ms.items():
            if tp in self.assigned:
                self._moments[tp] = max(moment_ms, self._moments.get(tp, 0))

    async def rewind(self) -> None:
        """Returns at once, so it may be called from anywhere; the drain loop seeks when the handler has returned."""
        self.begin_epoch()

    # What the transport tells.

    def assign(self, partitions: Iterable[TP]) -> None:
        """A new assignment, which replaces the old one. No partition: others have them all, or the worker ends."""
        self.awaited = False
        self._confirmed, self._committed, self._ends, self._moments = {}, None, {}, {}
        self.assigned = frozenset(partitions)
        self.health.assigned, self.health.ends, self.health.confirmed = self.assigned, {}, {}
        self.begin_epoch()

    def revoke(self) -> None:
        """A rebalance has begun, and an assignment will end it."""
        self.assign(())
        self.awaited = self.health.seeking = True

    def surveyed(self, every: Iterable[TP], moments_ms: Mapping[TP, int] = NOTHING) -> None:
        """``every`` partition of the topics exists, whoever has it; the moments that Kafka has of them."""
        self._partitions, self._moments_known = tuple(every), dict(moments_ms)

    def sought(self, epoch: int, committed: Mapping[TP, int | None], ends: Mapping[TP, int], starts: Mapping[TP, int]) -> None:
        """The consumer now stands at ``starts``. Of no consequence if the epoch is over already."""
        if epoch != self._epoch:
            return
        # An offset past the end is not of this log: the topic was made anew, and commits may begin anew.
        self._committed = {tp: at for tp, at in committed.items() if at is not None and at <= ends[tp]}
        self.seek_due = self.health.seeking = False
        self.health.confirmed = {**starts}
        self.polled(ends, 0)

    def polled(self, ends: Mapping[TP, int], as_of_ms: int) -> None:
        """``as_of_ms``: no end was seen before that."""
        self._ends.update(ends)
        self.health.ends.update(ends)
        self.health.ends_as_of_ms = as_of_ms
        self.health.last_poll_ms = self._clock_ms()
        if not any(self.health.lag().values()):
            self.health.last_progress_ms = self.health.last_poll_ms

    def finished_batch(self, batch: Batch) -> None:
        """What the handler has not confirmed yet, it keeps for later (lessons for a snapshot). A stale batch is no progress."""
        self.health.last_batch_ms = self._clock_ms()
        if batch.epoch == self._epoch:
            self.health.last_progress_ms = self.health.last_batch_ms
            for tp, offset in next_offsets(batch.records, batch.reached).items():
                self.health.confirmed[tp] = max(offset, self.health.confirmed.get(tp, 0))

    def committable(self) -> dict[TP, int]:
        """What the handler has confirmed and Kafka does not have yet: never less than Kafka has."""
        known, moments = self._committed, self.moments_reached()
        if known is None:
            return {}
        newer = {tp for tp, moment_ms in moments.items() if moment_ms > self._moments_known.get(tp, 0)}
        greatest = {tp: max(at, known.get(tp, -1)) for tp, at in self._confirmed.items()}
        return {tp: at for tp, at in greatest.items() if at > known.get(tp, -1) or tp in newer}

    def moments_reached(self) -> dict[TP, int]:
        """To be committed beside the offsets: where there is none, Kafka would forget the one that it has."""
        known = {tp: moment_ms for tp, moment_ms in self._moments_known.items() if tp in self.assigned}
        return {tp: max(self._moments.get(tp, 0), known.get(tp, 0)) for tp in {**known, **self._moments}}

    def committed(self, offsets: Mapping[TP, int], moments_ms: Mapping[TP, int] = NOTHING) -> None:
        """Kafka took ``offsets``, of which some may be another handler's, and the moments of these partitions."""
        if self._committed is not None:
            self._committed.update({tp: at for tp, at in offsets.items() if tp in self.assigned})
        self._moments_known.update({tp: ms for tp, ms in moments_ms.items() if tp in offsets and tp in self.assigned})
        self.health.last_commit_ms, self.health.commit_failures = self._clock_ms(), 0

    def begin_epoch(self) -> int:
        """Batches under way and waiting become stale, and a seek is due if there is a partition. Returns the new epoch."""
        self._epoch += 1
        self.seek_due = bool(self.assigned)
        self.health.seeking = self.seek_due or self.awaited
        self.changed.set()
        return self._epoch
