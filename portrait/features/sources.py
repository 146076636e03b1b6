"""Who told us what is known: the CloudEvents ``source`` of every event, how many came from it, and when the latest.

And what of it could not be right: values that `schemas.cleaning` left out, by field and by source (`portrait quality`).
"""

from __future__ import annotations

from msgspec import field

from portrait.features.base import Feature, Part
from portrait.merging import columns, merging, tables, tallies, total
from portrait.structures import MORE, Tally, tally
from schemas.event import Event

SOURCES_MAX = 6
#: Of a longer name so many characters are kept.
NAME_LENGTH_MAX = 64
REFUSED_MAX = 12


class Sources(Part, array_like=True, gc=False):
    by_name: dict[str, list[int]] = field(default_factory=dict)  # source -> [events, topic's code, latest ms]
    refused: Tally | None = None  # field -> values left out
    refused_by: Tally | None = None  # source -> the same


def fold(part: Sources, event: Event, today: int) -> None:
    name = event.source[:NAME_LENGTH_MAX]
    if event.refused:
        for field in event.refused:
            part.refused = tally(part.refused, field, REFUSED_MAX)
        part.refused_by = tally(part.refused_by, name, SOURCES_MAX, len(event.refused))
    seen = part.by_name.get(name)
    if seen is None:
        if len(part.by_name) - (MORE in part.by_name) >= SOURCES_MAX:
            part.by_name[MORE] = [1, 0, 0]
        else:
            part.by_name[name] = [1, event.topic_code, event.time_ms]
        return
    seen[0] += 1
    if event.topic_code > seen[1]:
        seen[1] = event.topic_code
    if event.time_ms > seen[2]:
        seen[2] = event.time_ms


def newest(part: Sources) -> int:
    return max((latest_ms for _, _, latest_ms in part.by_name.values()), default=0)


FEATURE = Feature(
    name="sources",
    part=Sources,
    folds={},
    merge=merging(
        Sources,
        by_name=tables(SOURCES_MAX, columns(total, max, max), [0, 0, 0], rank=tuple),
        refused=tallies(REFUSED_MAX),
        refused_by=tallies(SOURCES_MAX),
    ),
    every=fold,
    newest=newest,
    frequent=True,
)
