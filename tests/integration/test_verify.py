"""`portrait verify` with a real broker, store and worker: it agrees while they run, and tells what was done to a profile."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from cli import output
from portrait.state import State, decode, encode
from tests.servers_kafka import start_kafka
from tests.servers_redis import ServerMissing, start_redis

pytestmark = pytest.mark.integration

DEADLINE_S = 90.0
PREFIX = "t[1]*:"  # every character of it is itself, also where the server looks for patterns
MESS = ("--duplicates", "0.1", "--disorder", "0.05", "--poison", "0.02")


class Place:
    """Servers of its own: what is in the topics must be what this test has put there."""

    def __init__(self, kafka: str, redis: Any) -> None:
        self.redis = redis.client()
        self._environment = os.environ | {
            "PORTRAIT_KAFKA": kafka,
            "PORTRAIT_REDIS": redis.url,
            "PORTRAIT_PREFIX": PREFIX,
            "PORTRAIT_SHARDS": "2",
            "PORTRAIT_HTTP_PORT": "-1",
        }

    def portrait(self, *words: str, **changed: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "cli.main", *words]
        return subprocess.run(command, env=self._environment | changed, capture_output=True, text=True, timeout=DEADLINE_S)

    @contextmanager
    def running(self, *words: str) -> Iterator[None]:
        command = [sys.executable, "-m", "cli.main", *words]
        process = subprocess.Popen(command, env=self._environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield
        finally:
            process.terminate()
            process.wait(DEADLINE_S)

    def verify(self, *words: str, **changed: str) -> dict[str, Any]:
        done = self.portrait("verify", "--json", *words, **changed)
        assert done.returncode in (output.OK, output.FAILED), done.stderr
        report: dict[str, Any] = json.loads(done.stdout)
        assert done.returncode == (output.OK if report["fine"] else output.FAILED)
        return report

    def states(self) -> list[bytes]:
        """Of those who have events; of others only links are known."""
        prefix = f"{PREFIX}state:".encode()
        every = [key for key in self.redis.scan_iter() if key.startswith(prefix)]
        return sorted(key for key in every if decode(self.redis.get(key)[8:]).events)


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    """A worker has folded what a population did, with duplicates, disorder and poison; it has stopped."""
    try:
        redis = start_redis()
    except ServerMissing as missing:
        pytest.skip(str(missing))
    with start_kafka() as broker:
        found = Place(broker.bootstrap, redis)
        assert found.portrait("topics", "create", "--create-time").returncode == 0
        with found.running("worker"):
            done = found.portrait("simulate", "--customers", "12", "--days", "60", *MESS, "--json")
            published = json.loads(done.stdout)["history"]
            wait_until(lambda: _folded(found) >= published)
        yield found
    redis.stop()


def _folded(place: Place) -> int:
    """Records before the positions."""
    return sum(int(n) for n in place.redis.hvals(f"{PREFIX}pos:{{0}}"))


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError("the worker has not folded what was published")
        time.sleep(0.2)


@contextmanager
def meddled(place: Place, key: bytes, change: Callable[[State], None]) -> Iterator[None]:
    """A state is other than it should be, for a while."""
    stored = place.redis.get(key)
    state = decode(stored[8:])
    change(state)
    place.redis.set(key, stored[:8] + encode(state))
    try:
        yield
    finally:
        place.redis.set(key, stored)


def test_all_agree_and_so_do_all_facts(place: Place) -> None:
    report = place.verify("--sample", "1000")
    customers = len(place.states())
    assert report["fine"]
    assert report["customers"] == report["agree"] == len(report["full"]) == customers > 0
    assert report["events"] > 0
    assert report["dead_letters"] > 0
    assert "ids" not in report
    assert {row["id"] for row in report["full"]} == {None}


def test_it_agrees_while_events_come_in_and_are_folded(place: Place) -> None:
    before = _folded(place)
    with place.running("worker"), place.running("simulate", "--customers", "30", "--seed", "2", "--days", "30", "--live", "100"):
        wait_until(lambda: _folded(place) > before)
        first, second = place.verify("--sample", "5"), place.verify("--sample", "5")
    assert first["fine"] and second["fine"]
    assert first["events"] < second["events"]


def test_a_lost_event_is_told_and_whom_it_concerns_only_if_asked(place: Place) -> None:
    def lose(state: State) -> None:
        state.events -= 1

    key = place.states()[0]
    with meddled(place, key, lose):
        report = place.verify("--show-ids")
        assert (report["lost"], report["double"], report["differ"]) == (1, 0, 1)
        (name,) = report["ids"]["lost"]
        assert name.encode() in key
        said = place.portrait("verify").stdout
        assert "1 events of the log are in no profile" in said
        assert name not in said


def test_an_event_too_many_is_told(place: Place) -> None:
    def double(state: State) -> None:
        state.events += 2

    with meddled(place, place.states()[-1], double):
        report = place.verify()
        assert (report["lost"], report["double"], report["fine"]) == (0, 2, False)


def test_a_wrong_fact_is_found_by_the_oracle_though_the_sums_agree(place: Place) -> None:
    def dwell(state: State) -> None:
        state.parts.activity.last_ms += 1

    with meddled(place, place.states()[0], dwell):
        assert place.verify()["fine"]
        report = place.verify("--sample", "1000")
        (differs,) = [row for row in report["full"] if row["differences"]]
        assert [difference["path"] for difference in differs["differences"]] == ["activity.last_ms"]


def test_who_is_missing_and_who_is_made_up(place: Place) -> None:
    key = place.states()[0]
    stored = place.redis.get(key)
    other = key + b"%20x"
    place.redis.rename(key, other)
    try:
        report = place.verify("--show-ids")
        assert (report["missing"], report["extra"], report["differ"]) == (1, 1, 0)
        assert [f"{name} x" for name in report["ids"]["missing"]] == report["ids"]["extra"]
    finally:
        place.redis.delete(other)
        place.redis.set(key, stored)


def test_a_log_that_is_not_the_one_of_the_profiles_is_refused(place: Place) -> None:
    key = f"{PREFIX}pos:{{0}}", f"{PREFIX}pos:{{1}}"
    before = place.redis.hget(key[0], "orders/0")
    for name in key:
        place.redis.hset(name, "orders/0", 10**9)
    try:
        done = place.portrait("verify")
        assert done.returncode == output.FAILED
        assert "the topic was recreated" in done.stderr
    finally:
        for name in key:
            place.redis.hset(name, "orders/0", before)


def test_a_customer_of_whom_nothing_is_known_agrees_with_nothing(place: Place) -> None:
    report = place.verify("--full", "nobody", "--at", "2030-01-01")
    assert [row["known"] for row in report["full"]] == [False]
    assert not report["fine"]
    assert place.portrait("verify", "--at", "soon").returncode == output.USAGE
