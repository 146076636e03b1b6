"""What the batch loop refuses: it ends with a reason before anything is wrong. And what it must not take for a reason."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from portrait.state import FORMAT, decode, encode
from profile_store.contract import Loaded, Position
from streams.start import last_of
from tests.unit.loopkit import DAY_MS, Died, Rec, Worker, World, fold

A, B = ("orders", 0), ("orders", 1)


@pytest.fixture(params=[1, 3], ids=["one shard", "three shards"])
def world(request: pytest.FixtureRequest) -> World:
    """All of its log is folded: of A eight records, of B four."""
    world = World(request.param)
    for n in range(12):
        world.order(f"C{n % 5}", B if n % 3 == 0 else A)
    asyncio.run(fold(world))
    return world


def refused(world: World, beginnings: dict[Any, int] | None = None) -> str:
    async def scenario() -> None:
        worker = Worker(world)
        await worker.read(await worker.seek(beginnings))

    with pytest.raises(Died) as death:
        asyncio.run(scenario())
    return str(death.value)


def positions(world: World) -> dict[Any, Position]:
    return asyncio.run(Worker(world).loop._store.positions())


def another(world: World, change: Callable[[Rec], Rec]) -> None:
    """Every record of A is another one."""
    world.log[A] = [change(record) for record in world.log[A]]


def test_a_position_holds_the_last_record_before_it(world: World) -> None:
    expected = {tp: last_of(records[-1]) if records else None for tp, records in world.log.items()}
    assert {tp: at.last for tp, at in positions(world).items()} == expected


def test_the_same_log_is_recognised_and_nothing_is_folded_again(world: World) -> None:
    before = world.contents()
    worker = asyncio.run(fold(world))
    assert worker.metrics.registry.get_sample_value("portrait_arrivals_total", {"outcome": "repeated"}) is None
    assert world.contents() == before
    assert worker.log.health.lag() == dict.fromkeys(world.log, 0)


def test_a_topic_made_anew_that_has_grown_past_the_position_is_refused(world: World) -> None:
    another(world, lambda record: record._replace(timestamp=record.timestamp + 1))
    for _ in range(5):
        world.order("C1", A)
    before = world.contents()
    assert "orders/0 holds another record at offset 7" in refused(world)
    assert world.contents() == before


def test_a_topic_made_anew_that_is_just_as_long_is_refused(world: World) -> None:
    another(world, lambda record: record._replace(value=b"{}"))
    assert "orders/0 holds another record" in refused(world)


@pytest.mark.parametrize("wiped", [False, True])
def test_a_log_that_lost_its_tail_is_refused_though_redis_was_wiped(world: World, wiped: bool) -> None:
    del world.log[A][-2:]
    if wiped:
        world.backend.wipe()
    before = world.contents()
    assert "orders/0 ends at offset 6, but " in refused(world)
    assert world.contents() == before


def test_an_end_is_looked_at_again_before_it_is_a_reason_to_refuse(world: World) -> None:
    """The embedded broker tells the end of all but its last batch."""
    world.committed.clear()

    async def scenario() -> None:
        worker = Worker(world)
        asked: list[Any] = []

        async def look_again(partitions: Any) -> Any:
            asked.extend(partitions)
            return {A: 8}

        worker.loop._look_again = look_again
        true = world.ends()
        world.ends = lambda: {**true, A: 5}  # type: ignore[method-assign]
        starts = await worker.seek()
        assert (asked, starts[A]) == ([A], 7)

    asyncio.run(scenario())


def test_records_that_expired_unread_are_refused(world: World) -> None:
    for _ in range(5):
        world.order("C1", A)
    assert "orders/0 begins at offset 9" in refused(world, {A: 9})


def test_a_wiped_store_is_refused_where_the_log_is_not_whole(world: World) -> None:
    world.backend.wipe()
    assert "can't be rebuilt in full" in refused(world, {A: 1})


def test_nobody_knows_whether_a_new_group_and_an_empty_store_lost_anything(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.backend.wipe()
    world.committed.clear()

    async def scenario() -> None:
        worker = Worker(world)
        starts = await worker.seek({A: 3})
        assert starts[A] == 3
        await worker.read(starts)
        assert worker.log.health.lag() == dict.fromkeys(world.log, 0)

    asyncio.run(scenario())
    assert "lost its beginning" in capsys.readouterr().out


def test_a_store_from_a_backup_is_compared_with_an_older_record(world: World) -> None:
    backup = world.backend.snapshot()
    for _ in range(3):
        world.order("C1", A)
    asyncio.run(fold(world))
    expected = world.contents()
    world.backend.restore(backup)
    asyncio.run(fold(world))
    views = [{name: shard[name] for name in ("profiles", "positions", "stages", "due")} for shard in world.contents()]
    assert views == [{name: shard[name] for name in views[0]} for shard in expected]
    world.backend.restore(backup)
    another(world, lambda record: record._replace(key=b"C9") if record.offset == 7 else record)
    assert "holds another record at offset 7" in refused(world)


def test_no_tick_goes_by_a_log_that_is_not_recognised_yet(world: World) -> None:
    async def scenario() -> None:
        world.now_ms += 400 * DAY_MS
        before = [shard["states"] for shard in world.contents()]
        worker = Worker(world)
        starts = await worker.seek()
        await worker.loop.sweep()
        assert [shard["states"] for shard in world.contents()] == before
        await worker.read(starts)
        assert [shard["states"] for shard in world.contents()] != before, "once it is, silence counts"

    asyncio.run(scenario())


def test_offsets_that_hold_no_record_leave_the_last_one_as_it_is(world: World) -> None:
    async def scenario() -> None:
        worker = await fold(world)
        await worker.give({}, {A: 10})

    asyncio.run(scenario())
    assert positions(world)[A][::2] == (10, last_of(world.log[A][-1]))


def test_a_record_that_compaction_took_holds_up_nothing(world: World) -> None:
    async def scenario() -> None:
        worker = Worker(world)
        await worker.seek()
        await worker.give({}, world.ends())
        assert worker.log.health.lag() == dict.fromkeys(world.log, 0)
        assert not worker.loop._starts

    asyncio.run(scenario())


def test_what_precedes_the_position_may_come_in_several_batches(world: World) -> None:
    """An older worker has moved the position on without the record."""
    for shard in world.backend.shards:
        shard.positions[A] = shard.positions[A]._replace(last=last_of(world.log[A][2]))
    world.order("C1", A)

    async def scenario() -> None:
        worker = Worker(world)
        assert (await worker.seek())[A] == 2
        for first in (2, 4, 6, 8):
            await worker.give({A: world.log[A][first : first + 2]})
        arrivals = {
            outcome: worker.metrics.registry.get_sample_value("portrait_arrivals_total", {"outcome": outcome})
            for outcome in ("folded", "repeated")
        }
        assert arrivals == {"folded": 1, "repeated": None}

    asyncio.run(scenario())
    assert positions(world)[A].last == last_of(world.log[A][8])


def test_a_position_from_before_there_were_digests_is_gone_on_from(world: World) -> None:
    for shard in world.backend.shards:
        shard.positions = {tp: Position(at.next_offset, at.clear_ms) for tp, at in shard.positions.items()}
    world.order("C1", A)
    asyncio.run(fold(world))
    assert positions(world)[A] == Position(9, world.now_ms, last_of(world.log[A][8]))
    assert positions(world)[B].last is None


@pytest.mark.parametrize("by", ["an event", "a tick"])
def test_a_state_of_a_newer_format_ends_the_worker_before_any_state_is_written(world: World, by: str) -> None:
    for shard in world.backend.shards:
        for name, loaded in shard.states.items():
            state = decode(loaded.state)
            state.format = FORMAT + 1
            shard.states[name] = Loaded(loaded.nonce, encode(state))
    before = world.contents()
    if by == "an event":
        world.order("C1", A)
        world.order("new", A)
    else:
        world.now_ms += 400 * DAY_MS
    assert "upgrade the workers" in refused(world)
    after = world.contents()
    changed = {name for was, now in zip(before, after, strict=True) for name in was if now[name] != was[name]}
    assert changed <= {"positions"}, "at the most, the time of a partition that is read to its end has gone on"
    assert [shard["positions"][A].next_offset for shard in after] == [8] * len(after)
