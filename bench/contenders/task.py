"""What a contender is asked to do."""

from __future__ import annotations

import msgspec

from bench.events import MIX
from streams.settings import Settings

#: What the contenders that are not ours read; our worker reads all seven, of which the other three are empty.
TOPICS = tuple(MIX)


class Task(msgspec.Struct, frozen=True):
    settings: Settings
    events: int  # in the log, or as many of them as this contender shall do
    workers: int  # how many share the group: start when the partitions have been shared out
    sample: bool  # look where the CPU time goes
    uvloop: bool
