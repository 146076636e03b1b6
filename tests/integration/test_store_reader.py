"""Readers, sync and async alike, over what a store wrote: on one shard and on three."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from profile_store.contract import StoreRefused, StoreUnavailable, Write
from profile_store.queries import RESYNC, Change, Profile
from profile_store.reader import AsyncProfileReader, ProfileReader
from profile_store.redis_store import RedisStore
from schemas.identity import fingerprint, identity_of
from tests.contract.places import ODD_IDS, load, nonce, write
from tests.servers_redis import ServerMissing, start_redis

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module", params=["redis", "valkey"])
def server(request: pytest.FixtureRequest) -> Iterator[Any]:
    try:
        running = start_redis(request.param)
    except ServerMissing as missing:
        pytest.skip(str(missing))
    yield running
    running.stop()


@pytest.fixture(params=[1, 3])
def shards(request: pytest.FixtureRequest, server: Any) -> int:
    server.client().flushall()
    return request.param


class SyncedReader:
    """The async reader, called like the sync one."""

    def __init__(self, url: str, **options: Any) -> None:
        self._new = lambda: AsyncProfileReader(url, **options)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        async def call(*args: Any, **named: Any) -> Any:
            async with self._new() as reader:
                return await getattr(reader, name)(*args, **named)

        return lambda *args, **named: asyncio.run(call(*args, **named))


@pytest.fixture(params=[ProfileReader, SyncedReader], ids=["sync", "async"])
def reader(request: pytest.FixtureRequest, server: Any) -> Any:
    return request.param(server.url, prefix="t:")


def play(server: Any, shards: int, scene: Callable[[RedisStore], Coroutine[Any, Any, None]]) -> None:
    """Run the scene with a store that is ready to write."""

    async def run() -> None:
        store = RedisStore(server.url, worker_id="w", rng=os.urandom, shards=shards, prefix="t:")
        await store.open()
        await store.new_chain()
        await scene(store)
        await store.close()

    asyncio.run(run())


def commit(server: Any, shards: int, *writes: Write) -> None:
    async def scene(store: RedisStore) -> None:
        assert await store.commit(writes, {}, nonce()) == []

    play(server, shards, scene)


def view(customer_id: str, stage: str = "new", risk: float | None = 0.5, **fields: bytes) -> Write:
    shown = {"version": b"3", "updated_at_ms": b"1760000000123", "stage": stage.encode(), **fields}
    if risk is not None:
        shown["churn_risk"] = b"%.4f" % risk
    return write(customer_id, fields=shown, risk=risk, stage=stage)


def test_a_profile_is_read_with_its_types(server: Any, shards: int, reader: Any) -> None:
    commit(server, shards, view("C1", consumption='{"城市":[1,2]}'.encode(), basic=b'{"a":null}'))
    profile = reader.get("C1")
    assert isinstance(profile, Profile)
    assert profile[:5] == ("C1", 3, 1760000000123, "new", 0.5)
    assert dict(profile.dims) == {"consumption": {"城市": [1, 2]}, "basic": {"a": None}}
    assert "behaviour" not in profile.dims
    with pytest.raises(KeyError):
        profile.dims["behaviour"]
    assert reader.get("C2") is None
    assert reader.get_many(["C2", "C1", "C2"]) == [None, profile, None]
    assert reader.get_many([]) == []


def test_some_fields_are_read_alone(server: Any, shards: int, reader: Any) -> None:
    commit(server, shards, view("C1", risk=None, basic=b'{"a":1}'))
    assert reader.get_fields("C1", "stage", "basic", "version", "churn_risk") == {"stage": "new", "basic": {"a": 1}, "version": 3}
    assert reader.get_fields("C2", "stage") == reader.get_fields("C1") == {}


def test_odd_ids_are_read_like_others(server: Any, shards: int, reader: Any) -> None:
    commit(server, shards, *(view(name, id=b"%d" % i) for i, name in enumerate(ODD_IDS)))
    assert [(p.id, p.dims["id"]) for p in reader.get_many(ODD_IDS)] == [(name, i) for i, name in enumerate(ODD_IDS)]
    assert {name for name, _ in reader.top_risk(1000)} == set(ODD_IDS)


def test_an_id_of_a_person_leads_to_the_one_that_they_go_by(server: Any, shards: int, reader: Any) -> None:
    def leads(name: str, to: str, **more: Any) -> Write:
        return write(name, fields={"version": b"2", "goes_by": to.encode()}, risk=None, stage="", **more)

    whole = view("客户:1", consumption=b'{"orders":[0,0,0,3]}')
    old = leads("device:d1", "客户:1", external=[("crm", "00042")])
    commit(server, shards, whole, old, leads("device:d0", "device:d1"), leads("round", "round"), view("C2"))
    profiles = reader.get_many(["device:d1", "C2", "客户:1", "device:d0", "nobody"])
    assert [profile and profile.id for profile in profiles] == ["客户:1", "C2", "客户:1", "客户:1", None]
    assert reader.get("device:d1") == profiles[2] and profiles[2].dims["consumption"]["orders"][3] == 3
    assert reader.get_fields("device:d0", "stage", "consumption", "basic") == reader.get_fields("客户:1", "stage", "consumption")
    assert reader.by_external_id("crm", "00042").id == "客户:1"
    assert reader.get("round").stage == "" == reader.get_fields("round", "stage").get("stage", ""), "and nobody waits for ever"
    assert [name for name, _ in reader.top_risk(9)] == ["C2", "客户:1"]


def test_the_highest_risk_over_all_shards(server: Any, shards: int, reader: Any) -> None:
    assert reader.top_risk(5) == []
    commit(server, shards, *(view(f"C{i:04}", risk=i / 1300, stage="rare" if i % 400 == 0 else "new") for i in range(1300)))
    assert reader.top_risk(3) == [("C1299", 1299 / 1300), ("C1298", 1298 / 1300), ("C1297", 1297 / 1300)]
    assert reader.top_risk(2, stage="rare") == [("C1200", 1200 / 1300), ("C0800", 800 / 1300)]
    assert len(reader.top_risk(100, stage="rare")) == 4
    assert reader.top_risk(2, stage="none") == reader.top_risk(0) == reader.top_risk(0, stage="rare") == []
    assert len(reader.top_risk(5000)) == 1300


def test_stages_are_counted_and_listed(server: Any, shards: int, reader: Any) -> None:
    assert (reader.count(), reader.stage_counts()) == (0, {})
    commit(server, shards, view("C1"), view("C2"), view("C3", stage="won back"), view("C4", stage=""))
    assert reader.stage_counts() == {"new": 2, "won back": 1}
    assert reader.count() == 3
    assert set(reader.by_stage("new", 10)) == {"C1", "C2"}
    assert len(reader.by_stage("new", 1)) == 1
    assert reader.by_stage("nobody's", 5) == reader.by_stage("new", 0) == []


def test_who_has_a_tag_and_how_sure_it_is(server: Any, shards: int, reader: Any) -> None:
    assert (reader.who_has("parent"), reader.tag_counts()) == ([], {})
    writes = [view(f"C{i}", tags=b'{"unhappy":1.0,"parent":%.2f}' % (i / 20)) for i in range(8, 14)]
    for each in writes:
        each.tags_got = ["parent", "unhappy"]
    late = view("C99", tags=b'{"unhappy":1.0}')  # it loses the tag while it is asked for
    late.tags_got = ["parent"]
    commit(server, shards, *writes, late)
    assert reader.who_has("parent") == [(f"C{i}", i / 20) for i in range(13, 7, -1)]
    assert len(reader.who_has("unhappy", 4)) == 4
    assert reader.tag_counts() == {"parent": 7, "unhappy": 6}
    assert reader.who_has("parent", 0) == reader.who_has("no: tag") == []


def test_by_external_id(server: Any, shards: int, reader: Any) -> None:
    old = view("C1", updated_at_ms=b"1")
    old.external = [("crm", "7"), ("a:b", "c")]
    commit(server, shards, old)
    assert reader.by_external_id("crm", "7").id == "C1"
    assert reader.by_external_id("a:b", "c").id == "C1"
    assert reader.by_external_id("a", "b:c") is reader.by_external_id("crm", "8") is None
    for name in ("C2", "C3", "C4", "C5"):  # on whatever shard, the one updated last
        new = view(name, updated_at_ms=b"%d" % (10 + int(name[1])))
        new.external = [("crm", "7")]
        commit(server, shards, new)
        assert reader.by_external_id("crm", "7").id == name


def test_a_reader_that_came_before_the_writer_finds_its_shards(server: Any, shards: int, reader: Any) -> None:
    assert reader.get("C1") is None
    commit(server, shards, *(view(f"C{i}") for i in range(9)))
    assert all(reader.get_many([f"C{i}" for i in range(9)]))


def test_a_newer_format_is_refused(server: Any, shards: int, reader: Any) -> None:
    server.client().hset("t:meta:{0}", mapping={"format": 9, "shards": shards})
    with pytest.raises(StoreRefused, match="upgrade"):
        reader.get("C1")


def test_a_reader_of_nobody_is_unavailable() -> None:
    for reader in (ProfileReader("redis://127.0.0.1:1/0"), SyncedReader("redis://127.0.0.1:1/0")):
        with pytest.raises(StoreUnavailable):
            reader.get("C1")


def test_changes_are_announced_and_a_lost_connection_asks_for_a_resync(server: Any, shards: int) -> None:
    commit(server, shards)
    names = ["C1", "C2", 'od"d\\\n\0客户', "C4"]

    async def scene(store: RedisStore) -> None:
        async with AsyncProfileReader(server.url, prefix="t:") as reader:
            changes = reader.changes()
            assert await anext(changes) == RESYNC
            quiet = write("C9", fields={})
            await store.commit([*(view(name) for name in names), quiet], {}, nonce())
            assert {await anext(changes) for _ in names} == {Change(name, 3) for name in names}
            server.client().execute_command("CLIENT", "KILL", "TYPE", "pubsub")
            assert await anext(changes) == RESYNC
            await store.commit([view("C5"), view("C1")], {}, nonce())  # C1 conflicts: no change of it
            assert await anext(changes) == Change("C5", 3)
            again = view("C1", version=b"12345678901234567")
            again.nonce = (await load(store, "C1")).nonce
            await store.commit([again], {}, nonce())
            assert await anext(changes) == Change("C1", 12345678901234567)

    play(server, shards, scene)


def test_changes_for_programs_without_asyncio(server: Any, shards: int) -> None:
    commit(server, shards)
    with ProfileReader(server.url, prefix="t:") as reader:
        changes = reader.changes()
        assert next(changes) == RESYNC
        writer = threading.Thread(target=commit, args=(server, shards, view("C1")))
        writer.start()
        assert next(changes) == Change("C1", 3)
        writer.join()
        server.client().execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        assert next(changes) == RESYNC
        changes.close()  # type: ignore[attr-defined]


KEY = "a key of the shop's"


def test_identities_are_found_however_they_are_written(server: Any, shards: int) -> None:
    email = identity_of("email:lin@shop.cn", KEY.encode()).id
    commit(server, shards, *(write(name, fields={"version": b"1"}) for name in (email, "device:D1", "social:weibo:lin", "ＣID")))
    for make in (ProfileReader, SyncedReader):
        reader = make(server.url, prefix="t:", identity_key=KEY)
        assert reader.get("EMAIL：Ｌin@Shop.cn").id == email
        assert reader.get_fields(" Email:LIN@shop.cn", "version") == {"version": 1}
        found = reader.get_many(["Device:D1", "social:Weibo:@Lin", "ＣID", email, "device:d1"])
        assert [profile and profile.id for profile in found] == ["device:D1", "social:weibo:lin", "ＣID", email, None]
        keyless = make(server.url, prefix="t:")
        assert keyless.get("Device:D1").id == "device:D1" and keyless.get(email).id == email
        with pytest.raises(ValueError, match="no key"):
            keyless.get("email:lin@shop.cn")


def test_a_reader_with_another_key_is_refused_rather_than_told_that_nobody_is_there(server: Any, shards: int) -> None:
    async def scene() -> None:
        store = RedisStore(
            server.url, worker_id="w", rng=os.urandom, shards=shards, prefix="t:", naming=fingerprint(KEY.encode())
        )
        await store.open()
        await store.close()

    asyncio.run(scene())
    for make in (ProfileReader, SyncedReader):
        for known in (None, shards):
            assert make(server.url, prefix="t:", shards=known, identity_key=KEY).get("email:lin@shop.cn") is None
            with pytest.raises(StoreRefused, match="another identity key"):
                make(server.url, prefix="t:", shards=known, identity_key="another key of it").get("C1")
        assert make(server.url, prefix="t:").get("C1") is None, "whoever asks for no address needs none"
