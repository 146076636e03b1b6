"""Dead letters whose records are read again, which newer code may accept now: they are not folded, they wait for their replay.

Only what is applied again without effects can have been in a batch that was done before: what lies between the position in Redis
and the offset that Kafka has committed. Without such a gap, which is nearly always, the topic of dead letters is not read.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

from streams.log import TP

Offsets = Mapping[TP, Sequence[int]]  # ascending
NOBODY: Offsets = {}


async def no_letters() -> AsyncIterator[str]:
    return
    yield


class Held:
    """The offsets of dead letters within some ranges, eight bytes each."""

    def __init__(self, origins: Callable[[], AsyncIterator[str]] = no_letters) -> None:
        """``origins`` gives those of all dead letters, as text, in any order, some several times, and what is no origin too."""
        self._origins = origins
        self.offsets = NOBODY
        self.heard = 0  # grows while they are read: a sign of life

    async def read(self, quiet: Mapping[TP, range]) -> None:
        """Know from now on those in ``quiet``, and no others."""
        self.offsets = NOBODY
        if not quiet:
            return
        found = {tp: array("q") for tp in quiet}
        async for origin in self._origins():
            self.heard += 1
            tp, offset = _parsed(origin)
            if offset in quiet.get(tp, ()):
                found[tp].append(offset)
        self.offsets = {tp: array("q", sorted(offsets)) for tp, offsets in found.items() if offsets}


def among(offset: int, offsets: Sequence[int]) -> bool:
    place = bisect_left(offsets, offset)
    return place < len(offsets) and offsets[place] == offset


def _parsed(origin: str) -> tuple[TP, int]:
    try:
        topic, partition, offset = origin.split("/")
        return (topic, int(partition)), int(offset)
    except ValueError:
        return ("", -1), -1
