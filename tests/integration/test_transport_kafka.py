"""The transport against a real broker, with real worker processes: nothing is lost, whatever is killed."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.producer import message_accumulator
from aiokafka.producer import producer as producer_module
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy

from streams.log import Outgoing, Unpublishable
from streams.producer import Publisher
from tests.integration.transport_worker import Plan
from tests.odd_headers import NotUtf8
from tests.servers_kafka import Broker

pytestmark = pytest.mark.integration

PARTITIONS = 4
DEADLINE_S = 90.0
SHORT_S = 2.5  # a session's timeout where a killed worker is to be noticed soon
WORKER = Path(__file__).with_name("transport_worker.py")
ROOT = WORKER.parents[2]


class Scene:
    """A topic of its own, a group of its own, and the file into which the workers write."""

    def __init__(self, broker: Broker, directory: Path) -> None:
        self.broker = broker
        self.topic = self.group = f"t-{uuid4().hex[:12]}"
        self.file = directory / "seen"
        self.file.touch()
        self.directory = directory
        self.published = 0
        self.workers: list[subprocess.Popen[bytes]] = []

    def create_topic(self) -> None:
        async def create() -> None:
            admin = AIOKafkaAdminClient(bootstrap_servers=self.broker.bootstrap)
            await admin.start()
            try:
                await admin.create_topics([NewTopic(self.topic, PARTITIONS, 1)])
            finally:
                await admin.close()

        asyncio.run(create())

    def publish(self, n: int, size: int = 100) -> None:
        asyncio.run(self.publish_async(n, size))

    async def publish_async(self, n: int, size: int = 100) -> None:
        publisher = Publisher(self.broker.bootstrap)
        try:
            for begin in range(0, n, 1000):
                batch = range(begin, min(n, begin + 1000))
                await publisher.publish([Outgoing(self.topic, b"k%d" % i, b"v" * size) for i in batch])
                self.published += len(batch)
        finally:
            await publisher.stop()

    def worker(self, **options: Any) -> subprocess.Popen[bytes]:
        plan = Plan(kafka=self.broker.bootstrap, group=self.group, topic=self.topic, file=str(self.file), **options)
        command = [sys.executable, str(WORKER), msgspec.json.encode(plan).decode()]
        with (self.directory / "log").open("ab") as log:
            process = subprocess.Popen(command, stderr=log, cwd=ROOT, env={"PYTHONPATH": str(ROOT)})
        self.workers.append(process)
        return process

    def lines(self) -> list[list[str]]:
        return [line.split() for line in self.file.read_text().splitlines()]

    def seen(self) -> Counter[tuple[int, int]]:
        return Counter((int(line[0]), int(line[1])) for line in self.lines() if line[0].isdigit())

    def confirmed(self) -> dict[int, int]:
        latest: dict[int, int] = {}
        for line in self.lines():
            if line[0] == "confirmed":
                latest[int(line[1])] = max(int(line[2]), latest.get(int(line[1]), 0))
        return latest

    def committed(self) -> dict[int, int]:
        async def ask() -> dict[int, int]:
            admin = AIOKafkaAdminClient(bootstrap_servers=self.broker.bootstrap)
            await admin.start()
            try:
                offsets = await admin.list_consumer_group_offsets(self.group)
            finally:
                await admin.close()
            return {tp.partition: stored.offset for tp, stored in offsets.items() if stored.offset >= 0}

        return asyncio.run(ask())

    def starts(self) -> list[int]:
        """For each seek, how many partitions the worker had."""
        return [int(line[1]) for line in self.lines() if line[0] == "start"]

    def log(self) -> str:
        return (self.directory / "log").read_text()

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < deadline, self.log()[-3000:]
            time.sleep(0.1)

    def until_all_seen(self) -> None:
        self.until(lambda: len(self.seen()) == self.published)

    def end(self, worker: subprocess.Popen[bytes]) -> int:
        worker.send_signal(signal.SIGTERM)
        return worker.wait(DEADLINE_S)

    def gaps(self) -> list[int]:
        """Partitions in which an offset below the last was never seen."""
        offsets: dict[int, set[int]] = defaultdict(set)
        for partition, offset in self.seen():
            offsets[partition].add(offset)
        return [partition for partition, known in offsets.items() if len(known) != max(known) + 1]


@pytest.fixture
def scene(kafka_server: Broker, tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(kafka_server, tmp_path)
    scene.create_topic()
    yield scene
    for worker in scene.workers:
        with contextlib.suppress(ProcessLookupError):
            worker.kill()
        worker.wait()


def test_kill_9_loses_nothing_and_sigterm_commits(scene: Scene) -> None:
    dice = random.Random(7)
    worker = scene.worker(batch_s=0.01, session_timeout_s=SHORT_S)
    for _ in range(4):
        scene.publish(3000)
        scene.until(lambda: len(scene.seen()) > scene.published - dice.randrange(1, 2500))
        worker.kill()
        worker.wait()
        worker = scene.worker(batch_s=0.01, session_timeout_s=SHORT_S)
    scene.publish(1000)
    scene.until_all_seen()
    assert scene.gaps() == []
    assert scene.end(worker) == 0
    assert scene.committed() == scene.confirmed()
    assert sum(scene.committed().values()) == scene.published


def test_a_header_whose_name_is_not_utf_8_stops_no_partition(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (message_accumulator, producer_module):
        monkeypatch.setattr(module, "DefaultRecordBatchBuilder", _DefaultRecordBatchBuilderPy)

    async def publish() -> None:
        async with AIOKafkaProducer(bootstrap_servers=scene.broker.bootstrap) as producer:
            for n in range(40):
                headers = [(NotUtf8(), b"x"), ("fine", b"x")] if n % 3 else []
                await producer.send(scene.topic, b"v", b"k%d" % n, headers=headers)
                scene.published += 1

    scene.publish(10)
    asyncio.run(publish())
    scene.publish(10)
    worker = scene.worker()
    scene.until_all_seen()
    assert scene.gaps() == []
    assert scene.end(worker) == 0
    assert sum(scene.committed().values()) == scene.published == len(scene.seen()) == scene.seen().total()


def test_the_markers_of_transactions_are_read_to_their_end(scene: Scene) -> None:
    if "in memory" in scene.broker.name:
        pytest.skip("it has no transactions")

    async def publish() -> None:
        producer = AIOKafkaProducer(bootstrap_servers=scene.broker.bootstrap, transactional_id=scene.topic)
        await producer.start()
        try:
            for n in range(3):
                async with producer.transaction():
                    await producer.send_and_wait(scene.topic, b"%d" % n, partition=0)
        finally:
            await producer.stop()

    worker = scene.worker()
    asyncio.run(publish())
    scene.until(lambda: scene.confirmed().get(0) == 6)  # each of the three with its marker
    assert sorted(scene.seen()) == [(0, 0), (0, 2), (0, 4)]
    assert scene.end(worker) == 0
    assert scene.committed()[0] == 6


def test_what_a_producer_took_back_is_not_read(scene: Scene) -> None:
    if "in memory" in scene.broker.name:
        pytest.skip("it has no transactions")

    async def publish() -> None:
        producer = AIOKafkaProducer(bootstrap_servers=scene.broker.bootstrap, transactional_id=scene.topic)
        await producer.start()
        try:
            for taken_back in (True, False):
                await producer.begin_transaction()
                await producer.send_and_wait(scene.topic, b"value", partition=0)
                await (producer.abort_transaction() if taken_back else producer.commit_transaction())
        finally:
            await producer.stop()

    scene.worker()
    asyncio.run(publish())
    scene.until(lambda: scene.confirmed().get(0) == 4)
    assert sorted(scene.seen()) == [(0, 2)]


def test_sigterm_finishes_the_batch_under_way_and_commits_it(scene: Scene) -> None:
    worker = scene.worker(batch_s=1.0)
    scene.publish(1000)
    scene.until(lambda: bool(scene.seen()))
    scene.publish(1000)
    assert scene.end(worker) == 0
    assert scene.committed() == scene.confirmed()
    scene.publish(1000)
    again = scene.worker()
    scene.until_all_seen()
    assert scene.end(again) == 0
    assert max(scene.seen().values()) == 1  # the next worker begins exactly there


def test_workers_that_come_and_go_in_good_order_lose_and_repeat_nothing(scene: Scene) -> None:
    async def come_and_go() -> None:
        publishing = asyncio.ensure_future(scene.publish_async(20_000))
        first = scene.worker(batch_s=0.02)
        await asyncio.to_thread(scene.until, lambda: len(scene.seen()) > 500)
        second = scene.worker(batch_s=0.02)
        await asyncio.to_thread(scene.until, lambda: PARTITIONS // 2 in scene.starts())
        await publishing
        assert await asyncio.to_thread(scene.end, first) == 0
        await asyncio.to_thread(scene.until_all_seen)
        assert await asyncio.to_thread(scene.end, second) == 0

    asyncio.run(come_and_go())
    assert max(scene.seen().values()) == 1
    assert sum(scene.committed().values()) == scene.published
    assert scene.starts()[0] == PARTITIONS
    assert f"start {PARTITIONS // 2} of {PARTITIONS}".split() in scene.lines()


def test_a_worker_killed_beside_another_is_replaced_by_it(scene: Scene) -> None:
    first, second = [scene.worker(batch_s=0.01, session_timeout_s=SHORT_S) for _ in range(2)]
    scene.until(lambda: PARTITIONS // 2 in scene.starts())
    scene.publish(4000)
    scene.until(lambda: len(scene.seen()) > 1000)
    second.kill()
    scene.publish(4000)
    scene.until_all_seen()
    assert scene.end(first) == 0
    assert sum(scene.committed().values()) == scene.published


def test_rewinding_from_within_a_batch_loses_nothing(scene: Scene) -> None:
    worker = scene.worker(rewind_every=3, batch_s=0.002)
    for _ in range(20):
        scene.publish(500)
    scene.until_all_seen()
    assert len(scene.starts()) >= 2  # it did rewind
    assert scene.gaps() == []
    assert scene.end(worker) == 0
    assert sum(scene.committed().values()) == scene.published


def test_a_blocked_handler_keeps_its_partitions_and_bounds_the_memory(scene: Scene) -> None:
    gate = scene.directory / "gate"
    worker = scene.worker(block_until=str(gate), session_timeout_s=6.0)
    scene.publish(10)
    scene.until(lambda: bool(scene.starts()))
    before = _resident_bytes(worker)
    scene.publish(120_000, size=1000)
    time.sleep(8)  # longer than the session's timeout
    grown = _resident_bytes(worker) - before
    assert grown < 60_000_000  # of 120 MB
    gate.touch()
    scene.until_all_seen()
    assert scene.starts() == [PARTITIONS]  # no rebalance meanwhile
    assert scene.end(worker) == 0


def _resident_bytes(process: subprocess.Popen[bytes]) -> int:
    statm = Path(f"/proc/{process.pid}/statm")
    if not statm.exists():
        pytest.skip("needs Linux's /proc")
    return int(statm.read_text().split()[1]) * 4096


def test_a_handler_that_raises_ends_the_process_and_confirms_nothing_of_its_batch(scene: Scene) -> None:
    worker = scene.worker(raise_at=0)
    scene.publish(100)
    assert worker.wait(DEADLINE_S) == 70
    assert scene.committed() == scene.confirmed()
    assert (0, 0) not in scene.seen()


def test_a_missing_topic_is_waited_for_and_not_created(scene: Scene) -> None:
    scene.topic = f"late-{uuid4().hex[:8]}"
    worker = scene.worker()
    scene.until(lambda: f"waiting for the topics {scene.topic}" in scene.log())
    scene.create_topic()
    scene.publish(10)
    scene.until_all_seen()
    assert scene.end(worker) == 0


def test_what_the_broker_never_takes_is_named_and_the_rest_is_delivered(scene: Scene) -> None:
    good, bad = Outgoing(scene.topic, b"k", b"v"), Outgoing(scene.topic, b"k", b"v" * 2_000_000)

    async def publish() -> None:
        publisher = Publisher(scene.broker.bootstrap)
        try:
            with pytest.raises(Unpublishable) as refused:
                await publisher.publish([good, bad, good])
            assert [(message, reason) for message, reason in refused.value.rejected] == [(bad, "MessageSizeTooLargeError")]
        finally:
            await publisher.stop()

    asyncio.run(publish())
    scene.published = 2
    worker = scene.worker()
    scene.until_all_seen()
    assert scene.end(worker) == 0


@pytest.mark.parametrize("kill", [False, True], ids=["stopped", "killed"])
def test_the_broker_may_go_away_and_come_back(scene: Scene, kill: bool) -> None:
    worker = scene.worker(batch_s=0.01)
    scene.publish(2000)
    scene.until(lambda: len(scene.seen()) > 100)

    (scene.broker.kill9 if kill else scene.broker.stop)()
    with ThreadPoolExecutor() as pool:
        publishing = pool.submit(scene.publish, 2000)
        time.sleep(3)
        assert not publishing.done()
        scene.broker.restart()
        publishing.result()
    scene.until_all_seen()
    # A broker that was killed gives its records long before it knows the group again: only a worker that stays can wait for that.
    scene.until(lambda: sum(scene.committed().values()) == scene.published)
    assert worker.poll() is None
    assert scene.end(worker) == 0


def test_a_worker_ends_though_the_broker_is_away(scene: Scene) -> None:
    worker = scene.worker()
    scene.publish(100)
    scene.until_all_seen()
    scene.broker.kill9()
    try:
        assert scene.end(worker) == 0
    finally:
        scene.broker.restart()


def test_a_worker_waits_for_a_broker_that_is_not_there_yet(scene: Scene) -> None:
    scene.broker.stop()
    try:
        worker = scene.worker()
        scene.until(lambda: "takes no messages" in scene.log())
    finally:
        scene.broker.restart()
    scene.publish(10)
    scene.until_all_seen()
    assert scene.end(worker) == 0
