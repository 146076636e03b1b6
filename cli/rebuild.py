"""``portrait rebuild``: profiles made anew from the log, live; and the way out when the log is no longer what it was."""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any

import typer

from cli import output
from cli.people import name_of
from cli.watcher import watching
from language.learned import Unusable
from portrait.models.churn import Scorer
from portrait.state import NewerFormat
from profile_store.mending import RedisMendingStore
from schemas.registry import DEAD_LETTERS, EVENT_TOPICS, EXPIRED, MODELS, REPLAYED
from streams import kafka
from streams.accept import Acceptance, CantAccept, Trouble, diagnose
from streams.group import GroupBusy, set_offsets
from streams.kafka import Lag
from streams.log import TP
from streams.mend import Mended, broken
from streams.metrics import Metrics
from streams.rebuild import CantRebuild, Options, Rebuild
from streams.settings import Settings, idle_of, namer_of, names_of, naming_of
from streams.tail import Models
from streams.texts import note_rebuilt, use_adopted

EVENT_NAMES = [topic.name for topic in EVENT_TOPICS]
#: As they are told; docs/operating.md says what each means.
FOUND = ("differed", "broken", "missing", "orphans", "unknown")


def command(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Customers.")] = None,
    everybody: Annotated[bool, typer.Option("--all", help="All customers.")] = False,
    undecodable: Annotated[bool, typer.Option("--broken", help="Those whose state can't be decoded.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Only compare; write nothing.")] = False,
    again: Annotated[bool, typer.Option("--again", help="From the beginning, though an interrupted one could go on.")] = False,
    drop_orphans: Annotated[bool, typer.Option("--drop-orphans", help="Remove profiles of whom the log knows nothing.")] = False,
    partial_: Annotated[
        bool, typer.Option("--partial", help="Though the log has lost its beginning, and with it a part of these profiles.")
    ] = False,
    at_once: Annotated[
        int | None, typer.Option(min=1, help="Profiles in memory at once (PORTRAIT_CACHE_PROFILES): more need more passes.")
    ] = None,
    accept_log: Annotated[
        bool, typer.Option("--accept-log", help="Go on with a log that workers refuse. Stop them first.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --accept-log: don't ask.")] = False,
    show_ids: Annotated[bool, typer.Option("--show-ids", help="Name the customers (personal data).")] = False,
    json: Annotated[bool, typer.Option("--json", help="The result as JSON.")] = False,
) -> None:
    """Make profiles anew from the log, while workers go on and readers read. Publishes nothing.

    The log is read from its beginning, once for as many customers as fit into memory, and each profile is replaced as a whole.
    What waits to be published, cooldowns and examples of the model are kept. Interrupted, the same command goes on where it was.

    \b
    portrait rebuild C1 C2
    portrait rebuild --all
    portrait rebuild --all --check
    portrait rebuild --broken
    portrait rebuild --accept-log       when workers refuse the log: docs/operating.md, "Rebuilding"

    Exit codes: 0 done, 1 not so (with --check: something differs), 2 usage, 3 Kafka or Redis can't be reached, 130 interrupted.
    """
    settings = output.settings()
    if [bool(ids), everybody, undecodable, accept_log].count(True) != 1:
        output.fail("name IDs, or --all, or --broken, or --accept-log. See --help", output.USAGE)
    if partial_ and everybody:
        output.fail("--partial is for customers that you name, or --broken: what is lost of them is lost for good", output.USAGE)
    try:
        if accept_log:
            result = output.run(_accept(settings, yes=yes, quiet=json))
        else:
            room = at_once or settings.cache_profiles
            options = Options(None, room, check, drop_orphans, again, partial_, _program())
            whom = None if everybody else frozenset(name_of(settings, text) for text in ids or ())
            result = output.run(_rebuild(settings, options, whom, undecodable, show_ids))
    except (CantRebuild, CantAccept, GroupBusy, NewerFormat, Unusable) as error:
        output.fail(str(error))
    except SystemExit as ending:
        if ending.code == output.INTERRUPTED and not check:
            output.err.print("interrupted: the same command goes on where it was; --again begins anew")
        raise
    if json:
        output.write_json(result)
    else:
        _print(result)
    wrong = result.get("unknown") or (check and any(result.get(name) for name in FOUND))
    raise typer.Exit(output.FAILED if wrong else output.OK)


def _program() -> str:
    try:
        return version("portrait")
    except PackageNotFoundError:
        return ""


@asynccontextmanager
async def _mending_store(settings: Settings) -> AsyncIterator[RedisMendingStore]:
    store = RedisMendingStore(
        settings.redis,
        worker_id=f"rebuild-{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}",
        rng=secrets.token_bytes,
        shards=settings.shards,
        cluster=settings.cluster,
        prefix=settings.prefix,
        naming=naming_of(settings),
    )
    try:
        await store.open()
        yield store
    finally:
        await store.close()


# -- rebuilding ------------------------------------------------------------------------------------------------------------------


async def _rebuild(
    settings: Settings, options: Options, whom: frozenset[str] | None, undecodable: bool, show_ids: bool
) -> dict[str, Any]:
    """What was found and done. Raises CantRebuild, NewerFormat, StoreError, KafkaProblem."""
    named: dict[str, list[str]] = {}

    def found(mended: Mended) -> None:
        for what in set(FOUND).intersection(mended.what):
            named.setdefault(what, []).append(mended.id)

    began_s = time.monotonic()
    texts = (await use_adopted(settings.kafka)).in_force
    options = options._replace(program=f"{options.program} {texts}")  # others read texts otherwise: begun anew
    async with _mending_store(settings) as store, kafka.log_reader(settings.kafka) as log:
        if undecodable:
            whom = frozenset([customer_id async for customer_id in broken(store)])
        counts: Counter[str] = Counter()
        if whom is None or whom:
            with watching(found if show_ids else None) as watcher:
                run = Rebuild(
                    store,
                    log,
                    list(await _lags(settings)),
                    options._replace(ids=whom),
                    scorer=await _scorer(settings),
                    skipped=await kafka.origins(settings.kafka, REPLAYED) | await kafka.origins(settings.kafka, DEAD_LETTERS),
                    names=names_of(settings),
                    namer=namer_of(settings),
                    expired=await _partitions_of(settings, EXPIRED),
                    idle=idle_of(settings),
                    random_bytes=secrets.token_bytes,
                    wall_ms=lambda: time.time_ns() // 1_000_000,
                    watcher=watcher,
                )
                await run.run()
            counts = run.counts
    if whom is None and not options.check and not await note_rebuilt(settings.kafka):
        raise CantRebuild(f"other models of texts than {texts} were adopted meanwhile: run it again (portrait language report)")
    names = ("profiles", "written", *FOUND, "dropped", "conflicts", "events")
    row: dict[str, Any] = {name: counts[name] for name in names}
    row |= {"check": options.check, "seconds": round(time.monotonic() - began_s, 1)}
    return row | ({"ids": named} if show_ids else {})


async def _lags(settings: Settings) -> Mapping[TP, Lag]:
    async with kafka.admin(settings.kafka) as admin:
        lags = await admin.lags(settings.group, EVENT_NAMES)
    if missing := sorted(set(EVENT_NAMES) - {topic for topic, _ in lags}):
        raise CantRebuild(f"there is no topic {', '.join(missing)}: is this another Kafka? If not: portrait topics create")
    return lags


async def _partitions_of(settings: Settings, topic: str) -> list[TP]:
    """None if it does not exist."""
    async with kafka.admin(settings.kafka) as admin:
        found = await admin.topics([topic])
    return [(topic, n) for n in range(found[topic].partitions)] if topic in found else []


async def _scorer(settings: Settings) -> Scorer:
    """The model in use."""
    models = Models(settings.kafka, settings.horizon_days, Metrics())
    async for record in kafka.read_topic(settings.kafka, MODELS):
        models.take(record)
    return models.scorer


def _print(result: Mapping[str, Any]) -> None:
    out = output.out
    if "partitions" in result:
        out.print(f"{result['partitions']} partitions accepted, {result['states']:,} profiles changed: start the workers")
        return
    out.print(f"{result['profiles']:,} profiles compared with {result['events']:,} events, {result['written']:,} written")
    for name, words in (
        ("differed", "had other facts than the log"),
        ("broken", "could not be decoded"),
        ("missing", "were not there"),
        ("orphans", "are of nobody whom the log knows" + (" (--drop-orphans removes them)" if not result["dropped"] else "")),
        ("dropped", "of these were removed"),
        ("unknown", "are known neither to the log nor to Redis"),
    ):
        if result[name]:
            out.print(f"{name:<9} {result[name]:,} {words}")
            if who := result.get("ids", {}).get(name):
                out.print(output.escape("          " + ", ".join(sorted(who))), soft_wrap=True)


# -- accepting a log -------------------------------------------------------------------------------------------------------------


async def _accept(settings: Settings, *, yes: bool, quiet: bool) -> dict[str, Any]:
    """Ask, and do it. Raises CantAccept, GroupBusy, NewerFormat, StoreError, KafkaProblem."""
    async with _mending_store(settings) as store, kafka.log_reader(settings.kafka) as log:
        positions = await store.positions()
        lags = await _lags(settings)
        troubles = await diagnose(store, log, positions, lags, namer_of(settings))
        if not troubles:
            raise CantAccept("nothing is to be accepted: the log is the one that the profiles were made of. Workers can start")
        for trouble in troubles:
            output.err.print(output.escape(f"{trouble.tp[0]}/{trouble.tp[1]}: {_words(trouble)}"), soft_wrap=True)
        output.err.print(
            "Profiles keep all that they hold. They can't be made anew from this log any more, nor verified: "
            "a backup of Redis is their only copy.",
            soft_wrap=True,
        )
        if not yes and not typer.confirm("Go on with this log?", err=True):
            raise CantAccept("nothing was changed")
        acceptance = Acceptance(
            store, partial(set_offsets, settings.kafka, settings.group), secrets.token_bytes, output.err.print
        )
        with output.progress() as bar:
            task = bar.add_task("profiles looked at", total=None)
            await acceptance.accept(troubles, positions, lambda n: bar.advance(task, n))
    return {"partitions": len(troubles), "states": acceptance.states, "accepted": [_row(trouble) for trouble in troubles]}


def _row(trouble: Trouble) -> dict[str, Any]:
    return {
        "partition": f"{trouble.tp[0]}/{trouble.tp[1]}",
        "kind": trouble.kind,
        "position": trouble.position,
        "start": trouble.start,
        "lost": lost(trouble),
    }


def lost(trouble: Trouble) -> int | None:
    """Records that are in no profile and no longer in the log; None: nobody knows."""
    if trouble.kind == "expired" and trouble.position is not None and trouble.start is not None:
        return trouble.start - trouble.position
    return 0 if trouble.kind == "ahead" else None


def _words(trouble: Trouble) -> str:
    """What has happened, what is lost, what will be done."""
    at, start, lag = trouble.position, trouble.start, trouble.lag
    if lag is None:
        return f"the partition is no more. It was folded up to {at}; what it held beyond is lost"
    if trouble.kind == "expired":
        return f"{lost(trouble):,} records went before they were folded ({at} to {start}): they are lost. Goes on at {start}"
    if trouble.kind == "wiped" and lag.start == 0:
        return f"Redis knows nothing of it, Kafka has {lag.committed} as committed, and it ends at {lag.end}. Is folded from 0 on"
    if trouble.kind == "wiped":
        return (
            f"Redis knows nothing of it, and the log begins at {lag.start}: what came before is lost. Is folded from {start} on"
        )
    if trouble.kind == "ahead":
        return (
            f"Kafka has {lag.committed} as committed, beyond the end at {lag.end}; what was folded is there. Goes on at {start}"
        )
    if start == lag.start:
        return (
            f"another log: none of its {lag.end - lag.start:,} records is in a profile. It was folded up to {at}; "
            "what the old one held beyond is lost. Is folded from its beginning"
        )
    return (
        f"it has parted from what was folded up to {at}: the last record that a profile has seen is {(start or 0) - 1}. "
        f"What came after that is in the profiles as far as it was folded, and lost beyond. Goes on at {start}"
    )
