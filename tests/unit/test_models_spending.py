"""What a purchase is worth is learned from histories: a simulation of the model, absurd amounts, what is saved."""

from __future__ import annotations

from math import exp, inf, isfinite, lgamma, log
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from portrait.models.churn import from_snapshot
from portrait.models.learner import Learner, restore
from portrait.models.spending import (
    CURRENCIES_MAX,
    HIGH_SHARE,
    HISTORIES_LEAST,
    Spending,
    SpendingLearner,
    digamma,
    gradient,
)
from schemas.outputs import History, Snapshot
from tests.corekit import HORIZON_DAYS

P, Q, GAMMA = 4.0, 5.0, 8_000.0
MEAN, WEIGHT = P * GAMMA / (Q - 1), (Q - 1) / P


def customer(rng: Random, scale: float = 1.0) -> dict[str, tuple[float, float]]:
    """Drawn from the model: one to ten purchases."""
    n, pace = rng.randint(1, 10), rng.gammavariate(Q, 1 / GAMMA)
    return {"CNY": (n, scale * sum(rng.gammavariate(P, 1 / pace) for _ in range(n)))}


def taught(n: int, scale: float = 1.0) -> SpendingLearner:
    rng, learner = Random(3), SpendingLearner()
    for _ in range(n):
        learner.learn(customer(rng, scale))
    return learner


@pytest.mark.parametrize("scale", [0.001, 1.0, 1e6])
def test_the_shops_average_is_learned_whatever_the_size_of_the_currencys_unit(scale: float) -> None:
    average = taught(3000, scale).spending.averages["CNY"]
    assert average.mean_minor == pytest.approx(MEAN * scale, rel=0.2)
    assert average.weight == pytest.approx(WEIGHT, rel=0.4)


def test_digamma() -> None:
    for x in (0.01, 0.3, 1.0, 2.5, 7.0, 400.0):
        h = 1e-5 * x
        assert digamma(x) == pytest.approx((lgamma(x + h) - lgamma(x - h)) / (2 * h), rel=1e-5, abs=1e-5)


@pytest.mark.parametrize(("purchases", "mean"), [(1, 50.0), (3, 9_000.0), (40, 1e7), (0.5, 1.0)])
def test_the_gradient_is_the_slope_of_the_likelihood(purchases: float, mean: float) -> None:
    def likelihood(p: float, q: float, gamma: float) -> float:
        own = p * purchases
        constant = lgamma(own + q) - lgamma(own) - lgamma(q)
        return (
            constant + q * log(gamma) + (own - 1) * log(mean) + own * log(purchases) - (own + q) * log(gamma + purchases * mean)
        )

    at = (P, Q, GAMMA)
    for i, slope in enumerate(gradient(*at, purchases, mean)):
        up, down = ([v * exp(sign * 1e-5 * (j == i)) for j, v in enumerate(at)] for sign in (1, -1))
        assert slope == pytest.approx((likelihood(*up) - likelihood(*down)) / 2e-5, rel=1e-4, abs=1e-4)


def test_one_absurd_amount_does_not_move_the_average_far() -> None:
    learner = taught(2000)
    before = learner.spending.averages["CNY"]
    learner.learn({"CNY": (1, 10.0**15)})
    after = learner.spending.averages["CNY"]
    assert after.mean_minor == pytest.approx(before.mean_minor, rel=0.1)
    assert after.weight == pytest.approx(before.weight, rel=0.1)


@given(st.lists(st.tuples(st.floats(-10, 1e9), st.floats(-1e15, 1e300)), max_size=60))
def test_whatever_is_taught_the_averages_stay_finite_and_positive(lessons: list[tuple[float, float]]) -> None:
    learner = SpendingLearner()
    for lesson in [*lessons, *[(1.0, 1.0)] * HISTORIES_LEAST]:
        learner.learn({"CNY": lesson})
        learner.learn_worth(lesson[1])
    average = learner.spending.averages["CNY"]
    assert all(isfinite(value) and value > 0 for value in (average.mean_minor, average.weight, learner.spending.high))


def test_what_is_no_purchase_teaches_nothing() -> None:
    learner = SpendingLearner()
    for _ in range(50):
        learner.learn({"CNY": (0, 100), "EUR": (3, 0), "USD": (2, -5), "GBP": (inf, 5)})
        learner.learn_worth(0.0)
        learner.learn_worth(inf)
    assert learner.spending == Spending()


def test_the_averages_and_the_threshold_wait_for_some_histories() -> None:
    learner = taught(HISTORIES_LEAST - 1)
    assert not learner.spending.averages
    assert taught(HISTORIES_LEAST).spending.averages


def test_no_more_currencies_are_learned_than_fit() -> None:
    learner = SpendingLearner()
    for i in range(3 * CURRENCIES_MAX):
        learner.learn({f"C{i}": (1, 100)})
    assert len(learner.state["first"]) == CURRENCIES_MAX


def test_the_threshold_is_that_of_the_top_share() -> None:
    rng, learner = Random(2), taught(20)
    for _ in range(6000):
        learner.learn_worth(rng.lognormvariate(0, 1.5))
    high = learner.spending.high
    assert sum(rng.lognormvariate(0, 1.5) >= high for _ in range(4000)) / 4000 == pytest.approx(HIGH_SHARE, abs=0.025)


def test_its_state_is_all_of_it() -> None:
    one = taught(50)
    one.learn_worth(3.0)
    other = SpendingLearner(msgspec.json.decode(msgspec.json.encode(one.state)))
    for learner in (one, other):
        learner.learn({"CNY": (3, 20_000)})
        learner.learn_worth(7.0)
    assert other.state == one.state


def history(i: int) -> History:
    return History(
        id=f"h{i}", model="churn", at_ms=i, purchase_days=1 + i % 5, recency_days=i % 40, tenure_days=i % 40 + 30,
        money={"CNY": (1.0 + i % 5, 10_000.0 * (1 + i % 5))}, worth=0.5 + i % 10,
    )  # fmt: skip


def test_it_travels_in_the_snapshot() -> None:
    learner = Learner(HORIZON_DAYS)
    for i in range(60):
        assert learner.learn_history(history(i))
    snapshot = msgspec.json.decode(msgspec.json.encode(learner.snapshot({}, 0)), type=Snapshot)
    scorer = from_snapshot(snapshot)
    assert scorer.spending.averages["CNY"].mean_minor == pytest.approx(10_000, rel=0.7)
    assert scorer.spending.high > 0
    assert restore(snapshot).spending.state == learner.spending.state


def test_a_snapshot_from_before_values_is_gone_on_with_and_one_with_a_broken_average_is_refused() -> None:
    snapshot = Learner(HORIZON_DAYS).snapshot({}, 0)
    older = msgspec.structs.replace(snapshot, scorer={k: v for k, v in snapshot.scorer.items() if k != "spending"})
    assert from_snapshot(older).spending == Spending()
    for broken in ({"averages": {"CNY": [0.0, 1.0]}}, {"averages": {"CNY": [1.0]}}, {"averages": {}, "high": -1.0}):
        with pytest.raises(ValueError, match="snapshot"):
            from_snapshot(msgspec.structs.replace(snapshot, scorer={**snapshot.scorer, "spending": broken}))
