"""Who told us what is known: the CloudEvents ``source`` of every event, how many came from it, and when the latest."""

from __future__ import annotations

from msgspec import field

from portrait.features.base import Feature, Part
from portrait.structures import MORE
from schemas.event import Event

SOURCES_MAX = 6
#: Of a longer name so many characters are kept.
NAME_LENGTH_MAX = 64


class Sources(Part, array_like=True, gc=False):
    by_name: dict[str, list[int]] = field(default_factory=dict)  # source -> [events, topic's code, latest ms]


def fold(part: Sources, event: Event, today: int) -> None:
    name = event.source[:NAME_LENGTH_MAX]
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


FEATURE = Feature(name="sources", part=Sources, folds={}, every=fold, frequent=True)
