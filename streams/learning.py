"""What is learned of texts, from the log: `portrait language learn`. Offsets and weights are one record, written at once.

The records of the models of texts lie on the topic `models`, beside those of the churn model.

| key | record |
|---|---|
| ``language`` | what was learned, whole, with offsets: `language.learned` |
| ``language/adopted`` | what is in force: `language.force.Adopted`; no value: what was shipped |
| ``language/rebuilt`` | the version by which all profiles were made anew |
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from language.learned import pack, unpack
from language.learner import Learner
from language.lessons import lesson_of
from schemas import complaints, feedback
from schemas.event import Event, decode
from schemas.registry import MODELS
from streams import kafka
from streams.kafka import LogReader
from streams.log import TP, Record

KEY = "language"
ADOPTED_KEY, REBUILT_KEY = f"{KEY}/adopted", f"{KEY}/rebuilt"
TOPICS = (feedback.TOPIC.name, complaints.TOPIC.name)
#: What was learned is stored after so many lessons.
SAVE_LESSONS = 500


class CantLearn(Exception):
    """The log is not the one that was learned from; the message says what to do."""


class Store(Protocol):
    """Where what was learned is kept."""

    async def load(self) -> bytes | None: ...

    async def save(self, packed: bytes) -> None:
        """All of it at once, or nothing."""


class FileStore:
    def __init__(self, path: Path) -> None:
        self._path = path

    async def load(self) -> bytes | None:
        return self._path.read_bytes() if self._path.exists() else None

    async def save(self, packed: bytes) -> None:
        beside = self._path.with_name(f".{self._path.name}.new")
        with beside.open("wb") as file:
            file.write(packed)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._path)


class TopicStore:
    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap

    async def load(self) -> bytes | None:
        return (await records(self._bootstrap)).get(KEY)

    async def save(self, packed: bytes) -> None:
        await publish(self._bootstrap, KEY, packed)


async def records(bootstrap: str) -> dict[str, bytes]:
    """The newest of each key of the models of texts. Raises KafkaProblem."""
    found: dict[str, bytes] = {}
    async for record in kafka.read_topic(bootstrap, MODELS):
        if (name := key_of(record)) is not None:
            found.pop(name, None)
            if record.value:
                found[name] = record.value
    return found


def key_of(record: Record) -> str | None:
    """None: it is none of the models of texts."""
    name = (record.key or b"").decode(errors="replace")
    return name if name.split("/")[0] == KEY else None


async def publish(bootstrap: str, key: str, value: bytes | None) -> None:
    async with kafka.publisher(bootstrap) as publisher:
        await publisher.send(MODELS, key.encode(), value)


class Counts(NamedTuple):
    records: int = 0
    lessons: int = 0


class Learning:
    """Goes on where ``learner.offsets`` say. ``stop``: asked after each record whether to end."""

    def __init__(
        self,
        log: LogReader,
        partitions: Sequence[TP],
        store: Store,
        learner: Learner,
        *,
        stop: Callable[[], bool] = lambda: False,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        self._log, self._partitions, self._store, self.learner = log, partitions, store, learner
        self._stop, self._progress = stop, progress
        self._stored = (learner.lessons, dict(learner.offsets))

    async def to_the_end(self) -> Counts:
        """Learn up to where the log ends now; stores now and then, and the rest is for `save`. Raises CantLearn, KafkaProblem,
        OSError."""
        learner = self.learner
        beginnings, ends = await self._log.bounds(self._partitions)
        starts = self._starts(beginnings, ends)
        before, read, total = learner.lessons, 0, sum(ends[tp] - starts[tp] for tp in starts)
        async for record in self._log.between(starts, ends):
            self._take(record)
            read += 1
            self._progress(read, total)
            if learner.lessons - self._stored[0] >= SAVE_LESSONS:
                await self.save()
            if self._stop():
                break
        else:
            learner.offsets |= {_name(tp): end for tp, end in ends.items()}  # markers and holes take offsets too
        return Counts(read, learner.lessons - before)

    def _starts(self, beginnings: Mapping[TP, int], ends: Mapping[TP, int]) -> dict[TP, int]:
        starts: dict[TP, int] = {}
        for tp in self._partitions:
            at = self.learner.offsets.get(_name(tp), 0)
            if at > ends[tp]:
                raise CantLearn(
                    f"{_name(tp)} ends at {ends[tp]}, and was learned up to {at}: another Kafka, or the topic was made anew. "
                    "To learn from this one, from the beginning: portrait language learn --again"
                )
            starts[tp] = max(at, beginnings[tp])  # what has expired can't be learned from any more
        return starts

    def _take(self, record: Record) -> None:
        event = decode(record.topic, record.key, record.value, record.headers, record.timestamp)
        lesson = lesson_of(event) if isinstance(event, Event) else None
        if lesson is not None:
            self.learner.learn(lesson)
        self.learner.offsets[_name((record.topic, record.partition))] = record.offset + 1

    async def save(self) -> None:
        """If there is anything new."""
        now = (self.learner.lessons, dict(self.learner.offsets))
        if now != self._stored:
            await self._store.save(pack(self.learner))
            self._stored = now


async def learner_of(store: Store) -> Learner:
    """Raises Unusable, KafkaProblem, OSError."""
    packed = await store.load()
    return unpack(packed) if packed else Learner()


def _name(tp: TP) -> str:
    return f"{tp[0]}/{tp[1]}"
