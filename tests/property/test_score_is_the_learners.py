"""A worker's folded score is the learner's own prediction, for any features, also such as nobody has ever had."""

from __future__ import annotations

from functools import cache

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oracle.score import Model
from portrait.models.churn import FEATURES, INDEX, PRIOR, from_snapshot
from portrait.models.learner import Learner, restore
from portrait.models.prior import LOGIT_MAX
from schemas.outputs import Snapshot
from tests.unit.test_models_learner import lessons, over_the_wire, taught

usual, absurd = st.floats(-5, 5), st.floats(-1e6, 1e6)  # the contract of lessons takes no more
values = st.lists(usual | absurd, min_size=len(FEATURES), max_size=len(FEATURES))


@cache
def snapshot_of(labels: int, rare: bool) -> Snapshot:
    """``rare``: of features that hardly anybody shows, beside those that everybody does."""
    if not rare:
        return over_the_wire(taught(labels).snapshot({}, 0))
    learner = Learner(lessons(1)[0].horizon_days)
    for n, lesson in enumerate(lessons(labels)):
        shown = {"complaints_open": 8.0 if n % 300 == 0 else float(n % 50 == 0), "late90": 0.0}
        learner.learn(msgspec.structs.replace(lesson, features=lesson.features | shown))
    return over_the_wire(learner.snapshot({}, 0))


@given(
    st.sampled_from([(0, False), (1, False), (40, False), (600, False), (600, True)]), values, st.floats(-LOGIT_MAX, LOGIT_MAX)
)
@settings(max_examples=400, deadline=None)
def test_a_workers_score_is_the_learners_own_prediction(of: tuple[int, bool], x: list[float], prior: float) -> None:
    x[INDEX[PRIOR]] = prior
    snapshot = snapshot_of(*of)
    learner = restore(snapshot)
    named = dict(zip(FEATURES, x, strict=True))
    scaled = learner.scaling.learn(named) | {PRIOR: prior}  # which counts them in, so the scorer is made after it
    own = learner.model.predict_proba_one(scaled)[True]
    scorer = learner.scorer()
    assert scorer.risk(x) == pytest.approx(own, abs=1e-9)
    oracles = Model(scorer.version, scorer.horizon_days, scorer.bias, scorer.weights, scorer.prior, scorer.low, scorer.high)
    assert oracles.risk(x) == pytest.approx(own, abs=1e-9)
    parts = sum(amount for _, amount in scorer.contributions(x))
    assert abs(parts - (scorer.log_odds(x) - scorer.log_odds(scorer.means))) <= 0.05 * len(FEATURES), "reasons tell this score"


def test_what_is_far_outside_counts_as_much_as_the_learner_has_learned_of_it() -> None:
    scorer = from_snapshot(snapshot_of(600, True))
    at = INDEX["complaints_open"]
    just, far = list(scorer.means), list(scorer.means)
    just[at], far[at] = scorer.high[at], 8.0
    assert scorer.high[at] < 8.0
    assert scorer.risk(far) == scorer.risk(just)
    assert scorer.contributions(far) == scorer.contributions(just)
