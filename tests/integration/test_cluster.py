"""A real cluster of three processes, five shards over it: the store and both readers."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from typing import Any

import pytest
from redis.crc import key_slot

from profile_store.contract import ABSENT, ChainBroken, Loaded, Position, StoreRefused, StoreUnavailable
from profile_store.keys import slot_tag
from profile_store.queries import RESYNC, Change
from profile_store.reader import AsyncProfileReader, ProfileReader
from profile_store.redis_store import RedisStore
from tests.contract.places import ODD_IDS, ids_by_shard, load, nonce, write
from tests.servers_redis import RedisServer, ServerMissing, free_port, start_redis

pytestmark = pytest.mark.integration

SHARDS = 5
SLOTS = 16384
CLICKS = ("clicks", 0)


@pytest.fixture(scope="module", params=["redis", "valkey"])
def nodes(request: pytest.FixtureRequest) -> Iterator[list[Any]]:
    running: list[Any] = []
    try:
        for _ in range(3):
            ports = ["--cluster-port", str(free_port())]  # else it is the port and 10,000, which may not exist
            running.append(
                start_redis(request.param, extra=["--cluster-enabled", "yes", "--cluster-node-timeout", "2000", *ports])
            )
        if not all(isinstance(node, RedisServer) for node in running):
            pytest.skip("a cluster needs a native server here: in containers the nodes announce addresses that we can't reach")
        form_cluster(running)
        yield running
    except ServerMissing as missing:
        pytest.skip(str(missing))
    finally:
        for node in running:
            node.stop()


def form_cluster(nodes: list[Any]) -> None:
    bounds = [SLOTS * i // len(nodes) for i in range(len(nodes) + 1)]
    for node, first, end in zip(nodes, bounds, bounds[1:], strict=False):
        node.client().execute_command("CLUSTER", "ADDSLOTS", *range(first, end))
        bus_port = node.client().config_get("cluster-port")["cluster-port"]
        nodes[0].client().execute_command("CLUSTER", "MEET", "127.0.0.1", node.port, bus_port)
    wait_for_cluster(nodes, len(nodes))


def wait_for_cluster(nodes: list[Any], size: int) -> None:
    deadline = time.monotonic() + 30
    for node in nodes:
        while True:
            answer = str(node.client().execute_command("CLUSTER", "INFO"))
            if "cluster_state:ok" in answer and f"cluster_known_nodes:{size}" in answer:
                break
            assert time.monotonic() < deadline, answer
            time.sleep(0.05)


@pytest.fixture
def url(nodes: list[Any]) -> str:
    for node in nodes:
        node.client().execute_command("FLUSHALL")
    return nodes[0].url


async def ready(url: str, worker_id: str = "w1") -> RedisStore:
    store = RedisStore(url, worker_id=worker_id, rng=os.urandom, shards=SHARDS, cluster=True)
    await store.open()
    await store.new_chain()
    return store


def test_the_shards_lie_on_every_node(nodes: list[Any]) -> None:
    owners = {key_slot(slot_tag(shard)) * len(nodes) // SLOTS for shard in range(SHARDS)}
    assert owners == set(range(len(nodes)))


def test_a_batch_over_all_shards(url: str) -> None:
    async def play() -> None:
        store = await ready(url)
        ids = ODD_IDS + ids_by_shard(SHARDS)
        mark = nonce()
        writes = [write(name, state=name.encode(), due_ms=i) for i, name in enumerate(ids)]
        assert await store.commit(writes, {CLICKS: Position(7, 70)}, mark) == []
        assert await store.load([*ids, "nobody"]) == [*(Loaded(mark, name.encode()) for name in ids), ABSENT]
        assert await store.positions() == {CLICKS: Position(7, 70)}
        assert await store.due(10**6, 1000) == [(name, i) for i, name in enumerate(ids)]
        stale = write(ids[-1], state=b"stale")
        assert await store.commit([write("C-new"), stale], {CLICKS: Position(8, 80)}, nonce()) == [1]
        assert await store.positions() == {CLICKS: Position(7, 70)}  # one shard stayed behind
        await store.close()

    asyncio.run(play())


def test_a_node_that_lost_its_data_breaks_the_chain(url: str, nodes: list[Any]) -> None:
    async def play() -> None:
        store = await ready(url)
        await store.commit([], {CLICKS: Position(1, 1)}, nonce())
        nodes[1].client().execute_command("FLUSHALL")
        with pytest.raises(ChainBroken):
            await store.commit([], {CLICKS: Position(2, 2)}, nonce())
        assert await store.positions() == {}
        await store.new_chain()
        assert await store.commit([], {CLICKS: Position(2, 2)}, nonce()) == []
        assert await store.positions() == {CLICKS: Position(2, 2)}
        await store.close()

    asyncio.run(play())


def test_a_shard_that_moved_to_another_node_is_found(url: str, nodes: list[Any]) -> None:
    slot = key_slot(slot_tag(0))
    clients = [node.client() for node in nodes]
    names = [client.execute_command("CLUSTER", "MYID").decode() for client in clients]
    source = slot * len(nodes) // SLOTS
    target = (source + 1) % len(nodes)
    customer = ids_by_shard(SHARDS)[0]

    def keys() -> list[bytes]:
        return clients[source].execute_command("CLUSTER", "GETKEYSINSLOT", slot, 1000)

    async def play() -> None:
        store = await ready(url)
        await store.commit([write(customer, state=b"before")], {CLICKS: Position(1, 1)}, nonce())
        loaded = await load(store, customer)
        clients[target].execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", names[source])
        clients[source].execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", names[target])
        move = keys()
        for key in move[: len(move) // 2]:
            clients[source].execute_command("MIGRATE", "127.0.0.1", nodes[target].port, key, 0, 5000)
        with pytest.raises(StoreUnavailable):  # half moved: the script is turned away whole
            await store.commit([write(customer, loaded, state=b"between")], {}, nonce())
        for key in keys():
            clients[source].execute_command("MIGRATE", "127.0.0.1", nodes[target].port, key, 0, 5000)
        for client in clients:
            client.execute_command("CLUSTER", "SETSLOT", slot, "NODE", names[target])
        assert await load(store, customer) == loaded
        await store.new_chain()
        assert await store.commit([write(customer, loaded, state=b"after")], {CLICKS: Position(2, 2)}, nonce()) == []
        assert (await load(store, customer)).state == b"after"
        await store.close()

    asyncio.run(play())


def test_readers(url: str) -> None:
    ids = ids_by_shard(SHARDS)

    async def play() -> None:
        store = await ready(url)
        async with AsyncProfileReader(url, cluster=True) as reader:
            changes = reader.changes()
            assert await anext(changes) == RESYNC
            writes = [write(name, risk=i / 10, external=[("crm", name)]) for i, name in enumerate(ids)]
            assert await store.commit(writes, {}, nonce()) == []
            assert {await anext(changes) for _ in ids} == {Change(name, 1) for name in ids}
            assert [p and p.id for p in await reader.get_many([*ids, "nobody"])] == [*ids, None]
            assert await reader.top_risk(2) == [(ids[4], 0.4), (ids[3], 0.3)]
            assert await reader.stage_counts() == {"new": SHARDS}
        await store.close()

    asyncio.run(play())
    with ProfileReader(url, cluster=True) as reader:
        assert [p and p.id for p in reader.get_many([*ids, "nobody"])] == [*ids, None]
        found = reader.by_external_id("crm", ids[2])
        assert found and found.id == ids[2]
        assert reader.count() == SHARDS
        assert set(reader.by_stage("new", 10)) == set(ids)
        assert next(reader.changes()) == RESYNC


def test_a_cluster_must_be_named_as_one(url: str) -> None:
    with pytest.raises(StoreRefused, match="PORTRAIT_CLUSTER"):
        asyncio.run(RedisStore(url, worker_id="w", rng=os.urandom).open())


def test_any_node_will_do(nodes: list[Any], url: str) -> None:
    for node in nodes:
        asyncio.run(ready(node.url))


def test_the_nodes_are_asked_in_turn(nodes: list[Any], url: str) -> None:
    async def play() -> None:
        store = await ready(nodes[2].url)
        nodes[2].kill9()
        with pytest.raises(StoreUnavailable):
            await store.new_chain()
        nodes[2].start()
        wait_for_cluster(nodes, len(nodes))
        await store.new_chain()
        assert await store.commit([], {CLICKS: Position(1, 1)}, nonce()) == []
        await store.close()

    asyncio.run(play())
