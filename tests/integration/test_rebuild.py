"""`portrait rebuild` on real parts: workers and load go on, it is killed and goes on, and `verify` agrees for everybody."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from cli import output
from portrait.state import decode, encode
from schemas.registry import ACTIONS
from streams import kafka
from streams.group import members
from streams.settings import Settings
from streams.topics import plan
from streams.worker import EXIT_REFUSED
from tests.servers_kafka import EmbeddedKafka, start_kafka
from tests.servers_redis import ServerMissing, start_redis

pytestmark = pytest.mark.integration

DEADLINE_S = 90.0
SETTINGS = Settings(partitions=2)
MESS = ("--duplicates", "0.1", "--disorder", "0.05", "--poison", "0.02")
CHOSEN = [f"X{n}" for n in range(6)]  # customers of whom the load knows nothing
BY_FEW = ("--at-once", "10")  # so many times through the log that an interruption meets the middle


class Place:
    """Servers of its own, and the commands with their settings."""

    def __init__(self, kafka: str, redis: Any) -> None:
        self.kafka, self.redis = kafka, redis.client()
        self._environment = os.environ | {
            "PORTRAIT_KAFKA": kafka,
            "PORTRAIT_REDIS": redis.url,
            "PORTRAIT_SHARDS": "2",
            "PORTRAIT_HTTP_PORT": "-1",
            "PORTRAIT_SESSION_TIMEOUT_S": "6",
        }

    def portrait(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "cli.main", *words]
        return subprocess.run(command, env=self._environment, input=stdin, capture_output=True, text=True, timeout=DEADLINE_S)

    def told(self, *words: str, code: int = output.OK) -> dict[str, Any]:
        """What the verb says with --json."""
        done = self.portrait(*words, "--json")
        assert done.returncode == code, done.stdout + done.stderr
        report: dict[str, Any] = json.loads(done.stdout)
        return report

    def begin(self, *words: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "cli.main", *words]
        return subprocess.Popen(
            command,
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
        )

    @contextmanager
    def running(self, *words: str) -> Iterator[subprocess.Popen[bytes]]:
        process = self.begin(*words)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(DEADLINE_S)

    def publish(self, *customers: str) -> None:
        """A rating of each."""
        self._publish(customers, "rating.given", {"stars": 3})

    def clicks(self, *customers: str) -> None:
        self._publish(customers, "page.viewed", {"page": "/"})

    def _publish(self, customers: Sequence[str], type_: str, data: dict[str, Any]) -> None:
        rows = [json.dumps({"key": customer, "type": type_, "data": data}) for customer in customers]
        done = self.portrait("publish", "-", stdin="\n".join(rows))
        assert done.returncode == output.OK, done.stderr

    def states(self) -> list[bytes]:
        """Of those who have events; of others only links are known."""
        every = [key for key in self.redis.scan_iter(count=1000) if key.startswith(b"state:")]
        return [key for key in every if (stored := self.redis.get(key)) and decode(stored[8:]).events]

    def events(self, customer: str) -> int:
        """In the state; 0 if there is none."""
        found = [self.redis.get(f"state:{{{shard}}}:{customer}") for shard in range(2)]
        return sum(decode(stored[8:]).events for stored in found if stored)

    def state_key(self, customer: str) -> bytes:
        return next(key for key in (b"state:{0}:%b", b"state:{1}:%b") if self.redis.exists(key % customer.encode())) % (
            customer.encode()
        )

    def place(self) -> int:
        """How far an unfinished rebuild is."""
        notes = [json.loads(v) for k, v in self.redis.hgetall("mending:{0}").items() if k.startswith(b"rebuild")]
        return max((note["place"] for note in notes), default=0)

    def action_ids(self) -> list[bytes]:
        async def read() -> list[bytes]:
            return [json.loads(r.value)["id"] async for r in kafka.read_topic(self.kafka, ACTIONS) if r.value]

        return asyncio.run(read())


def until(true: Callable[[], Any]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Any, Any]]:
    try:
        redis = start_redis()
    except ServerMissing as missing:
        pytest.skip(str(missing))
    with start_kafka() as broker:
        yield broker, redis
    redis.stop()


@pytest.fixture
def place(servers: tuple[Any, Any]) -> Place:
    broker, redis = servers
    redis.client().flushall()
    place = Place(broker.bootstrap, redis)
    asyncio.run(_topics_anew(broker.bootstrap))
    return place


async def _topics_anew(bootstrap: str, *names: str) -> None:
    """Delete these topics, or all, and create what is missing."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    plans = plan(SETTINGS, create_time=True)
    try:
        if there := sorted({*(names or [p.name for p in plans])} & {*await admin.list_topics()}):
            await admin.delete_topics(there)
        while {*there} & {*await admin.list_topics()}:
            await asyncio.sleep(0.1)
        async with kafka.admin(bootstrap) as creating:
            assert not [made for made in await creating.create_topics(plans) if made.error]
    finally:
        await admin.close()


def spoil(place: Place, key: bytes) -> bool:
    """Take away what the customer bought; not from one whose effects are on their way."""
    stored = place.redis.get(key)
    state = decode(stored[8:])
    if state.effects:
        return False
    state.parts.consumption, state.parts.activity.events, state.events = None, 0, state.events + 7
    place.redis.set(key, os.urandom(8) + encode(state))  # another nonce: no worker writes what it has in memory over it
    return True


def test_workers_and_load_go_on_while_wrong_and_wiped_profiles_are_mended(place: Place) -> None:
    with place.running("worker"), place.running("simulate", "--customers", "90", "--days", "40", *MESS, "--live", "150"):
        place.publish(*CHOSEN, *CHOSEN)
        until(lambda: len(place.states()) > 80 and all(map(place.events, CHOSEN)))
        keys = sorted(key for key in place.states() if b":X" not in key)
        assert sum(spoil(place, key) for key in keys[::3]) > 10
        place.redis.delete(*keys[1::9])
        place.redis.set(place.state_key("X0"), b"\xc1" * 20)
        place.redis.delete(place.state_key("X1"), place.state_key("X1").replace(b"state", b"profile"))
        _interrupt(place, signal.SIGKILL)
        _interrupt(place, signal.SIGINT)
        done = place.portrait("rebuild", "--all", *BY_FEW, "--json")
        assert done.returncode == output.OK, done.stderr
        assert "going on at" in done.stderr
        report = json.loads(done.stdout)
        assert report["differed"] > 10 and report["broken"] == 1 and report["missing"] > 0
        told = place.portrait("verify", "--sample", "1000", "--json")
        assert json.loads(told.stdout)["fine"], told.stdout
    assert place.place() == 0, "nothing is left to go on with"
    ids = place.action_ids()
    assert ids and len(ids) == len(set(ids)), "an action came again"


def _interrupt(place: Place, number: signal.Signals) -> None:
    """In the middle: some are done, and not all."""
    before = place.place()
    process = place.begin("rebuild", "--all", *BY_FEW)
    until(lambda: place.place() > before or process.poll() is not None)
    process.send_signal(number)
    process.wait(DEADLINE_S)
    assert place.place() > before


def test_a_broken_state_stops_the_worker_and_is_mended(place: Place) -> None:
    with place.running("worker"):
        place.publish(*CHOSEN)
        until(lambda: all(map(place.events, CHOSEN)))
    place.redis.set(place.state_key("X3"), b"\xc1" * 20)
    place.publish("X3")
    assert place.begin("worker").wait(DEADLINE_S) == EXIT_REFUSED
    report = place.told("rebuild", "--broken", "--show-ids")
    assert (report["broken"], report["written"], report["ids"]) == (1, 1, {"broken": ["X3"]})
    with place.running("worker"):
        until(lambda: place.events("X3") == 2)


def test_a_log_that_workers_refuse_is_accepted(place: Place, servers: tuple[Any, Any]) -> None:
    if isinstance(servers[0], EmbeddedKafka):
        pytest.skip("the embedded broker deletes neither topics nor records")
    with place.running("worker"):
        place.publish(*CHOSEN, *CHOSEN)
        place.clicks("X0", "X0", "X1", "X5")
        until(lambda: sum(map(place.events, CHOSEN)) == 16)
        busy = place.portrait("rebuild", "--accept-log", "--yes")
        assert busy.returncode == output.FAILED
        assert "nothing is to be accepted" in busy.stderr
    place.publish(*CHOSEN, *CHOSEN)
    asyncio.run(_expire(place.kafka, "feedback"))
    asyncio.run(_topics_anew(place.kafka, "clicks"))
    before = {c: place.events(c) for c in CHOSEN}
    assert place.begin("worker").wait(DEADLINE_S) == EXIT_REFUSED
    until(lambda: not asyncio.run(members(place.kafka, "portrait")))  # the dead one is noticed
    assert "12 records went before they were folded" in _added_up(place.told("rebuild", "--accept-log", "--yes"))
    with place.running("worker"):
        place.clicks("X0")
        place.publish("X1")
        after = before | {"X0": before["X0"] + 1, "X1": before["X1"] + 1}
        until(lambda: {c: place.events(c) for c in CHOSEN} == after)
    assert "lost records" in place.portrait("rebuild", "--all").stderr


def _added_up(report: dict[str, Any]) -> str:
    return f"{sum(row['lost'] or 0 for row in report['accepted'])} records went before they were folded"


async def _expire(bootstrap: str, topic: str) -> None:
    """Everything that stands in the topic now."""
    async with kafka.admin(bootstrap) as admin:
        ends = {TopicPartition(*tp): lag.end for tp, lag in (await admin.lags("portrait", [topic])).items()}
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await client.start()
    try:
        await client.delete_records({tp: RecordsToDelete(end) for tp, end in ends.items() if end})
    finally:
        await client.close()
