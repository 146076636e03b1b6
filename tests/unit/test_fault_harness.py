"""The parts of the fault run that can be wrong without anybody noticing: a fault that does no harm, a sitting that forgets."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from itertools import islice
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
import redis

from oracle.refold import Place
from portrait.state import State, mark_of
from schemas.event import Event
from tests.corekit import Customer, click, complaint, order
from tests.fault.faults import FAULTS, numbers, schedule
from tests.fault.fleet import Fleet, Worker
from tests.fault.journal import Journal
from tests.fault.load import At, Load, parcels
from tests.fault.proxy import Proxy
from tests.fault.servers import Store, _last, _length
from tests.fault.verdict import Verdict
from tests.fault.witness import Witness
from tests.fault.worker import POINT_EXIT
from tests.servers_kafka import HOST
from tests.servers_redis import find_server

TIMEOUT_S = 20.0


@asynccontextmanager
async def echo(prefix: bytes = b"") -> AsyncIterator[int]:
    """A server that sends every line back. Its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(prefix + line)
        writer.close()

    server = await asyncio.start_server(serve, HOST, 0, limit=1 << 24)
    async with server:
        yield server.sockets[0].getsockname()[1]


def through_a_proxy(check: Callable[[Proxy], Awaitable[None]]) -> None:
    async def run() -> None:
        async with asyncio.timeout(TIMEOUT_S), echo() as port:
            proxy = Proxy(port, Random(1))
            await proxy.open()
            await check(proxy)
            await proxy.shut()

    asyncio.run(run())


async def ask(proxy: Proxy, *lines: bytes) -> bytes:
    """All that comes back until the connection ends, or as many bytes as were sent."""
    reader, writer = await asyncio.open_connection(HOST, proxy.port, limit=1 << 24)
    writer.writelines(lines)
    try:
        return await reader.readexactly(sum(map(len, lines)))
    except asyncio.IncompleteReadError as error:
        return error.partial
    finally:
        writer.close()


def test_a_proxy_passes_everything_on_in_order_slow_or_not() -> None:
    large = b"x" * 3_000_000 + b"\n"

    async def check(proxy: Proxy) -> None:
        assert await ask(proxy, large, b"end\n") == large + b"end\n"
        proxy.delay_s = 0.05
        slowed = asyncio.create_task(ask(proxy, *(b"%d\n" % n for n in range(1000)), large))
        await asyncio.sleep(0.07)
        proxy.delay_s = 0.0
        assert await slowed == b"".join(b"%d\n" % n for n in range(1000)) + large

    through_a_proxy(check)


def test_a_reply_is_cut_in_the_middle_as_often_as_asked() -> None:
    async def check(proxy: Proxy) -> None:
        proxy.cuts = 2
        for _ in range(2):
            got = await ask(proxy, b"a reply\n")
            assert 0 < len(got) < 8
            assert b"a reply\n".startswith(got)
        assert proxy.cuts == 0
        assert await ask(proxy, b"a reply\n") == b"a reply\n"

    through_a_proxy(check)


def test_a_shut_proxy_lets_nobody_in_and_throws_everybody_out() -> None:
    async def check(proxy: Proxy) -> None:
        reader, writer = await asyncio.open_connection(HOST, proxy.port)
        writer.write(b"before\n")
        assert await reader.readline() == b"before\n"
        await proxy.shut()
        with suppress(ConnectionError):
            assert await reader.read() == b""
        with pytest.raises(ConnectionError):
            await ask(proxy, b"while\n")
        await proxy.open()
        assert await ask(proxy, b"after\n") == b"after\n"

    through_a_proxy(check)


def test_a_proxy_leads_elsewhere_and_gives_no_more_news_once_frozen() -> None:
    async def check(proxy: Proxy) -> None:
        async with echo(b"other ") as port:
            proxy.lead_to(port)
            reader, writer = await asyncio.open_connection(HOST, proxy.port)
            writer.write(b"server\n")
            assert await reader.readline() == b"other server\n"
            proxy.freeze()
            writer.write(b"unheard\n")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.readline(), 0.2)

    through_a_proxy(check)


def test_where_the_server_is_away_the_proxy_hangs_up() -> None:
    async def check(proxy: Proxy) -> None:
        unused = Proxy(0, Random(1)).port
        proxy.lead_to(unused)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            reader, _ = await asyncio.open_connection(HOST, proxy.port)
            await reader.readexactly(1)

    through_a_proxy(check)


def test_a_campaign_of_300_kills_reaches_the_figures_asked_for() -> None:
    many = numbers(300, {})
    assert many["kill"] + many["point"] == 300
    assert many["point"] >= 100
    assert many["rebalance"] >= 100
    assert many["zombie"] >= 30
    assert many["redis_kill"] + many["lost_tail"] + many["backup"] + many["away"] + many["away_long"] >= 50
    assert many["lost_tail"] >= 20
    assert (many["wipe"], many["failover"], many["broker_kill"]) >= (5, 5, 20)
    assert many["away_long"] >= 1


def test_each_fault_has_a_switch_and_comes_at_least_once_but_for_the_long_one() -> None:
    few = numbers(10, {})
    assert few.keys() == FAULTS.keys()
    assert [name for name, number in few.items() if not number] == ["away_long"]
    assert numbers(10, {"wipe": 0, "away_long": 1}) == {**few, "wipe": 0, "away_long": 1}
    assert sum(numbers(0, {}).values()) == 0
    assert schedule(few, Random("1")) == schedule(few, Random("1")) != schedule(few, Random("2"))


class Process:
    """Of a worker that ends with this code, whatever it is asked."""

    pid = 1

    def __init__(self, exitcode: int) -> None:
        self._ends_with, self.exitcode = exitcode, None

    def start(self) -> None:
        pass

    def end(self) -> None:
        self.exitcode = self._ends_with  # type: ignore[assignment]


def ended(exitcode: int, *asked: Callable[[Worker], object], directory: Path, monkeypatch: pytest.MonkeyPatch) -> Worker:
    process = Process(exitcode)
    monkeypatch.setattr("tests.fault.fleet.PROCESSES", SimpleNamespace(Process=lambda **_: process))
    monkeypatch.setattr("tests.fault.fleet.os.kill", lambda pid, number: None)
    worker = Worker(1, directory, {})
    for ask in asked:
        worker.expected = True
        ask(worker)
    process.end()
    return worker


def test_a_worker_that_ends_in_another_way_than_it_was_asked_to_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def as_asked(exitcode: int, *asked: Callable[[Worker], object]) -> bool:
        return ended(exitcode, *asked, directory=tmp_path, monkeypatch=monkeypatch).as_asked

    def point(worker: Worker) -> None:
        worker.arm("written")

    def kill(worker: Worker) -> None:
        worker.signal(signal.SIGKILL)

    def term(worker: Worker) -> None:
        worker.signal(signal.SIGTERM)

    assert as_asked(POINT_EXIT, point)
    assert as_asked(-signal.SIGKILL, kill)
    assert as_asked(-signal.SIGKILL, point, kill), "it did not come by"
    assert as_asked(0, term)
    assert not as_asked(0), "by itself"
    assert not as_asked(-signal.SIGKILL), "by somebody else"
    assert not as_asked(70, point), "of its own, while it was armed"
    assert not as_asked(0, point)
    assert not as_asked(70, term)
    assert not as_asked(POINT_EXIT, term)


def test_the_supervisor_tells_of_a_worker_that_died_of_its_own_while_it_was_armed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[dict[str, Any]] = []
    fleet = Fleet(tmp_path, {}, Random(1), lambda event, **details: told.append({"event": event, **details}))
    for exitcode in (70, POINT_EXIT):
        asked: list[Callable[[Worker], object]] = [lambda worker: worker.arm("written")]
        fleet.workers.append(ended(exitcode, *asked, directory=tmp_path, monkeypatch=monkeypatch))
    with suppress(TimeoutError):
        asyncio.run(asyncio.wait_for(fleet.supervise(), 0.05))
    assert [(each["event"], each["exit"]) for each in told] == [("ended by itself", 70)]


def test_a_journal_goes_on_where_it_was_torn(tmp_path: Path) -> None:
    file = tmp_path / "journal.jsonl"
    first = Journal(file)
    first.tell("fault", number=1)
    with file.open("a") as torn:
        torn.write('{"s": 3, "event": "fau')
    second = Journal(file)
    second.tell("fault", number=2)
    third = Journal(file)
    assert [entry["number"] for entry in third.of("fault")] == [1, 2]
    assert third.now_s >= third.entries[-1]["s"]


def test_a_load_goes_on_where_it_was() -> None:
    load = Load(kafka="", file="", seed=3, rate=1, customers=3)
    whole = list(islice(parcels(load, At()), 9000))
    at = At()
    for _ in islice(parcels(load, at), 5000):
        pass
    kept = msgspec.json.decode(msgspec.json.encode(at), type=At)
    assert at.generation > 0, "more than one generation, or this shows little"
    assert list(islice(parcels(load, kept), 4000)) == whole[5000:]


@pytest.mark.parametrize("kind", ["redis", "valkey"])
def test_a_torn_transaction_comes_back_at_no_later_start(kind: str, tmp_path: Path) -> None:
    if find_server(kind) is None:
        pytest.skip(f"no {kind} server here")
    script = "redis.call('SREM', 'a', 'X') redis.call('SADD', 'b', 'X') redis.call('SET', 'position', '9')"

    async def check() -> None:
        lost: list[tuple[float, float]] = []
        store = Store(kind, tmp_path, Random(1), lambda since_s, until_s: lost.append((since_s, until_s)))
        with store.server.client() as client:
            client.sadd("a", "X")
            client.eval(script, 0)
        for _ in range(2):
            await store.kill()
            if not lost:
                aof = _last(store._files, _length(store._files).manifest)  # type: ignore[union-attr]
                os.truncate(aof, aof.read_bytes().rindex(b"position") + 3)
                lost.append((0.0, 0.0))
            await store.start()
            with store.server.client() as client:
                assert (client.smembers("a"), client.smembers("b")) == ({b"X"}, set())
                client.eval("redis.call('SET', 'c', '1') redis.call('SET', 'd', '1')", 0)
        store.end()
        await store.proxy.shut()

    asyncio.run(check())


@pytest.mark.parametrize("kind", ["redis", "valkey"])
def test_what_stood_in_the_store_before_it_was_taken_away_is_there_for_the_verdict(kind: str, tmp_path: Path) -> None:
    if find_server(kind) is None:
        pytest.skip(f"no {kind} server here")

    async def check() -> None:
        store = Store(kind, tmp_path, Random(1), lambda since_s, until_s: None)
        with store.server.client() as client:
            client.set("number", "1")
            assert store.witness()
            store.wipe()
            while client.info("persistence")["aof_buffer_length"]:  # it puts writing off while an earlier fsync goes on
                await asyncio.sleep(0.05)
            backup = store.back_up()
            assert backup is not None
            client.set("number", "2")
        await store.kill()
        store.restore(backup)
        await store.start()
        with store.server.client() as client:
            assert client.get("number") is None
        found = {}
        for name, url in store.witnesses():
            with redis.Redis.from_url(url) as client:
                found[name] = client.get("number")
        assert found == {"witness-1": b"1", "witness-2": b"2"}
        store.end()
        await store.proxy.shut()

    asyncio.run(check())


def test_a_witness_tells_what_was_lost_or_counted_twice_before_its_cuts() -> None:
    customer, events = Customer(), [order(0), click(1), click(2), click(3), complaint(4)]
    customer.sees(*events[:3])
    places = [(event.topic_code, 0, offset) for offset, event in enumerate(events)]
    held = {(events[0].topic_code, 0): 1, (events[1].topic_code, 0): 2}
    marks = {mark_of(code, 0): offset for code, _, offset in places[:3]}
    state = msgspec.structs.replace(customer.known, marks=marks)

    def verdict(log: dict[Place, Event], state: State = state) -> tuple[int, int]:
        found = Verdict()
        Witness("witness-1", held, {"C1": state}).compare("C1", log, found)
        assert bool(found.notes) is (not found.fine)
        return found.lost, found.double

    log = dict(zip(places, events, strict=True))
    assert verdict(log) == (0, 0), "the second click is beyond the position, and below the mark; the third is beyond both"
    assert verdict({place: event for place, event in log.items() if place != places[1]}) == (0, 1)
    assert verdict(log, msgspec.structs.replace(state, marks={**marks, mark_of(*places[3][:2]): 3})) == (1, 0)
    assert verdict({**log, places[1]: events[3]}) == (1, 1)
    found = Verdict()
    Witness("witness-1", held, {}).compare("C1", log, found)
    assert (found.lost, found.double) == (2, 0), "there is no state at all"
