"""What can't be survived is refused, with real parts, and a worker that hangs ends. More partitions are survived."""

from __future__ import annotations

import asyncio
import itertools
import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions
from aiokafka.admin.records_to_delete import RecordsToDelete

from portrait.structures import DAY_MS
from schemas.registry import EVENT_TOPICS
from streams import kafka
from streams.loop import TICK_TOPIC
from streams.start import partition_of
from streams.topics import plan
from streams.watchdog import EXIT_STALLED
from streams.worker import EXIT_REFUSED
from tests.integration import test_service as kit
from tests.integration.test_service import DEADLINE_S, ROOT, SETTINGS, Service, order
from tests.servers_kafka import EmbeddedKafka

pytestmark = pytest.mark.integration
own_broker, broker, service = kit.own_broker, kit.broker, kit.service

CUSTOMERS = [f"C{n}" for n in range(40)]


async def publish_orders(bootstrap: str, customers: Sequence[str], day: date) -> None:
    """One of each customer. A new producer each time: it knows the partitions that there are."""
    day_ms = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)
    async with kafka.publisher(bootstrap) as publisher:
        for customer in customers:
            row = json.loads(order(customer, f"{day:%Y-%m-%d}"))
            event = {"specversion": "1.0", "id": row["data"]["order_id"], "source": "/load", "type": row["type"]}
            value = json.dumps(event | {"time": row["time"], "data": row["data"]}).encode()
            await publisher.send("orders", customer.encode(), value, timestamp_ms=day_ms + DAY_MS)


def publish(service: Service, *days: date) -> None:
    """An order of every customer on each day."""
    for day in days:
        asyncio.run(publish_orders(service.kafka, CUSTOMERS, day))


def folded(service: Service) -> None:
    """Something is folded, and the worker has ended in good order."""
    worker = service.start_worker()
    publish(service, date(2025, 1, 1))
    service.until_read()
    worker.terminate()
    assert worker.wait(DEADLINE_S) == 0


def refused(service: Service) -> str:
    """What a worker says that ends itself."""
    worker = service.start_worker()
    assert worker.wait(DEADLINE_S) == EXIT_REFUSED
    return (service.directory / "workers.log").read_text()


def stored(service: Service) -> dict[bytes, bytes]:
    """Positions and states, all as they are."""
    with service.store() as client:
        states = sorted(client.scan_iter(match="state:*"))
        return dict(zip(states, client.mget(states), strict=True)) | client.hgetall("pos:{0}")


@contextmanager
def admin(service: Service) -> Iterator[tuple[asyncio.Runner, AIOKafkaAdminClient]]:
    with asyncio.Runner() as runner:

        async def connected() -> AIOKafkaAdminClient:
            client = AIOKafkaAdminClient(bootstrap_servers=service.kafka)
            await client.start()
            return client

        client = runner.run(connected())
        try:
            yield runner, client
        finally:
            runner.run(client.close())


def make_anew(service: Service, topic: str) -> None:
    with admin(service) as (runner, client):
        runner.run(client.delete_topics([topic]))
        service.until(lambda: topic not in runner.run(client.list_topics()))

    async def create() -> None:
        async with kafka.admin(service.kafka) as client:
            (made,) = await client.create_topics([p for p in plan(SETTINGS, create_time=True) if p.name == topic])
        assert not made.error

    asyncio.run(create())


@pytest.fixture
def real(service: Service, own_broker: object) -> Service:
    if isinstance(own_broker, EmbeddedKafka):
        pytest.skip("the embedded broker can't delete or add anything")
    return service


def test_a_topic_made_anew_that_has_grown_past_the_position_is_refused(real: Service) -> None:
    folded(real)
    before = stored(real)
    make_anew(real, "orders")
    publish(real, *(date(2025, 2, day) for day in (1, 2, 3)))
    said = refused(real)
    assert "holds another record at offset" in said and "orders/" in said and "portrait rebuild" in said
    assert stored(real) == before


def test_a_topic_made_anew_that_is_shorter_and_one_that_was_cut_are_refused(real: Service) -> None:
    folded(real)
    publish(real, date(2025, 2, 1))
    before = stored(real)
    with admin(real) as (runner, client):
        cut = {n: RecordsToDelete(before_offset=int(before[f"orders/{n}".encode()]) + 1) for n in range(SETTINGS.partitions)}
        runner.run(client.delete_records({TopicPartition("orders", n): records for n, records in cut.items()}))
    assert "records expired unread" in refused(real)
    make_anew(real, "orders")
    assert "ends at offset 0, but Redis has folded it up to" in refused(real)
    assert stored(real) == before


def odd_worker(service: Service, odd: str) -> subprocess.Popen[bytes]:
    environment = service.environment | {"ODD": odd, "PYTHONPATH": str(ROOT)}
    with (service.directory / "workers.log").open("ab") as log:
        command = [sys.executable, "-m", "tests.integration.odd_worker"]
        service.workers.append(subprocess.Popen(command, cwd=ROOT, env=environment, stderr=log))
    return service.workers[-1]


def test_a_store_that_begins_to_evict_ends_the_worker(service: Service) -> None:
    worker = odd_worker(service, "")
    publish(service, date(2025, 1, 1))
    service.until_read()
    with service.store() as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        client.config_set("maxmemory", 1_000_000_000)
    assert worker.wait(DEADLINE_S) == EXIT_REFUSED
    assert "Redis may evict keys" in (service.directory / "workers.log").read_text()


@pytest.mark.parametrize(
    ("odd", "said"),
    [("awaits", "there are events to read, and none was folded for 1 s"), ("blocks", "the event loop has not turned for 6 s")],
)
def test_a_handler_that_hangs_ends_the_worker(service: Service, odd: str, said: str) -> None:
    publish(service, date(2025, 1, 1))
    assert odd_worker(service, odd).wait(DEADLINE_S) == EXIT_STALLED
    log = (service.directory / "workers.log").read_text()
    assert said in log, log[-2000:]
    with service.store() as client:
        assert not client.exists("pos:{0}"), "nothing was confirmed"
    if odd == "blocks":
        assert "odd_worker.py" in log, "it says where it stood"


class Load(threading.Thread):
    """Orders of everybody, four days of the stream's time a round, until it is stopped."""

    def __init__(self, bootstrap: str) -> None:
        super().__init__()
        self._servers = bootstrap
        self._stop_asked = threading.Event()
        self.rounds = 0

    def run(self) -> None:
        for self.rounds in itertools.count(1):
            asyncio.run(publish_orders(self._servers, CUSTOMERS, self.today()))
            if self._stop_asked.wait(0.1):
                return

    def today(self) -> date:
        return date(2005, 1, 1) + timedelta(days=4 * self.rounds)

    def stop(self) -> None:
        self._stop_asked.set()
        self.join()


def test_more_partitions_lose_and_double_nothing_and_ticks_go_on(real: Service) -> None:
    more = 2 * SETTINGS.partitions
    silent = next(f"S{n}" for n in itertools.count() if partition_of(f"S{n}", more) >= SETTINGS.partitions)
    for _ in range(2):
        real.start_worker()
    load = Load(real.kafka)
    load.start()
    try:
        real.until(lambda: real.reader.get("C0"))
        with admin(real) as (runner, client):
            runner.run(client.create_partitions({topic.name: NewPartitions(more) for topic in EVENT_TOPICS}))
        new = [f"{topic.name}/{n}".encode() for topic in EVENT_TOPICS for n in range(SETTINGS.partitions, more)]
        with real.store() as client:
            real.until(lambda: set(new) <= set(client.hkeys("pos:{0}")))
        assert f"{TICK_TOPIC}/{partition_of(silent, more)}".encode() in new
        today = load.today()
        for days in (60, 30, 0):
            asyncio.run(publish_orders(real.kafka, [silent], today - timedelta(days)))
        real.until(lambda: (profile := real.reader.get(silent)) and profile.stage == "churned")
    finally:
        load.stop()
    real.until_read()
    with real.store() as client:
        assert sum(int(client.hget("pos:{0}", f"orders/{n}")) for n in range(SETTINGS.partitions, more)) > 0
    assert json.loads(real.portrait("verify", "--sample", "50", "--json"))["fine"]
    verdict = real.quiet()
    assert verdict.fine, verdict.notes[:3]
    assert verdict.events == load.rounds * len(CUSTOMERS) + 3
    assert all(worker.poll() is None for worker in real.workers)
