"""A cookie that nobody linked, with a real broker, store and worker: it expires, comes back, and replays know what is void."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from cli import output
from portrait.state import decode
from schemas.registry import EXPIRED
from streams import kafka
from streams.settings import Settings
from streams.topics import plan
from tests.integration.test_rebuild import until
from tests.servers_kafka import start_kafka
from tests.servers_redis import ServerMissing, start_redis

pytestmark = pytest.mark.integration

DEADLINE_S = 90.0
COOKIE = "anonymous:5f2"
STATE, PROFILE = "state:{0}:anonymous%3A5f2", "profile:{0}:anonymous%3A5f2"


class Place:
    """Servers of its own, and the commands with their settings."""

    def __init__(self, kafka: str, redis: Any) -> None:
        self.kafka, self.redis = kafka, redis.client()
        given = {"KAFKA": kafka, "REDIS": redis.url, "CLOCK": "stream", "HTTP_PORT": "-1", "SESSION_TIMEOUT_S": "6"}
        self._environment = os.environ | {f"PORTRAIT_{name}": value for name, value in given.items()}

    def portrait(self, *words: str, stdin: str = "") -> str:
        command = [sys.executable, "-m", "cli.main", *words]
        done = subprocess.run(command, env=self._environment, input=stdin, capture_output=True, text=True, timeout=DEADLINE_S)
        assert done.returncode == output.OK, done.stdout + done.stderr
        return done.stdout

    @contextmanager
    def worker(self) -> Iterator[None]:
        process = subprocess.Popen([sys.executable, "-m", "cli.main", "worker"], env=self._environment)
        try:
            yield
        finally:
            process.terminate()
            process.wait(DEADLINE_S)

    def looks(self, key: str, *days: str) -> None:
        rows = [{"key": key, "type": "page.viewed", "time": f"{day}T10:00:00Z", "data": {"page": "/"}} for day in days]
        self.portrait("publish", "-", "--event-time", stdin="\n".join(map(json.dumps, rows)))

    def events(self, key: str = STATE) -> int | None:
        """In the state; None: there is none."""
        stored = self.redis.get(key)
        return decode(stored[8:]).events if stored else None

    def expired(self) -> list[dict[str, Any]]:
        async def read() -> list[dict[str, Any]]:
            return [json.loads(record.value or b"") async for record in kafka.read_topic(self.kafka, EXPIRED)]

        return asyncio.run(read())

    def check(self) -> None:
        """The log and the profiles agree."""
        assert json.loads(self.portrait("verify", "--sample", "10", "--json"))["fine"]
        report = json.loads(self.portrait("rebuild", "--all", "--check", "--json"))
        assert not any(report[name] for name in ("differed", "broken", "missing", "orphans")), report


@pytest.fixture
def place() -> Iterator[Place]:
    try:
        redis = start_redis()
    except ServerMissing as missing:
        pytest.skip(str(missing))
    with start_kafka() as broker:
        asyncio.run(_make_topics(broker.bootstrap))
        yield Place(broker.bootstrap, redis)
    redis.stop()


async def _make_topics(bootstrap: str) -> None:
    async with kafka.admin(bootstrap) as admin:
        made = await admin.create_topics(plan(Settings(partitions=2), create_time=True))
    assert not [topic for topic in made if topic.error]


def test_an_idle_cookie_expires_and_comes_back_and_replays_know_it(place: Place) -> None:
    with place.worker():
        place.looks(COOKIE, "2026-01-01", "2026-01-02")
        place.looks("C1", "2026-03-25")
        until(lambda: place.events() == 2)
        place.looks("C1", "2026-04-05")
        until(lambda: place.events() == 0)
        until(lambda: [one["id"] for one in place.expired()] == [COOKIE])
        assert not place.redis.exists(PROFILE)
        place.check()
        place.looks("C1", "2026-04-08")
        until(lambda: place.events() is None)
        assert place.redis.zscore("due:{0}", COOKIE) is None

        place.looks(COOKIE, "2026-04-09")
        until(lambda: place.events() == 1)
        assert json.loads(place.redis.hget(PROFILE, "activity"))["events"][3] == 1

        place.redis.flushall()
        until(lambda: (place.events(), place.events("state:{0}:C1")) == (1, 3))
        place.check()
    place.redis.flushall()
    with place.worker():
        until(lambda: (place.events(), place.events("state:{0}:C1")) == (1, 3))
        place.looks("C1", "2026-08-01")
        until(lambda: len(place.expired()) == 2)
