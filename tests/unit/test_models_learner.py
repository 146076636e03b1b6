"""Learning online: no lesson twice, nothing lost over a snapshot, nothing broken taken in."""

from __future__ import annotations

import random

import msgspec
import pytest

from portrait.models.churn import FEATURES, MODEL, digest
from portrait.models.learner import RECENT, Learner, restore
from schemas.outputs import Lesson, Snapshot
from tests.corekit import HORIZON_DAYS


def lessons(n: int, seed: int = 1) -> list[Lesson]:
    """Examples in which a silent, complaining customer is more likely to leave."""
    rng = random.Random(seed)
    made = []
    for i in range(n):
        x = {name: rng.gauss(1.0, 1.5) for name in FEATURES}
        churned = x["recency"] + x["complaints_open"] + rng.gauss(0, 1) > 2
        made.append(
            Lesson(
                id=f"{seed}-{i}",
                model=MODEL,
                scored_at_ms=i,
                horizon_days=HORIZON_DAYS,
                features=x,
                risk=rng.random(),
                model_version="0.0",
                churned=churned,
            )
        )
    return made


def taught(n: int, seed: int = 1) -> Learner:
    learner = Learner(HORIZON_DAYS)
    for lesson in lessons(n, seed):
        learner.learn(lesson)
    return learner


def over_the_wire(snapshot: Snapshot) -> Snapshot:
    return msgspec.json.decode(msgspec.json.encode(snapshot), type=Snapshot)


def signed(snapshot: Snapshot) -> Snapshot:
    """With a digest that matches."""
    return msgspec.structs.replace(snapshot, digest=digest(snapshot))


def test_a_learner_comes_to_know_what_makes_customers_leave() -> None:
    learner = taught(600)
    scorer = learner.scorer()
    right = sum((scorer.risk(list(x.features.values())) > 0.5) == x.churned for x in lessons(300, seed=9))
    assert right > 200
    assert scorer.weights[FEATURES.index("complaints_open")] > 0


def test_a_lesson_is_learned_once() -> None:
    learner = taught(20)
    before = over_the_wire(learner.snapshot({}, 0))
    assert not any(learner.learn(lesson) for lesson in lessons(20))
    assert learner.snapshot({}, 0) == before


def test_a_lesson_is_learned_once_over_a_restart_too() -> None:
    again = restore(over_the_wire(taught(20).snapshot({}, 0)))
    assert not any(again.learn(lesson) for lesson in lessons(20))
    assert again.lessons == 20


def test_a_lesson_of_another_horizon_or_of_other_features_is_left_out() -> None:
    learner, (lesson,) = Learner(HORIZON_DAYS), lessons(1)
    assert not learner.learn(msgspec.structs.replace(lesson, horizon_days=HORIZON_DAYS + 1))
    assert not learner.learn(msgspec.structs.replace(lesson, features={"recency": 1.0}))
    assert learner.lessons == 0


def test_a_feature_that_this_code_does_not_know_is_ignored() -> None:
    one, other = Learner(HORIZON_DAYS), Learner(HORIZON_DAYS)
    for lesson in lessons(30):
        one.learn(lesson)
        other.learn(msgspec.structs.replace(lesson, features=lesson.features | {"moon": 3.0}))
    assert one.snapshot({}, 0) == other.snapshot({}, 0)


def test_a_restored_learner_goes_on_bit_by_bit_as_the_one_that_never_stopped() -> None:
    steady = taught(150)
    restored = restore(over_the_wire(steady.snapshot({"lessons/0": 150}, 1)))
    for lesson in lessons(150, seed=2):
        assert steady.learn(lesson)
        assert restored.learn(lesson)
    one, other = steady.snapshot({}, 2), restored.snapshot({}, 2)
    assert (one.scorer, one.learner, one.recent, one.lessons) == (other.scorer, other.learner, other.recent, other.lessons)
    assert one.digest == other.digest
    assert {k: v for k, v in one.metrics.items() if k != "drifts"} == {k: v for k, v in other.metrics.items() if k != "drifts"}


def test_learning_on_leaves_the_snapshot_as_it_was() -> None:
    """A worker restores it again when it is assigned the lessons a second time."""
    snapshot = over_the_wire(taught(50).snapshot({}, 1))
    learner = restore(snapshot)
    for lesson in lessons(20, seed=2):
        learner.learn(lesson)
    assert restore(snapshot).lessons == 50


def test_the_snapshot_of_a_learner_that_knows_nothing_restores_too() -> None:
    snapshot = over_the_wire(Learner(HORIZON_DAYS).snapshot({}, 0))
    assert restore(snapshot).scorer() == Learner(HORIZON_DAYS).scorer()


@pytest.mark.parametrize("part", ["scorer", "learner"])
def test_a_tampered_snapshot_is_refused(part: str) -> None:
    snapshot = taught(10).snapshot({}, 0)
    name = "bias" if part == "scorer" else "intercept"
    tampered = msgspec.structs.replace(snapshot, **{part: getattr(snapshot, part) | {name: 0.5}})
    with pytest.raises(ValueError, match="digest"):
        restore(tampered)


def test_a_snapshot_of_another_model_format_or_feature_list_is_refused() -> None:
    snapshot = taught(10).snapshot({}, 0)
    with pytest.raises(ValueError, match="'value'"):
        restore(msgspec.structs.replace(snapshot, model="value"))
    with pytest.raises(ValueError, match="format 4"):
        restore(msgspec.structs.replace(snapshot, format=4))
    scorer = snapshot.scorer | {"features": ["recency"]}
    with pytest.raises(ValueError, match="other features"):
        restore(signed(msgspec.structs.replace(snapshot, scorer=scorer)))


def test_only_so_many_lesson_ids_are_remembered() -> None:
    learner = Learner(HORIZON_DAYS)
    for i in range(RECENT + 10):
        learner._remember(str(i))
    assert len(learner.recent) == len(learner._known) == RECENT
    assert "9" not in learner._known


def test_every_lesson_makes_a_greater_version() -> None:
    versions = [taught(n).snapshot({}, 0) for n in (0, 1, 9, 10)]
    assert [(s.generation, s.lessons) for s in versions] == [(1, 0), (1, 1), (1, 9), (1, 10)]
    assert versions[-1].version == "1.10"


def test_validation_comes_before_learning_and_uses_the_risk_of_then() -> None:
    (lesson,) = lessons(1)
    learner = Learner(HORIZON_DAYS)
    learner.learn(msgspec.structs.replace(lesson, risk=0.9, churned=True))
    assert learner.metrics()["brier"] == pytest.approx(0.01)
    assert learner.metrics()["base_rate"] == 1.0
