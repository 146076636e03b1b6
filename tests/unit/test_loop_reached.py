"""Offsets that hold no records (markers of transactions, holes of compaction) hold up neither the clock nor the positions."""

from __future__ import annotations

import asyncio

from streams.log import Batch
from tests.simulation.shape import NO_FAULTS, Shape
from tests.simulation.worker import Worker
from tests.simulation.world import World


def test_a_batch_without_records_takes_the_position_to_the_end() -> None:
    async def scenario() -> None:
        world = World(1, Shape(), NO_FAULTS)
        worker = Worker(world, "w")
        worker.hear(list(world.log), 0)
        await worker.seek()
        world.applications.publish(25)
        worker.log.polled({tp: end + 1 for tp, end in world.ends().items()}, world.now_ms)
        records = {tp: [record for record in of_partition if record] for tp, of_partition in world.log.items() if of_partition}
        await worker.loop.on_batch(Batch(worker.log.epoch, records, worker.log.ends()))
        await worker.loop.on_batch(Batch(worker.log.epoch, {}, worker.log.ends(), worker.log.ends()))
        assert worker.log.committable() == worker.log.ends()
        positions = await worker.loop._store.positions()
        assert {tp: position.next_offset for tp, position in positions.items()} == worker.log.ends()
        assert min(position.clear_ms for position in positions.values()) == world.now_ms

    asyncio.run(scenario())


def test_a_worker_that_is_left_without_partitions_sweeps_no_more() -> None:
    async def scenario() -> None:
        world = World(1, Shape(), NO_FAULTS)
        old, new = Worker(world, "old"), Worker(world, "new")
        old.hear(list(world.log), 0)
        await old.seek()
        await old.loop.sweep()
        before = await new.loop._store.positions()
        assert before
        old.log.assign([])
        world.now_ms += 1000
        await old.loop.sweep()
        assert await new.loop._store.positions() == before

    asyncio.run(scenario())
