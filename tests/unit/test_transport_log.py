"""The log as the transport keeps it for a handler: epochs, confirmations, what may be committed, how it is doing."""

from __future__ import annotations

import asyncio

import pytest

from streams.faust_log import FaustLog
from streams.producer import Publisher

A, B = ("clicks", 0), ("clicks", 1)


@pytest.fixture
def log() -> FaustLog:
    return FaustLog(Publisher("127.0.0.1:1"), clock_ms=lambda: 1000)


def sought(log: FaustLog, committed: dict, starts: dict, ends: dict) -> None:
    log.sought(log.epoch, committed, ends, starts)


def test_an_assignment_and_a_rewind_begin_an_epoch_and_make_a_seek_due(log: FaustLog) -> None:
    assert not log.seek_due
    log.assign([A])
    first = log.epoch
    assert log.seek_due
    sought(log, {A: None}, {A: 0}, {A: 9})
    assert not log.seek_due
    asyncio.run(log.rewind())
    assert log.seek_due and log.epoch > first


def test_a_seek_of_an_epoch_that_is_over_leaves_the_new_one_due(log: FaustLog) -> None:
    log.assign([A])
    old = log.epoch
    asyncio.run(log.rewind())
    log.sought(old, {A: 5}, {A: 9}, {A: 5})
    assert log.seek_due and log.ends() == {}


def test_no_partition_means_no_seek(log: FaustLog) -> None:
    log.assign([A])
    log.assign([])
    assert not log.seek_due


def test_partitions_are_awaited_from_their_revocation_to_the_next_assignment(log: FaustLog) -> None:
    log.assign([A])
    sought(log, {A: None}, {A: 0}, {A: 9})
    log.revoke()
    asyncio.run(log.rewind())  # by a batch that was still under way
    assert log.assigned == frozenset() and log.health.seeking and not log.seek_due
    log.assign([])
    assert not log.health.seeking, "others have them all: it is ready, and has nothing to do"


def test_what_was_confirmed_is_committable_until_kafka_has_it(log: FaustLog) -> None:
    log.assign([A, B])
    sought(log, {A: None, B: 4}, {A: 0, B: 4}, {A: 9, B: 9})
    assert log.committable() == {}
    log.confirm({A: 3, B: 6})
    assert log.committable() == {A: 3, B: 6}
    log.committed({A: 3, B: 6, ("lessons", 0): 1})
    assert log.committable() == {}


def test_a_moment_is_committed_beside_the_offset_though_no_record_came(log: FaustLog) -> None:
    log.assign([A])
    log.surveyed([A, B], {A: 500, B: 700})
    sought(log, {A: 3}, {A: 3}, {A: 3})
    log.confirm({A: 3}, {A: 400, B: 900})
    assert (log.committable(), log.moments_reached()) == ({}, {A: 500}), "it never goes back, and B is another's"
    log.confirm({A: 3}, {A: 600})
    assert (log.committable(), log.moments_reached()) == ({A: 3}, {A: 600})
    log.committed({A: 3}, {A: 600})
    assert (log.committable(), dict(log.moments())) == ({}, {A: 600, B: 700})


def test_an_offset_without_a_moment_keeps_the_one_that_kafka_has(log: FaustLog) -> None:
    log.assign([A])
    log.surveyed([A], {A: 500})
    sought(log, {A: 3}, {A: 3}, {A: 9})
    log.confirm({A: 5})
    assert (log.committable(), log.moments_reached()) == ({A: 5}, {A: 500})


def test_kafkas_offset_never_goes_back(log: FaustLog) -> None:
    """The store came back older: what is applied again was done before."""
    log.assign([A])
    sought(log, {A: 150}, {A: 100}, {A: 200})
    log.confirm({A: 120})
    assert log.committable() == {}
    log.confirm({A: 151})
    log.confirm({A: 130})
    assert log.committable() == {A: 151}


def test_an_offset_past_the_end_is_of_another_log(log: FaustLog) -> None:
    """The topic was made anew: its commits begin anew as well."""
    log.assign([A])
    sought(log, {A: 150}, {A: 0}, {A: 10})
    log.confirm({A: 5})
    assert log.committable() == {A: 5}


def test_before_kafkas_offsets_are_known_nothing_is_committed(log: FaustLog) -> None:
    """A batch that outlived its assignment must not set Kafka's offset back behind another worker's."""
    log.assign([A])
    log.confirm({A: 3})
    assert log.committable() == {}
    sought(log, {A: 8}, {A: 8}, {A: 9})
    assert log.committable() == {}


def test_partitions_of_others_are_passed_over(log: FaustLog) -> None:
    log.assign([A])
    sought(log, {A: None}, {A: 0}, {A: 9})
    log.confirm({B: 3})
    assert log.committable() == {}


def test_a_rewind_keeps_what_was_confirmed(log: FaustLog) -> None:
    log.assign([A])
    sought(log, {A: None}, {A: 0}, {A: 9})
    log.confirm({A: 3})
    asyncio.run(log.rewind())
    assert log.committable() == {A: 3}


def test_ends_and_partitions_are_those_last_seen(log: FaustLog) -> None:
    log.assign([A])
    log.surveyed([A, B])
    sought(log, {A: None}, {A: 0}, {A: 4})
    assert log.partitions() == (A, B) and log.ends() == {A: 4}
    log.polled({A: 6}, 77)
    assert log.ends() == {A: 6} and log.health.ends_as_of_ms == 77


def test_health_tells_the_lag_and_when_there_was_none(log: FaustLog) -> None:
    log.assign([A, B])
    assert log.health.seeking and log.health.lag() == {}
    sought(log, {A: None, B: None}, {A: 0, B: 2}, {A: 4, B: 2})
    assert not log.health.seeking and log.health.lag() == {A: 4, B: 0}
    log.polled({A: 4}, 0)
    assert log.health.last_progress_ms == 0
    log.confirm({A: 4})
    log.polled({A: 4}, 0)
    assert log.health.lag() == {A: 0, B: 0} and log.health.last_progress_ms == 1000
