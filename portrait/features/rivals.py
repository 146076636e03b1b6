"""Which competitors a customer speaks of, follows, and compares with; from ``social-mentions``."""

from __future__ import annotations

from msgspec import field

from portrait.features.base import Feature, Part
from portrait.merging import columns, merging, tables, tallies, total
from portrait.structures import MORE, Tally, tally
from schemas.event import Event
from schemas.social import AccountFollowed, Mention, MentionPosted, MentionShared

RIVALS_MAX, TOPICS_MAX = 5, 5


class Rivals(Part, array_like=True, gc=False):
    by_name: dict[str, list[int]] = field(default_factory=dict)  # rival -> [mentions, latest ms]
    topics: Tally | None = None  # of the mentions that name a rival: what they are compared for


def named(part: Rivals, event: Event, today: int) -> None:
    data: Mention = event.data
    if not data.rivals:
        return
    for rival in data.rivals:
        seen = part.by_name.get(rival)
        if seen is not None:
            seen[0] += 1
            seen[1] = max(seen[1], event.time_ms)
        elif len(part.by_name) - (MORE in part.by_name) < RIVALS_MAX:
            part.by_name[rival] = [1, event.time_ms]
        else:
            part.by_name[MORE] = [1, 0]
    for topic in data.topics:
        part.topics = tally(part.topics, topic, TOPICS_MAX)


FEATURE = Feature(
    name="rivals",
    part=Rivals,
    folds=dict.fromkeys((MentionPosted, MentionShared, AccountFollowed), named),
    merge=merging(Rivals, by_name=tables(RIVALS_MAX, columns(total, max), [0, 0], rank=tuple), topics=tallies(TOPICS_MAX)),
    newest=lambda part: max((latest_ms for _, latest_ms in part.by_name.values()), default=0),
)
