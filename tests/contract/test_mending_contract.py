"""What a store for mending does besides: in memory, in Redis, in Valkey, each with one shard and with three."""

from __future__ import annotations

import os
from typing import Any

import pytest

from profile_store.contract import ABSENT, ChainBroken, Position, Store
from profile_store.mending import MemoryMendingStore, RedisMendingStore
from tests.contract.places import ODD_IDS, MemoryPlace, ids_by_shard, load, nonce, worker, write
from tests.contract.test_store_contract import place, scenario, servers

__all__ = ["place", "servers"]

CLICKS, ORDERS, GONE = ("clicks", 0), ("orders", 11), ("feedback", 2)


def mender(place: Any, naming: str = "") -> MemoryMendingStore | RedisMendingStore:
    if isinstance(place, MemoryPlace):
        return MemoryMendingStore(worker_id="mender", backend=place.backend, naming=naming)
    return RedisMendingStore(place.url, worker_id="mender", rng=os.urandom, shards=place.shards, prefix="t:", naming=naming)


@scenario
async def test_a_write_without_a_state_removes_the_profile(place: Any, store: Store) -> None:
    await store.commit(
        [write("C1", external=[("crm", "7")], due_ms=5, tags_got=["parent"]), write("C2", due_ms=6, tags_got=["parent"])],
        {}, nonce(),
    )  # fmt: skip
    gone = write("C1", await load(store, "C1"), state=b"", fields={}, risk=None, stage="", stage_before="new")
    gone.external_removed, gone.tags_lost = [("crm", "7")], ["student", "parent"]
    assert await store.commit([write("C1", state=b"", fields={})], {}, nonce()) == [0], "it has another nonce"
    assert await store.commit([gone], {}, nonce()) == []
    assert await load(store, "C1") == ABSENT
    assert (place.view("C1"), place.risks(), place.stages()) == ({}, {"C2": 0.5}, {"new": {"C2"}})
    assert place.external("crm", "7") == set()
    assert place.tags() == {"parent": {"C2"}}
    assert [name for name, _ in await store.due(10, 10)] == ["C2"]
    assert await store.commit([write("C1")], {}, nonce()) == [], "a new customer, as at first"


@scenario
async def test_a_write_leaves_the_stages_that_it_names(place: Any, store: Store) -> None:
    await store.commit([write("C1", stage="mature"), write("C2", stage="mature")], {}, nonce())
    again = write("C1", await load(store, "C1"), stage="growing")
    again.stages_left = ["new", "mature", "churned"]
    assert await store.commit([again], {}, nonce()) == []
    assert place.stages() == {"growing": {"C1"}, "mature": {"C2"}}


@scenario
async def test_everybody_with_a_state_or_a_view_is_named(place: Any, store: Store) -> None:
    await store.commit([write(name) for name in ODD_IDS], {}, nonce())
    mending = mender(place)
    try:
        assert {name async for ids in mending.ids() for name in ids} == set(ODD_IDS)
        assert await mending.versions([*ODD_IDS, "nobody"]) == [1] * len(ODD_IDS) + [0]
    finally:
        await mending.close()


@scenario
async def test_notes_stand_on_every_shard_until_they_are_removed(place: Any, store: Store) -> None:
    mending = mender(place)
    try:
        assert await mending.notes("a") == [b""] * place.shards
        await mending.set_note("a", b"\0one")
        await mending.set_note("b", b"two")
        assert await mending.notes("a") == [b"\0one"] * place.shards
        await mending.set_note("a", b"")
        assert await mending.notes("a") == [b""] * place.shards
        assert await mending.notes("b") == [b"two"] * place.shards
    finally:
        await mending.close()


@scenario
async def test_positions_are_set_back_and_all_chains_are_broken(place: Any, store: Store) -> None:
    other = await worker(place, "w2")
    was = {CLICKS: Position(100, 7), ORDERS: Position(30, 8), GONE: Position(4, 9)}
    await store.commit([], was, nonce())
    mending = mender(place)
    try:
        before = {tp: was[tp] for tp in (CLICKS, GONE)}
        assert await mending.reset(before, {CLICKS: 3, ("contacts", 1): 12})
        now = await store.positions()
        assert {tp: at.next_offset for tp, at in now.items()} == {CLICKS: 3, ORDERS: 30, ("contacts", 1): 12}
        assert now[CLICKS].clear_ms == 7
        assert await mending.reset(before, {CLICKS: 3, ("contacts", 1): 12}), "once more is the same"
        for each in (store, other):
            with pytest.raises(ChainBroken):
                await each.commit([write(name) for name in ids_by_shard(place.shards)], {CLICKS: Position(101, 7)}, nonce())
        await store.new_chain()
        assert await store.commit([], {CLICKS: Position(5, 7)}, nonce()) == []
        assert not await mending.reset({CLICKS: Position(3, 7)}, {CLICKS: 0}), "somebody has gone on"
        assert (await store.positions())[CLICKS].next_offset == 5
    finally:
        await mending.close()
        await other.close()
