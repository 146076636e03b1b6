"""A worker process: everything put together, and what runs beside the agents."""

from __future__ import annotations

import asyncio
import gc
import os
import secrets
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import NoReturn

import structlog

from profile_store.contract import StoreError, StoreRefused
from profile_store.redis_store import RedisStore
from streams.app import make_app, run_worker, signals
from streams.failures import where
from streams.faust_log import FaustLog
from streams.http import Check, serve
from streams.loop import Loop
from streams.metrics import Metrics
from streams.producer import Publisher
from streams.settings import Settings
from streams.tail import Models, ReplayedOrigins
from streams.tasks import end, unless
from streams.trainer import Trainer

EXIT_REFUSED = 70
RETRY_S = 1.0
METRICS_S = 2.0
FLUSH_S = 15.0
#: A worker that had work for so long and finished none of it is restarted by whoever looks at /livez.
STALLED_MS = 120_000

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
        )
        try:
            return await _work(settings, store, metrics, stop, ready) if await unless(stop, _open(store)) else 0
        finally:
            await store.close()


async def _work(settings: Settings, store: RedisStore, metrics: Metrics, stop: asyncio.Event, ready: Callable[[], None]) -> int:
    publisher = Publisher(settings.kafka)
    events, lessons = FaustLog(publisher), FaustLog(publisher)
    models = Models(settings.kafka, settings.horizon_days, metrics)
    replayed = ReplayedOrigins(settings.kafka)
    loop = Loop(
        settings,
        store,
        events,
        wall_ms=wall_ms,
        random_bytes=secrets.token_bytes,
        scorer=lambda: models.scorer,
        replayed=lambda: replayed.origins,
        metrics=metrics,
        die=die,
    )
    trainer = Trainer(settings, lessons, models, wall_ms=wall_ms, metrics=metrics, die=die)
    app = make_app(settings, [(events, loop), (lessons, trainer)])

    async def follow() -> None:
        metrics.follow_lag({**events.health.lag(), **lessons.health.lag()})

    background = [
        models.tail.run(),
        replayed.tail.run(),
        _every(settings.sweep_interval_ms / 1000, loop.sweep),
        _every(METRICS_S, follow),
        _every(FLUSH_S, trainer.flush),
    ]
    problems, not_ready = _probes(events, lessons, publisher)
    async with _running(background), serve(settings.http_host, settings.http_port, problems, not_ready, metrics.registry) as port:
        if not await unless(stop, asyncio.gather(models.tail.caught_up.wait(), replayed.tail.caught_up.wait())):
            return 0
        log.info("worker", http_port=port, clock=settings.clock, horizon_days=settings.horizon_days, model=models.scorer.version)
        ready()
        return await run_worker(app, publisher, stop)


def _probes(events: FaustLog, lessons: FaustLog, publisher: Publisher) -> tuple[Check, Check]:
    """What /livez and /readyz ask: each gives the reasons why not."""

    def problems() -> Sequence[str]:
        stalled = max(log_.health.stalled_ms(wall_ms()) for log_ in (events, lessons))
        return [f"no progress for {stalled // 1000} s though there is work"] if stalled > STALLED_MS else []

    def not_ready() -> Sequence[str]:
        waiting = ["no partition is assigned yet, or the positions are not read"] if events.health.seeking else []
        return [*waiting, *(["Kafka takes no messages"] if publisher.waiting else []), *problems()]

    return problems, not_ready


def _quiet_collector() -> None:
    """States hold no cycles; the collector would walk through all of them again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 50, 100)


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
