"""``portrait simulate``: a population that browses, buys, complains and leaves, into Kafka or a file."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from random import Random
from typing import Annotated

import msgspec
import typer
from rich.table import Table

from cli import output
from cli.outlet import Publish, Sent, Sleep, outlet, pour, progress, speed_of
from cli.parcel import Parcel
from cli.population import DAY_MS, Emitted, Population, Truth
from cli.population.mess import mess
from streams.settings import Settings


@dataclass(slots=True)
class Fed:
    """How many records were published so far, by topic and by phase."""

    history: int = 0
    live: int = 0
    topics: Counter[str] = field(default_factory=Counter)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def population_of(*, customers: int, days: float, seed: int, end_ms: int) -> Population:
    """A population whose history of ``days`` ends at ``end_ms``."""
    return Population(Random(seed), customers=customers, start_ms=end_ms - int(days * DAY_MS), end_ms=end_ms)


def parcel_of(event: Emitted) -> Parcel:
    """The Kafka record of a simulated event."""
    return Parcel(event.time_ms, event.topic, event.key.encode(), msgspec.json.encode(event.event))


async def feed(
    publish: Publish,
    population: Population,
    *,
    live_rate: float,
    now_ms: Callable[[], int] = now_ms,
    sleep: Sleep = asyncio.sleep,
    speed: float = math.inf,
    spoil: Callable[[Iterator[Parcel]], Iterator[Parcel]] = iter,
    fed: Fed | None = None,
    sent: Sent = lambda batch: None,
) -> Fed:
    """Publish the history, then go on in real time at ``live_rate`` events a second, until cancelled (0: return then).

    ``fed`` counts along, so that whoever cancels still has the counts; ``spoil`` is what `mess` does; ``sent`` hears of batches.
    """
    fed = Fed() if fed is None else fed

    def count(batch: Sequence[Parcel]) -> None:
        fed.history += len(batch)
        fed.topics.update(parcel.topic for parcel in batch)
        sent(batch)

    await pour(spoil(map(parcel_of, population.history())), publish, speed=speed, now_ms=now_ms, sleep=sleep, sent=count)
    if live_rate <= 0:
        return fed
    began_ms = now_ms()
    for parcel in spoil(map(parcel_of, population.live(now_ms, live_rate))):
        await publish([parcel])
        fed.live += 1
        fed.topics[parcel.topic] += 1
        # Against the clock, not from event to event: what publishing costs doesn't slow the stream.
        await sleep(max(0.0, began_ms + fed.live * 1000 / live_rate - now_ms()) / 1000)
    return fed


def command(
    customers: Annotated[int, typer.Option(min=1, help="How many people.")] = 1000,
    days: Annotated[float, typer.Option(min=0.01, help="Length of the history.")] = 400,
    seed: Annotated[int, typer.Option(help="The same seed and end give the same bytes.")] = 1,
    end: Annotated[str, typer.Option(help="When the history ends: now, or ISO 8601.")] = "now",
    speed: Annotated[str, typer.Option(help="max, or how many times faster than real time: 60x.")] = "max",
    live: Annotated[float, typer.Option(min=0, help="Go on after the history with so many events a second, until Ctrl-C.")] = 0,
    out: Annotated[str | None, typer.Option(help="JSON lines to this file (-: standard output), instead of Kafka.")] = None,
    truth: Annotated[Path | None, typer.Option(help="Who left when, and why: JSON lines to this file.")] = None,
    duplicates: Annotated[float, typer.Option(min=0, max=1, help="Share of events that come twice.")] = 0,
    disorder: Annotated[float, typer.Option(min=0, max=1, help="Share of events that come late.")] = 0,
    poison: Annotated[float, typer.Option(min=0, max=1, help="Share of events followed by a spoiled copy.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="The summary as JSON.")] = False,
) -> None:
    """Publish the events of a seeded population that browses, buys, complains, talks, and leaves for a reason that is known.

    \b
    portrait simulate --customers 300 --live 20
    portrait simulate --seed 7 --end 2026-01-01T00:00:00Z --out events.jsonl --truth truth.jsonl
    portrait simulate --duplicates 0.1 --disorder 0.05 --poison 0.01

    Exit codes: 0 done, 2 usage, 3 Kafka can't be reached.
    """
    settings = output.settings()
    try:
        rate, end_ms = speed_of(speed), _end_ms(end)
        population = population_of(customers=customers, days=days, seed=seed, end_ms=end_ms)
    except ValueError as error:
        output.fail(str(error), output.USAGE)
    spoil = partial(mess, rng=Random(f"mess {seed}"), duplicates=duplicates, disorder=disorder, poison=poison)
    fed = Fed()
    try:
        output.run(_run(out, settings, population, partial(feed, live_rate=live, speed=rate, spoil=spoil, fed=fed)))
        rows = list(population.truth())
        if truth is not None:
            truth.write_bytes(b"".join(msgspec.json.encode(row._asdict()) + b"\n" for row in rows))
    except OSError as error:
        output.fail(str(error), output.USAGE)
    _tell(rows, fed, as_json=json, quiet=out == "-")


async def _run(out: str | None, settings: Settings, population: Population, feeding: Callable[..., Awaitable[Fed]]) -> None:
    with progress("days simulated", population.start_ms, population.end_ms) as sent:
        async with outlet(out, settings) as publish:
            with suppress(asyncio.CancelledError):  # Ctrl-C: keep what was made, and tell
                await feeding(publish, population, sent=sent)


def _end_ms(text: str) -> int:
    """Epoch milliseconds. Raises ValueError."""
    if text == "now":
        return now_ms()
    moment = datetime.fromisoformat(text)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def _tell(rows: list[Truth], fed: Fed, *, as_json: bool, quiet: bool) -> None:
    """What was published, and how many left for which cause. ``quiet``: standard output is taken."""
    causes = Counter(row.cause for row in rows if row.cause)
    returned = sum(row.returned_at_ms is not None for row in rows)
    if as_json and not quiet:
        counts = {"history": fed.history, "live": fed.live, "topics": fed.topics, "customers": len(rows)}
        output.write_json({**counts, "churned": causes, "returned": returned})
        return
    table = Table("", "count")
    for name, count in (
        *sorted(fed.topics.items()),
        ("customers", len(rows)),
        *((f"left: {cause}", count) for cause, count in sorted(causes.items())),
        ("came back", returned),
    ):
        table.add_row(name, f"{count:,}")
    output.err.print(table)
