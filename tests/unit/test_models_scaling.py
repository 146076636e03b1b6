"""Scaling and steps are River's to the bit, and what is rare, absurd or missing does no harm."""

from __future__ import annotations

import random

import pytest
from river import linear_model, optim, preprocessing

from portrait.models.scaling import STD_LEAST, Z_MAX, AdaGrad, Scaling

NAMES = ("a", "b", "c")


def rows(n: int) -> list[dict[str, float]]:
    rng = random.Random(2)
    return [{name: rng.gauss(5.0, 2.0) for name in NAMES} for _ in range(n)]


def test_it_is_rivers_standard_scaler_to_the_bit() -> None:
    ours, rivers = Scaling(NAMES), preprocessing.StandardScaler()
    for x in rows(300):
        found = ours.learn(x)
        rivers.learn_one(x)
    assert ours.state == {"counts": rivers.counts, "means": rivers.means, "vars": rivers.vars}
    assert found == rivers.transform_one(x)


def test_steps_are_those_of_rivers_adagrad_to_the_bit() -> None:
    ours, rivers = (linear_model.LogisticRegression(optimizer=of(0.03)) for of in (AdaGrad, optim.AdaGrad))
    for n, x in enumerate(rows(300)):
        ours.learn_one(x, n % 3 == 0)
        rivers.learn_one(x, n % 3 == 0)
    assert (ours.weights, ours.intercept) == (rivers.weights, rivers.intercept)


def test_what_hardly_varies_or_is_absurd_stays_within_bounds() -> None:
    scaling = Scaling(NAMES)
    for _ in range(1000):
        assert scaling.learn(dict.fromkeys(NAMES, 0.0)) == {}
    assert scaling.learn({"a": 0.6, "b": 1e12, "c": -1e12}) == {
        "a": pytest.approx(0.6 / STD_LEAST, rel=0.01),
        "b": Z_MAX,
        "c": -Z_MAX,
    }


def test_what_a_row_lacks_stays_as_it_is() -> None:
    scaling = Scaling(NAMES)
    for x in rows(20):
        scaling.learn(x)
    before = scaling.state
    assert set(scaling.learn({"a": 9.0, "moon": 3.0})) == {"a"}
    assert {part: {name: of[name] for name in "bc"} for part, of in scaling.state.items()} == {
        part: {name: of[name] for name in "bc"} for part, of in before.items()
    }


def test_features_that_only_other_code_knows_are_kept_for_it() -> None:
    scaling = Scaling(NAMES)
    for x in rows(20):
        scaling.learn(x)
    fewer = Scaling(NAMES[:2], scaling.state)
    assert fewer.state == scaling.state
    assert Scaling(NAMES, fewer.state).state == scaling.state
