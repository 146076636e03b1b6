"""Every state is found by a scan: on one server and on a cluster, whatever the ids and the prefix."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from profile_store.contract import StoreUnavailable
from profile_store.redis_store import RedisStore
from profile_store.scan import StateReader
from tests.contract.places import ODD_IDS, nonce, write
from tests.integration.test_cluster import form_cluster
from tests.servers_redis import RedisServer, ServerMissing, free_port, start_redis

pytestmark = pytest.mark.integration

SHARDS = 3
PREFIX = "t*[a-z]?\\:"
OTHER = "tx:"  # what the prefix would match too, if it were a pattern


class Server(NamedTuple):
    url: str
    cluster: bool


@pytest.fixture(scope="module", params=["one", "cluster"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    cluster, running = request.param == "cluster", []
    try:
        for _ in range(3 if cluster else 1):
            extra = ["--cluster-enabled", "yes", "--cluster-port", str(free_port())] if cluster else []
            running.append(start_redis(extra=extra))
        if cluster:
            if not all(isinstance(node, RedisServer) for node in running):
                pytest.skip("a cluster needs native servers here")
            form_cluster(running)
        yield Server(running[0].url, cluster)
    except ServerMissing as missing:
        pytest.skip(str(missing))
    finally:
        for node in running:
            node.stop()


async def store_all(server: Server, prefix: str, ids: list[str]) -> None:
    store = RedisStore(server.url, worker_id="w", rng=os.urandom, shards=SHARDS, cluster=server.cluster, prefix=prefix)
    await store.open()
    await store.new_chain()
    for start in range(0, len(ids), 100):
        assert await store.commit([write(name) for name in ids[start : start + 100]], {}, nonce()) == []
    await store.close()


async def scan(server: Server) -> dict[str, Any]:
    async with StateReader(server.url, prefix=PREFIX, cluster=server.cluster) as reader:
        assert isinstance(reader, StateReader)
        return {name: loaded async for name, loaded in reader.scan_states()}


def test_every_state_is_found_and_no_other(server: Server) -> None:
    ids = [*ODD_IDS, *(f"N{n}" for n in range(700))]

    async def scene() -> dict[str, Any]:
        await store_all(server, PREFIX, ids)
        await store_all(server, OTHER, ["X"])
        return await scan(server)

    found = asyncio.run(scene())
    assert found.keys() == set(ids)
    assert {loaded.state for loaded in found.values()} == {write("C1").state}
    assert {len(loaded.nonce) for loaded in found.values()} == {8}


def test_a_server_that_is_away_is_told() -> None:
    with pytest.raises(StoreUnavailable):
        asyncio.run(scan(Server(f"redis://127.0.0.1:{free_port()}/0", False)))
