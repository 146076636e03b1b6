"""topics, publish, dlq and doctor, as a user calls them: against a real broker, and against the embedded one."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from cli import embedded, output
from schemas.event import REPLAY_OF, Event, decode
from schemas.outputs import DeadLetter, Origin
from schemas.registry import DEAD_LETTERS, REPLAYED
from streams import kafka
from streams.log import Record

pytestmark = pytest.mark.integration

RECORD_MS = 1_770_000_000_000


@pytest.fixture(scope="module", params=["found", "embedded"])
def broker(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of the best broker that this machine has, and of the embedded one."""
    if request.param == "found":
        yield request.getfixturevalue("kafka_server").bootstrap
    else:
        with embedded.broker() as server:
            yield server.address


def portrait(bootstrap: str, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "PORTRAIT_KAFKA": bootstrap,
        "PORTRAIT_REDIS": "redis://127.0.0.1:1/0",
        "PORTRAIT_GROUP": "nobody",
    }
    command = [sys.executable, "-m", "cli.main", *words]
    return subprocess.run(command, env=environment, input=stdin, capture_output=True, text=True, timeout=120)


def records(bootstrap: str, topic: str) -> list[Record]:
    async def read() -> list[Record]:
        return [record async for record in kafka.read_topic(bootstrap, topic)]

    return asyncio.run(read())


def send(bootstrap: str, topic: str, *messages: tuple[bytes, bytes]) -> None:
    async def publish() -> None:
        async with kafka.publisher(bootstrap) as publisher:
            for key, value in messages:
                await publisher.send(topic, key, value)

    asyncio.run(publish())


@pytest.fixture(scope="module")
def topics(broker: str) -> str:
    """The broker's address; the topics are there."""
    done = portrait(broker, "topics", "create", "--json")
    assert done.returncode == output.OK, done.stderr
    return broker


def test_topics_are_created_once(topics: str) -> None:
    again = json.loads(portrait(topics, "topics", "create", "--json").stdout)
    assert (again["created"], again["failed"]) == ([], {})
    listed = portrait(topics, "topics", "list", "--json")
    assert listed.returncode == output.OK, listed.stdout
    assert all(row["exists"] and not row["problems"] for row in json.loads(listed.stdout))


def test_one_event_from_options_arrives(topics: str) -> None:
    key = str(uuid4())
    done = portrait(topics, "publish", "--key", key, "--type", "rating.given", "--data", '{"stars": 2}')
    assert done.returncode == output.OK, done.stderr
    (record,) = [r for r in records(topics, "feedback") if r.key == key.encode()]
    event = decode("feedback", record.key, record.value, record.headers, record.timestamp)
    assert isinstance(event, Event)
    assert (event.customer_id, event.data.stars) == (key, 2)


def test_good_lines_are_sent_and_bad_ones_named_by_number(topics: str) -> None:
    key = str(uuid4())
    lines = [{"type": "app.opened", "data": {}}, {"type": "app.closed", "data": {}}, {"type": "app.opened", "data": {}}]
    done = portrait(topics, "publish", "-", "--key", key, "--json", stdin="\n".join(map(json.dumps, lines)))
    assert done.returncode == output.FAILED
    assert json.loads(done.stdout) == {"sent": 2, "refused": 1, "left_out": 0, "in_clear": 0}
    assert "line 2: $.type" in done.stderr
    assert len([r for r in records(topics, "clicks") if r.key == key.encode()]) == 2


def test_many_records_are_read_to_the_very_end(topics: str) -> None:
    send(topics, "lessons", *((b"k", b"%d" % n) for n in range(5000)))
    assert [int(r.value or b"") for r in records(topics, "lessons")] == list(range(5000))


def test_a_topic_that_does_not_exist_is_empty_and_stays_away(topics: str) -> None:
    assert records(topics, "no-such-topic") == []
    assert records(topics, "no-such-topic") == []


def dead(key: str, offset: int, event: Any) -> tuple[bytes, bytes]:
    origin = Origin("orders", 0, offset)
    letter = DeadLetter(
        id=str(origin), origin=origin, reason="invalid", path="$.data.currency", message="Invalid enum value 'XQX'",
        remedy="see docs/publishing.md", record_ms=RECORD_MS, key=key.encode(), value=msgspec.json.encode(event),
    )  # fmt: skip
    return key.encode(), msgspec.json.encode(letter)


def test_a_dead_letter_is_mended_and_replayed_once(topics: str) -> None:
    key = str(uuid4())
    order = {"order_id": "o1", "currency": "XQX", "amount_minor": 5}
    event = {"specversion": "1.0", "id": key, "source": "/shop", "type": "order.placed", "data": order}
    letter = dead(key, 900_001, event)
    send(topics, DEAD_LETTERS, letter, letter)  # a worker may publish it twice
    name = "orders/0/900001"

    listed = json.loads(portrait(topics, "dlq", "list", "--reason", "invalid", "--json").stdout)
    assert [row["id"] for row in listed] == [name]
    shown = json.loads(portrait(topics, "dlq", "show", name, "--json").stdout)
    assert (shown["path"], shown["replayed"]) == ("$.data.currency", False)

    assert portrait(topics, "dlq", "replay", name).returncode == output.FAILED  # nothing was mended
    mend = ("dlq", "replay", "--all", "--patch", '{"data": {"currency": "CNY"}}', "--json")
    assert json.loads(portrait(topics, *mend).stdout)["replayed"] == [name]
    assert json.loads(portrait(topics, *mend).stdout)["replayed"] == []
    again = portrait(topics, "dlq", "replay", name, "--patch", '{"data": {"currency": "CNY"}}')
    assert (again.returncode, "replayed before" in again.stderr) == (output.FAILED, True)

    (record,) = [r for r in records(topics, "orders") if r.key == key.encode()]
    assert dict(record.headers)[REPLAY_OF] == name.encode()
    mended = decode("orders", record.key, record.value, record.headers, record.timestamp)
    assert isinstance(mended, Event)
    assert (mended.data.currency, mended.time_ms) == ("CNY", RECORD_MS)
    assert [r.key for r in records(topics, REPLAYED)] == [name.encode()]


def test_the_doctor_sees_the_broker_and_misses_redis(topics: str) -> None:
    done = portrait(topics, "doctor", "--json")
    assert done.returncode == output.FAILED
    findings = {row["about"]: row for row in json.loads(done.stdout)}
    assert findings["kafka"]["level"] == findings["topics"]["level"] == "OK"
    assert findings["redis"]["level"] == "FAIL"
    assert findings["redis"]["remedy"]


def test_a_healthy_installation_has_no_fail(topics: str) -> None:
    with embedded.store(append_only=True) as store:
        environment = os.environ | {"PORTRAIT_KAFKA": topics, "PORTRAIT_REDIS": store.address, "PORTRAIT_GROUP": "nobody"}
        command = [sys.executable, "-m", "cli.main", "doctor", "--json"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == output.OK, done.stdout
    assert not [
        row for row in json.loads(done.stdout) if row["about"] in ("redis", "eviction", "hashes") and row["level"] != "OK"
    ]


def test_no_broker_is_a_line_and_an_exit_code() -> None:
    for words in (("topics", "create"), ("dlq", "list"), ("publish", "--key", "C1", "--type", "app.opened")):
        done = portrait("127.0.0.1:1", *words)
        assert done.returncode == output.UNREACHABLE
        assert "no Kafka answers at 127.0.0.1:1" in done.stderr
        assert "Traceback" not in done.stderr
