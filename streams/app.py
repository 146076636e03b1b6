"""The Faust app of a worker, and running it from our own code until a signal ends it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Iterator, Sequence
from importlib.metadata import version

from aiokafka.admin import AIOKafkaAdminClient

from streams.faust_log import FaustLog
from streams.feed import Feed, handle
from streams.log import BatchHandler
from streams.producer import Publisher
from streams.seldom import calm
from streams.settings import Settings
from streams.transport import SCHEME, App
from streams.versions import missing_compiled

TRIED_VERSIONS = {"faust-streaming": "0.15.3", "mode-streaming": "0.7.1", "aiokafka": "0.14.0"}
COMMIT_INTERVAL_S = 1.0
METADATA_MS = 15_000  # how late new partitions are noticed
STOP_TIMEOUT_S = 20.0
RETRY_S = 1.0
FOREVER_S = 2**31 // 1000  # aiokafka counts it in milliseconds, in 32 bits
EXIT_CRASHED = 1

log = logging.getLogger(__name__)


def check_assumptions() -> None:
    """Raises RuntimeError for versions whose internals nobody has looked at; warns when their compiled parts are missing."""
    for package, tried in TRIED_VERSIONS.items():
        if (found := version(package)) != tried:
            raise RuntimeError(f"{package} {found} is installed, but only {tried} was tried: pip install '{package}=={tried}'")
    for module in missing_compiled():
        log.warning("%s is missing: much slower. Install the wheels, not the source, of faust-streaming and aiokafka", module)


def make_app(settings: Settings, handlers: Sequence[tuple[FaustLog, BatchHandler]]) -> App:
    """The app, with one agent for each handler. Call it within the event loop that will run it.

    Raises RuntimeError for versions of Faust or aiokafka whose internals were not tried.
    """
    check_assumptions()
    app = App(
        settings.group,
        broker=[f"{SCHEME}://{server.strip()}" for server in settings.kafka.split(",")],
        broker_client_id="portrait",
        broker_session_timeout=settings.session_timeout_s,
        broker_heartbeat_interval=settings.session_timeout_s / 5,
        broker_request_timeout=max(30.0, settings.session_timeout_s),
        broker_rebalance_timeout=max(30.0, settings.session_timeout_s),
        broker_max_poll_interval=FOREVER_S,  # waiting for the store must not cost the membership
        broker_commit_interval=COMMIT_INTERVAL_S,
        consumer_metadata_max_age_ms=METADATA_MS,
        # An offset that the log no longer has must not be replaced silently: the handler decides, at a new seek.
        consumer_auto_offset_reset="none",
        key_serializer="raw",
        value_serializer="raw",
        store="memory://",
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        stream_wait_empty=False,
        table_standby_replicas=0,
        autodiscover=False,
    )
    app.feeds = [Feed(queue, handler, settings.batch_records_max) for queue, handler in handlers]
    for number, feed in enumerate(app.feeds):
        _add_agent(app, feed, number)
    return app


def _add_agent(app: App, feed: Feed, number: int) -> None:
    async def agent(stream):
        await handle(feed, stream)

    app.agent(app.topic(*feed.handler.topics, acks=False), name=f"{type(feed.handler).__name__}-{number}")(agent)


async def run_worker(app: App, publisher: Publisher, stop: asyncio.Event) -> int:
    """Run until ``stop``; then finish the batch under way, commit, leave the group.

    Returns the exit code: 0, or 1 when the app crashed. Waits for Kafka and for the topics, with a line in the log.
    """
    calm()
    starting = asyncio.ensure_future(_start(app, publisher))
    asked = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({starting, asked}, return_when=asyncio.FIRST_COMPLETED)
        if not asked.done():
            starting.result()
            ended = asyncio.ensure_future(app.wait_until_stopped())
            await asyncio.wait({ended, asked}, return_when=asyncio.FIRST_COMPLETED)
            ended.cancel()
    except Exception as error:
        log.error("the worker could not start (%s: %s)", type(error).__name__, error)
    finally:
        code = 0 if asked.done() else EXIT_CRASHED
        asked.cancel()
        starting.cancel()
        await asyncio.wait({starting})
        await _stop(app, publisher)
    return code


async def _start(app: App, publisher: Publisher) -> None:
    await publisher.start()
    await wait_for_topics(app.conf.broker_consumer, sorted({topic for feed in app.feeds for topic in feed.handler.topics}))
    await app.start()


async def wait_for_topics(servers: Sequence[object], topics: Sequence[str]) -> None:
    """Reading a topic that isn't there would make the broker create it, with its own idea of partitions and timestamps."""
    admin = AIOKafkaAdminClient(bootstrap_servers=[str(server).split("://")[1] for server in servers])
    told: list[str] = []
    try:
        await admin.start()
        while missing := sorted(set(topics) - set(await admin.list_topics())):
            if missing != told:
                log.warning("waiting for the topics %s: `portrait topics create` makes them", ", ".join(missing))
                told = missing
            await asyncio.sleep(RETRY_S)
    finally:
        await admin.close()


async def _stop(app: App, publisher: Publisher) -> None:
    stopping = asyncio.ensure_future(app.stop())
    await asyncio.wait({stopping}, timeout=STOP_TIMEOUT_S)
    if not stopping.done():
        log.error("the app did not stop within %.0f s: leaving it; what was not committed will be done again", STOP_TIMEOUT_S)
    await publisher.stop()


@contextlib.contextmanager
def signals(stop: asyncio.Event) -> Iterator[None]:
    """SIGTERM and SIGINT set ``stop`` within this block."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
