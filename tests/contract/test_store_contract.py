"""What every store does: the in-memory one, Redis, and Valkey, each with one shard and with three."""

from __future__ import annotations

import asyncio
import functools
import os
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from profile_store.contract import ABSENT, ChainBroken, Last, Loaded, Position, Store, shard_of
from tests.contract.places import ODD_IDS, MemoryPlace, RedisPlace, ids_by_shard, load, nonce, worker, write
from tests.servers_redis import ServerMissing, start_redis

CLICKS, ORDERS = ("clicks", 0), ("orders", 11)


@pytest.fixture(scope="module")
def servers() -> Iterator[Callable[[str], Any]]:
    """Servers by kind, started when they are first asked for."""
    running: dict[str, Any] = {}

    def get(kind: str) -> Any:
        if kind not in running:
            try:
                running[kind] = start_redis(kind)
            except ServerMissing as missing:
                pytest.skip(str(missing))
        return running[kind]

    yield get
    for server in running.values():
        server.stop()


_REAL = pytest.mark.integration
_PLACES = [
    pytest.param((kind, shards), id=f"{kind}-{shards}", marks=() if kind == "memory" else _REAL)
    for kind in ("memory", "redis", "valkey")
    for shards in (1, 3)
]


@pytest.fixture(params=_PLACES)
def place(request: pytest.FixtureRequest, servers: Callable[[str], Any]) -> MemoryPlace | RedisPlace:
    kind, shards = request.param
    return MemoryPlace(shards) if kind == "memory" else RedisPlace(servers(kind), shards)


def scenario(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """A test that is handed the place and a store over it which is ready to write."""

    @functools.wraps(test)
    def run(place: Any) -> None:
        async def play() -> None:
            store = await worker(place, "w1")
            try:
                await test(place, store)
            finally:
                await store.close()

        asyncio.run(play())

    del run.__wrapped__  # pytest would ask for the arguments of the inner one
    return run


@scenario
async def test_what_was_written_is_loaded(place: Any, store: Store) -> None:
    mark = nonce()
    blobs = {f"C{i}": os.urandom(i) for i in (1, 7, 8, 900, 70_000)}
    assert await store.commit([write(name, state=blob) for name, blob in blobs.items()], {}, mark) == []
    assert await store.load([*blobs, "nobody"]) == [*(Loaded(mark, blob) for blob in blobs.values()), ABSENT]
    assert await store.load([]) == []


@scenario
async def test_a_write_over_another_nonce_conflicts_and_changes_nothing(place: Any, store: Store) -> None:
    first = nonce()
    await store.commit([write("C1"), write("C2")], {}, first)
    late = write("C1", ABSENT, state=b"late", fields={"x": b"1"}, risk=0.9, stage="late", due_ms=5, external=[("crm", "1")])
    stale = write("C2", Loaded(nonce(), b""), state=b"stale")
    assert await store.commit([late, write("C3", state=b"good"), stale], {}, nonce()) == [0, 2]
    assert await store.load(["C1", "C2"]) == [Loaded(first, b"state")] * 2
    assert (await load(store, "C3")).state == b"good"
    assert place.view("C1") == {"version": b"1", "stage": b"new"}
    assert place.risks()["C1"] == 0.5
    assert place.stages() == {"new": {"C1", "C2", "C3"}}
    assert await store.due(10, 10) == []
    assert place.external("crm", "1") == set()


@scenario
async def test_of_two_writes_of_one_state_the_second_conflicts(place: Any, store: Store) -> None:
    assert await store.commit([write("C1", state=b"a"), write("C1", state=b"b")], {}, nonce()) == [1]
    assert (await load(store, "C1")).state == b"a"


@scenario
async def test_a_write_to_a_state_that_is_gone_conflicts(place: Any, store: Store) -> None:
    assert await store.commit([write("C1", Loaded(nonce(), b""))], {}, nonce()) == [0]
    assert await load(store, "C1") == ABSENT


@scenario
async def test_positions_advance_and_never_go_back(place: Any, store: Store) -> None:
    assert await store.positions() == {}
    await store.commit([], {CLICKS: Position(9, 100), ORDERS: Position(3, 0)}, nonce())
    assert await store.positions() == {CLICKS: Position(9, 100), ORDERS: Position(3, 0)}
    await store.commit([write("C1")], {CLICKS: Position(10, 90)}, nonce())  # 10 > 9, though "10" < "9"
    assert (await store.positions())[CLICKS] == Position(10, 100)
    await store.commit([], {CLICKS: Position(8, 101)}, nonce())
    assert (await store.positions())[CLICKS] == Position(10, 101)


@scenario
async def test_the_last_record_goes_with_its_position(place: Any, store: Store) -> None:
    first, second = Last(8, bytes(range(8))), Last(9, b"\xff" * 8)
    await store.commit([], {CLICKS: Position(9, 1, first), ORDERS: Position(0, 1)}, nonce())
    assert await store.positions() == {CLICKS: Position(9, 1, first), ORDERS: Position(0, 1)}
    await store.commit([], {CLICKS: Position(10, 2, second)}, nonce())
    assert (await store.positions())[CLICKS] == Position(10, 2, second)
    await store.commit([], {CLICKS: Position(9, 3, first)}, nonce())  # a zombie's
    assert (await store.positions())[CLICKS] == Position(10, 3, second)
    await store.commit([], {CLICKS: Position(12, 3)}, nonce())  # markers lie between, no record
    assert (await store.positions())[CLICKS] == Position(12, 3, second)
    await store.commit([], {CLICKS: Position(2**53 + 1, 3, Last(2**53, second.digest))}, nonce())
    assert (await store.positions())[CLICKS].last == Last(2**53, second.digest)


@scenario
async def test_a_shard_that_stayed_behind_tells_the_last_record_too(place: Any, store: Store) -> None:
    before, after = Position(5, 1, Last(4, b"x" * 8)), Position(6, 2, Last(5, b"y" * 8))
    ids = ids_by_shard(place.shards)
    await store.commit([write(name) for name in ids], {CLICKS: before}, nonce())
    assert await store.commit([write(ids[-1])], {CLICKS: after}, nonce()) == [0]
    assert await store.positions() == {CLICKS: before}


@scenario
async def test_a_healthy_server_is_looked_at_in_vain(place: Any, store: Store) -> None:
    await store.check()
    await store.check()


@scenario
async def test_positions_of_any_size_are_exact(place: Any, store: Store) -> None:
    for offset in (2**53, 2**53 + 1, 2**63 - 2, 2**63 - 1):
        await store.commit([], {CLICKS: Position(offset, 2**53 + 1)}, nonce())
        assert await store.positions() == {CLICKS: Position(offset, 2**53 + 1)}
    await store.commit([], {CLICKS: Position(2**63 - 2, 2**53)}, nonce())
    assert await store.positions() == {CLICKS: Position(2**63 - 1, 2**53 + 1)}


@scenario
async def test_a_conflict_holds_its_shards_positions_back(place: Any, store: Store) -> None:
    ids = ids_by_shard(place.shards)
    await store.commit([write(name) for name in ids], {CLICKS: Position(1, 1)}, nonce())
    await store.commit([write(ids[0])], {CLICKS: Position(2, 2), ORDERS: Position(2, 2)}, nonce())  # conflicts on shard 0 alone
    assert await store.positions() == {CLICKS: Position(1, 1)}  # the least; what a shard does not know is left out
    again = write(ids[0], await load(store, ids[0]))
    assert await store.commit([again], {CLICKS: Position(2, 2), ORDERS: Position(2, 2)}, nonce()) == []
    assert await store.positions() == {CLICKS: Position(2, 2), ORDERS: Position(2, 2)}


@scenario
async def test_no_commit_without_a_chain(place: Any, store: Store) -> None:
    other = place.store("w2")
    await other.open()
    with pytest.raises(ChainBroken):
        await other.commit([write("C1")], {}, nonce())
    assert await load(store, "C1") == ABSENT
    await other.close()


@scenario
async def test_a_wipe_breaks_the_chain_and_nothing_is_written(place: Any, store: Store) -> None:
    await store.commit([write("C1")], {CLICKS: Position(5, 5)}, nonce())
    place.wipe()
    with pytest.raises(ChainBroken):
        await store.commit([write("C2")], {CLICKS: Position(6, 6)}, nonce())
    with pytest.raises(ChainBroken):  # and so it stays until there is a new one
        await store.commit([], {CLICKS: Position(7, 7)}, nonce())
    assert await store.load(["C1", "C2"]) == [ABSENT, ABSENT]
    assert await store.positions() == {}
    await store.new_chain()
    assert await store.commit([write("C2")], {CLICKS: Position(1, 1)}, nonce()) == []
    assert await store.positions() == {CLICKS: Position(1, 1)}


@scenario
async def test_older_data_breaks_the_chain(place: Any, store: Store) -> None:
    ids = ids_by_shard(place.shards)
    await store.commit([write(name, state=b"old") for name in ids], {CLICKS: Position(1, 1)}, nonce())
    backup = place.backup()
    loaded = await store.load(ids)
    await store.commit(
        [write(n, at, state=b"lost") for n, at in zip(ids, loaded, strict=True)], {CLICKS: Position(2, 2)}, nonce()
    )
    place.restore(backup)
    with pytest.raises(ChainBroken):
        await store.commit([write("C-other")], {CLICKS: Position(3, 3)}, nonce())
    assert await store.positions() == {CLICKS: Position(1, 1)}
    assert {at.state for at in await store.load(ids)} == {b"old"}


@scenario
async def test_older_data_of_an_older_chain_breaks_it_too(place: Any, store: Store) -> None:
    await store.commit([], {CLICKS: Position(1, 1)}, nonce())
    backup = place.backup()
    await store.new_chain()
    await store.commit([], {CLICKS: Position(2, 2)}, nonce())  # as many commits as the old chain had
    place.restore(backup)
    with pytest.raises(ChainBroken):
        await store.commit([], {CLICKS: Position(3, 3)}, nonce())


@scenario
async def test_data_put_back_as_it_was_breaks_nothing(place: Any, store: Store) -> None:
    await store.commit([write("C1")], {CLICKS: Position(1, 1)}, nonce())
    place.restore(place.backup())
    assert await store.commit([write("C2")], {CLICKS: Position(2, 2)}, nonce()) == []


@scenario
async def test_a_zombie_of_the_same_name_is_stopped(place: Any, store: Store) -> None:
    heir = await worker(place, "w1")
    with pytest.raises(ChainBroken):
        await store.commit([write("C1")], {CLICKS: Position(99, 99)}, nonce())
    assert await load(heir, "C1") == ABSENT
    assert await heir.positions() == {}
    assert await heir.commit([write("C1")], {CLICKS: Position(1, 1)}, nonce()) == []
    await heir.close()


@scenario
async def test_workers_share_the_store_and_disturb_nobodys_chain(place: Any, store: Store) -> None:
    other = await worker(place, "w2")
    for _ in range(3):
        assert await store.commit([write("C1", await load(store, "C1"))], {}, nonce()) == []
        assert await other.commit([write("C1", await load(other, "C1"))], {}, nonce()) == []
    await other.close()


@scenario
async def test_fields_are_set_kept_and_removed(place: Any, store: Store) -> None:
    await store.commit([write("C1", fields={"version": b"1", "a": b'{"x":"\xe5\xae\xa2"}', "b": b"2"})], {}, nonce())
    await store.commit(
        [write("C1", await load(store, "C1"), fields={"version": b"2", "c": b"3"}, removed=["b", "never"])], {}, nonce()
    )
    assert place.view("C1") == {"version": b"2", "a": b'{"x":"\xe5\xae\xa2"}', "c": b"3"}
    await store.commit([write("C1", await load(store, "C1"), state=b"only", fields={})], {}, nonce())
    assert place.view("C1") == {"version": b"2", "a": b'{"x":"\xe5\xae\xa2"}', "c": b"3"}
    assert (await load(store, "C1")).state == b"only"


@scenario
async def test_writes_of_one_batch_with_other_fields_keep_their_own(place: Any, store: Store) -> None:
    await store.commit([write("C2", fields={"version": b"1"})], {}, nonce())
    contents = [("C1", {"version": b"1", "a": b"10"}), ("C2", {"x": b"", "y": b"20"}), ("C3", {}), ("C4", {"b": b"", "a": b"40"})]
    writes = [write(name, state=name.encode() * (i + 1), fields=fields) for i, (name, fields) in enumerate(contents)]
    assert await store.commit(writes, {}, nonce()) == [1]
    assert place.view("C2") == {"version": b"1"}
    for name, fields in contents:
        assert name == "C2" or place.view(name) == fields
    assert [at.state for at in await store.load(["C1", "C3", "C4"])] == [b"C1", b"C3C3C3", b"C4C4C4C4"]


@scenario
async def test_the_risk_index_follows(place: Any, store: Store) -> None:
    risk = 0.12345678901234568
    await store.commit([write("C1", risk=risk), write("C2", risk=None), write("C3", risk=0.0)], {}, nonce())
    assert place.risks() == {"C1": risk, "C3": 0.0}
    c1, c2 = await store.load(["C1", "C2"])
    await store.commit([write("C1", c1, risk=None), write("C2", c2, risk=1.0)], {}, nonce())
    assert place.risks() == {"C2": 1.0, "C3": 0.0}


@scenario
async def test_the_stage_index_moves(place: Any, store: Store) -> None:
    await store.commit([write("C1"), write("C2"), write("C3", stage="")], {}, nonce())
    assert place.stages() == {"new": {"C1", "C2"}}
    c1, c2 = await store.load(["C1", "C2"])
    moved = write("C1", c1, stage="won back", stage_before="new")
    await store.commit([moved, write("C2", c2, stage_before="new")], {}, nonce())
    assert place.stages() == {"won back": {"C1"}, "new": {"C2"}}
    await store.commit([write("C1", await load(store, "C1"), stage="", stage_before="won back")], {}, nonce())
    assert place.stages() == {"new": {"C2"}}


@scenario
async def test_the_index_of_tags_follows(place: Any, store: Store) -> None:
    await store.commit(
        [write("C1", tags_got=["parent", "需人工: 1"]), write("C2", tags_got=["parent"]), write("C3")], {}, nonce()
    )
    assert place.tags() == {"parent": {"C1", "C2"}, "需人工: 1": {"C1"}}
    c1, c2 = await store.load(["C1", "C2"])
    changed = write("C1", c1, stage_before="new", tags_got=["student"], tags_lost=["parent", "never-had"])
    stale = write("C2", ABSENT, tags_got=["student"], tags_lost=["parent"])
    assert await store.commit([changed, stale], {}, nonce()) == [1]
    assert place.tags() == {"parent": {"C2"}, "需人工: 1": {"C1"}, "student": {"C1"}}
    await store.commit([write("C2", c2, stage_before="new", tags_got=["parent"])], {}, nonce())
    assert place.tags()["parent"] == {"C2"}, "it had it before"


@scenario
async def test_due_comes_earliest_first_and_none_takes_it_off(place: Any, store: Store) -> None:
    moments = {"C1": 300, "C2": 100, "C3": 200, "C4": 1_760_000_000_123, "C5": None}
    await store.commit([write(name, due_ms=due) for name, due in moments.items()], {}, nonce())
    assert await store.due(99, 10) == []
    assert await store.due(300, 10) == [("C2", 100), ("C3", 200), ("C1", 300)]
    assert await store.due(2**53, 10) == [("C2", 100), ("C3", 200), ("C1", 300), ("C4", 1_760_000_000_123)]
    c2, c3 = await store.load(["C2", "C3"])
    await store.commit([write("C2", c2, due_ms=250), write("C3", c3, due_ms=None)], {}, nonce())
    assert await store.due(300, 10) == [("C2", 250), ("C1", 300)]


@scenario
async def test_due_is_limited_to_the_earliest_of_each_shard(place: Any, store: Store) -> None:
    await store.commit([write(f"C{i}", due_ms=1000 - i) for i in range(60)], {}, nonce())
    found = await store.due(2000, 5)
    expected: list[tuple[str, int]] = []
    for shard in range(place.shards):
        expected += sorted(
            ((f"C{i}", 1000 - i) for i in range(60) if shard_of(f"C{i}", place.shards) == shard), key=lambda item: item[1]
        )[:5]
    assert found == sorted(expected, key=lambda item: item[1])


@scenario
async def test_external_ids_come_and_go(place: Any, store: Store) -> None:
    await store.commit([write("C1", external=[("crm", "7"), ("erp", "客户:1")])], {}, nonce())
    assert place.external("crm", "7") == place.external("erp", "客户:1") == {"C1"}
    await store.commit([write("C1", await load(store, "C1"), external_removed=[("crm", "7"), ("x", "y")])], {}, nonce())
    assert place.external("crm", "7") == set()
    assert place.external("erp", "客户:1") == {"C1"}


@scenario
async def test_external_ids_cannot_be_forged(place: Any, store: Store) -> None:
    await store.commit([write("C1", external=[("a:b", "c")])], {}, nonce())
    assert place.external("a", "b:c") == place.external("a%3Ab", "c") == set()
    assert place.external("a:b", "c") == {"C1"}


@scenario
async def test_an_external_id_that_another_took_over_is_not_removed(place: Any, store: Store) -> None:
    one, two = [name for name in (f"C{i}" for i in range(100)) if shard_of(name, place.shards) == 0][:2]
    await store.commit([write(one, external=[("crm", "7")])], {}, nonce())
    await store.commit([write(two, external=[("crm", "7")])], {}, nonce())
    await store.commit([write(one, await load(store, one), external_removed=[("crm", "7")])], {}, nonce())
    assert place.external("crm", "7") == {two}


@scenario
async def test_odd_ids_are_ids_like_others(place: Any, store: Store) -> None:
    writes = [
        write(
            name,
            state=name.encode(),
            fields={"version": b"1", "id": name.encode()},
            due_ms=i,
            stage="odd: stage",
            tags_got=["odd: tag"],
            external=[("s", name)],
        )
        for i, name in enumerate(ODD_IDS)
    ]
    mark = nonce()
    assert await store.commit(writes, {}, mark) == []
    assert await store.load(ODD_IDS) == [Loaded(mark, name.encode()) for name in ODD_IDS]
    for name in ODD_IDS:
        assert place.view(name) == {"version": b"1", "id": name.encode()}
        assert place.external("s", name) == {name}
    assert set(place.risks()) == place.stages()["odd: stage"] == place.tags()["odd: tag"] == set(ODD_IDS)
    assert await store.due(1000, 1000) == [(name, i) for i, name in enumerate(ODD_IDS)]


@scenario
async def test_a_large_batch_is_written_whole(place: Any, store: Store) -> None:
    writes = [write(f"C{i}", state=b"%d" % i, due_ms=i, fields={f"f{j}": b"%d" % i for j in range(12)}) for i in range(5000)]
    assert await store.commit(writes, {CLICKS: Position(5000, 1)}, nonce()) == []
    assert [at.state for at in await store.load([w.id for w in writes])] == [w.state for w in writes]
    assert len(place.risks()) == len(await store.due(5000, 5000)) == 5000
    assert place.view("C4999") == writes[-1].fields


@scenario
async def test_commits_at_the_same_time_keep_the_chain(place: Any, store: Store) -> None:
    results = await asyncio.gather(*(store.commit([write(f"C{i}")], {CLICKS: Position(i, i)}, nonce()) for i in range(20)))
    assert results == [[]] * 20
    assert await store.positions() == {CLICKS: Position(19, 19)}
