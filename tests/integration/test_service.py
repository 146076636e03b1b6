"""The whole service on real parts: worker processes, a broker, a store. The oracle judges, over the log as Kafka has it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from cli import embedded, output
from profile_store.reader import ProfileReader
from schemas.registry import DEAD_LETTERS, EVENT_TOPICS, OUTPUT_TOPICS
from streams import kafka
from streams.settings import Settings
from streams.topics import plan
from tests.fault.judge import Verdict, judge
from tests.fault.run import Options, fault_run
from tests.servers_kafka import Broker, EmbeddedKafka, start_kafka

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
DEADLINE_S = 90.0
TOPICS = [*(topic.name for topic in EVENT_TOPICS), *OUTPUT_TOPICS]
SETTINGS = Settings(partitions=2)


@pytest.fixture(scope="module")
def own_broker() -> Iterator[Broker]:
    """Not the session's: the topics have fixed names."""
    with start_kafka() as broker:
        yield broker


@pytest.fixture
def broker(own_broker: Broker) -> Iterator[Broker]:
    """With no topics yet. The embedded one is begun anew, for it can't delete."""
    if isinstance(own_broker, EmbeddedKafka):
        with embedded.broker() as server:
            yield EmbeddedKafka(server.address, server.pid)
    else:
        asyncio.run(_delete_topics(own_broker.bootstrap))
        yield own_broker


async def _delete_topics(bootstrap: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        if there := sorted(set(TOPICS) & set(await admin.list_topics())):
            await admin.delete_topics(there)
        while set(TOPICS) & set(await admin.list_topics()):
            await asyncio.sleep(0.1)
    finally:
        await admin.close()


class Service:
    """Topics with the time of their events, an empty store, and worker processes that follow the stream's clock."""

    def __init__(self, broker: Broker, redis_url: str, directory: Path) -> None:
        self.kafka, self.redis, self.directory = broker.bootstrap, redis_url, directory
        self.reader = ProfileReader(redis_url)
        self.workers: list[subprocess.Popen[bytes]] = []
        ours = {"KAFKA": self.kafka, "REDIS": self.redis, "CLOCK": "stream", "SESSION_TIMEOUT_S": "6", "HTTP_PORT": "-1"}
        self.environment = os.environ | {f"PORTRAIT_{name}": value for name, value in ours.items()}

    def portrait(self, *words: str, stdin: str = "", code: int = output.OK) -> str:
        """The command's standard output."""
        command = [sys.executable, "-m", "cli.main", *words]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, input=stdin, capture_output=True, text=True, timeout=DEADLINE_S
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def simulate(self, *options: str) -> None:
        """Publishes what a population did."""
        history = self.portrait("simulate", *options, "--out", "-")
        self.portrait("publish", "-", "--event-time", "--no-check", stdin=history)

    def start_worker(self) -> subprocess.Popen[bytes]:
        with (self.directory / "workers.log").open("ab") as log:
            worker = subprocess.Popen([sys.executable, "-m", "cli.main", "worker"], cwd=ROOT, env=self.environment, stderr=log)
        self.workers.append(worker)
        return worker

    def kill_workers(self) -> None:
        for worker in self.workers:
            worker.send_signal(signal.SIGKILL)
            worker.wait()
        self.workers.clear()

    def until(self, condition: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + DEADLINE_S
        while not (found := condition()):
            assert time.monotonic() < deadline, (self.directory / "workers.log").read_text()[-3000:]
            time.sleep(0.1)
        return found

    def until_read(self) -> None:
        """Until the store's positions are the log's ends."""

        async def ends() -> dict[bytes, bytes]:
            async with kafka.admin(self.kafka) as admin:
                lags = await admin.lags("portrait", [topic.name for topic in EVENT_TOPICS])
            return {f"{topic}/{partition}".encode(): b"%d" % lag.end for (topic, partition), lag in lags.items() if lag.end}

        goal = asyncio.run(ends())
        with self.store() as client:
            self.until(lambda: goal.items() <= client.hgetall("pos:{0}").items())

    @contextmanager
    def store(self) -> Iterator[Any]:
        import redis

        with redis.Redis.from_url(self.redis, protocol=2) as client:
            yield client

    def judge(self) -> Verdict:
        return asyncio.run(judge(self.kafka, self.redis, self.directory / "owed"))

    def quiet(self) -> Verdict:
        """The verdict once published effects have been taken out of the states."""
        return self.until(lambda: verdict if not (verdict := self.judge()).effects_left else None)


@pytest.fixture
def service(broker: Broker, tmp_path: Path) -> Iterator[Service]:
    asyncio.run(_create_topics(broker.bootstrap))
    with embedded.store(append_only=True) as server:
        service = Service(broker, server.address, tmp_path)
        yield service
        service.kill_workers()


async def _create_topics(bootstrap: str) -> None:
    async with kafka.admin(bootstrap) as admin:
        made = await admin.create_topics(plan(SETTINGS, create_time=True))
    assert not [topic for topic in made if topic.error]


def event(key: str, type_: str, time_: str, data: dict[str, Any]) -> str:
    return json.dumps({"key": key, "type": type_, "time": time_, "data": data})


def order(key: str, day: str, currency: str = "CNY") -> str:
    return event(
        key, "order.placed", f"{day}T10:00:00Z", {"order_id": f"{key}-{day}", "currency": currency, "amount_minor": 9900}
    )


def test_a_population_is_folded_and_a_pasted_event_is_seen(service: Service) -> None:
    service.portrait("publish", "-", "--event-time", stdin="\n".join(order("silent", f"2025-0{n}-01") for n in (1, 2, 3)))
    service.start_worker()
    service.simulate("--customers", "40", "--days", "200", "--end", "2026-01-01T00:00:00Z", "--poison", "0.02")
    service.until_read()
    assert json.loads(service.portrait("verify", "--sample", "20", "--json"))["fine"]

    silent = service.until(lambda: (p := service.reader.get("silent")) and p.stage == "churned" and p)
    assert silent.dims["consumption"]["orders"][3] == 3, "no event came, the clock alone moved the customer"

    service.portrait("publish", "--key", "pasted", "--type", "rating.given", "--data", '{"stars": 2}')
    assert service.until(lambda: service.reader.get("pasted")).version == 1
    verdict = service.quiet()
    assert verdict.fine, verdict.notes[:3]
    assert verdict.dead_letters > 0


def test_identities_become_one_person_and_part_again(service: Service) -> None:
    def orders(name: str) -> tuple[str, int] | None:
        profile = service.reader.get(name)
        return profile and (profile.id, profile.dims["consumption"]["orders"][3])

    lines = [order("C1", "2025-01-01"), order("C1", "2025-02-01"), order("device:d1", "2025-03-01"), order("C2", "2025-03-02")]
    service.portrait("publish", "-", "--event-time", stdin="\n".join(lines))
    service.start_worker()
    service.until(lambda: orders("device:d1") == ("device:d1", 1))
    service.portrait("identity", "link", "C1", "device:d1", "--by", "lin")
    service.until(lambda: orders("device:d1") == ("C1", 3))
    assert "decided by lin" in service.portrait("identity", "why", "device:d1", "C1")

    service.kill_workers()
    service.portrait("publish", "-", "--event-time", stdin=order("device:d1", "2025-04-01"))
    service.start_worker()
    service.until(lambda: orders("C1") == ("C1", 4))
    service.portrait("rebuild", "--all", "--yes")
    service.until(lambda: json.loads(service.portrait("verify", "--sample", "9", "--json"))["fine"])
    assert orders("device:d1") == ("C1", 4)

    service.portrait("identity", "unlink", "C1", "device:d1", "--by", "lin", "--reason", "sold")
    service.until(lambda: orders("device:d1") == ("device:d1", 2))
    assert (orders("C1"), orders("C2")) == (("C1", 2), ("C2", 1))
    shown = json.loads(service.portrait("identity", "show", "C1", "--json", "--history"))
    assert [(word["said"], word["by"]) for word in shown["history"]] == [("linked", "lin"), ("unlinked", "lin")]
    assert [each["id"] for each in shown["identities"]] == ["C1"]
    assert json.loads(service.portrait("verify", "--sample", "9", "--json"))["fine"]


def test_a_dead_letter_replayed_counts_once_even_after_a_wipe(service: Service) -> None:
    service.start_worker()
    bad = [order("mended", "2025-05-01", currency="XQX"), order("mended", "2025-05-02")]
    service.portrait("publish", "-", "--event-time", "--no-check", stdin="\n".join(bad))
    service.until(lambda: service.reader.get("mended"))
    service.until(lambda: json.loads(service.portrait("dlq", "list", "--json")))
    mend = ("dlq", "replay", "--reason", "invalid", "--patch", '{"data": {"currency": "CNY"}}', "--json")
    (replayed,) = json.loads(service.portrait(*mend))["replayed"]
    assert replayed.startswith("orders/")
    assert json.loads(service.portrait(*mend))["replayed"] == [], "once is enough"

    def both() -> bool:
        profile = service.reader.get("mended")
        return profile is not None and profile.dims["consumption"]["orders"][3] == 2

    service.until(both)
    with service.store() as client:
        client.flushall()
    service.portrait("publish", "--key", "other", "--type", "rating.given", "--data", '{"stars": 5}')  # so that it is noticed
    service.until(both)
    service.until_read()
    assert json.loads(service.portrait("verify", "--full", "mended", "--json"))["fine"]
    assert len({r.key for r in asyncio.run(_records(service.kafka, DEAD_LETTERS))}) == 1


async def _records(bootstrap: str, topic: str) -> list[Any]:
    return [record async for record in kafka.read_topic(bootstrap, topic)]


@pytest.mark.parametrize("faults", [{"kill": 3}, {"lost_tail": 1, "wipe": 1}], ids=["workers-killed", "writes-lost"])
def test_faults_under_load_lose_and_double_nothing(broker: Broker, tmp_path: Path, faults: dict[str, int]) -> None:
    options = Options(
        seed=7, faults=faults, workers=2, rate=300, customers=200, partitions=2, pause_s=2.0, warm_up_s=3.0, quiet_s=2.0,
        redis="valkey", clock="stream", links=0.05, unlinks=0.01,
    )  # fmt: skip
    summary, fine = asyncio.run(fault_run(options, tmp_path, broker))
    assert fine, f"{summary}\n{(tmp_path / 'verdict.txt').read_text()[:3000]}"
    assert summary["events"] == summary["sent"] > 100
    assert (summary["lost"], summary["double"], summary["actions_missing"], summary["wrong_actions"]) == (0, 0, 0, 0)
    assert summary["persons"] > 0
    assert summary["steps"] > 0, "what the workers traced was refolded"
    assert (summary["kills"], summary["wipes"], summary["lost_tails"]) == tuple(
        faults.get(name, 0) for name in ("kill", "wipe", "lost_tail")
    )


def test_lessons_are_learned_once_though_the_trainer_is_killed(service: Service) -> None:
    service.start_worker()
    service.start_worker()
    years = [("100", "2024-01-01"), ("200", "2025-01-01")]
    for seed, end in years:
        service.simulate("--customers", "100", "--days", "365", "--seed", seed, "--end", f"{end}T00:00:00Z")
        service.until(lambda: service.judge().lessons)
        service.kill_workers()
        service.start_worker()
    service.until_read()
    before = service.judge().lessons
    service.until(lambda: any(not profile_model(service, n).startswith("0.0") for n in range(1, 100)))
    verdict = service.quiet()
    assert verdict.fine, verdict.notes[:3]
    assert verdict.lessons >= before > 0


def profile_model(service: Service, number: int) -> str:
    """The version that scored a simulated customer."""
    profile = service.reader.get(f"C{number:06d}")
    return profile.dims["risk"]["model"] if profile and "risk" in profile.dims else "0.0"
