"""What Kafka had of the workers' commits, and when, as the harness asks itself.

A worker applies in silence what had its effects before: records below the committed offset, and what silence brought until the
moment beside it. Whether it may is not for it to say: the trace is held against these samples.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.structs import OffsetAndMetadata

from schemas.registry import BY_CODE, BY_NAME, EVENT_TOPICS
from tests.fault.asking import Asking
from tests.fault.trace import Attempt

#: Beside the trace.
NAME = "commits.jsonl"
#: By its partitions go the moments of silence.
SILENCE_CODE = EVENT_TOPICS[0].code
UNKNOWN = 2**62
SAMPLE_S, FINISH_S = 0.4, 60.0

#: (when it was asked for, value), growing.
Grown = list[tuple[int, int]]


class Sample(msgspec.Struct, array_like=True):
    """``changed``: topic code, partition, committed offset (0: none), moment."""

    at_ms: int  # when it was asked for: it holds all that was committed until then
    changed: list[tuple[int, int, int, int]]


class Sampler:
    """Writes samples to ``file``."""

    def __init__(self, file: Path, kafka: str, group: str, partitions: int) -> None:
        self._file, self._group = file, group
        self._tps = [TopicPartition(topic.name, n) for topic in EVENT_TOPICS for n in range(partitions)]
        self._known: set[tuple[int, int, int, int]] = set()
        self._asking = Asking(lambda: AIOKafkaAdminClient(bootstrap_servers=kafka))

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                await self.sample()
                await asyncio.sleep(SAMPLE_S)
        finally:
            await self._asking.close()

    async def finish(self) -> None:
        """What Kafka has when all workers have ended. Raises TimeoutError."""
        try:
            async with asyncio.timeout(FINISH_S):
                while not await self.sample():
                    await asyncio.sleep(SAMPLE_S)
        finally:
            await self._asking.close()

    async def sample(self) -> bool:
        """False: Kafka is away."""
        answer = await self._asking.ask(self._committed)
        if answer is None:
            return False
        at_ms, found = answer
        now = {(BY_NAME[tp.topic].code, tp.partition, max(0, at.offset), _moment_ms(at)) for tp, at in found.items()}
        with self._file.open("ab") as file:
            file.write(b"\n%b\n" % msgspec.json.encode(Sample(at_ms, sorted(now - self._known))))
        self._known = now
        return True

    async def _committed(self, client: AIOKafkaAdminClient) -> tuple[int, Mapping[TopicPartition, OffsetAndMetadata]]:
        at_ms = time.time_ns() // 1_000_000
        return at_ms, await client.list_consumer_group_offsets(self._group, partitions=self._tps)


def _moment_ms(at: OffsetAndMetadata) -> int:
    """UNKNOWN: the broker keeps no metadata."""
    if at.offset < 0:
        return 0
    return int(at.metadata) if at.metadata.isdecimal() else UNKNOWN


class Commits:
    """All samples. A commit never goes back, so what the first sample after a moment has is not less than what Kafka had then."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self._asked_ms = [sample.at_ms for sample in samples]
        self._offsets: dict[tuple[int, int], Grown] = defaultdict(lambda: [(0, 0)])
        self._moments: dict[int, Grown] = defaultdict(lambda: [(0, 0)])
        for sample in samples:
            for code, partition, offset, moment_ms in sample.changed:
                _grow(self._offsets[code, partition], sample.at_ms, offset)
                if code == SILENCE_CODE:
                    _grow(self._moments[partition], sample.at_ms, moment_ms)

    def wrongly_hushed(self, attempt: Attempt) -> Iterator[str]:
        """What it took to have had its effects before, and Kafka did not."""
        terms = attempt.terms
        if terms is None:
            return
        until_ms = self._sampled_ms(attempt.at_ms)
        silence_ms = min((_last(grown, until_ms) for grown in self._moments.values()), default=0)
        if terms.silence_ms > silence_ms:
            yield f"silence until {terms.silence_ms}: {silence_ms} was committed"
        if not terms.effects:
            for code, partition, offset in (place for step in attempt.steps for place in step.causes):
                if offset >= (committed := _last(self._offsets[code, partition], until_ms)):
                    yield f"{BY_CODE[code].name}/{partition}/{offset}: {committed} was committed"

    def _sampled_ms(self, at_ms: int) -> int:
        """When the first sample after this moment was asked for; the last one was when all workers had ended."""
        later = bisect_left(self._asked_ms, at_ms)
        return self._asked_ms[later] if later < len(self._asked_ms) else at_ms


def read(file: Path) -> Commits:
    """What was left unfinished is left out: the next sitting began with everything."""
    samples = []
    for line in file.read_bytes().splitlines():
        with contextlib.suppress(msgspec.DecodeError):  # empty, or torn
            samples.append(msgspec.json.decode(line, type=Sample))
    return Commits(samples)


def _grow(grown: Grown, at_ms: int, value: int) -> None:
    if value > grown[-1][1]:
        grown.append((at_ms, value))


def _last(grown: Grown, until_ms: int) -> int:
    return grown[bisect_right(grown, (until_ms, UNKNOWN)) - 1][1]
