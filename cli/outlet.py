"""Where made or replayed events go: Kafka, or JSON lines in a file. With their pace, and a progress bar."""

from __future__ import annotations

import asyncio
import math
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import BinaryIO

from cli import output
from cli.parcel import Parcel, json_line
from streams import kafka
from streams.settings import Settings
from streams.topics import plan

BATCH = 500
DAY_MS = 86_400_000

Publish = Callable[[Sequence[Parcel]], Awaitable[None]]
Sleep = Callable[[float], Awaitable[None]]
Sent = Callable[[Sequence[Parcel]], None]


def speed_of(text: str) -> float:
    """``max``, or how many times faster than it happened: ``60x``. Raises ValueError."""
    if text == "max":
        return math.inf
    try:
        speed = float(text.removesuffix("x"))
    except ValueError:
        speed = 0.0
    if not 0 < speed < math.inf:
        raise ValueError(f"--speed {text}: say max, or how many times faster than it happened, as in 60x")
    return speed


async def pour(
    parcels: Iterable[Parcel],
    publish: Publish,
    *,
    speed: float,
    now_ms: Callable[[], int],
    sleep: Sleep = asyncio.sleep,
    sent: Sent = lambda batch: None,
) -> None:
    """Publish in batches, ``speed`` times as fast as the parcels' times run. ``sent`` hears of each batch that was published."""
    batch: list[Parcel] = []
    began_ms, first_ms = now_ms(), None

    async def hand_over() -> None:
        if batch:
            await publish(batch)
            sent(batch)
            batch.clear()

    for parcel in parcels:
        first_ms = parcel.time_ms if first_ms is None else first_ms
        ahead_ms = (parcel.time_ms - first_ms) / speed - (now_ms() - began_ms)
        if len(batch) >= BATCH or ahead_ms > 0:
            await hand_over()
        if ahead_ms > 0:
            await sleep(ahead_ms / 1000)
        batch.append(parcel)
    await hand_over()


@asynccontextmanager
async def outlet(out: str | None, settings: Settings) -> AsyncIterator[Publish]:
    """A function that publishes a batch: to the file ``out`` (``-``: standard output), or to Kafka.

    Kafka's topics are made where they are missing, with CreateTime, since these events lie in the past.
    Raises OSError, KafkaProblem.
    """
    if out == "-":
        yield _to_file(sys.stdout.buffer)
        sys.stdout.buffer.flush()
    elif out is not None:
        with Path(out).open("wb") as file:
            yield _to_file(file)
    else:
        async with kafka.admin(settings.kafka) as broker:
            made = await broker.create_topics(plan(settings, create_time=True))
        if refused := [f"{topic.name}: {topic.error}" for topic in made if topic.error]:
            raise kafka.KafkaProblem("topics could not be made: " + "; ".join(refused))
        async with kafka.publisher(settings.kafka) as publisher:
            yield to_kafka(publisher)


def _to_file(file: BinaryIO) -> Publish:
    async def publish(batch: Sequence[Parcel]) -> None:
        file.writelines(map(json_line, batch))
        await asyncio.sleep(0)  # lets Ctrl-C in

    return publish


def to_kafka(publisher: kafka.Publisher) -> Publish:
    """Records carry the events' time where the topics use CreateTime."""

    async def publish(batch: Sequence[Parcel]) -> None:
        for parcel in batch:
            await publisher.send(parcel.topic, parcel.key, parcel.value, timestamp_ms=parcel.time_ms)

    return publish


@contextmanager
def progress(label: str, start_ms: int, end_ms: int) -> Iterator[Sent]:
    """A bar over the days that the events span; call what it gives with each batch."""
    with output.progress() as bar:
        task = bar.add_task(label, total=-((start_ms - end_ms) // DAY_MS))
        yield lambda batch: bar.update(task, completed=max(0, batch[-1].time_ms - start_ms) // DAY_MS)
