"""The trainer and operators' orders, over a topic of models in memory: generations begin once, nothing is kept without end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, NoReturn, cast

import msgspec
import pytest

from portrait.models.churn import MODEL
from portrait.models.learner import Learner, restore
from portrait.models.measures import FADE_LABELS, WEEK_MS
from portrait.models.shelf import ORDER_KEY, PIN_KEY, Refused, Shelf
from portrait.models.watch import INPUTS, Alarm
from schemas.outputs import Lesson, OperatorActionEvent, Order, Pin, Snapshot, Start
from schemas.registry import LESSONS, MODELS, OPERATOR_ACTIONS
from streams.log import NOTHING, TP, Batch, Outgoing
from streams.metrics import Metrics
from streams.settings import Settings
from streams.tail import Models
from streams.trainer import Trainer
from tests.corekit import HORIZON_DAYS
from tests.unit.test_models_learner import lessons, signed
from tests.unit.test_models_start import exported

L = (LESSONS, 0)
HOUR_MS = 3_600_000


class Topics:
    """`lessons`, `models` and the rest, and who reads them."""

    def __init__(self) -> None:
        self.lessons: list[bytes] = []
        self.models: list[tuple[bytes, bytes | None]] = []
        self.alarms: list[OperatorActionEvent] = []
        self.now_ms = 1
        self.begin = 0

    def teach(self, given: Sequence[Lesson]) -> None:
        self.lessons += [msgspec.json.encode(lesson) for lesson in given]

    def say(self, key: str, record: Order | Pin) -> None:
        self.models.append((key.encode(), msgspec.json.encode(record)))

    def order(self, generation: int, version: str = "", id: str = "o1", start: Start | None = None) -> None:
        self.say(ORDER_KEY, Order(model=MODEL, id=id, generation=generation, version=version, at_ms=1, start=start))

    def snapshots(self) -> list[Snapshot]:
        """As published, the newest last."""
        return [msgspec.json.decode(value, type=Snapshot) for key, value in self.models if key == MODEL.encode() and value]

    def shelf(self) -> Shelf:
        shelf = Shelf(HORIZON_DAYS)
        for key, value in self.models:
            shelf.take(key, value)
        return shelf


class Worker:
    """A trainer with a log of its own, which reads the models' topic when it is told to."""

    def __init__(self, topics: Topics) -> None:
        def die(reason: str) -> NoReturn:
            raise AssertionError(reason)

        self.topics, self.epoch, self.rewound = topics, 1, False
        self.metrics = Metrics()
        self.models = Models("nowhere", HORIZON_DAYS, self.metrics)
        self.models.tail.caught_up.set()
        self._read = 0
        self.trainer = Trainer(
            Settings(horizon_days=HORIZON_DAYS),
            cast(Any, self),
            self.models,
            wall_ms=lambda: topics.now_ms,
            metrics=self.metrics,
            die=die,
        )

    # The log.

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        for message in messages:
            if message.topic == MODELS:
                self.topics.models.append((message.key, message.value))
            elif message.topic == OPERATOR_ACTIONS:
                self.topics.alarms.append(msgspec.json.decode(message.value or b"", type=OperatorActionEvent))

    def confirm(self, offsets: Mapping[TP, int], moments_ms: Mapping[TP, int] = NOTHING) -> None: ...

    async def rewind(self) -> None:
        self.epoch += 1
        self.rewound = True

    # What goes on.

    def follow(self) -> None:
        for n in range(self._read, len(self.topics.models)):
            key, value = self.topics.models[n]
            self.models.take(cast(Any, SimpleNamespace(key=key, value=value, offset=n)))
        self._read = len(self.topics.models)

    async def assigned(self) -> None:
        self.rewound = False
        starts = await self.trainer.start_offsets({L: None}, {L: self.topics.begin}, {L: len(self.topics.lessons)})
        self.at = starts[L]

    async def work(self, batch: int = 100, takes_ms: int = 1000) -> None:
        """Until all lessons are read, and nothing is left to do."""
        while True:
            self.follow()
            await self.trainer.flush()
            if self.rewound:
                await self.assigned()
                continue
            self.follow()
            part = self.topics.lessons[self.at : self.at + batch]
            if not part:
                return
            self.topics.now_ms += takes_ms
            records = [cast(Any, SimpleNamespace(offset=self.at + n, value=value)) for n, value in enumerate(part)]
            self.at += len(part)
            await self.trainer.on_batch(Batch(self.epoch, {L: records}, {L: len(self.topics.lessons)}))


async def begun(topics: Topics) -> Worker:
    worker = Worker(topics)
    worker.follow()
    await worker.assigned()
    await worker.work()
    return worker


def test_a_rollback_goes_on_from_the_older_version_and_forgets_what_was_learned_since() -> None:
    async def scenario() -> None:
        topics = Topics()
        topics.teach(lessons(230))
        worker = await begun(topics)
        assert [s.version for s in topics.snapshots()] == ["1.100", "1.200"], "30 more are learned, and not published yet"
        topics.order(2, "1.100")
        await worker.work()
        first = topics.snapshots()[-1]
        assert (first.version, first.order, first.ready, first.offsets) == ("2.100", "o1", True, {"lessons/0": 230})
        assert worker.models.scorer.version == "2.100"
        watched = {"sure": first.scorer["sure"]}  # of the risks that were told
        assert first.scorer == topics.snapshots()[0].scorer | watched != topics.snapshots()[0].scorer
        assert first.metrics["labels"] == 230, "what was watched is about the risks that were told, not about the version"
        topics.teach([*lessons(230), *lessons(100, seed=2)])
        await worker.work(batch=330)
        assert topics.snapshots()[-1].lessons == 200, "known lessons that come again still count once"

    asyncio.run(scenario())


def test_an_order_is_obeyed_once_by_whoever_is_the_trainer() -> None:
    async def scenario() -> None:
        topics = Topics()
        topics.teach(lessons(200))
        await begun(topics)
        topics.order(2, "1.100")
        first = Worker(topics)  # ends before it has published
        first.follow()
        await first.assigned()
        second = await begun(topics)
        third = await begun(topics)
        assert [s.version for s in topics.snapshots()] == ["1.100", "1.200", "2.100"]
        assert second.trainer._learner.order == third.trainer._learner.order == "o1"

    asyncio.run(scenario())


def test_learning_anew_takes_all_lessons_once_while_the_old_version_scores() -> None:
    async def scenario() -> None:
        topics = Topics()
        topics.teach(lessons(300))
        worker = await begun(topics)
        before = topics.snapshots()[-1]
        topics.order(2)
        worker.follow()
        await worker.trainer.flush()
        await worker.assigned()
        assert worker.at == 0
        await worker.work(batch=60)
        versions = [(s.version, s.ready) for s in topics.snapshots() if s.generation == 2]
        assert versions[0] == ("2.0", False) and versions[-1] == ("2.300", True)
        assert [ready for _, ready in versions[:-1]] == [False] * (len(versions) - 1)
        anew = topics.snapshots()[-1]
        assert anew.scorer == before.scorer, "the same lessons in the same order"
        assert worker.models.scorer.version == "2.300"

    asyncio.run(scenario())


def test_a_shop_that_begins_scores_with_the_weights_of_another_before_its_first_label() -> None:
    async def scenario() -> None:
        topics = Topics()
        worker = await begun(topics)
        topics.order(2, start=exported())
        await worker.work()
        assert [(s.version, s.ready, s.order) for s in topics.snapshots()] == [("2.0", True, "o1")]
        assert worker.models.scorer.version == "2.0"
        topics.teach(lessons(60))
        await worker.work()
        restarted = await begun(topics)
        assert restarted.trainer._learner.model.weights == worker.trainer._learner.model.weights
        assert [s.version for s in topics.snapshots()] == ["2.0", "2.60"], "and it is begun once"

    asyncio.run(scenario())


def test_where_a_version_scores_a_start_from_another_shop_proves_itself_first_and_learns_each_lesson_once() -> None:
    async def scenario() -> None:
        topics = Topics()
        topics.teach(lessons(300))
        worker = await begun(topics)
        topics.order(2, start=exported())
        await worker.work(batch=60)
        versions = [(s.version, s.ready) for s in topics.snapshots() if s.generation == 2]
        assert (versions[0], versions[-1]) == (("2.0", False), ("2.300", True))
        last = topics.snapshots()[-1]
        once = Learner(HORIZON_DAYS)
        once.start_from(exported())
        for lesson in lessons(300):
            once.learn(lesson)
        assert last.learner["weights"] == {name: float(w) for name, w in once.model.weights.items()}
        assert last.offsets == {"lessons/0": 300}

    asyncio.run(scenario())


def test_a_start_that_was_tampered_with_on_the_topic_is_declined_and_the_model_goes_on() -> None:
    async def scenario() -> None:
        topics = Topics()
        topics.teach(lessons(100))
        worker = await begun(topics)
        topics.order(2, start=msgspec.structs.replace(exported(), version="9.9"))
        await worker.work()
        last = topics.snapshots()[-1]
        assert (last.version, last.declined, last.order) == ("1.100", "o1", "")
        assert worker.models.scorer.version == "1.100"

    asyncio.run(scenario())


def test_a_trial_goes_on_over_a_restart() -> None:
    async def scenario() -> None:
        topics = Topics()
        topics.teach(lessons(300))
        worker = await begun(topics)
        topics.order(2)
        worker.follow()
        await worker.trainer.flush()
        await worker.assigned()
        topics.lessons, rest = topics.lessons[:100], topics.lessons[100:]
        await worker.work()
        assert worker.models.scorer.version == "1.300"
        topics.lessons += rest
        again = await begun(topics)
        assert topics.snapshots()[-1].version == again.models.scorer.version == "2.300"

    asyncio.run(scenario())


def test_where_fewer_labels_are_left_the_new_one_must_be_no_worse_over_the_last_thousand() -> None:
    """The older lessons have expired, and said the opposite of what is true now: the new version never learned them."""

    async def scenario() -> None:
        topics = Topics()
        past = [msgspec.structs.replace(lesson, churned=not lesson.churned) for lesson in lessons(2000, seed=5)]
        topics.teach([*past, *lessons(FADE_LABELS + 200)])
        worker = await begun(topics)
        topics.begin = 2000
        topics.order(2)
        await worker.work()
        newest = topics.snapshots()[-1]
        assert (newest.generation, newest.ready) == (2, True)
        assert newest.lessons < 2000
        trials = [s.learner["trial"] for s in topics.snapshots() if s.generation == 2 and not s.ready]
        assert trials and all(trial["against"].startswith("1.") for trial in trials)

    asyncio.run(scenario())


def test_one_that_is_worse_and_knows_less_stays_on_trial() -> None:
    async def scenario() -> None:
        topics = Topics()
        topics.teach(lessons(3000))
        worker = await begun(topics)
        topics.begin = 2900
        topics.order(2)
        await worker.work()
        assert topics.snapshots()[-1].generation == 2
        assert worker.models.scorer.version.startswith("1.")

    asyncio.run(scenario())


def test_an_order_that_can_t_be_obeyed_changes_nothing_and_is_not_tried_again_and_again() -> None:
    async def scenario() -> None:
        topics = Topics()
        topics.teach(lessons(200))
        worker = await begun(topics)
        topics.order(2, "1.7")
        await worker.work()
        topics.teach(lessons(100, seed=2))
        await worker.work()
        assert [s.version for s in topics.snapshots()] == ["1.100", "1.200", "1.200", "1.300"]
        assert topics.shelf().waiting is None and topics.snapshots()[2].declined == "o1"
        again = await begun(topics)
        assert [each.metrics.snapshots.labels("refused")._value.get() for each in (worker, again)] == [1, 0]
        topics.order(3, "1.100", id="o2")
        await worker.work()
        assert topics.snapshots()[-1].version == "3.100"

    asyncio.run(scenario())


def refuse(topics: Topics, **change: Any) -> None:
    """All versions as if they had been made otherwise."""
    topics.models = [(key, value) for key, value in topics.models if value]
    for n, (key, value) in enumerate(topics.models):
        snapshot = msgspec.json.decode(value or b"", type=Snapshot)
        snapshot = msgspec.structs.replace(snapshot, **{part: getattr(snapshot, part) | by for part, by in change.items()})
        topics.models[n] = (key, msgspec.json.encode(signed(snapshot)))


@pytest.mark.parametrize("change", [{"features": ["other"]}, {"horizon_days": HORIZON_DAYS + 1}], ids=["features", "horizon"])
def test_after_a_change_of_features_or_horizon_no_name_of_a_version_is_given_again(change: dict[str, Any]) -> None:
    async def scenario() -> None:
        topics = Topics()
        topics.teach(lessons(200))
        await begun(topics)
        topics.order(2)
        await begun(topics)
        order = topics.models.pop(next(n for n, (key, _) in enumerate(topics.models) if key == ORDER_KEY.encode()))
        names = {s.version for s in topics.snapshots()}
        refuse(topics, scorer=change)
        topics.models.append(order)
        shelf = Shelf(HORIZON_DAYS)
        for key, value in topics.models:
            with suppress(Refused):
                shelf.take(key, value)
        assert (shelf.newest, shelf.waiting, shelf.next_generation) == (None, None, 3), "the old order was obeyed long ago"
        worker = await begun(topics)
        newest = topics.snapshots()[-1]
        assert newest.version == worker.models.scorer.version == "3.200" and newest.version not in names

    asyncio.run(scenario())


def test_where_the_newest_can_t_be_gone_on_with_learning_anew_is_on_trial() -> None:
    async def scenario() -> None:
        topics = Topics()
        topics.teach(lessons(3000))
        await begun(topics)
        refuse(topics, learner={"g2": None})
        topics.begin = 2900
        worker = await begun(topics)
        newest = topics.snapshots()[-1]
        assert (newest.version, newest.ready) == ("2.100", False)
        assert worker.models.scorer.version == "1.2900", "what scored goes on scoring"

    asyncio.run(scenario())


def test_where_only_an_older_version_is_whole_it_goes_on_under_new_names() -> None:
    async def scenario() -> None:
        topics = Topics()
        topics.teach(lessons(200))
        await begun(topics)
        kept = [row for row in topics.models if b"1.200" not in row[0] and row[0] != MODEL.encode()]
        broken = [(key, (value or b"").replace(b'"bias"', b'"b1as"')) for key, value in topics.models if (key, value) not in kept]
        topics.models = [*kept, *broken]
        topics.teach(lessons(100, seed=2))
        await begun(topics)
        versions = [s.version for s in topics.snapshots()[-2:]]
        assert versions == ["2.200", "2.300"], "1.200 was told to customers already"

    asyncio.run(scenario())


def test_what_is_kept_is_bounded_and_the_pinned_version_stays() -> None:
    async def scenario() -> None:
        topics = Topics()
        topics.teach(lessons(100))
        worker = await begun(topics)
        topics.say(PIN_KEY, Pin(model=MODEL, version="1.100", at_ms=1))
        for seed in range(2, 30):
            topics.now_ms += 30 * HOUR_MS
            topics.teach(lessons(500, seed=seed))
            await worker.work(batch=500, takes_ms=HOUR_MS)
        shelf = topics.shelf()
        assert "1.100" in shelf.versions and shelf.scoring is not None and shelf.scoring.version == "1.100"
        assert len(shelf.versions) < 20 < len(topics.snapshots())
        assert worker.models.shelf.versions.keys() == shelf.versions.keys()
        for version in shelf.versions.values():
            assert restore(version).generation == 1, "any of them can be gone on with"

    asyncio.run(scenario())


def test_lessons_of_the_future_are_learned_and_the_weeks_of_the_watching_go_on() -> None:
    async def scenario() -> None:
        topics = Topics()
        topics.now_ms = 100 * WEEK_MS
        topics.teach([msgspec.structs.replace(lesson, scored_at_ms=5000 * WEEK_MS + n) for n, lesson in enumerate(lessons(100))])
        topics.teach([msgspec.structs.replace(lesson, scored_at_ms=90 * WEEK_MS) for lesson in lessons(100, seed=2)])
        worker = await begun(topics)
        measures = worker.trainer._learner.watch.measures
        assert measures.labels == 200 and list(measures.weeks) == [90]

    asyncio.run(scenario())


def test_a_clock_that_went_back_does_not_hold_snapshots_up() -> None:
    async def scenario() -> None:
        topics = Topics()
        topics.now_ms = 400 * WEEK_MS
        topics.teach(lessons(100))
        worker = await begun(topics)
        topics.now_ms = WEEK_MS
        topics.teach(lessons(5, seed=2))
        await worker.work()
        assert topics.snapshots()[-1].version == "1.105"

    asyncio.run(scenario())


def test_a_drift_is_told_before_the_snapshot_that_knows_of_it_and_once() -> None:
    async def scenario() -> None:
        topics = Topics()
        topics.teach(lessons(100))
        worker = await begun(topics)
        worker.trainer._learner.watch._alarm(Alarm(INPUTS, 9, 200, {"visits7": 1.2}))
        topics.teach(lessons(100, seed=2))
        await worker.work()
        (told,) = topics.alarms
        assert (told.type, told.subject, told.data.subject, told.data.rule) == (
            "operator-action.raised",
            "churn",
            "features",
            "model-drift",
        )
        assert told.id == told.data.id and "visits7 has moved by +1.2" in told.data.reasons[0].en
        topics.teach(lessons(100, seed=3))
        await worker.work()
        await begun(topics)
        assert len(topics.alarms) == 1
        # A crash after it was told and before the snapshot: another trainer may find it again.
        topics.models = [row for row in topics.models if b'"visits7":1.2' not in (row[1] or b"")]
        again = await begun(topics)
        again.trainer._learner.watch._alarm(Alarm(INPUTS, 9, 210, {"visits7": 1.1}))
        topics.teach(lessons(100, seed=4))
        await again.work()
        assert len(topics.alarms) == 2 and len({alarm.id for alarm in topics.alarms}) == 1

    asyncio.run(scenario())
