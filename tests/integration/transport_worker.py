"""A worker process with a trivial handler, for test_transport_kafka.py: it appends ``partition offset`` of all it gets to a file.

Its one argument is a JSON object, see `Plan`. On standard error: its log. On the file: also ``start`` for each seek, and
``confirmed partition offset`` after each batch.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Mapping

import msgspec
import uvloop

from streams.app import make_app, run_worker, signals
from streams.faust_log import FaustLog
from streams.log import TP, Batch, next_offsets
from streams.producer import Publisher
from streams.settings import Settings


class Plan(msgspec.Struct, kw_only=True):
    kafka: str
    group: str
    topic: str
    file: str
    batch_s: float = 0.0  # how long each batch takes
    rewind_every: int = 0  # batches
    block_until: str = ""  # batches wait until this file exists
    raise_at: int = -1  # offset at which the handler breaks its promise
    session_timeout_s: float = 6.0


class Recorder:
    def __init__(self, plan: Plan, log: FaustLog) -> None:
        self._plan, self._log = plan, log
        self._file = os.open(plan.file, os.O_APPEND | os.O_CREAT | os.O_WRONLY)
        self._batches = 0
        self.topics = [plan.topic]

    def _write(self, *lines: str) -> None:
        os.write(self._file, "".join(f"{line}\n" for line in lines).encode())

    async def start_offsets(
        self, committed: Mapping[TP, int | None], beginnings: Mapping[TP, int], ends: Mapping[TP, int]
    ) -> dict[TP, int]:
        self._write(f"start {len(ends)} of {len(self._log.partitions())}")
        return {tp: beginnings[tp] if at is None else at for tp, at in committed.items()}

    async def on_batch(self, batch: Batch) -> None:
        self._batches += 1
        if self._plan.rewind_every and self._batches % self._plan.rewind_every == 0:
            await self._log.rewind()
            return
        while self._plan.block_until and not os.path.exists(self._plan.block_until):
            await asyncio.sleep(0.05)
        await asyncio.sleep(self._plan.batch_s)
        seen = [record for records in batch.records.values() for record in records]
        if any(record.offset == self._plan.raise_at for record in seen):
            raise ValueError("as planned")
        done = next_offsets(batch.records, batch.reached)
        self._write(*(f"{r.partition} {r.offset}" for r in seen), *(f"confirmed {tp[1]} {at}" for tp, at in done.items()))
        self._log.confirm(done)


async def main(plan: Plan) -> int:
    publisher = Publisher(plan.kafka)
    log = FaustLog(publisher)
    settings = Settings(kafka=plan.kafka, group=plan.group, session_timeout_s=plan.session_timeout_s, batch_records_max=500)
    stop = asyncio.Event()
    with signals(stop):
        return await run_worker(make_app(settings, [(log, Recorder(plan, log))]), publisher, stop)


if __name__ == "__main__":
    logging.basicConfig(level="WARNING", format="%(asctime)s %(name)s %(levelname)s %(message)s")
    sys.exit(uvloop.run(main(msgspec.json.decode(sys.argv[1], type=Plan))))
