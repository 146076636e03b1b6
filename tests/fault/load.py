"""The load: a seeded population's years, with duplicates, disorder and poison, at a set rate until SIGTERM.

What reached the log is for the judge to read there; an event that the broker never took was never an event. Once it has ended, it
says how many records it handed over: ``{"sent": N}``.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import signal
import sys
import time
from collections.abc import Iterator
from random import Random

import msgspec
import uvloop
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from cli.parcel import Parcel
from cli.population import DAY_MS, Population
from cli.population.mess import mess
from cli.simulate import parcel_of
from schemas.registry import TYPES

START_MS = 946_684_800_000  # 2000
GENERATION_DAYS = 800
#: After an outage no more than so many seconds of load are made up for.
BACKLOG_S = 5.0
SLICE_S = 0.05
FLUSH_S = 60.0


class Load(msgspec.Struct, kw_only=True):
    kafka: str
    seed: int
    rate: float  # records a second
    customers: int
    duplicates: float = 0.1
    disorder: float = 0.05
    poison: float = 0.01


def parcels(load: Load) -> Iterator[Parcel]:
    """Without end: the same people again and again, each time GENERATION_DAYS later."""

    def generations() -> Iterator[Parcel]:
        for number in itertools.count():
            start_ms = START_MS + number * GENERATION_DAYS * DAY_MS
            end_ms = start_ms + GENERATION_DAYS * DAY_MS
            people = Population(Random(f"{load.seed}/{number}"), customers=load.customers, start_ms=start_ms, end_ms=end_ms)
            yield from map(parcel_of, people.history())

    chance = Random(f"mess {load.seed}")
    return mess(generations(), chance, duplicates=load.duplicates, disorder=load.disorder, poison=load.poison)


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


async def run(load: Load) -> int:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    sender, stream = Sender(load.kafka), parcels(load)
    sent = latest_ms = 0
    due, began = 0.0, time.monotonic()
    while not stop.is_set():
        await asyncio.sleep(SLICE_S)
        now = time.monotonic()
        due = min(due + (now - began) * load.rate, BACKLOG_S * load.rate)
        began = now
        while due >= 1 and not stop.is_set():
            parcel = next(stream)
            await sender.send(parcel)
            latest_ms = max(latest_ms, parcel.time_ms)
            due -= 1
            sent += 1
    await sender.send(closing(latest_ms))
    await sender.stop()
    return sent + 1


if __name__ == "__main__":
    plan = msgspec.json.decode(sys.argv[1], type=Load)
    sys.stdout.write(msgspec.json.encode({"sent": uvloop.run(run(plan))}).decode() + "\n")
