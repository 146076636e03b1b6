"""A real Redis and a real Valkey that are away, full, read-only, forgetful, or lose a reply."""

from __future__ import annotations

import asyncio
import functools
import os
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from profile_store.contract import ABSENT, ChainBroken, Last, Position, StoreRefused, StoreUnavailable, StoreUncertain
from profile_store.redis_store import RedisStore
from tests.contract.places import load, nonce, write
from tests.servers_redis import ServerMissing, free_port, start_redis

pytestmark = pytest.mark.integration
CLICKS = ("clicks", 0)


@pytest.fixture(params=["redis", "valkey"])
def server(request: pytest.FixtureRequest) -> Iterator[Any]:
    try:
        running = start_redis(request.param)
    except ServerMissing as missing:
        pytest.skip(str(missing))
    yield running
    running.stop()


def scenario(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @functools.wraps(test)
    def run(server: Any) -> None:
        asyncio.run(test(server))

    del run.__wrapped__
    return run


def make(url: str, **options: Any) -> RedisStore:
    return RedisStore(url, worker_id="w1", rng=os.urandom, **options)


async def ready(url: str, **options: Any) -> RedisStore:
    store = make(url, **options)
    await store.open()
    await store.new_chain()
    return store


def script_calls(server: Any) -> int:
    stats = server.client().info("commandstats")
    return sum(stats.get(f"cmdstat_{name}", {}).get("calls", 0) for name in ("eval", "evalsha"))


class Proxy:
    """Stands between a client and the server; ``cut`` makes it swallow the next reply and hang up."""

    def __init__(self, port: int) -> None:
        self._upstream = port
        self.cut = False
        self.port = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Proxy:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._upstream)
        for source, sink, is_reply in ((reader, up_writer, False), (up_reader, writer, True)):
            task = asyncio.create_task(self._pump(source, sink, is_reply))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, is_reply: bool) -> None:
        while data := await source.read(65536):
            if is_reply and self.cut:
                self.cut = False
                break
            sink.write(data)
            await sink.drain()
        sink.close()


@scenario
async def test_a_lost_reply_is_uncertain_and_the_script_ran_once(server: Any) -> None:
    async with Proxy(server.port) as proxy:
        store = await ready(f"redis://127.0.0.1:{proxy.port}/0")
        await store.commit([write("C0")], {}, nonce())
        before = script_calls(server)
        proxy.cut = True
        mark = nonce()
        with pytest.raises(StoreUncertain):
            await store.commit([write("C1")], {CLICKS: Position(1, 1)}, mark)
        assert script_calls(server) == before + 1
        assert (await load(store, "C1")).nonce == mark  # it was written, which nobody could know
        with pytest.raises(ChainBroken):  # going on with the old chain is noticed
            await store.commit([write("C2")], {}, nonce())
        await store.new_chain()
        assert await store.commit([write("C2")], {}, nonce()) == []
        await store.close()


@scenario
async def test_a_lost_reply_to_a_read_is_only_unavailable(server: Any) -> None:
    async with Proxy(server.port) as proxy:
        store = await ready(f"redis://127.0.0.1:{proxy.port}/0")
        proxy.cut = True
        with pytest.raises(StoreUnavailable):
            await store.load(["C1"])
        assert await load(store, "C1") == ABSENT
        await store.close()


@scenario
async def test_a_late_reply_is_uncertain_and_never_taken_for_the_next(server: Any) -> None:
    store = await ready(server.url, timeout_s=0.3)
    admin = server.client()
    admin.execute_command("CLIENT", "PAUSE", "1000", "WRITE")
    with pytest.raises(StoreUncertain):
        await store.commit([write("C1")], {CLICKS: Position(1, 1)}, nonce())
    admin.execute_command("CLIENT", "UNPAUSE")
    assert await store.positions() in ({}, {CLICKS: Position(1, 1)})
    await store.close()


@scenario
async def test_a_cancelled_call_does_not_leave_its_reply_to_the_next(server: Any) -> None:
    store = await ready(server.url)
    await store.commit([write("C1", state=b"one"), write("C2", state=b"two")], {}, nonce())
    call = asyncio.create_task(store.load(["C1"]))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    assert (await load(store, "C2")).state == b"two"
    await store.close()


@scenario
async def test_a_server_that_is_away_is_unavailable_and_comes_back(server: Any) -> None:
    store = await ready(server.url)
    await store.commit([write("C1")], {CLICKS: Position(1, 1)}, nonce())
    server.kill9()
    await asyncio.sleep(0.05)
    for call in (
        lambda: store.commit([write("C2")], {}, nonce()),  # the connection was seen to close: nothing was sent
        lambda: store.load(["C1"]),
        store.positions,
        store.new_chain,
        store.open,
        lambda: store.due(1, 1),
    ):
        with pytest.raises(StoreUnavailable):
            await call()
    if not hasattr(server, "start"):
        return
    server.start()  # without its data, since it kept none
    with pytest.raises(ChainBroken):
        await store.commit([write("C2")], {}, nonce())
    await store.new_chain()
    assert await store.commit([write("C2")], {}, nonce()) == []
    await store.close()


@scenario
async def test_nobody_there(server: Any) -> None:
    with pytest.raises(StoreUnavailable):
        await make(f"redis://127.0.0.1:{free_port()}/0").open()


@scenario
async def test_a_full_server_takes_nothing_and_loses_nothing(server: Any) -> None:
    store = await ready(server.url)
    await store.commit([write("C1")], {CLICKS: Position(1, 1)}, nonce())
    admin = server.client()
    admin.config_set("maxmemory", 1)
    with pytest.raises(StoreUnavailable, match="maxmemory"):
        await store.commit([write("C2")], {CLICKS: Position(2, 2)}, nonce())
    admin.config_set("maxmemory", 0)
    assert await load(store, "C2") == ABSENT
    assert await store.positions() == {CLICKS: Position(1, 1)}
    assert await store.commit([write("C2")], {CLICKS: Position(2, 2)}, nonce()) == []  # the chain is whole
    await store.close()


@scenario
async def test_a_replica_and_one_without_its_master_are_unavailable(server: Any) -> None:
    store = await ready(server.url)
    admin = server.client()
    admin.execute_command("REPLICAOF", "127.0.0.1", str(free_port()))
    with pytest.raises(StoreUnavailable, match="READONLY"):
        await store.commit([write("C1")], {}, nonce())
    admin.config_set("replica-serve-stale-data", "no")
    with pytest.raises(StoreUnavailable, match="MASTERDOWN"):
        await store.load(["C1"])
    admin.execute_command("REPLICAOF", "NO", "ONE")
    assert await store.commit([write("C1")], {}, nonce()) == []
    await store.close()


@scenario
async def test_a_server_that_forgot_the_script_is_told_again(server: Any) -> None:
    store = await ready(server.url)
    await store.commit([write("C1")], {}, nonce())
    server.client().script_flush()
    assert await store.commit([write("C2")], {}, nonce()) == []
    await store.close()


@scenario
async def test_a_server_that_evicts_is_refused(server: Any) -> None:
    admin = server.client()
    admin.config_set("maxmemory", 100_000_000)
    admin.config_set("maxmemory-policy", "volatile-lru")
    with pytest.raises(StoreRefused, match="noeviction"):
        await make(server.url).open()
    admin.config_set("maxmemory-policy", "noeviction")
    await make(server.url).open()


@scenario
async def test_a_server_that_begins_to_evict_is_refused_at_the_next_look(server: Any) -> None:
    store, admin = await ready(server.url), server.client()
    await store.check()
    admin.config_set("maxmemory-policy", "allkeys-lru")
    await store.check()  # without a limit nothing is evicted
    admin.config_set("maxmemory", 100_000_000)
    with pytest.raises(StoreRefused, match=r"may evict keys .*allkeys-lru.*noeviction"):
        await store.check()
    await store.close()


@scenario
async def test_a_server_that_has_evicted_meanwhile_is_refused_at_the_next_look(server: Any) -> None:
    store, admin = await ready(server.url), server.client()
    await store.commit([write(f"C{n}", state=b"x" * 10_000) for n in range(200)], {}, nonce())
    admin.config_set("maxmemory-policy", "allkeys-random")
    admin.config_set("maxmemory", admin.info("memory")["used_memory"] - 500_000)
    admin.set("one", "more")  # makes room
    admin.config_set("maxmemory", 0)
    assert admin.info("stats")["evicted_keys"] > 0
    with pytest.raises(StoreRefused, match=r"has evicted \d+ keys"):
        await store.check()
    await store.check()  # told once; whoever was told has ended
    await make(server.url).open()  # who comes later can't know whose keys they were
    await store.close()


@scenario
async def test_a_server_that_may_not_be_asked_is_not_refused(server: Any) -> None:
    server.client().execute_command("ACL", "SETUSER", "app", "on", ">pw", "~*", "&*", "+@all", "-info")
    store = await ready(f"redis://app:pw@127.0.0.1:{server.port}/0")
    await store.check()
    await store.close()


@scenario
async def test_a_removed_position_takes_its_last_record_along(server: Any) -> None:
    store = await ready(server.url)
    await store.commit([], {CLICKS: Position(9, 1, Last(8, b"x" * 8))}, nonce())
    server.client().delete("pos:{0}", "clear:{0}")
    await store.commit([], {CLICKS: Position(4, 1)}, nonce())
    assert await store.positions() == {CLICKS: Position(4, 1)}
    await store.close()


@scenario
async def test_another_number_of_shards_or_format_is_refused(server: Any) -> None:
    await make(server.url, shards=3).open()
    for shards in (1, 2, 4):
        with pytest.raises(StoreRefused, match="PORTRAIT_SHARDS=3"):
            await make(server.url, shards=shards).open()
    await make(server.url, shards=1, prefix="other:").open()
    assert not server.client().exists("meta:{3}")
    server.client().hset("meta:{0}", "format", 2)
    with pytest.raises(StoreRefused, match="format 2"):
        await make(server.url, shards=3).open()


@scenario
async def test_a_wrong_password_is_refused(server: Any) -> None:
    server.client().config_set("requirepass", "secret")
    with pytest.raises(StoreRefused, match="PORTRAIT_REDIS"):
        await make(server.url).open()
    with pytest.raises(StoreRefused, match="PORTRAIT_REDIS"):
        await make(f"redis://:wrong@127.0.0.1:{server.port}/0").open()
    await make(f"redis://:secret@127.0.0.1:{server.port}/0").open()


@scenario
async def test_a_user_without_admin_rights_is_enough(server: Any) -> None:
    server.client().execute_command("ACL", "SETUSER", "app", "on", ">pw", "~*", "&*", "+@all", "-@admin", "-@dangerous")
    store = await ready(f"redis://app:pw@127.0.0.1:{server.port}/0")
    assert await store.commit([write("C1")], {CLICKS: Position(1, 1)}, nonce()) == []
    await store.close()


@scenario
async def test_a_foreign_key_in_the_way_is_refused(server: Any) -> None:
    store = await ready(server.url)
    server.client().lpush("risk:{0}", "not ours")
    with pytest.raises(StoreRefused, match="another program"):
        await store.commit([write("C1")], {}, nonce())
    await store.close()


def test_not_a_url() -> None:
    with pytest.raises(StoreRefused, match="PORTRAIT_REDIS"):
        make("http://127.0.0.1")
