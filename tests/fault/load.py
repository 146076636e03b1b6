"""The load: a seeded population's years, with duplicates, disorder and poison, at a set rate until SIGTERM.

What reached the log is for the judge to read there; an event that the broker never took was never an event. How far it is stands
in a file, from which the next sitting goes on: after a kill -9 it sends the last second's again, as a producer would.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random

import msgspec
import uvloop
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from cli.parcel import Parcel
from cli.population import DAY_MS, Emitted, Population
from cli.population.mess import mess
from cli.simulate import parcel_of
from schemas.registry import TYPES
from tests.fault.links import linked

LINKS = "identity."
START_MS = 946_684_800_000  # 2000
GENERATION_DAYS = 800
#: After an outage no more than so many seconds of load are made up for.
BACKLOG_S = 60.0
CATCH_UP = 4  # times the rate, at most
SLICE_S = 0.05
NOTE_S = 1.0
FLUSH_S = 60.0


class Load(msgspec.Struct, kw_only=True):
    kafka: str
    file: str  # of the position
    seed: int
    rate: float  # records a second
    customers: int
    duplicates: float = 0.1
    disorder: float = 0.05
    poison: float = 0.01
    links: float = 0.0
    unlinks: float = 0.0


class At(msgspec.Struct):
    """How far it is."""

    generation: int = 0
    parcels: int = 0  # of this generation
    sent: int = 0  # handed over to Kafka's client, in all generations
    latest_ms: int = START_MS
    seconds: float = 0.0  # for which it has run


def parcels(load: Load, at: At) -> Iterator[Parcel]:
    """Without end, from ``at``, which goes along: the same people again and again, each time GENERATION_DAYS later."""
    for number in itertools.count(at.generation):
        for parcel in itertools.islice(generation(load, number), at.parcels, None):
            at.parcels += 1
            at.latest_ms = max(at.latest_ms, parcel.time_ms)
            yield parcel
        at.generation, at.parcels = number + 1, 0


def generation(load: Load, number: int) -> Iterator[Parcel]:
    start_ms = START_MS + number * GENERATION_DAYS * DAY_MS
    end_ms = start_ms + GENERATION_DAYS * DAY_MS
    people = Population(Random(f"{load.seed}/{number}"), customers=load.customers, start_ms=start_ms, end_ms=end_ms)
    chance = Random(f"mess {load.seed}/{number}")
    # Not the population's own links, which could name anybody: half of the people must never be linked (tests/fault/links.py).
    history: Iterable[Parcel] = (parcel_of(_alone(told)) for told in people.history() if not told.event["type"].startswith(LINKS))
    if load.links or load.unlinks:
        history = linked(history, Random(f"links {load.seed}/{number}"), links=load.links, unlinks=load.unlinks)
    return mess(history, chance, duplicates=load.duplicates, disorder=load.disorder, poison=load.poison)


def _alone(told: Emitted) -> Emitted:
    """Without the identities that it carries."""
    data = {name: value for name, value in told.event["data"].items() if name != "identities"}
    return told._replace(event={**told.event, "data": data}) if len(data) < len(told.event["data"]) else told


class Sender:
    """A producer that is made anew when it fails. Failed records are dropped: the log is the truth."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._producer: AIOKafkaProducer | None = None

    async def send(self, parcel: Parcel) -> None:
        try:
            if self._producer is None:
                self._producer = AIOKafkaProducer(
                    bootstrap_servers=self._bootstrap,
                    acks="all",
                    linger_ms=5,
                    max_request_size=4 << 20,
                    request_timeout_ms=60_000,
                )
                await self._producer.start()
            await self._producer.send(parcel.topic, parcel.value, parcel.key, timestamp_ms=parcel.time_ms)
        except KafkaError:
            await self.stop()
            await asyncio.sleep(0.5)

    async def stop(self) -> None:
        if self._producer is not None:
            with contextlib.suppress(KafkaError, TimeoutError):
                await asyncio.wait_for(self._producer.stop(), FLUSH_S)
            self._producer = None


def closing(time_ms: int) -> Parcel:
    """A last event, a minute after all others: the stream's clock passes them."""
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time_ms // 1000 + 60))
    event = {
        "specversion": "1.0",
        "id": f"end-{time_ms}",
        "source": "/end",
        "type": "rating.given",
        "time": when,
        "data": {"stars": 3},
    }
    return Parcel(time_ms + 60_000, TYPES["rating.given"][0].name, b"closing", msgspec.json.encode(event))


async def run(load: Load, at: At, note: Path) -> None:
    """Until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    sender, stream = Sender(load.kafka), parcels(load, at)
    due, noted = 0.0, 0.0
    began = time.monotonic()
    while not stop.is_set():
        await asyncio.sleep(SLICE_S)
        passed, began = time.monotonic() - began, time.monotonic()
        at.seconds += passed
        due = min(due + passed * load.rate, BACKLOG_S * load.rate)
        if began - noted > NOTE_S:
            remember(at, note)
            noted = began
        for _ in range(min(int(due), int(CATCH_UP * SLICE_S * load.rate) + 1)):
            await sender.send(next(stream))
            due -= 1
            at.sent += 1
    await sender.send(closing(at.latest_ms))
    at.sent += 1
    await sender.stop()
    remember(at, note)


def remember(at: At, note: Path) -> None:
    partial = note.with_suffix(".new")
    partial.write_bytes(msgspec.json.encode(at))
    partial.rename(note)


def recall(note: Path) -> At:
    return msgspec.json.decode(note.read_bytes(), type=At) if note.exists() else At()


if __name__ == "__main__":
    plan = msgspec.json.decode(sys.argv[1], type=Load)
    uvloop.run(run(plan, recall(Path(plan.file)), Path(plan.file)))
