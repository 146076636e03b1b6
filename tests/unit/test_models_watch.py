"""Watching the model: a drift is noticed and told once, noise is not, and a restart forgets no more than is said."""

from __future__ import annotations

import random

import msgspec
import pytest

from portrait.models.churn import FEATURES
from portrait.models.measures import WEEK_MS
from portrait.models.watch import ALARMS_KEPT, INPUTS, LOSS, Alarm, Shift, State, Watch
from tests.unit.test_models_learner import lessons, over_the_wire, taught

NAMES = ("a", "b", "c", "d", "e")


def watched(n: int, change_at: int | None = None, moved: float = 0.0, worse: float = 0.0, week: int = 7) -> Watch:
    rng, watch = random.Random(3), Watch(NAMES)
    for i in range(n):
        late = change_at is not None and i >= change_at
        x = {name: rng.gauss(1.0, 1.0) + (moved if late and name == "c" else 0.0) for name in NAMES}
        p = rng.uniform(0.1, 0.9)
        churned = rng.random() < (1 - p if late and rng.random() < worse else p)
        watch.learn(x, p, churned, week * WEEK_MS, 0.5)
    return watch


def test_a_feature_that_moves_is_told_once_a_week_with_how_far() -> None:
    watch = watched(6000, change_at=3000, moved=2.0)
    (alarm,) = watch.alarms
    assert (alarm.subject, alarm.week, next(iter(alarm.what))) == (INPUTS, 7, "c")
    assert alarm.what["c"] > 0.3
    assert watch.shifts["c"].size > 0.3
    assert watch.drifts >= 1


def test_a_loss_that_grows_is_told() -> None:
    watch = watched(6000, change_at=3000, worse=1.0)
    (alarm,) = [alarm for alarm in watch.alarms if alarm.subject == LOSS]
    assert alarm.what["after"] > alarm.what["before"]


def test_a_loss_that_falls_is_good_news_and_no_alarm() -> None:
    rng, watch = random.Random(3), Watch(NAMES)
    for i in range(6000):
        churned = rng.random() < 0.5
        p = (0.7 if churned else 0.3) if i > 3000 else rng.uniform(0.2, 0.8)
        watch.learn(dict.fromkeys(NAMES, 1.0), p, churned, 0, 0.5)
    assert watch.drifts >= 1
    assert watch.alarms == []


def test_noise_is_no_drift() -> None:
    assert watched(8000).alarms == []


def test_alarms_are_bounded() -> None:
    watch = Watch(NAMES)
    for week in range(3 * ALARMS_KEPT):
        watch._alarm(Alarm(INPUTS, week, 1, {}))
        watch._alarm(Alarm(INPUTS, week, 2, {}))
    assert [alarm.week for alarm in watch.alarms] == list(range(2 * ALARMS_KEPT, 3 * ALARMS_KEPT))


def test_a_feature_of_which_little_is_known_or_that_never_varies_has_not_moved() -> None:
    few, constant = Shift(), Shift()
    for i in range(50):
        few.learn(float(i))
    for _ in range(500):
        constant.learn(3.0)
    assert (few.size, constant.size) == (0.0, 0.0)


def test_what_is_watched_goes_through_a_snapshot_and_only_the_detectors_windows_do_not() -> None:
    watch = watched(3000, change_at=2000, moved=2.0)
    plain = msgspec.json.decode(msgspec.json.encode(watch.state))
    again = Watch(NAMES, msgspec.convert(plain, State, str_keys=True))
    assert again.state == watch.state
    assert all(detector.width == 0 for detector in again._detectors.values())


def test_a_learner_takes_its_measures_along() -> None:
    steady = taught(300)
    snapshot = over_the_wire(steady.snapshot({}, 1))
    from portrait.models.learner import restore

    restored = restore(snapshot)
    for lesson in lessons(200, seed=2):
        steady.learn(lesson)
        restored.learn(lesson)
    assert restored.metrics() == pytest.approx(steady.metrics())
    assert set(restored.watch.shifts) == set(FEATURES)


def test_a_feature_that_is_new_is_watched_from_now_on() -> None:
    watch = watched(10)
    again = Watch((*NAMES, "new"), msgspec.convert(watch.state, State, str_keys=True))
    assert again.shifts["new"].labels == 0
    assert again.shifts["a"] == watch.shifts["a"]


def test_a_snapshot_stays_small() -> None:
    learner = taught(3000)
    assert len(msgspec.json.encode(learner.watch.state)) < 30_000
