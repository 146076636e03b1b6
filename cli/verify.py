"""``portrait verify``: every profile against the log. It changes nothing, and works while workers run."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from random import SystemRandom
from typing import Annotated

import typer
from rich.progress import Progress
from rich.table import Table

from cli import output
from cli.audit import Audit, Checked, Report
from cli.people import name_of
from cli.positions import accepted_losses, stored_positions
from language.learned import Unusable
from oracle.log import Cuts, cuts_of
from portrait.state import BrokenState, NewerFormat
from profile_store.contract import TP
from profile_store.scan import StateReader
from schemas.registry import DEAD_LETTERS, EVENT_TOPICS, EXPIRED, REPLAYED
from streams import kafka
from streams.kafka import Lag
from streams.settings import Settings, namer_of, names_of
from streams.texts import use_adopted

EVENT_NAMES = [topic.name for topic in EVENT_TOPICS]
#: Records between two steps of the progress bar: drawing it costs as much as many of them.
STEP = 2000
#: Of a fact that differs, as it is shown.
WIDTH = 60


class CantVerify(Exception):
    """There is nothing sound to compare with; the message says why."""


def command(
    full: Annotated[list[str] | None, typer.Option(metavar="ID", help="Recompute this customer in full; repeatable.")] = None,
    sample: Annotated[int, typer.Option(min=0, help="Recompute so many customers in full, drawn at random.")] = 0,
    at: Annotated[str, typer.Option(help="The moment as of which facts are compared in full: now, or ISO 8601.")] = "now",
    show_ids: Annotated[bool, typer.Option("--show-ids", help="Name the customers (personal data).")] = False,
    json: Annotated[bool, typer.Option("--json", help="The report as JSON.")] = False,
) -> None:
    """Compare every profile with the log: nothing lost, nothing counted twice, nobody missing, nobody made up.

    The log is read once, from its beginning to where the profiles stand. Each profile carries the number of its events and the
    sum of their hashes, and the two must be what the log gives. With --full and --sample, all facts of these customers are
    computed anew, by code that shares nothing with the worker's, and compared one by one. What a fact is: docs/facts.md.

    \b
    portrait verify
    portrait verify --sample 50
    portrait verify --full C1 --at 2026-01-01T00:00:00Z --show-ids

    Exit codes: 0 all agree, 1 not so, or it can't be told, 2 usage, 3 Kafka or Redis can't be reached.
    """
    settings = output.settings()
    try:
        at_ms = _moment_ms(at)
    except ValueError as error:
        output.fail(f"--at: {error}", output.USAGE)
    full = [name_of(settings, text) for text in full or ()]
    try:
        report = output.run(verify(settings, full, sample, at_ms))
    except (CantVerify, BrokenState, NewerFormat) as error:
        output.fail(str(error))
    if json:
        output.write_json(_row(report, show_ids))
    else:
        _print(report, show_ids)
    raise typer.Exit(output.OK if report.fine else output.FAILED)


async def verify(settings: Settings, full: list[str], sample: int, at_ms: int) -> Report:
    """Raises CantVerify, BrokenState, NewerFormat, StoreError, KafkaProblem."""
    if names := await accepted_losses(settings):
        raise CantVerify(
            f"the log of {', '.join(names)} holds less than the profiles do, as was accepted: there is nothing to compare"
        )
    await _read_texts_as_workers(settings)
    before = await stored_positions(settings)
    audit = Audit({tp: at.next_offset for tp, at in before.items()}, full=full, sample=sample, rng=SystemRandom())
    before_states = await _expired(settings)
    with output.progress() as bar:
        await _read_states(settings, audit, bar)
        audit.take_expired(before_states, await _expired(settings))
        await _read_log(settings, audit, bar)
    after = await stored_positions(settings)
    if any(tp not in after or after[tp].next_offset < at.next_offset for tp, at in before.items()):
        raise CantVerify("Redis has lost writes while its profiles were read: run this again once the workers have caught up")
    return audit.report(at_ms)


async def _read_texts_as_workers(settings: Settings) -> None:
    """Says so where profiles hold what was understood with others. Raises CantVerify, KafkaProblem."""
    try:
        texts = await use_adopted(settings.kafka)
    except Unusable as error:
        raise CantVerify(f"the models of texts that were adopted can't be used: {error}; portrait language adopt") from error
    if texts.rebuilt != texts.in_force:
        output.err.print(
            f"[yellow]texts are understood with {output.escape(texts.in_force)}, and profiles were last made anew with "
            f"{output.escape(texts.rebuilt)}: what older texts said may differ until portrait rebuild --all[/yellow]",
            soft_wrap=True,
        )


async def _expired(settings: Settings) -> Cuts:
    return cuts_of([record.value async for record in kafka.read_topic(settings.kafka, EXPIRED)])


async def _read_states(settings: Settings, audit: Audit, bar: Progress) -> None:
    task = bar.add_task("profiles read", total=None)
    reader = StateReader(settings.redis, prefix=settings.prefix, cluster=settings.cluster)
    async with reader:
        async for customer_id, loaded in reader.scan_states():
            audit.take_state(customer_id, loaded.state)
            bar.advance(task)
    bar.update(task, total=bar.tasks[task].completed)


async def _read_log(settings: Settings, audit: Audit, bar: Progress) -> None:
    async with kafka.admin(settings.kafka) as broker:
        lags = await broker.lags(settings.group, [*EVENT_NAMES, DEAD_LETTERS])
    ends = audit.ends()
    _check_log({tp: lag for tp, lag in lags.items() if tp[0] in EVENT_NAMES}, ends)
    held, replayed = await kafka.origins(settings.kafka, DEAD_LETTERS), await kafka.origins(settings.kafka, REPLAYED)
    complete = all(lag.start == 0 for tp, lag in lags.items() if tp[0] == DEAD_LETTERS)
    audit.begin_log(replayed, held, held_is_complete=complete, names=names_of(settings), namer=namer_of(settings))
    task = bar.add_task("records read", total=sum(ends.values()))
    seen = 0
    async for record in kafka.read_between(settings.kafka, dict.fromkeys(ends, 0), ends):
        audit.take_record(record)
        seen += 1
        if seen % STEP == 0:
            bar.advance(task, STEP)


def _check_log(lags: Mapping[TP, Lag], ends: Mapping[TP, int]) -> None:
    """Raises CantVerify where the log does not hold all that the profiles were made of."""
    for (topic, partition), end in ends.items():
        name, lag = f"{topic}/{partition}", lags.get((topic, partition))
        if lag is None or lag.end < end:
            held = "does not exist" if lag is None else f"ends at offset {lag.end}"
            raise CantVerify(f"{name} {held}, but Redis has folded it up to {end}: another Kafka, or the topic was recreated")
        if lag.start > 0 and end > 0:
            raise CantVerify(f"{name} begins at offset {lag.start}: what the profiles hold of before can't be verified any more")


def _moment_ms(text: str) -> int:
    """Epoch milliseconds. Raises ValueError."""
    if text == "now":
        return time.time_ns() // 1_000_000
    moment = datetime.fromisoformat(text)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def _row(report: Report, show_ids: bool) -> dict[str, object]:
    counts = {name: n for name in report.__struct_fields__ if isinstance(n := getattr(report, name), int)}
    row: dict[str, object] = {**counts, "fine": report.fine}
    if report.full:
        row["full"] = [
            {"id": c.id if show_ids else None, "known": c.known, "differences": [d._asdict() for d in c.differences]}
            for c in report.full
        ]
    return row | ({"ids": report.ids} if show_ids else {})


def _print(report: Report, show_ids: bool) -> None:
    out = output.out
    out.print(
        f"{report.customers:,} customers, {report.events:,} events, {report.dead_letters:,} dead letters before the positions"
    )
    for name, number, words in (
        ("lost", report.lost, "events of the log are in no profile"),
        ("double", report.double, "events are in their profile once too often"),
        ("missing", report.missing, "customers have events, but no profile"),
        ("extra", report.extra, "customers have a profile, but no events"),
    ):
        if number:
            out.print(f"[red]{name:<8}[/red] {number:,} {words}")
            if show_ids:
                out.print(output.escape("         " + ", ".join(report.ids[name])), soft_wrap=True)
    if report.dead_letters_missing:
        out.print(f"[red]dead    [/red] {report.dead_letters_missing:,} records are neither events nor among the dead letters")
    for number, checked in enumerate(report.full, 1):
        if checked.differences or not checked.known:
            _print_checked(checked, checked.id if show_ids else f"customer {number}")
    if report.full:
        exact = sum(1 for checked in report.full if checked.known and not checked.differences)
        out.print(f"{exact:,} of {len(report.full):,} recomputed in full have the same facts")
    out.print("[green]all agree[/green]: nothing lost, nothing counted twice" if report.fine else "[red]not all agree[/red]")


def _print_checked(checked: Checked, name: str) -> None:
    output.out.print(f"[red]differs [/red] {output.escape(name)}" + ("" if checked.known else ": no profile, and no events"))
    table = Table("fact", "in the profile", "from the log", box=None, pad_edge=False)
    for path, stored, expected in checked.differences:
        cells = (path, *("" if value is None else str(value) for value in (stored, expected)))
        table.add_row(*(output.escape(cell if len(cell) <= WIDTH else f"{cell[: WIDTH - 1]}…") for cell in cells))
    output.out.print(table)
