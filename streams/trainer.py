"""The trainer: one reader of `lessons`.

Its model, offsets and recent lesson ids go into one snapshot, so no lesson counts twice. It runs in whichever worker is
assigned the one partition of `lessons`. Workers score with the newest snapshot.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

import msgspec
import structlog

from portrait.models.churn import MODEL
from portrait.models.learner import Learner, restore
from schemas.outputs import History, Lesson, Snapshot
from schemas.registry import LESSONS, MODELS
from streams.failures import UNREADABLE, where
from streams.log import TP, Batch, Log, Outgoing, next_offsets
from streams.metrics import Metrics
from streams.settings import Settings
from streams.tail import Models

#: A snapshot after so many lessons, or after so long if there are new ones. A model that is a day old scores as well as the
#: freshest, and a crossing of a threshold is only judged within one version: so not too often.
SNAPSHOT_LESSONS = 500
SNAPSHOT_LESSONS_FIRST = 50
SNAPSHOT_MS = 5 * 60_000

_decode = msgspec.json.Decoder(History | Lesson).decode

log = structlog.get_logger()


class Trainer:
    """The handler of the topic `lessons`."""

    def __init__(
        self,
        settings: Settings,
        log_: Log,
        models: Models,
        *,
        wall_ms: Callable[[], int],
        metrics: Metrics,
        die: Callable[[str], NoReturn],
    ) -> None:
        self._settings, self._log, self._models, self._metrics, self._die = settings, log_, models, metrics, die
        self._wall_ms = wall_ms
        self._learner = Learner(settings.horizon_days)
        self._offsets: dict[TP, int] = {}
        self._epoch = -1  # the one that the offsets belong to
        self._saving = asyncio.Lock()
        self._saved_lessons = 0
        self._saved_ms = 0

    @property
    def topics(self) -> Sequence[str]:
        return [LESSONS]

    async def start_offsets(
        self, committed: Mapping[TP, int | None], beginnings: Mapping[TP, int], ends: Mapping[TP, int]
    ) -> Mapping[TP, int]:
        """Where the newest snapshot left off. Waits until the snapshots have been read."""
        epoch = self._log.epoch
        await self._models.tail.caught_up.wait()
        snapshot = self._models.snapshot
        self._learner = self._restored(snapshot)
        saved = snapshot.offsets if snapshot is not None and self._learner.generation == snapshot.generation else {}
        self._offsets = {}
        for tp in beginnings:
            offset = saved.get(f"{tp[0]}/{tp[1]}", beginnings[tp])
            if not beginnings[tp] <= offset <= ends[tp]:
                log.warning("lessons expired unread, or their topic was recreated: going on with what there is", offset=offset)
                offset = beginnings[tp]
            self._offsets[tp] = offset
        self._saved_lessons, self._saved_ms = self._learner.lessons, self._wall_ms()
        self._epoch = epoch
        return dict(self._offsets)

    def _restored(self, snapshot: Snapshot | None) -> Learner:
        horizon = self._settings.horizon_days
        if snapshot is None:
            return Learner(horizon)
        try:
            return restore(snapshot)
        except ValueError as error:
            log.error("the newest snapshot can't be gone on with: learning starts anew", error=str(error))
            return Learner(horizon, snapshot.generation + 1)

    async def on_batch(self, batch: Batch) -> None:
        """Learn every lesson of the batch; publish a snapshot when it is time. Never raises."""
        try:
            for records in batch.records.values():
                for record in records:
                    self._learn(record.value)
            self._offsets |= next_offsets(batch.records, batch.reached)
            await self.save(batch.epoch)
        except Exception as error:
            log.critical("unexpected in the trainer", error=where(error))
            self._die(f"unexpected in the trainer: {type(error).__name__}")

    def _learn(self, value: bytes | None) -> None:
        try:
            lesson = _decode(value or b"")
        except UNREADABLE:
            self._metrics.lessons.labels("unreadable").inc()
            return
        learn = self._learner.learn_history if isinstance(lesson, History) else self._learner.learn
        outcome = "learned" if lesson.model == MODEL and learn(lesson) else "skipped"
        self._metrics.lessons.labels(outcome).inc()

    async def save(self, epoch: int) -> None:
        """Publish a snapshot if there is enough new in it, and only then tell Kafka that the lessons are done."""
        async with self._saving:
            await self._save(epoch)

    async def _save(self, epoch: int) -> None:
        new = self._learner.lessons - self._saved_lessons
        first = self._learner.lessons < SNAPSHOT_LESSONS
        old = self._wall_ms() - self._saved_ms >= SNAPSHOT_MS
        enough = SNAPSHOT_LESSONS_FIRST if first else SNAPSHOT_LESSONS
        if epoch != self._log.epoch or not (new >= enough or (new and old)):
            return
        offsets = {f"{topic}/{partition}": offset for (topic, partition), offset in self._offsets.items()}
        snapshot = self._learner.snapshot(offsets, self._wall_ms())
        confirmed = dict(self._offsets)
        await self._log.publish([Outgoing(MODELS, MODEL.encode(), msgspec.json.encode(snapshot))])
        self._metrics.snapshots.labels("published").inc()
        if epoch != self._log.epoch:
            return  # meanwhile another learner may have taken the place of this one
        self._saved_lessons, self._saved_ms = snapshot.lessons, snapshot.trained_at_ms
        measured = {name: round(number, 4) for name, number in snapshot.metrics.items()}
        log.info("model snapshot", version=snapshot.version, **measured)
        self._log.confirm(confirmed)

    async def flush(self) -> None:
        """Called now and then, so that the last lessons don't wait for more. After a revocation it does nothing."""
        await self.save(self._epoch)
