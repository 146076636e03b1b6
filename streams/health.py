"""How one handler of a worker is doing, for whoever wants to show it: figures that the transport keeps up to date."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from streams.log import TP


@dataclass
class Health:
    """Times are epoch milliseconds by the wall clock; 0 means never."""

    assigned: frozenset[TP] = frozenset()
    seeking: bool = True  # waiting for an assignment, or for the positions
    last_poll_ms: int = 0  # the consumer was asked for records
    last_batch_ms: int = 0  # a handler finished a batch
    last_progress_ms: int = 0  # a handler finished a batch of its epoch, or a poll found nothing to do
    last_commit_ms: int = 0  # Kafka took offsets
    commit_failures: int = 0  # in a row
    ends: dict[TP, int] = field(default_factory=dict)  # high watermarks as last seen
    ends_as_of_ms: int = 0  # every one of them was seen then or later
    confirmed: dict[TP, int] = field(default_factory=dict)  # next offset that is not yet done, from the seek on

    def lag(self) -> Mapping[TP, int]:
        """Records not yet done, for each assigned partition whose position is known."""
        return {
            tp: max(0, self.ends[tp] - self.confirmed[tp]) for tp in self.assigned if tp in self.ends and tp in self.confirmed
        }
