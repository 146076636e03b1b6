"""What must hold for any case: of the decoder's answer, and of the real batch loop over the store in memory.

A broken promise raises: `Broken`, or whatever the code under test lets out.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import Mapping, Sequence
from typing import NoReturn

import msgspec
import structlog

from portrait.models import churn
from portrait.state import RING_EVENTS, State, decode, facts
from profile_store.memory import MemoryBackend, MemoryStore
from schemas.event import CUSTOMER_ID_BYTES_MAX, FUTURE_SKEW_MS, TIME_MS_END, Event, Rejection
from schemas.event import decode as decode_event
from schemas.outputs import ActionEvent, DeadLetter, Lesson
from schemas.profile import parse
from schemas.registry import ACTIONS, BY_NAME, DEAD_LETTERS, LESSONS
from streams.intake import NAMER
from streams.log import NOTHING, TP, Batch, Outgoing, Unpublishable
from streams.loop import Loop
from streams.metrics import Metrics
from streams.settings import Settings
from streams.topics import LARGE_RECORD_BYTES
from tests.fuzz.case import NOW_MS, PARTITIONS, Case, Sent
from tests.property.lives import LogRecord

DAY_MS = 86_400_000
PARTITIONS_OF_ALL = [(topic, partition) for topic in BY_NAME for partition in range(PARTITIONS)]
SCORER = churn.fresh(60)
SILENCES_DAYS = (1, 40, 3000)
PUBLISHED = {DEAD_LETTERS: DeadLetter, ACTIONS: ActionEvent, LESSONS: Lesson}


class Broken(AssertionError):
    """A promise was broken."""


class Died(BaseException):
    """The worker ended itself; its cause is the exception before."""


def expect(condition: bool, promise: str) -> None:
    if not condition:
        raise Broken(promise)


# The decoder


def judge_decoder(case: Case) -> None:
    """Any record gives a valid event, or a rejection that can be a dead letter. Nothing raises."""
    for one in case.sent:
        found = decode_event(one.topic, one.key, one.value, one.headers, one.timestamp)
        if isinstance(found, Rejection):
            expect(all((found.reason, found.path, found.message, found.remedy)), "a rejection says what, where and what to do")
            msgspec.json.encode(found)
            continue
        expect(isinstance(found, Event), "an answer is an event or a rejection")
        expect(0 <= found.time_ms <= min(one.timestamp + FUTURE_SKEW_MS, TIME_MS_END - 1), "time is bounded")
        expect(0 <= found.hour <= 23 and len(found.hash) == 8, "hour and hash are what they say")
        expect(found.customer_id.encode() == one.key and len(one.key or b"") <= CUSTOMER_ID_BYTES_MAX, "the key is the customer")


# The loop


class FuzzLog:
    """All records are in the log from the beginning; what one worker makes of it is kept."""

    epoch = 0

    def __init__(self, records: Mapping[TP, Sequence[LogRecord]]) -> None:
        self.records = records
        self._ends = {tp: len(of_partition) for tp, of_partition in records.items()}
        self.now_ms = NOW_MS
        self.published: list[Outgoing] = []
        self.confirmed: dict[TP, int] = {}

    def ends(self) -> Mapping[TP, int]:
        return self._ends

    def ends_as_of_ms(self) -> int:
        return self.now_ms

    def partitions(self) -> Sequence[TP]:
        return list(self.records)

    def moments(self) -> Mapping[TP, int]:
        return {}

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        """As a broker does: what is too large never gets in."""
        self.published += [message for message in messages if len(message.value) <= LARGE_RECORD_BYTES]
        if large := [message for message in messages if len(message.value) > LARGE_RECORD_BYTES]:
            raise Unpublishable([(message, "MessageSizeTooLargeError") for message in large])

    def confirm(self, offsets: Mapping[TP, int], moments_ms: Mapping[TP, int] = NOTHING) -> None:
        self.confirmed |= offsets

    async def rewind(self) -> NoReturn:
        raise Broken("nothing was lost here, so nothing is read again")


class Worker:
    """The real loop, driven as the transport drives it."""

    def __init__(self, case: Case, records: Mapping[TP, Sequence[LogRecord]], backend: MemoryBackend | None = None) -> None:
        self.log = FuzzLog(records)
        self.backend = backend or MemoryBackend(case.shards)
        self.metrics = Metrics()
        self._random = 0
        self.loop = Loop(
            Settings(clock="stream" if case.stream_clock else "wall", cache_profiles=4, batch_records_max=4),
            MemoryStore(worker_id=f"w{id(self)}", backend=self.backend),
            self.log,
            wall_ms=lambda: self.log.now_ms,
            random_bytes=self._next_bytes,
            scorer=lambda: SCORER,
            replayed=frozenset,
            metrics=self.metrics,
            die=_die,
            sleep=_no_sleep,
        )

    def _next_bytes(self, n: int) -> bytes:
        self._random += 1
        return self._random.to_bytes(n, "little")

    async def start(self) -> Mapping[TP, int]:
        nothing = dict.fromkeys(self.log.records, 0)
        return await self.loop.start_offsets(dict.fromkeys(self.log.records), nothing, self.log.ends())

    async def take(self, records: Mapping[TP, Sequence[LogRecord]]) -> None:
        await self.loop.on_batch(Batch(self.log.epoch, records, self.log.ends()))

    async def states(self) -> dict[str, State]:
        return {name: decode(at.state) for shard in self.backend.shards for name, at in shard.states.items()}

    def counted(self, outcome: str) -> int:
        return int(self.metrics.outcomes.labels(outcome)._value.get())


def _die(reason: str) -> NoReturn:
    raise Died(reason)


async def _no_sleep(seconds: float) -> NoReturn:
    raise Broken("the store was never away, so nobody waits for it")


def judge_loop(case: Case) -> None:
    """The loop returns; every record is in one place; offsets are confirmed; once more, or in another order, changes nothing."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    try:
        asyncio.run(_judge_loop(case))
    except Died as died:
        raise Broken(f"the worker ended itself: {died}") from died.__context__


async def _judge_loop(case: Case) -> None:
    batches = as_polled(case)
    log = _joined(batches)
    worker = Worker(case, log)
    await worker.start()
    for number, batch in enumerate(batches):
        await worker.take(batch)
        if number % 2:
            await worker.loop.sweep()
    await _judge_once(worker, log)
    again = await _judge_again(case, worker, log)
    await _judge_order(case, again, log)
    await _judge_silence(again)


async def _judge_once(worker: Worker, log: Mapping[TP, Sequence[LogRecord]]) -> None:
    """G1: each record is in a state, is a duplicate of one that is, or is a dead letter, and its partition has gone on."""
    expected, dead = _expected(log)
    states = await worker.states()
    known = {name: state.events for name, state in states.items() if state.events}  # of some only links are known
    expect(known == +expected, "states hold what was accepted, once each")
    letters = [m.key.decode() for m in worker.log.published if m.topic == DEAD_LETTERS]
    expect(len(letters) == len(set(letters)) and set(letters) == dead, "what was refused is a dead letter, once each")
    total = sum(map(len, log.values()))
    counted = worker.counted("folded") + worker.counted("duplicate") + len(dead)
    expect(counted == total and not worker.counted("repeated"), "folded, duplicate and dead are all there is")
    ends = {tp: end for tp, end in worker.log.ends().items() if end}
    positions = {tp: at.next_offset for tp, at in (await worker.loop._store.positions()).items()}
    expect(all(worker.log.confirmed.get(tp) == end == positions.get(tp) for tp, end in ends.items()), "no partition stands still")


def _expected(log: Mapping[TP, Sequence[LogRecord]]) -> tuple[Counter[str], set[str]]:
    """How many events each customer has, and the origins of what can't be folded, by counting alone."""
    events: Counter[str] = Counter()
    dead: set[str] = set()
    recent: defaultdict[tuple[TP, str], deque[bytes]] = defaultdict(lambda: deque(maxlen=RING_EVENTS))
    for tp, records in log.items():
        for record in records:
            found = decode_event(record.topic, record.key, record.value, record.headers, record.timestamp)
            found = NAMER.named(found) if isinstance(found, Event) else found
            if not isinstance(found, Event):
                dead.add(f"{tp[0]}/{tp[1]}/{record.offset}")
            elif found.hash not in (ring := recent[tp, found.customer_id]):
                ring.append(found.hash)
                events[found.customer_id] += 1
    return events, dead


async def _judge_again(case: Case, worker: Worker, log: Mapping[TP, Sequence[LogRecord]]) -> Worker:
    """G2: who comes next reads the last record again at the most, who finds no positions all of them, and nothing changes."""
    before = {name: (state.events, state.audit) for name, state in (await worker.states()).items()}
    after = Worker(case, log, worker.backend)
    starts = await after.start()
    expect(all(starts[tp] >= len(records) - 1 for tp, records in log.items()), "who comes next starts where this one ended")
    await after.take({tp: records[starts[tp] :] for tp, records in log.items()})
    for shard in worker.backend.shards:
        shard.positions.clear()
    again = Worker(case, log, worker.backend)
    expect(not any((await again.start()).values()), "without positions all is read")
    await again.take(log)
    expect(before == {name: (s.events, s.audit) for name, s in (await again.states()).items()}, "reading again changes nothing")
    return again


async def _judge_order(case: Case, worker: Worker, log: Mapping[TP, Sequence[LogRecord]]) -> None:
    """G3: one record at a time, the last partitions first, gives the same facts."""
    other = Worker(case, log)
    await other.start()
    for tp in reversed(log):
        for record in log[tp]:
            await other.take({tp: [record]})
    ours, others = await worker.states(), await other.states()
    at_ms = max((state.moment_ms for state in (*ours.values(), *others.values())), default=0)
    expect(
        {name: facts(state, at_ms) for name, state in ours.items() if state.events}
        == {name: facts(state, at_ms) for name, state in others.items() if state.events},
        "facts do not depend on the order",
    )


async def _judge_silence(worker: Worker) -> None:
    """Years later nobody raises either, and whatever was published or shown keeps its contract."""
    for days in SILENCES_DAYS:
        worker.log.now_ms += days * DAY_MS
        await worker.loop.sweep()
    await worker.loop.sweep()  # what the last one published leaves the states with the next commit
    for message in worker.log.published:
        msgspec.json.decode(message.value, type=PUBLISHED[message.topic])
    for shard in worker.backend.shards:
        for fields in shard.profiles.values():
            parse(fields)
    expect(not any(state.effects for state in (await worker.states()).values()), "effects were published and forgotten")


def as_polled(case: Case) -> list[dict[TP, list[LogRecord]]]:
    """The batches of a case. A topic that the loop does not read stands for one that it does."""
    topics = list(BY_NAME)
    offsets: Counter[TP] = Counter()
    batches: list[dict[TP, list[LogRecord]]] = [{}]
    for one in case.sent:
        topic = one.topic if one.topic in BY_NAME else topics[len(one.topic) % len(topics)]
        tp = topic, one.partition
        batches[-1].setdefault(tp, []).append(_record(one, tp, offsets[tp]))
        offsets[tp] += 1
        if one.ends_batch:
            batches.append({})
    return [batch for batch in batches if batch]


def _record(one: Sent, tp: TP, offset: int) -> LogRecord:
    headers = [(name, content) for name, content in one.headers]
    return LogRecord(*tp, offset, one.timestamp, one.key, one.value, headers)  # type: ignore[arg-type]  # None: as Kafka has it


def _joined(batches: Sequence[Mapping[TP, Sequence[LogRecord]]]) -> dict[TP, list[LogRecord]]:
    log: dict[TP, list[LogRecord]] = {tp: [] for tp in PARTITIONS_OF_ALL}
    for batch in batches:
        for tp, records in batch.items():
            log[tp] += records
    return log


TARGETS = {"decode": judge_decoder, "loop": judge_loop}
