"""The topics that Portrait needs, and how each must be kept.

Event topics are the log of truth: profiles in Redis are a fold of them, and can be folded again only from a log that still
starts at its beginning. So they are kept for ever, unless the operator decides otherwise (docs/operating.md): a Redis backup
makes what lies before its positions dispensable, so retention may then be the age of the oldest backup in use plus a margin.
"""

from __future__ import annotations

from typing import NamedTuple

from schemas.registry import ACTIONS, DEAD_LETTERS, EVENT_TOPICS, EXPIRED, LESSONS, MODELS, OPERATOR_ACTIONS, REPLAYED
from streams.settings import Settings

DAY_MS = 86_400_000
FOREVER = "-1"
NEVER_MS = str(2**63 - 1)
#: A dead letter holds its value as base64 (a third more), a model snapshot its learner: both may pass the broker's 1 MB.
LARGE_RECORD_BYTES = 4 * 1024 * 1024
#: With three replicas or more, an acknowledged record is on two of them.
REPLICAS_FOR_TWO_IN_SYNC = 3


class TopicPlan(NamedTuple):
    """A topic as it should be; ``config`` names Kafka's topic settings, ``why`` tells its retention."""

    name: str
    partitions: int
    replication: int
    config: dict[str, str]
    why: str


def plan(settings: Settings, *, create_time: bool = False) -> list[TopicPlan]:
    """All topics, event topics first.

    ``create_time``: records keep the time that their producer gave them. For replays and simulations, whose events lie in
    the past; live topics use the broker's own clock, against which a future event is told.
    """
    time_type = "CreateTime" if create_time else "LogAppendTime"
    stamped = {"message.timestamp.type": time_type}
    if create_time:  # else each week of history is a segment, and a decade more files than a broker may hold open
        stamped["segment.ms"] = NEVER_MS
    kept = {"cleanup.policy": "delete", "retention.ms": FOREVER, "retention.bytes": FOREVER}
    compacted = {"cleanup.policy": "compact"}
    large = {"max.message.bytes": str(LARGE_RECORD_BYTES)}

    def for_days(days: int) -> dict[str, str]:
        return {"cleanup.policy": "delete", "retention.ms": str(days * DAY_MS)}

    n = settings.partitions
    rows = [
        (topic.name, n, kept | stamped, "the log of truth: a wiped Redis is rebuilt from its beginning") for topic in EVENT_TOPICS
    ]
    rows += [
        (ACTIONS, n, for_days(30), "longer than any action lives, so that a consumer may be away"),
        (DEAD_LETTERS, n, for_days(30) | large, "time to mend and replay; holds personal data, so no longer than needed"),
        (REPLAYED, 1, compacted, "as long as the events: a rebuild must know what was replayed"),
        (LESSONS, 1, for_days(90), "the trainer resumes from its snapshot; older lessons serve a new generation"),
        (
            MODELS,
            1,
            compacted | large,
            "the newest version of the model, a bounded number of older ones, and what operators ordered",
        ),
        (OPERATOR_ACTIONS, 1, for_days(30), "what concerns those who run the service, and no customer"),
        (EXPIRED, 1, kept, "as long as the events: replays must know what is void"),
    ]
    if settings.replication >= REPLICAS_FOR_TWO_IN_SYNC:
        rows = [(name, n, config | {"min.insync.replicas": "2"}, why) for name, n, config, why in rows]
    return [TopicPlan(name, partitions, settings.replication, config, why) for name, partitions, config, why in rows]
