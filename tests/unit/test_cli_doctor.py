"""What the doctor says of facts: each trouble has its level and a remedy, health has none."""

from __future__ import annotations

import msgspec
import pytest

from cli import doctor
from profile_store.contract import Position
from profile_store.diagnosis import ServerFacts
from streams.kafka import Brokers, Lag, TopicState
from streams.settings import Settings
from streams.topics import plan

HEALTHY = ServerFacts(
    kind="Valkey", version="9.1.2", policy="noeviction", memory_bytes=10**6, memory_bytes_max=10**9, append_only=True,
    fsync="everysec", hash_value_bytes_max=1024, hash_entries_max=512,
)  # fmt: skip
TP = ("orders", 0)


def troubles(findings: object) -> list[tuple[str, str]]:
    found = list(findings)  # type: ignore[call-overload]
    assert all(bool(f.remedy) == (f.level != "OK") for f in found)
    return [(f.level, f.about) for f in found if f.level != "OK"]


def test_a_healthy_server_has_no_trouble() -> None:
    assert troubles(doctor.check_server(HEALTHY)) == []


@pytest.mark.parametrize(
    ("change", "trouble"),
    [
        ({"kind": "Redis", "version": "6.0.16"}, ("FAIL", "redis")),
        ({"policy": "allkeys-lru"}, ("FAIL", "eviction")),
        ({"memory_bytes": 9 * 10**8}, ("WARN", "memory")),
        ({"append_only": False}, ("WARN", "persistence")),
        ({"hash_value_bytes_max": 64}, ("WARN", "hashes")),
    ],
)
def test_each_trouble_of_a_server_is_told(change: dict[str, object], trouble: tuple[str, str]) -> None:
    assert troubles(doctor.check_server(msgspec.structs.replace(HEALTHY, **change))) == [trouble]


def test_eviction_does_no_harm_where_memory_has_no_limit() -> None:
    facts = msgspec.structs.replace(HEALTHY, policy="allkeys-lru", memory_bytes_max=0)
    assert troubles(doctor.check_server(facts)) == []


def test_a_server_that_does_not_tell_is_not_blamed() -> None:
    facts = msgspec.structs.replace(HEALTHY, fsync=None, hash_value_bytes_max=None, hash_entries_max=None)
    assert troubles(doctor.check_server(facts)) == []


@pytest.mark.parametrize(
    ("lag", "position", "trouble"),
    [
        (Lag(0, 10, 10), Position(10, 0), []),
        (Lag(0, 10, 8), Position(9, 0), []),
        (Lag(0, 0, None), None, []),
        (Lag(0, 10, None), None, [("WARN", "lag")]),
        (Lag(0, 10**6, 5), Position(5, 0), [("WARN", "lag")]),
        (Lag(0, 10, 10), None, [("WARN", "positions")]),  # Redis was wiped
        (Lag(0, 10, 10), Position(4, 0), [("WARN", "positions")]),  # and came back older
        (Lag(6, 10, 10), Position(4, 0), [("FAIL", "positions")]),  # but the log has lost what it needs
        (Lag(6, 10, 10), None, [("FAIL", "positions")]),
        (Lag(0, 3, 3), Position(10, 0), [("FAIL", "positions")]),  # the topic was made anew
    ],
)
def test_offsets_and_positions(lag: Lag, position: Position | None, trouble: list[tuple[str, str]]) -> None:
    positions = {TP: position} if position else {}
    assert troubles(doctor.check_lag({TP: lag}, positions)) == trouble


def test_without_redis_nothing_is_said_of_positions() -> None:
    assert [f.about for f in doctor.check_lag({TP: Lag(0, 10, 10)}, None)] == ["lag"]


def test_lag_is_counted_from_where_the_log_starts() -> None:
    assert Lag(5, 10, None).records == 5
    assert Lag(5, 10, 2).records == 5
    assert Lag(5, 10, 7).records == 3


def test_missing_topics_fail_and_others_warn() -> None:
    plans = plan(Settings())
    states = {p.name: TopicState(p.partitions, p.replication, p.config) for p in plans}
    assert troubles(doctor.check_topics(plans, states)) == []
    states["orders"] = TopicState(4, 1, {"retention.ms": "1000"})
    del states["clicks"]
    assert troubles(doctor.check_topics(plans, states)) == [("FAIL", "topics"), ("WARN", "topics")]


def test_a_broker_that_can_not_stamp_records_is_not_blamed_for_it() -> None:
    plans = plan(Settings())
    states = {p.name: TopicState(p.partitions, p.replication, p.config | {"message.timestamp.type": "CreateTime"}) for p in plans}
    assert troubles(doctor.check_topics(plans, states)) == [("WARN", "topics")]
    assert troubles(doctor.check_topics(plans, states, Brokers("tansu_cluster", 1, "3.9").stamps)) == []
    assert Brokers("4L6g3nShT-eMCtK--X86sw", 1, "4.1").stamps


def test_dead_letters_that_were_replayed_do_not_wait() -> None:
    lags = {("dead-letters", 0): Lag(0, 3, None), ("dead-letters-replayed", 0): Lag(0, 3, None)}
    assert doctor.check_dead_letters(lags).level == "OK"
    assert doctor.check_dead_letters(lags | {("dead-letters", 1): Lag(0, 1, None)}).level == "WARN"


def test_what_has_expired_must_not_be_forgotten() -> None:
    kept, gone = Lag(0, 3, None), Lag(2, 3, None)
    assert doctor.check_expired({("expired", 0): kept}).level == "OK"
    assert troubles([doctor.check_expired({("expired", 0): kept, ("expired", 1): gone})]) == [("FAIL", "expired")]


def test_whether_addresses_can_be_named_is_told_without_the_key() -> None:
    assert "PORTRAIT_IDENTITY_KEY" in doctor.check_identities(Settings()).found
    assert "sixteen" not in doctor.check_identities(Settings(identity_key="sixteen bytes, or more")).found


def test_this_environment_is_the_tested_one() -> None:
    assert [trouble for trouble in troubles(doctor.check_versions()) if trouble[0] == "FAIL"] == []
