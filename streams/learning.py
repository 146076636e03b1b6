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
from language.lessons import Lesson, lesson_of, named_later, unsorted
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
    """Goes on where ``learner.offsets`` say. ``stop``: asked after each record whether to end. ``again`` reads what a complaint
    said that was opened long before its category is named: the learner keeps no text."""

    def __init__(
        self,
        log: LogReader,
        again: LogReader,
        partitions: Sequence[TP],
        store: Store,
        learner: Learner,
        *,
        stop: Callable[[], bool] = lambda: False,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        self._log, self._again, self._partitions, self._store, self.learner = log, again, partitions, store, learner
        self._beginnings: Mapping[TP, int] = {}
        self._stop, self._progress = stop, progress
        self._stored = (learner.lessons, dict(learner.offsets))

    async def to_the_end(self) -> Counts:
        """Learn up to where the log ends now; stores now and then, and the rest is for `save`. Raises CantLearn, KafkaProblem,
        OSError."""
        learner = self.learner
        self._beginnings, ends = await self._log.bounds(self._partitions)
        starts = self._starts(ends)
        before, read, total = learner.lessons, 0, sum(ends[tp] - starts[tp] for tp in starts)
        async for record in self._log.between(starts, ends):
            await self._take(record)
            read += 1
            self._progress(read, total)
            if learner.lessons - self._stored[0] >= SAVE_LESSONS:
                await self.save()
            if self._stop():
                break
        else:
            learner.offsets |= {_name(tp): end for tp, end in ends.items()}  # markers and holes take offsets too
        return Counts(read, learner.lessons - before)

    def _starts(self, ends: Mapping[TP, int]) -> dict[TP, int]:
        starts: dict[TP, int] = {}
        for tp in self._partitions:
            at = self.learner.offsets.get(_name(tp), 0)
            if at > ends[tp]:
                raise CantLearn(
                    f"{_name(tp)} ends at {ends[tp]}, and was learned up to {at}: another Kafka, or the topic was made anew. "
                    "To learn from this one, from the beginning: portrait language learn --again"
                )
            starts[tp] = max(at, self._beginnings[tp])  # what has expired can't be learned from any more
        return starts

    async def _take(self, record: Record) -> None:
        event = _event(record)
        if event is not None:
            self._learn(lesson_of(event))
            if (complaint := unsorted(event)) is not None:
                self.learner.wait(complaint, record.partition, record.offset)
            elif (named := named_later(event)) is not None:
                place = self.learner.open.pop(named.complaint, None)
                opened = await self._opening(*place) if place else None
                self._learn(lesson_of(opened, named.category) if opened else None)
        self.learner.offsets[_name((record.topic, record.partition))] = record.offset + 1

    def _learn(self, lesson: Lesson | None) -> None:
        if lesson is not None:
            self.learner.learn(lesson)

    async def _opening(self, partition: int, offset: int) -> Event | None:
        """The event that lies there; None where it has expired."""
        tp = complaints.TOPIC.name, partition
        if offset >= self._beginnings.get(tp, offset + 1):
            async for record in self._again.between({tp: offset}, {tp: offset + 1}):
                return _event(record)
        return None

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


def _event(record: Record) -> Event | None:
    event = decode(record.topic, record.key, record.value, record.headers, record.timestamp)
    return event if isinstance(event, Event) else None


def _name(tp: TP) -> str:
    return f"{tp[0]}/{tp[1]}"
