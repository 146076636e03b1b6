"""A worker process: everything put together, and what runs beside the agents."""

from __future__ import annotations

import asyncio
import gc
import os
import secrets
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from functools import partial
from typing import NoReturn

import structlog
from aiokafka.errors import KafkaError

from language import force
from profile_store.contract import StoreError, StoreRefused
from profile_store.redis_store import RedisStore
from schemas.registry import DEAD_LETTERS
from streams.app import make_app, run_worker, signals
from streams.failures import where
from streams.faust_log import FaustLog
from streams.http import serve
from streams.kafka import KafkaProblem, answers, bounds, each_origin
from streams.log import TP
from streams.loop import Loop
from streams.metrics import Metrics
from streams.producer import Publisher
from streams.settings import Settings, namer_of, names_of, naming_of
from streams.tail import Expiries, Models, ReplayedOrigins
from streams.tasks import end, unless
from streams.texts import TextModels
from streams.trainer import Trainer
from streams.watchdog import BEAT_S, LOOK_S, LoopGuard, Watchdog, Watched

EXIT_REFUSED = 70
RETRY_S = 1.0
METRICS_S = 2.0
FLUSH_S = 1.0
CHECK_S = 60.0
ANSWER_S = 30.0

log = structlog.get_logger()


def die(reason: str) -> NoReturn:
    """End the process at once: nothing is confirmed on the way out, so nothing is lost."""
    log.critical("the worker stops", reason=reason)
    sys.stderr.flush()
    sys.stdout.flush()
    os._exit(EXIT_REFUSED)


def wall_ms() -> int:
    return time.time_ns() // 1_000_000


async def run(settings: Settings, stop: asyncio.Event | None = None, *, ready: Callable[[], None] = lambda: None) -> int:
    """Run a worker until SIGTERM, SIGINT or ``stop``. Returns the exit code. ``ready`` is called once it reads."""
    _quiet_collector()
    stop = stop or asyncio.Event()
    with signals(stop):
        metrics = Metrics()
        store = RedisStore(
            settings.redis,
            worker_id=f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}",
            rng=secrets.token_bytes,
            shards=settings.shards,
            cluster=settings.cluster,
            prefix=settings.prefix,
            naming=naming_of(settings),
        )
        try:
            return await Parts(settings, store, metrics).work(stop, ready) if await unless(stop, _open(store)) else 0
        finally:
            await store.close()


class Parts:
    """The parts of a worker, put together. Make it within the event loop that will run it."""

    def __init__(self, settings: Settings, store: RedisStore, metrics: Metrics) -> None:
        self._settings, self._store, self._metrics = settings, store, metrics
        self._publisher = Publisher(settings.kafka)
        self._events, self._lessons = FaustLog(self._publisher), FaustLog(self._publisher)
        self._texts = TextModels(die, metrics)
        self._models = Models(settings.kafka, settings.horizon_days, metrics, self._texts)
        self._replayed, self._expiries = ReplayedOrigins(settings.kafka), Expiries(settings.kafka)
        self._loop = Loop(
            settings,
            store,
            self._events,
            wall_ms=wall_ms,
            random_bytes=secrets.token_bytes,
            scorer=lambda: self._models.scorer,
            replayed=lambda: self._replayed.origins,
            metrics=metrics,
            die=die,
            look_again=self._ends_for_sure,
            dead_letters=partial(dead_letters, settings.kafka),
            names=names_of(settings),
            namer=namer_of(settings),
            cuts=self._expiries.cuts,
            hear=self._expiries.tail.hear,
        )
        self._trainer = Trainer(settings, self._lessons, self._models, wall_ms=wall_ms, metrics=metrics, die=die)
        self._guard = LoopGuard(die)
        self._watchdog = Watchdog(self._watched(), self._kafka_answers, die)

    async def work(self, stop: asyncio.Event, ready: Callable[[], None]) -> int:
        """Until ``stop``. Returns the exit code."""
        settings, models = self._settings, self._models
        app = make_app(settings, [(self._events, self._loop), (self._lessons, self._trainer)])
        probes = self._problems, self._not_ready, self._metrics.registry
        with self._guard.on_guard():
            async with _running(self._background()), serve(settings.http_host, settings.http_port, *probes) as port:
                tails = models.tail, self._replayed.tail, self._expiries.tail
                caught_up = asyncio.gather(*(tail.caught_up.wait() for tail in tails))
                if not await unless(stop, caught_up):
                    return 0
                self._texts.begin()
                version = models.scorer.version
                log.info(
                    "worker",
                    http_port=port,
                    clock=settings.clock,
                    horizon_days=settings.horizon_days,
                    model=version,
                    texts=force.version(),
                )
                ready()
                return await run_worker(app, self._publisher, stop)

    def _background(self) -> Sequence[Awaitable[None]]:
        """What runs beside the agents."""
        return [
            self._models.tail.run(),
            self._replayed.tail.run(),
            self._expiries.tail.run(),
            _every(self._settings.sweep_interval_ms / 1000, self._loop.sweep),
            _every(METRICS_S, self._follow_lag),
            _every(FLUSH_S, self._trainer.flush),
            _every(CHECK_S, self._check_store),
            _every(LOOK_S, self._watchdog.look),
            _every(BEAT_S, self._guard.beat),
        ]

    async def _ends_for_sure(self, partitions: Sequence[TP]) -> Mapping[TP, int]:
        """The embedded broker may tell too small an end, see `bounds`."""
        try:
            return (await bounds(self._settings.kafka, partitions))[1]
        except KafkaProblem as problem:
            die(str(problem))

    async def _follow_lag(self) -> None:
        self._metrics.follow_lag({**self._events.health.lag(), **self._lessons.health.lag()})

    async def _check_store(self) -> None:
        try:
            await self._store.check()
        except StoreRefused as error:
            die(str(error))
        except StoreError:
            pass  # the batches wait for it too, and say so

    def _watched(self) -> Sequence[Watched]:
        """Signs of life: see `Health`, and what else goes on while a batch is under way or something is away."""

        def of(feed: FaustLog, steps: Callable[[], int]) -> Callable[[], Hashable]:
            def sign() -> Hashable:
                at_work = steps() if feed.busy.locked() else 0
                return (feed.health.last_progress_ms, at_work, self._publisher.failures) if feed.assigned else None

            return sign

        lessons_move = of(self._lessons, lambda: 0)

        def lessons() -> Hashable:
            return None if self._trainer.loading else lessons_move()

        def sweeps() -> Hashable:
            loop = self._loop
            moves = (loop.steps, loop.sweeps_begun, self._publisher.failures)
            return moves if self._events.assigned and not self._events.seek_due else None

        def rebalance() -> Hashable:
            return self._events.epoch if self._events.awaited else None

        return [
            Watched("there are events to read, and none was folded", of(self._events, lambda: self._loop.steps)),
            Watched("there are lessons to read, and none was learned", lessons),
            Watched("a look at silent customers has not ended", sweeps),
            Watched("the group has shared out no partitions since the last were taken back", rebalance),
        ]

    async def _kafka_answers(self) -> bool:
        return await answers(self._settings.kafka, sorted(self._events.assigned | self._lessons.assigned), ANSWER_S)

    def _problems(self) -> Sequence[str]:
        return self._watchdog.problems()

    def _not_ready(self) -> Sequence[str]:
        waiting = ["no partition is assigned yet, or the positions are not read"] if self._events.health.seeking else []
        return [*waiting, *(["Kafka takes no messages"] if self._publisher.waiting else []), *self._problems()]


def _quiet_collector() -> None:
    """States hold no cycles; the collector would walk through all of them again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 50, 100)


async def dead_letters(bootstrap: str) -> AsyncIterator[str]:
    """The origins of all, or again from the first one when Kafka was away."""
    while True:
        try:
            async with aclosing(each_origin(bootstrap, DEAD_LETTERS)) as origins:
                async for origin in origins:
                    yield origin
            return
        except (KafkaProblem, KafkaError, OSError) as problem:
            told = str(problem) if isinstance(problem, KafkaProblem) else type(problem).__name__
            log.warning("can't read the dead letters: trying again", error=told)
            await asyncio.sleep(RETRY_S)


async def _open(store: RedisStore) -> None:
    """Wait for the store. What it refuses ends the process."""
    while True:
        try:
            await store.open()
            return
        except StoreRefused as error:
            die(str(error))
        except StoreError as error:
            log.warning("store unavailable: waiting", error=str(error))
            await asyncio.sleep(RETRY_S)


async def _every(interval_s: float, work: Callable[[], Awaitable[None]]) -> None:
    while True:
        await asyncio.sleep(interval_s)
        await work()


@asynccontextmanager
async def _running(background: Sequence[Awaitable[None]]) -> AsyncIterator[None]:
    """Run these beside the block. One that ends by itself or fails ends the process: a worker without it would be half dead."""
    tasks = [asyncio.ensure_future(work) for work in background]

    def ended(task: asyncio.Future[None]) -> None:
        if not task.cancelled():
            error = task.exception()
            die(f"a background task ended: {where(error) if error else 'without an error'}")

    for task in tasks:
        task.add_done_callback(ended)
    try:
        yield
    finally:
        for task in tasks:
            task.remove_done_callback(ended)
        await end(tasks)
