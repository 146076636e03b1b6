"""Does a worker that runs on and on grow? Cases come again and again into one loop, under tracemalloc."""

from __future__ import annotations

import asyncio
import gc
import math
import tracemalloc
from collections import Counter
from collections.abc import Callable, Sequence
from time import monotonic

import structlog

from streams.log import TP
from tests.fuzz.case import Case
from tests.fuzz.judge import PARTITIONS_OF_ALL, Worker, as_polled
from tests.property.lives import LogRecord

WARM_ROUNDS, ROUNDS = 3, 4
#: However little time there is.
CASES_LEAST = 5
#: What may stay: a little once and for all (tables that are nearly full), and of a record less than any object has.
SLACK_BYTES, BYTES_A_RECORD = 32 * 1024, 8


def growth(
    cases: Sequence[Case], rounds: int = ROUNDS, *, seconds: float = math.inf, told: Callable[[str], None] = lambda text: None
) -> tuple[int, int]:
    """(bytes that stayed after ``rounds`` over the cases, how many records came in them).

    Of the cases so many, from the first, as all rounds get through in about so many ``seconds``, but a few at the least.
    ``told`` hears how it goes. The store and the log are no part of the worker: the log is emptied after each batch, and the
    store holds as many customers as the cases have, whose states are bounded (G7).
    """
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    return asyncio.run(_growth(cases, rounds, seconds, told))


def leaks(left: int, records: int) -> bool:
    """Whether so much is more than may stay."""
    return left > SLACK_BYTES + BYTES_A_RECORD * records


async def _growth(cases: Sequence[Case], rounds: int, seconds: float, told: Callable[[str], None]) -> tuple[int, int]:
    log: dict[TP, list[LogRecord]] = {tp: [] for tp in PARTITIONS_OF_ALL}
    offsets: Counter[TP] = Counter()
    worker = Worker(Case([], stream_clock=True), log)
    await worker.start()

    async def take(case: Case) -> None:
        for batch in as_polled(case):
            await worker.take({tp: [_at(record, tp, offsets) for record in records] for tp, records in batch.items()})
        await worker.loop.sweep()
        worker.log.published.clear()

    tracemalloc.start()
    try:
        began_s, taken = monotonic(), 0
        for case in cases:  # the first round, which says how many there is time for
            if taken >= CASES_LEAST and monotonic() - began_s > seconds / (WARM_ROUNDS + rounds):
                break
            await take(case)
            taken += 1
        before = seen = 0
        for number in range(2, WARM_ROUNDS + rounds + 1):
            told(f"round {number} of {WARM_ROUNDS + rounds}, {taken} of {len(cases)} inputs")
            for case in cases[:taken]:
                await take(case)
            if number == WARM_ROUNDS:
                before, seen = _held(), offsets.total()
        return _held() - before, offsets.total() - seen
    finally:
        tracemalloc.stop()


def _at(record: LogRecord, tp: TP, offsets: Counter[TP]) -> LogRecord:
    offsets[tp] += 1
    return record._replace(offset=offsets[tp] - 1)


def _held() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]
