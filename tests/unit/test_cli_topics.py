"""Which topics there are, how they are kept, and what counts as a harmful difference."""

from __future__ import annotations

import pytest

from cli.topics import by_problem, differences, kept
from schemas.registry import EVENT_TOPICS, OUTPUT_TOPICS
from streams.kafka import TopicState
from streams.settings import Settings
from streams.topics import FOREVER, TopicPlan, plan

EVENTS = {topic.name for topic in EVENT_TOPICS}
PLAN = {p.name: p for p in plan(Settings(partitions=6))}


def state(wanted: TopicPlan, partitions: int | None = None, **config: str) -> TopicState:
    changed = {name.replace("_", "."): value for name, value in config.items()}
    return TopicState(partitions or wanted.partitions, wanted.replication, wanted.config | changed)


def test_every_topic_of_the_contracts_is_made() -> None:
    assert set(PLAN) == EVENTS | set(OUTPUT_TOPICS)


@pytest.mark.parametrize("name", sorted(EVENTS))
def test_events_are_kept_for_ever_and_stamped_by_the_broker(name: str) -> None:
    assert PLAN[name].partitions == 6
    assert PLAN[name].config["retention.ms"] == PLAN[name].config["retention.bytes"] == FOREVER
    assert PLAN[name].config["message.timestamp.type"] == "LogAppendTime"


def test_a_replay_keeps_its_producers_time() -> None:
    for wanted in plan(Settings(), create_time=True):
        if wanted.name in EVENTS:
            assert wanted.config["message.timestamp.type"] == "CreateTime"


def test_a_history_is_not_cut_into_a_file_for_each_of_its_weeks() -> None:
    """A broker holds every segment open: 28 partitions of thirty years, a segment a week, were more than it may."""
    for name in EVENTS:
        (wanted,) = (p for p in plan(Settings(), create_time=True) if p.name == name)
        assert int(wanted.config["segment.ms"]) > 1000 * 365 * 86_400_000
        assert "segment.ms" not in PLAN[name].config


def test_registers_are_compacted_and_whole() -> None:
    for name in ("models", "dead-letters-replayed"):
        assert (PLAN[name].partitions, PLAN[name].config["cleanup.policy"]) == (1, "compact")
    assert PLAN["lessons"].partitions == 1


def test_three_replicas_mean_that_two_have_acknowledged() -> None:
    assert all(p.config["min.insync.replicas"] == "2" for p in plan(Settings(replication=3)))
    assert not any("min.insync.replicas" in p.config for p in PLAN.values())


def test_the_planned_topic_differs_in_nothing() -> None:
    for wanted in PLAN.values():
        assert differences(wanted, state(wanted)) == []


def test_more_partitions_or_a_longer_retention_do_no_harm() -> None:
    actions = PLAN["retention-actions"]
    assert differences(actions, state(actions, partitions=12, retention_ms=FOREVER)) == []


@pytest.mark.parametrize(
    "config", [{"message_timestamp_type": "CreateTime"}, {"retention_ms": "604800000"}, {"cleanup_policy": "compact"}]
)
def test_a_harmful_difference_is_named_with_its_remedy(config: dict[str, str]) -> None:
    orders = PLAN["orders"]
    (problem,) = differences(orders, state(orders, **config))
    assert "kafka-configs.sh" in problem
    assert "--entity-name orders" in problem


def test_what_is_wrong_with_all_is_said_once() -> None:
    found = {name: differences(wanted, state(wanted, message_timestamp_type="CreateTime")) for name, wanted in PLAN.items()}
    found["orders"] += differences(PLAN["orders"], state(PLAN["orders"], retention_ms="1000"))
    (shared, names), (own, (alone,)) = by_problem(found).items()
    assert set(names) == EVENTS
    assert "--entity-name TOPIC " in shared
    assert "--entity-name orders " in own
    assert alone == "orders"


def test_too_few_partitions_are_named() -> None:
    orders = PLAN["orders"]
    assert "2 partitions, not 6" in differences(orders, state(orders, partitions=2))[0]


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"retention.ms": "-1"}, "for ever"),
        ({"retention.ms": "604800000"}, "7 days"),
        ({"cleanup.policy": "compact", "retention.ms": "604800000"}, "newest of each key"),
        ({}, "as the broker has it"),
    ],
)
def test_retention_in_words(config: dict[str, str], words: str) -> None:
    assert kept(config) == words
