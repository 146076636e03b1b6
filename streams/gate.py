"""The clock that ticks and stages follow: no later than what every partition has been read to (design.md, "Time").

A partition that has been read to its end is clear up to the present; one with unread records only up to the greatest event time
seen in it. The gate is the least over all partitions, so after an outage nobody is called silent whose orders are still unread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from profile_store.contract import Position
from streams.log import NOTHING, TP
from streams.settings import Clock


class Gate:
    """Follows the partitions of this worker by its own reading, and the others by the positions in the store."""

    def __init__(self, clock: Clock, wall_ms: Callable[[], int]) -> None:
        """``wall_ms``: the wall time up to which it is known what the partitions hold."""
        self._stream = clock == "stream"
        self._wall_ms = wall_ms
        self._own: dict[TP, int] = {}  # event time reached
        self._others: dict[TP, int] = {}
        self._greatest = 0

    def assigned(self, partitions: Iterable[TP], positions: Mapping[TP, Position]) -> None:
        """Begin anew with these partitions, from what the store knows of them."""
        self._own = {tp: positions[tp].clear_ms if tp in positions else 0 for tp in partitions}
        self.learn(positions)

    def learn(self, positions: Mapping[TP, Position]) -> None:
        """Take over what other workers have written."""
        self._others = {tp: position.clear_ms for tp, position in positions.items() if tp not in self._own}
        self._greatest = max([self._greatest, *(p.clear_ms for p in positions.values())])

    def reached(self, tp: TP, event_ms: int, at_end: bool) -> None:
        """The partition has been folded up to an event of this time; ``at_end``: nothing is unread."""
        self._own[tp] = max(self._own.get(tp, 0), event_ms, self._wall_ms() if at_end and not self._stream else 0)
        self._greatest = max(self._greatest, event_ms)

    def clear_ms(self, tp: TP, at_end: bool, reached_ms: int = 0) -> int:
        """No unread record of this partition is older. ``reached_ms``: what is about to be folded."""
        reached = max(self._own.get(tp, 0), reached_ms)
        if self._stream:
            return max(reached, self._greatest) if at_end else reached
        wall = self._wall_ms()
        return wall if at_end else min(reached, wall)

    def lag_ms(self, now_ms: int, wall_ms: int) -> int:
        """How far the clock is behind: the wall clock, or in stream time the greatest event time seen."""
        return max(0, (self._greatest if self._stream else wall_ms) - now_ms) if now_ms else 0

    def now_ms(self, partitions: Iterable[TP], at_end: Callable[[TP], bool], reached_ms: Mapping[TP, int] = NOTHING) -> int:
        """The gate over ``partitions``, which are all there are; 0 while one of them is unknown."""
        least = None
        for tp in partitions:
            own = tp in self._own
            clear = self.clear_ms(tp, at_end(tp), reached_ms.get(tp, 0)) if own else self._others.get(tp, 0)
            if least is None or clear < least:
                least = clear
        return least or 0
