"""What one shop has learned and another starts from: a file that is whole or refused, and a learner that goes on from it."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import msgspec
import pytest

from portrait.models import start as starts
from portrait.models.churn import FEATURES, PRIOR, digest_of
from portrait.models.learner import Learner, begin, loss_of, restore
from portrait.models.scaling import Z_MAX
from portrait.models.trial import Trial
from schemas.outputs import Lesson, Order, Start
from tests.corekit import HORIZON_DAYS
from tests.unit.test_models_learner import lessons, taught


@cache
def exported() -> Start:
    return starts.export(taught(400, seed=7).snapshot({}, 1))


def as_file(start: Start) -> dict[str, Any]:
    made: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(start))
    return made


def signed(start: Start) -> Start:
    return msgspec.structs.replace(start, digest=digest_of(msgspec.structs.replace(start, digest="")))


def values(lesson: Lesson) -> list[float]:
    return [lesson.features[name] for name in FEATURES]


def test_a_shop_that_starts_from_another_ranks_as_that_one_does_around_its_own_base_rate() -> None:
    other = taught(400, seed=7)
    learner = Learner(HORIZON_DAYS)
    learner.start_from(starts.export(other.snapshot({}, 1)))
    assert learner.model.intercept == 0.0 and (learner.lessons, learner.labels) == (0, 0)
    assert learner.prior.prior == Learner(HORIZON_DAYS).prior.prior, "the base rate is this shop's own"
    ours, theirs = learner.scorer(), other.scorer()
    apart = {round(ours.log_odds(values(each)) - theirs.log_odds(values(each)), 9) for each in lessons(50, seed=8)}
    assert apart == {round(-float(other.model.intercept), 9)}


def test_it_predicts_better_than_the_prior_and_learns_on() -> None:
    unseen = lessons(200, seed=9)

    def loss(learner: Learner) -> float:
        scorer = learner.scorer()
        return sum(loss_of(scorer.risk(values(each)), each.churned) for each in unseen) / len(unseen)

    started = Learner(HORIZON_DAYS)
    started.start_from(exported())
    before = loss(started)
    assert before < loss(Learner(HORIZON_DAYS))
    for lesson in lessons(300):
        started.learn(lesson)
    assert loss(started) < before and started.labels == 300


def test_its_scaling_gives_way_to_that_of_the_shop() -> None:
    learner = Learner(HORIZON_DAYS)
    learner.start_from(exported())
    start_mean = learner.scaling.of["spend"].mean
    for lesson in lessons(600):
        learner.learn(msgspec.structs.replace(lesson, features=lesson.features | {"spend": lesson.features["spend"] + 5}))
    assert learner.scaling.of["spend"].mean - start_mean == pytest.approx(5 * 0.75, abs=0.2)


def test_the_bounds_of_its_scores_are_those_of_the_scaling() -> None:
    start = exported()
    learner = Learner(HORIZON_DAYS)
    learner.start_from(start)
    i, of = FEATURES.index("quiet"), start.features["quiet"]
    assert learner.scorer().high[i] == pytest.approx(of.mean + Z_MAX * of.variance**0.5)


def test_a_learner_that_started_so_goes_on_bit_by_bit_after_a_restart() -> None:
    learner = Learner(HORIZON_DAYS)
    learner.start_from(exported())
    again = restore(learner.snapshot({}, 1))
    for lesson in lessons(30):
        learner.learn(lesson)
        again.learn(lesson)
    assert again.snapshot({}, 2) == learner.snapshot({}, 2)


def test_what_never_varied_is_left_out_and_has_the_usual_start() -> None:
    other = Learner(HORIZON_DAYS)
    for lesson in lessons(100):
        other.learn(msgspec.structs.replace(lesson, features=lesson.features | {"visits7": 0.0}))
    start = starts.export(other.snapshot({}, 1))
    assert start.features.keys() == set(FEATURES) - {"visits7"}
    learner = Learner(HORIZON_DAYS)
    learner.start_from(start)
    assert learner.scaling.of["visits7"].count == 0


def test_a_version_without_a_label_has_nothing_to_give() -> None:
    with pytest.raises(ValueError, match="has learned no label yet"):
        starts.export(Learner(HORIZON_DAYS).snapshot({}, 1))


def test_what_is_exported_is_read_as_it_was_and_names_nobody() -> None:
    start = exported()
    assert starts.read(msgspec.json.format(msgspec.json.encode(start))) == start
    assert as_file(start).keys() == {"format", "model", "version", "horizon_days", "features", "digest"}
    assert {tuple(of) for of in as_file(start)["features"].values()} == {("weight", "mean", "variance")}


def changed(path: list[str], value: Any) -> bytes:
    file = as_file(exported())
    at = file
    for name in path[:-1]:
        at = at[name]
    at[path[-1]] = value
    return json.dumps(file).encode()


@pytest.mark.parametrize(
    ("path", "value", "why"),
    [
        (["features", "recency", "weight"], 0.5, "was changed since"),
        (["horizon_days"], 61, "was changed since"),
        (["version"], "1.1", "was changed since"),
        (["digest"], "", "was changed since"),
        (["format"], 2, "this code reads"),
        (["model"], "tone", "this code reads"),
        (["customers"], 7, "not what `portrait model export` writes"),
        (["features", "recency", "weight"], float("nan"), "not what `portrait model export` writes"),
        (["features", "recency", "mean"], "1", "not what `portrait model export` writes"),
    ],
)
def test_a_file_that_was_changed_is_refused_and_says_why(path: list[str], value: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        starts.read(changed(path, value))


@pytest.mark.parametrize("data", [b"", b"[]", b"\xff\xfe", b"{}", b'{"model": "churn"', b"[" * 100_000])
def test_what_is_no_such_file_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="not what `portrait model export` writes"):
        starts.read(data)


@pytest.mark.parametrize(
    ("name", "of", "why"),
    [
        ("moon", {}, "features that this code does not: moon"),
        ("recency", {"weight": float("inf")}, "what it says of recency"),
        ("recency", {"weight": float("nan")}, "what it says of recency"),
        ("recency", {"weight": -10.5}, "what it says of recency"),
        ("recency", {"mean": 1e9}, "what it says of recency"),
        ("recency", {"variance": 0.0}, "what it says of recency"),
        ("recency", {"variance": float("inf")}, "what it says of recency"),
    ],
)
def test_what_no_model_learns_is_refused_also_with_a_digest_that_matches(name: str, of: dict[str, float], why: str) -> None:
    start = exported()
    odd = msgspec.structs.replace(start.features["recency"], **of)
    forged = signed(msgspec.structs.replace(start, features=start.features | {name: odd}))
    for refuses in (starts.checked, Learner(HORIZON_DAYS).start_from):
        with pytest.raises(ValueError, match=why):
            refuses(forged)


def test_without_the_prior_there_is_no_base_rate_and_it_is_refused() -> None:
    start = exported()
    others = {name: of for name, of in start.features.items() if name != PRIOR}
    with pytest.raises(ValueError, match="lacks the feature prior"):
        starts.checked(signed(msgspec.structs.replace(start, features=others)))


def test_beside_a_version_that_scores_it_is_on_trial_and_alone_it_scores_at_once() -> None:
    order = Order(model="churn", id="o1", generation=2, version="", at_ms=1, start=exported())
    scoring = taught(30).snapshot({"lessons/0": 30}, 1)
    on_trial = begin(order, scoring, None, scoring, HORIZON_DAYS)
    assert on_trial.trial is not None and on_trial.trial.against_labels == 30
    alone = begin(order, None, None, None, HORIZON_DAYS).snapshot({}, 1)
    assert (alone.version, alone.ready, alone.order) == ("2.0", True, "o1")


def test_against_a_version_without_labels_it_has_to_read_as_far() -> None:
    trial = Trial(against="1.50", against_labels=0, against_offsets={"lessons/0": 50})
    trial.follow({"lessons/0": 49})
    assert not trial.passed(0)
    trial.follow({"lessons/0": 50})
    assert trial.passed(0)
