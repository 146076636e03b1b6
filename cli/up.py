"""``portrait up``: everything on this machine, to be looked at."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeVar

import msgspec
import typer
from rich.console import RenderableType
from rich.live import Live
from rich.text import Text

from cli import embedded, output
from cli.child import Figures, Worker, WorkerEnded, worker
from cli.outlet import outlet, progress, to_kafka
from cli.population import Population
from cli.present import LangChoice, language_of, save_picture
from cli.screen import ACTIONS_KEPT, Board, action_line, move_line, render
from cli.simulate import feed, now_ms, population_of
from cli.tasks import Stop, asked_to_stop
from cli.top import GONE, STAGES, reader, riskiest
from cli.watch import Follower
from profile_store.reader import AsyncProfileReader, Profile
from schemas.outputs import ActionEvent
from schemas.registry import ACTIONS
from streams import kafka
from streams.settings import Settings
from streams.tasks import end

KAFKA_PORT, REDIS_PORT = 9092, 6379
HISTORY_DAYS = 400
#: The embedded broker lets a member that joins wait for half of it; shorter, a busy machine would lose its worker.
SESSION_TIMEOUT_S = 6.0
LOOK_S = 0.05
WATCH_S = 0.2
SETTLE_S, SETTLE_S_MAX = 1.2, 8.0  # longer than a worker's sweep interval
MEASURE_S = 0.5
DRAW_S = 0.25
LINE_S = 2.0
RISKIEST = 12
#: Customers whose stage is read at the beginning, so that their first move can be told.
KNOWN_AT_START = 10_000
PICTURE_COLUMNS, PICTURE_ROWS = 118, 30
_STARTED_S = time.monotonic()

Tell = Callable[[Text], None]
T = TypeVar("T")


class Options(NamedTuple):
    seconds: float | None
    customers: int
    rate: float
    seed: int
    lang: LangChoice
    json: bool
    plain: bool
    screenshot: Path | None


class Summary(NamedTuple):
    """The last line of standard output."""

    events: int  # folded
    profiles: int
    actions: int  # published
    seconds_to_first_profile: float  # from the start of this process until the store answered with one


def command(
    seconds: Annotated[float | None, typer.Option("--for", min=1, help="End by itself, so many seconds after all is up.")] = None,
    customers: Annotated[int, typer.Option(min=1, max=100_000, help="How many people are simulated.")] = 280,
    rate: Annotated[float, typer.Option(min=0.1, max=5000, help="Live events a second.")] = 20,
    seed: Annotated[int, typer.Option(help="Another seed, other people.")] = 1,
    lang: Annotated[LangChoice, typer.Option(help="Of reasons and suggestions; own: each customer's language.")] = "own",
    json: Annotated[bool, typer.Option("--json", help="A first line of JSON, with the addresses, when all is up.")] = False,
    plain: Annotated[bool, typer.Option("--plain", help="Lines instead of a screen, as where there is no terminal.")] = False,
    screenshot: Annotated[Path | None, typer.Option(help="At the end, the last screen as a picture, to this .svg file.")] = None,
) -> None:
    """Broker, store, worker and believable events on this machine. Ctrl-C, or --for, ends it all; nothing is kept.

    \b
    portrait up
    portrait up --for 20 | tail -1 | jq .profiles
    portrait up --customers 2000 --rate 200 --lang en
    portrait up --for 20 --screenshot up.svg

    A year of the lives of simulated customers lies in the log before the worker starts, so that it folds a backlog; then
    events go on live. Broker and store listen on 127.0.0.1:9092 and :6379, so that other verbs need no settings; where those
    ports are taken, on others, and the screen says what to export. Paste its lines, and see your own customer move.

    The screen is on stderr. The last line of stdout is JSON: events (folded), profiles, actions (published), and
    seconds_to_first_profile (from the start of the process). --for counts from when the history has been folded.

    Exit codes: 0 ended as asked, 1 a server or the worker failed (its last words are shown), 2 usage, 3 Kafka or Redis does not
    answer, 130 or 143 interrupted before all was up.
    """
    options = Options(seconds, customers, rate, seed, lang, json, plain or not output.err.is_terminal, screenshot)
    users = output.settings()
    try:
        with embedded.broker(_port(KAFKA_PORT)) as broker, embedded.store(_port(REDIS_PORT)) as store:
            settings = msgspec.structs.replace(
                users,
                kafka=broker.address,
                redis=store.address,
                shards=1,
                cluster=False,
                session_timeout_s=SESSION_TIMEOUT_S,
                http_host=embedded.HOST,
                http_port=embedded.free_port(),
            )
            same = (users.kafka, users.redis) == (settings.kafka, settings.redis)
            lines = pasteable(None if same else settings)
            summary = output.run(_attended(_up(settings, options, lines), (broker, store)))
    except (embedded.EmbeddedError, WorkerEnded) as error:
        output.fail(str(error))
    output.write_json(summary._asdict())


def _port(wanted: int) -> int:
    """``wanted``, or 0 (any) if somebody listens there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what has just ended does not count
        try:
            probe.bind((embedded.HOST, wanted))
        except OSError:
            return 0
    return wanted


def pasteable(needed: Settings | None) -> list[str]:
    """Lines for another terminal; with the two settings, if they must be named."""
    me = _called()
    export = [f"export PORTRAIT_KAFKA={needed.kafka} PORTRAIT_REDIS={needed.redis}"] if needed else []
    return [
        *export,
        f"{me} publish --key YOU --type order.placed \\",
        """  --data '{"order_id":"1","currency":"CNY","amount_minor":19900}'""",
        f"{me} show YOU",
    ]


def _called() -> str:
    """How to call this command from here: by name if it is on the path."""
    if shutil.which("portrait"):
        return "portrait"
    script = Path(sys.argv[0]).absolute()
    if script.name != "portrait":
        return f"{shlex.quote(sys.executable)} -m cli.main"
    return shlex.quote(str(script.relative_to(Path.cwd()) if script.is_relative_to(Path.cwd()) else script))


async def _attended(work: Coroutine[Any, Any, T], servers: Sequence[embedded.Server]) -> T:
    """What ``work`` returns. Raises EmbeddedError once one of the servers has ended, whatever else comes of that."""
    task = asyncio.ensure_future(work)
    try:
        while not task.done():
            await asyncio.wait({task}, timeout=WATCH_S)
            _check(servers)
        if task.exception() is not None:
            await asyncio.sleep(WATCH_S)  # connections break a moment before the process is gone
            _check(servers)
        return task.result()
    finally:
        await end([task])
        if not task.cancelled():
            task.exception()  # what came of it is of no interest any more


def _check(servers: Sequence[embedded.Server]) -> None:
    for server in servers:
        server.check()


async def _up(settings: Settings, options: Options, lines: Sequence[str]) -> Summary:
    """Load, show until the end, sum up. Raises WorkerEnded, KafkaProblem, StoreError, SystemExit."""
    population = population_of(customers=options.customers, days=HISTORY_DAYS, seed=options.seed, end_ms=now_ms())
    tell: Tell = partial(output.err.print, soft_wrap=True) if options.plain else lambda text: None
    where = f"broker {settings.kafka}   store {settings.redis}"
    tell(Text(where))
    with asked_to_stop() as stop, worker(settings) as child:
        async with reader(settings) as profiles:
            first_s = await stop.unless(_load(settings, population, child, profiles, tell))
            if options.json:
                output.write_json(_ready(settings, child, first_s))
            board = Board(options.lang, lines, f"{where}   {child.metrics_url}")
            await _live(settings, options, child, profiles, population, board, tell, stop)
            figures = await child.figures() or board.figures
            summary = Summary(figures.folded, await profiles.count(), figures.actions, round(first_s, 2))
    if options.screenshot is not None:
        picture = render(board, PICTURE_COLUMNS, PICTURE_ROWS)
        save_picture(picture, options.screenshot, "portrait up", PICTURE_COLUMNS, PICTURE_ROWS)
    return summary


async def _load(settings: Settings, population: Population, child: Worker, profiles: AsyncProfileReader, tell: Tell) -> float:
    """Until the history is folded. Returns when the first profile could be read, in seconds from the start of this process."""
    history = await _publish_history(settings, population)
    tell(Text(f"{history:,} events of {HISTORY_DAYS} days published; starting the worker"))
    child.begin()  # not before: what it finds in the log is then a history, and folded as it happened
    first_s = await _first_profile(child, profiles)
    tell(Text(f"first profile after {first_s:.1f} s; folding the rest"))
    await _fold(child, history)
    return first_s


def _ready(settings: Settings, child: Worker, first_s: float) -> dict[str, object]:
    return {
        "kafka": settings.kafka,
        "redis": settings.redis,
        "metrics": child.metrics_url,
        "seconds_to_first_profile": round(first_s, 2),
    }


async def _publish_history(settings: Settings, population: Population) -> int:
    """Make the topics and publish all that lies in the past. Returns when the broker has it: how many events."""
    with progress("days published", population.start_ms, population.end_ms) as sent:
        async with outlet(None, settings) as publish:
            fed = await feed(publish, population, live_rate=0, sent=sent)
    return fed.history


async def _first_profile(child: Worker, profiles: AsyncProfileReader) -> float:
    """Wait until a profile can be read. Returns the age of this process, in seconds."""
    with output.progress() as bars:
        bars.add_task("profiles: the worker starts", total=None)
        while not await profiles.count():
            child.check()
            await asyncio.sleep(LOOK_S)
    return _age_s()


async def _fold(child: Worker, history: int) -> None:
    """Wait until the worker has folded the history, and the silent customers have come from their last event to the present."""
    folded_s = None
    with output.progress() as bars:
        task = bars.add_task("events folded", total=history)
        before, figures = Figures(), Figures()
        while folded_s is None or (time.monotonic() - folded_s < SETTLE_S_MAX and not _settled(before, figures)):
            await asyncio.sleep(LOOK_S if folded_s is None else SETTLE_S)
            before, figures = figures, await child.figures() or figures
            bars.update(task, completed=figures.folded)
            if folded_s is None and figures.folded >= history:
                folded_s = time.monotonic()


def _settled(before: Figures, now: Figures) -> bool:
    return now.lag == 0 and now.ticks > 0 and now.ticks == before.ticks


def _age_s() -> float:
    """Since this process started; where the kernel does not tell (it is Linux's way), since this module was imported."""
    try:
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        return time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, AttributeError):
        return time.monotonic() - _STARTED_S


async def _live(
    settings: Settings,
    options: Options,
    child: Worker,
    profiles: AsyncProfileReader,
    population: Population,
    board: Board,
    tell: Tell,
    stop: Stop,
) -> None:
    """Live events, and the board that follows them, for the time that was asked for, or until asked to stop."""
    follower = Follower(profiles)
    follower.knows(await _everybody(profiles))
    async with kafka.publisher(settings.kafka) as publisher:
        works: list[Awaitable[object]] = [
            stop.wait(),
            feed(to_kafka(publisher), population, live_rate=options.rate),
            _measure(child, profiles, board),
            _follow_moves(follower, board, tell),
            _follow_actions(settings, profiles, board, tell),
            _draw_lines(board, tell) if options.plain else _draw_screen(board, options.seconds),
        ]
        tasks = [asyncio.ensure_future(work) for work in works]
        try:
            done, _ = await asyncio.wait(tasks, timeout=options.seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end(tasks)
            for task in tasks:
                if not task.cancelled():
                    task.exception()  # asked for, or asyncio complains of those that are not raised here
    for task in done:
        task.result()


async def _everybody(profiles: AsyncProfileReader) -> list[Profile]:
    ids = [customer_id for stage in STAGES for customer_id in await profiles.by_stage(stage, KNOWN_AT_START)]
    return [profile for profile in await profiles.get_many(ids[:KNOWN_AT_START]) if profile is not None]


async def _measure(child: Worker, profiles: AsyncProfileReader, board: Board) -> None:
    while True:
        if (figures := await child.figures()) is not None:
            board.measured(time.monotonic(), figures)
        board.stages = await profiles.stage_counts()
        board.riskiest = await riskiest(profiles, RISKIEST, [stage for stage in STAGES if stage != GONE])
        await asyncio.sleep(MEASURE_S)


async def _follow_moves(follower: Follower, board: Board, tell: Tell) -> None:
    async for move in follower.moves():
        if move.moved or move.stage_before is None:
            board.moves.appendleft(move)
        if move.stage_before != move.profile.stage:
            tell(move_line(move))


async def _follow_actions(settings: Settings, profiles: AsyncProfileReader, board: Board, tell: Tell) -> None:
    began_ms = now_ms()
    async for record in kafka.follow_topic(settings.kafka, ACTIONS):
        action = msgspec.json.decode(record.value or b"", type=ActionEvent).data
        if len(board.actions) == ACTIONS_KEPT and action.raised_at_ms < board.actions[-1][0].raised_at_ms:
            continue
        own = language_of(await profiles.get_fields(action.customer_id, "basic"))
        board.acted(action, own)
        if action.raised_at_ms >= began_ms:
            tell(action_line(action, own, board.lang))


async def _draw_lines(board: Board, tell: Tell) -> None:
    tell(Text("\n".join(["live. In another terminal:", *(f"  {line}" for line in board.pasteable)])))
    while True:
        await asyncio.sleep(LINE_S)
        tell(Text(board.summary))


async def _draw_screen(board: Board, seconds: float | None) -> None:
    began_s = time.monotonic()

    def frame() -> RenderableType:
        board.left_s = max(0.0, began_s + seconds - time.monotonic()) if seconds is not None else None
        return render(board, output.err.width, output.err.height)

    with Live(frame(), console=output.err, screen=True, auto_refresh=False) as live:
        draw = partial(live.update, refresh=True)
        while True:
            draw(frame())
            await asyncio.sleep(DRAW_S)
