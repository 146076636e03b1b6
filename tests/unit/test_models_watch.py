"""Watching the model: a drift is noticed and told once, noise is not, and a restart forgets no more than is said."""

from __future__ import annotations

import random
from collections.abc import Iterator
from math import log1p

import msgspec
import pytest

from portrait.lifecycle import walk
from portrait.models.churn import FEATURES, buying, fresh
from portrait.models.measures import WEEK_MS
from portrait.models.watch import ALARMS_KEPT, INPUTS, LOSS, SHIFT_LEAST, Alarm, Shift, State, Watch
from portrait.structures import DAY_MS, NEVER
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


SHOP_DAYS = 600


def ageing_shop(days: int, broken_from: int = NEVER) -> Iterator[tuple[int, dict[str, float], float, bool]]:
    """(day, features, risk, whether they left) of a shop to which one customer comes each day. They buy and click at rates of
    their own, and leave at last; silent ones are looked at ever more seldom, for two years. ``broken_from``: clicks get lost."""
    rng, prior = random.Random(5), fresh(60)
    known: list[tuple[float, float, int, list[int], list[int]]] = []  # rate of buying, of clicking, leaves, bought, next look
    for day in range(days):
        known.append((rng.uniform(0.01, 0.1), rng.gammavariate(2, 2), day + int(rng.expovariate(1 / 150)), [day], [day]))
        for buys, clicks, leaves, bought, look in known:
            if day < leaves and rng.random() < buys and bought[-1] != day:
                bought.append(day)
            if look[0] > day or day - bought[-1] > 730:
                continue
            silent = day - bought[-1]
            look[0] = day + min(28, max(7, int(silent * 0.15)))
            month = 0.0 if day >= broken_from else float(sum(rng.random() < clicks / 10 for _ in range(10)) * (day < leaves))
            x = dict.fromkeys(FEATURES, 0.0) | dict(zip(FEATURES, buying(walk(bought), day, prior), strict=False))
            x |= {"visits30": log1p(month), "quiet": log1p(silent)}
            risk = 0.95 if day >= leaves else (1 - buys) ** 60
            yield day, x, min(max(risk, 0.02), 0.98), rng.random() < risk


def watched_shop(**kw: int) -> Watch:
    watch = Watch(FEATURES)
    for day, x, risk, churned in ageing_shop(SHOP_DAYS, **kw):
        watch.learn(x, risk, churned, day * DAY_MS, 0.5)
    return watch


def test_a_shop_that_merely_grows_older_raises_no_alarm(monkeypatch: pytest.MonkeyPatch) -> None:
    assert watched_shop().alarms == []
    monkeypatch.setattr("portrait.models.watch.AGEING", frozenset())
    assert len(watched_shop().alarms) > 3, "it does grow older"


def test_in_a_shop_that_grows_older_too_lost_clicks_are_told() -> None:
    (alarm, *_) = [alarm for alarm in watched_shop(broken_from=500).alarms if alarm.subject == INPUTS]
    assert alarm.week >= 500 * DAY_MS // WEEK_MS
    assert list(alarm.what) == ["visits30"] and alarm.what["visits30"] < -SHIFT_LEAST


def test_what_is_learned_again_raises_no_alarm_again_and_what_is_new_does() -> None:
    def moves(watch: Watch, until_week: int) -> Watch:
        rng = random.Random(3)
        for i in range(1000 * until_week):
            x = {name: rng.gauss(1.0, 1.0) + (2.0 * (i // 3000) if name == "c" else 0.0) for name in NAMES}
            watch.learn(x, 0.5, rng.random() < 0.5, (i // 1000) * WEEK_MS, 0.5)
        return watch

    first = moves(Watch(NAMES), 6)
    assert first.alarms
    again = Watch(NAMES)
    again.begin_after(msgspec.convert(first.state, State, str_keys=True))
    assert moves(again, 6).alarms == first.alarms
    twice = Watch(NAMES)
    twice.begin_after(msgspec.convert(again.state, State, str_keys=True))
    *old, new = moves(twice, 9).alarms
    assert old == first.alarms and new.week >= 6


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
