"""The trainer: one reader of `lessons`.

Its model, offsets and recent lesson ids go into one snapshot, so no lesson counts twice. It runs in whichever worker is
assigned the one partition of `lessons`. Workers score with the newest snapshot that is ready, or with the one that is pinned.

Operators' orders come by the topic of the snapshots (`portrait.models.shelf`). An order names the generation that it begins, and
the first snapshot of that generation fulfils it: so it is obeyed once, whoever is the trainer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn

import msgspec
import structlog

from portrait.models.churn import MODEL, from_snapshot
from portrait.models.shelf import Shelf, kept_key, order_of, to_keep
from schemas.outputs import History, Lesson, Order, Snapshot
from schemas.registry import LESSONS, MODELS
from streams.alarms import drifts, told
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

if TYPE_CHECKING:
    from portrait.models.learner import Learner

#: Brings River, NumPy, SciPy and pandas: seconds of work, and a hundred megabytes, which workers that only score do without.
LEARNING = ("portrait.models.learner", "river.drift")

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
        self._learner: Learner  # made by `start_offsets`
        self.loading = False  # what it learns with: no sign of trouble
        self._offsets: dict[TP, int] = {}
        self._epoch = -1  # the one that the offsets belong to
        self._saving = asyncio.Lock()
        self._saved_lessons: int | None = 0  # at the last snapshot; None: the next one is due whatever is new
        self._saved_ms = 0
        self._left_off: Snapshot | None = None  # what this learner knew when an order came
        self._told: frozenset[tuple[str, int]] = frozenset()  # subject and week of alarms that operators have

    @property
    def topics(self) -> Sequence[str]:
        return [LESSONS]

    async def start_offsets(
        self, committed: Mapping[TP, int | None], beginnings: Mapping[TP, int], ends: Mapping[TP, int]
    ) -> Mapping[TP, int]:
        """Where the newest snapshot left off, or where an order says. Waits until the snapshots have been read."""
        epoch = self._log.epoch
        await self._models.tail.caught_up.wait()
        await self._load()
        saved = self._begin(self._models.shelf)
        self._told = told(self._learner)  # alarms are published before the snapshot that holds them
        self._offsets = {}
        for tp in beginnings:
            offset = saved.get(f"{tp[0]}/{tp[1]}", beginnings[tp])
            if not beginnings[tp] <= offset <= ends[tp]:
                log.warning("lessons expired unread, or their topic was recreated: going on with what there is", offset=offset)
                offset = beginnings[tp]
            self._offsets[tp] = offset
        self._saved_ms = self._wall_ms()
        self._epoch = epoch
        return dict(self._offsets)

    async def _load(self) -> None:
        """Beside the loop, which has partitions of its own to fold, and must stay in its group."""
        self.loading = True
        try:
            for module in LEARNING:
                await asyncio.to_thread(import_module, module)
        except ImportError as error:
            self._die(f"the trainer can't load {error.name}, which it learns with: install what the lock names again")
        finally:
            self.loading = False

    def _begin(self, shelf: Shelf) -> Mapping[str, int]:
        """Make the learner. Returns where it goes on, by topic and partition; what is missing is read from its beginning."""
        from portrait.models.learner import begin

        newest, order, left_off = shelf.newest, shelf.waiting, self._left_off
        self._left_off = None
        if order is not None:
            if left_off is not None and (newest is None or order_of(left_off) > order_of(newest)):
                newest = left_off  # a rollback forgets what has been learned since the last snapshot, too
            try:
                self._learner = self._with_rival(
                    begin(order, newest, shelf.versions.get(order.version), shelf.scoring, self._settings.horizon_days)
                )
                self._saved_lessons = None  # its first snapshot fulfils the order
                log.info("a generation begins", generation=order.generation, came_of=_source(order))
                return newest.offsets if newest is not None and order.version else {}
            except ValueError as error:
                self._metrics.snapshots.labels("refused").inc()
                log.error("an order can't be obeyed: the model goes on as it was", error=str(error))
                saved = self._go_on(shelf)
                self._learner.declined = order.id
                self._saved_lessons = None  # the next snapshot says so
                return saved
        return self._go_on(shelf)

    def _go_on(self, shelf: Shelf) -> Mapping[str, int]:
        """From the newest version; from none, where there is none or it can't be. No name of a version is given again."""
        from portrait.models.learner import anew, restore

        newest, another = shelf.newest, shelf.known[0] + 1
        learner, saved = anew(another, shelf.scoring, self._settings.horizon_days), dict[str, int]()
        if newest is not None:
            try:
                learner, saved = restore(newest), newest.offsets
                if order_of(newest) < shelf.known:  # newer ones can't be used
                    learner.generation, learner.before = another, newest.version
            except ValueError as error:
                log.error("the newest snapshot can't be gone on with: learning starts anew", error=str(error))
        self._learner, self._saved_lessons = self._with_rival(learner), learner.lessons
        return saved

    def _with_rival(self, learner: Learner) -> Learner:
        trial = learner.trial
        if trial is not None and (rival := self._models.shelf.versions.get(trial.against)):
            learner.rival = from_snapshot(rival)
        return learner

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
        outcome = "learned" if lesson.model == MODEL and self._learned(lesson) else "skipped"
        self._metrics.lessons.labels(outcome).inc()

    def _learned(self, lesson: History | Lesson) -> bool:
        learner = self._learner
        return learner.learn_history(lesson) if isinstance(lesson, History) else learner.learn(lesson, self._wall_ms())

    async def save(self, epoch: int) -> None:
        """Publish a snapshot if there is enough new in it, and only then tell Kafka that the lessons are done."""
        async with self._saving:
            await self._save(epoch)

    async def _save(self, epoch: int) -> None:
        learner = self._learner
        if epoch != self._log.epoch:
            return
        offsets = self._by_name()
        if learner.end_trial(offsets):
            self._saved_lessons = None
        if not self._due():
            return
        snapshot = learner.snapshot(offsets, self._wall_ms())
        confirmed, alarms = dict(self._offsets), drifts(learner, self._told, snapshot.trained_at_ms)
        await self._log.publish([*alarms, *self._records(snapshot)])
        self._metrics.snapshots.labels("published").inc()
        if epoch != self._log.epoch:
            return  # meanwhile another learner may have taken the place of this one
        self._saved_lessons, self._saved_ms = snapshot.lessons, snapshot.trained_at_ms
        self._told = told(learner)
        self._metrics.alarms.inc(len(alarms))
        measured = {name: round(number, 4) for name, number in snapshot.metrics.items()}
        log.info("model snapshot", version=snapshot.version, ready=snapshot.ready, **measured)
        self._log.confirm(confirmed)

    def _by_name(self) -> dict[str, int]:
        return {f"{topic}/{partition}": offset for (topic, partition), offset in self._offsets.items()}

    def _due(self) -> bool:
        """Whether there is enough new for a snapshot, or it is the first of a generation, or it ends its trial."""
        lessons = self._learner.lessons
        if self._saved_lessons is None:
            return True
        new = lessons - self._saved_lessons
        enough = SNAPSHOT_LESSONS_FIRST if lessons < SNAPSHOT_LESSONS else SNAPSHOT_LESSONS
        return new >= enough or (new > 0 and not 0 <= self._wall_ms() - self._saved_ms < SNAPSHOT_MS)  # a clock may go back

    def _records(self, snapshot: Snapshot) -> list[Outgoing]:
        """The copy to keep first: without it, the newest would be lost with the next one."""
        shelf, version = self._models.shelf, snapshot.version
        copy = msgspec.structs.replace(snapshot, recent=[])
        encode = msgspec.json.encode
        return [
            Outgoing(MODELS, kept_key(version).encode(), encode(copy)),
            Outgoing(MODELS, MODEL.encode(), encode(snapshot)),
            *(Outgoing(MODELS, kept_key(old).encode(), None) for old in self._dispensable(shelf, snapshot)),
        ]

    def _dispensable(self, shelf: Shelf, snapshot: Snapshot) -> Sequence[str]:
        """Versions that nobody needs any more."""
        needed = {snapshot.version, shelf.pinned}
        needed |= {found.version for found in (shelf.scoring, shelf.newest) if found}
        needed |= {self._learner.trial.against} if self._learner.trial else set()
        needed |= {shelf.waiting.version} if shelf.waiting else set()
        versions = {**shelf.versions, snapshot.version: snapshot}
        return sorted(versions.keys() - to_keep(versions.values(), needed))

    async def flush(self) -> None:
        """Called now and then, so that the last lessons don't wait for more, nor orders. After a revocation it does nothing."""
        if self._epoch != self._log.epoch:
            return
        if self._ordered():
            self._left_off = self._learner.snapshot(self._by_name(), self._wall_ms())
            await self._log.rewind()
        else:
            await self.save(self._epoch)

    def _ordered(self) -> bool:
        """Whether there is an order that this learner does not come of."""
        order: Order | None = self._models.shelf.waiting
        return order is not None and order.id not in (self._learner.declined, self._learner.order)


def _source(order: Order) -> str:
    """What a generation begins with, in words."""
    return f"another shop's weights, {order.start.digest}" if order.start else order.version or "nothing"
