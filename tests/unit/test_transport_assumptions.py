"""What streams/transport.py takes for granted about Faust and aiokafka. If one fails after an upgrade, read that file again."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Collection
from types import SimpleNamespace
from typing import Any, cast

import aiokafka
import pytest
from aiokafka.client import AIOKafkaClient
from aiokafka.consumer import fetcher as kafka_fetcher
from aiokafka.consumer import group_coordinator, subscription_state
from aiokafka.errors import KafkaError, UnknownError
from faust.app import base as faust_app
from faust.tables.recovery import Recovery
from faust.transport import consumer as faust_consumer
from faust.transport import drivers
from faust.transport.drivers import aiokafka as driver
from faust.types import TP as FaustTP
from faust.types import ConsumerMessage
from mode.threads import ServiceThread

from streams import app as app_module
from streams import transport
from streams.app import make_app
from streams.faust_log import FaustLog
from streams.log import Batch
from streams.producer import Publisher
from streams.settings import Settings
from streams.versions import missing_compiled

OVERRIDDEN = [
    (transport.Consumer, driver.Consumer, "_new_consumer_thread"),
    (transport.Consumer, driver.Consumer, "_drain_messages"),
    (transport.Consumer, driver.Consumer, "ack"),
    (transport.Consumer, driver.Consumer, "force_commit"),
    (transport.Consumer, driver.Consumer, "commit_and_end_transactions"),
    (transport.Consumer, driver.Consumer, "perform_seek"),
    (transport.Consumer, driver.Consumer, "verify_event_path"),
    (transport.Consumer, driver.Consumer, "on_partitions_revoked"),
    (transport.Consumer, driver.Consumer, "on_partitions_assigned"),
    (transport.ConsumerThread, driver.AIOKafkaConsumerThread, "_create_worker_consumer"),
    (transport.ConsumerThread, driver.AIOKafkaConsumerThread, "_commit"),
    (transport.ConsumerThread, driver.AIOKafkaConsumerThread, "on_thread_stop"),
    (transport.App, faust_app.App, "_create_directories"),
    (transport.App, faust_app.App, "stop"),
]


@pytest.mark.parametrize(("ours", "theirs", "name"), OVERRIDDEN, ids=lambda value: getattr(value, "__name__", value))
def test_overridden_methods_still_exist_with_their_parameters(ours: type, theirs: type, name: str) -> None:
    assert list(inspect.signature(getattr(ours, name)).parameters) == list(inspect.signature(getattr(theirs, name)).parameters)
    assert inspect.iscoroutinefunction(getattr(ours, name)) == inspect.iscoroutinefunction(inspect.unwrap(getattr(theirs, name)))


#: Who must call what, for the overrides to be reached and to suffice.
CALLS: list[tuple[Any, set[str]]] = [
    (faust_consumer.Fetcher._fetcher, {"_drain_messages"}),
    (faust_consumer.Consumer._commit_handler, {"commit"}),
    (faust_consumer.Consumer.commit, {"force_commit", "maybe_wait_for_commit_to_finish"}),
    (faust_consumer.Consumer.on_stop, {"commit_and_end_transactions", "stream_wait_empty"}),
    (driver.ConsumerRebalanceListener.on_partitions_revoked, {"on_partitions_revoked"}),
    (driver.ConsumerRebalanceListener.on_partitions_assigned, {"on_partitions_assigned", "consumer_generation_id"}),
    (faust_consumer.ThreadDelegateConsumer.threadsafe_partitions_revoked, {"on_partitions_revoked"}),
    (faust_consumer.ThreadDelegateConsumer.threadsafe_partitions_assigned, {"on_partitions_assigned"}),
    (faust_app.App._on_partitions_revoked, {"stop_flow", "suspend", "clear"}),
    (Recovery._resume_streams, {"perform_seek", "resume", "resume_flow", "_fetcher", "maybe_start"}),
    (driver.AIOKafkaConsumerThread.commit, {"call_thread", "_commit"}),
    (driver.AIOKafkaConsumerThread._create_consumer, {"_create_worker_consumer"}),
    (aiokafka.AIOKafkaConsumer.start, {"_fetch_max_wait_ms", "_partition_assignment_strategy"}),
    (group_coordinator.GroupCoordinator.check_errors, {"_pending_exception", "_error_consumed_fut"}),
    (ServiceThread._start_thread, {"_close_thread_loop_on_stop"}),
    (ServiceThread.stop, {"_thread"}),
]


@pytest.mark.parametrize(("function", "names"), CALLS, ids=lambda value: getattr(value, "__qualname__", ""))
def test_the_callers_call_what_is_overridden(function: Any, names: set[str]) -> None:
    plain = inspect.unwrap(getattr(function, "fun", function))
    assert names <= _names(plain.__code__)


def _names(code: Any) -> set[str]:
    inner = [_names(constant) for constant in code.co_consts if inspect.iscode(constant)]
    return set(code.co_names).union(*inner)


#: Attributes of aiokafka's objects that are read, and where they are set.
ATTRIBUTES: list[tuple[Callable[..., Any], set[str]]] = [
    (kafka_fetcher.Fetcher.__init__, {"_records", "_fetch_task", "_closed"}),
    (aiokafka.AIOKafkaConsumer.__init__, {"_fetcher", "_coordinator", "_closed", "_client"}),
    (group_coordinator.GroupCoordinator.__init__, {"_coordination_task"}),
]


@pytest.mark.parametrize(("constructor", "names"), ATTRIBUTES, ids=lambda value: getattr(value, "__qualname__", ""))
def test_aiokafka_still_has_the_attributes(constructor: Callable[..., Any], names: set[str]) -> None:
    assert names <= set(constructor.__code__.co_names)


def test_aiokafka_still_has_the_methods() -> None:
    assert list(inspect.signature(kafka_fetcher.Fetcher.fetched_records).parameters) == [
        "self", "partitions", "timeout", "max_records",
    ]  # fmt: skip
    for name in ("check_errors", "request_rejoin", "fetch_committed_offsets"):
        assert callable(getattr(group_coordinator.GroupCoordinator, name))
    for name in ("highwater", "last_poll_timestamp", "partitions_for_topic", "subscription", "beginning_offsets", "end_offsets"):
        assert callable(getattr(aiokafka.AIOKafkaConsumer, name))
    assert callable(AIOKafkaClient.force_metadata_update)


class Positions:
    """A consumer as `fetch_here` sees it: the fetch hands out offset 3 of partition 0, and passes over markers in both."""

    _closed = False

    def __init__(self) -> None:
        self.at = {("t", 0): 3, ("t", 1): 7, ("t", 2): 5}
        self._fetcher = SimpleNamespace(_closed=False, _records={}, fetched_records=self.fetched_records)
        self._subscription = SimpleNamespace(subscription=SimpleNamespace(assignment=self))

    def state_value(self, tp: Any) -> Any:
        return SimpleNamespace(position=self.at[tp], has_valid_position=True)

    async def fetched_records(self, partitions: Any, timeout: float, max_records: int) -> Any:
        self.at = {("t", 0): 5, ("t", 1): 8, ("t", 2): 6}
        return {("t", 0): [SimpleNamespace(offset=3)], ("t", 2): [SimpleNamespace(offset=5)]}

    def assignment(self) -> set[Any]:
        return set()


def test_a_poll_tells_of_offsets_without_records() -> None:
    consumer = Positions()
    thread = cast(Any, SimpleNamespace(_ensure_consumer=lambda: consumer))
    thread._positions = lambda partitions: transport.ConsumerThread._positions(thread, partitions)
    poll = asyncio.run(transport.ConsumerThread.fetch_here(thread, list(consumer.at), 10))
    assert poll.reached == {("t", 0): 5, ("t", 1): 8}


def test_aiokafka_still_keeps_positions_where_they_are_read() -> None:
    state = subscription_state.TopicPartitionState
    assert isinstance(state.position, property) and isinstance(state.has_valid_position, property)
    assert callable(subscription_state.Assignment.state_value)
    assert "_subscription" in aiokafka.AIOKafkaConsumer.__init__.__code__.co_names


def test_the_watch_is_a_task_that_faust_starts() -> None:
    assert "_watch_coordinator" in {task.fun.__name__ for task in in_app(lambda app: list(app.consumer._get_tasks()))}


class Troubled:
    """A consumer as `check_here` sees it."""

    _closed = False

    def __init__(self, partitions: Collection[int] | None = (0,), error: KafkaError | None = None, ended: bool = False) -> None:
        self.did: list[str] = []
        self._partitions, self._error = partitions, error
        self._fetcher = SimpleNamespace(_fetch_task=SimpleNamespace(done=lambda: ended))
        self._client = SimpleNamespace(force_metadata_update=lambda: self.did.append("metadata"))
        self._coordinator = SimpleNamespace(
            _coordination_task=SimpleNamespace(done=lambda: False),
            check_errors=self.check_errors,
            request_rejoin=lambda: self.did.append("rejoin"),
        )

    def subscription(self) -> set[str]:
        return {"clicks"}

    def partitions_for_topic(self, topic: str) -> Collection[int] | None:
        return self._partitions

    def check_errors(self) -> None:
        if self._error:
            raise self._error


@pytest.mark.parametrize(
    ("consumer", "does"),
    [
        (Troubled(), []),
        (Troubled(partitions=None), ["metadata"]),
        (Troubled(error=UnknownError()), ["rejoin"]),
    ],
    ids=["all is well", "a broker without topics", "an error nobody took"],
)
def test_what_aiokafka_leaves_to_its_own_poll_is_looked_after(consumer: Troubled, does: list[str]) -> None:
    thread = SimpleNamespace(_ensure_consumer=lambda: consumer)
    asyncio.run(transport.ConsumerThread.check_here(cast(Any, thread)))
    assert consumer.did == does


def test_a_consumer_whose_tasks_have_ended_is_given_up() -> None:
    thread = SimpleNamespace(_ensure_consumer=lambda: Troubled(ended=True))
    with pytest.raises(RuntimeError, match="has ended"):
        asyncio.run(transport.ConsumerThread.check_here(cast(Any, thread)))


def test_the_versions_are_those_that_were_tried_and_compiled() -> None:
    app_module.check_assumptions()
    assert missing_compiled() == []


def test_other_versions_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(app_module.TRIED_VERSIONS, "aiokafka", "0.0.1")
    with pytest.raises(RuntimeError, match=r"pip install 'aiokafka==0\.0\.1'"):
        app_module.check_assumptions()


class Handler:
    topics = ("one", "two")

    async def start_offsets(self, committed: Any, beginnings: Any, ends: Any) -> Any: ...

    async def on_batch(self, batch: Batch) -> None: ...


def in_app(check: Callable[[transport.App], Any]) -> Any:
    async def run() -> Any:
        app = make_app(Settings(kafka="127.0.0.1:1,127.0.0.2:2"), [(FaustLog(Publisher("127.0.0.1:1")), Handler())])
        found = check(app)
        return await found if inspect.isawaitable(found) else found

    return asyncio.run(run())


def test_the_scheme_leads_to_our_transport_and_consumer() -> None:
    assert drivers.by_url(f"{transport.SCHEME}://localhost") is transport.Transport
    assert in_app(lambda app: type(app.consumer)) is transport.Consumer
    assert in_app(lambda app: type(app.consumer._thread)) is transport.ConsumerThread


def test_every_broker_is_used() -> None:
    servers = in_app(lambda app: driver.server_list(app.transport.url, 9092))
    assert servers == ["127.0.0.1:1", "127.0.0.2:2"]


def test_nothing_listens_and_nothing_is_written_or_declared() -> None:
    def check(app: transport.App) -> None:
        app.finalize()
        conf = app.conf
        assert not conf.web_enabled and not conf.topic_allow_declare and conf.topic_disable_leader
        assert not conf.stream_wait_empty  # it waits without a limit
        assert not app.boot_strategy.kafka_producer() and not app.boot_strategy.web_server()
        assert int(conf.broker_max_poll_interval * 1000) < 2**31

    in_app(check)


def test_a_batch_passes_faust_untouched() -> None:
    async def check(app: transport.App) -> None:
        batch = Batch(3, {("one", 0): []}, {})
        message = ConsumerMessage("one", 0, 7, 0.0, 0, [], None, batch, None, 0, 0, FaustTP("one", 0), generation_id=5)
        topic = app.topic("one", acks=False)
        event = await topic.decode(message)
        assert event.value is batch and event.message.generation_id == 5

    in_app(check)
