"""The prior against numerical integration of the model that it solves, its direction and its limits."""

from __future__ import annotations

from math import exp, isfinite, lgamma, log
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portrait.models.prior import LOGIT_MAX, START, Prior, PriorLearner, gradient, logits

R, ALPHA_DAYS, A, B = START


def none_logit(purchase_days: int, recency_days: float, tenure_days: float, horizon_days: float) -> float:
    return logits(START, purchase_days, recency_days, tenure_days, horizon_days).none


def log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)


def likelihood(repeats: int, until_days: float, alive: bool) -> float:
    """E[lambda^x exp(-lambda t)] over the Gamma of rates, by trapezoids in log lambda, times the Beta of dropping out."""
    steps, low, high = 20_000, -45.0, 4.0
    width = (high - low) / steps
    total = 0.0
    for i in range(steps + 1):
        s = low + i * width
        rate = exp(s)
        total += exp((R + repeats) * s - rate * (ALPHA_DAYS + until_days))
    gamma = total * width * exp(R * log(ALPHA_DAYS) - lgamma(R))
    drops, stays = (0, repeats + 1) if alive else (1, repeats)
    return gamma * exp(log_beta(A + drops, B + stays) - log_beta(A, B))


@pytest.mark.parametrize(
    ("purchase_days", "recency_days", "tenure_days", "horizon_days"),
    [(1, 0, 0, 60), (1, 200, 200, 60), (2, 30, 90, 30), (5, 10, 300, 90), (12, 120, 700, 60)],
)
def test_the_closed_form_is_the_integral(purchase_days: int, recency_days: int, tenure_days: int, horizon_days: int) -> None:
    repeats = purchase_days - 1
    alive = likelihood(repeats, tenure_days, True)
    alive_and_silent = likelihood(repeats, tenure_days + horizon_days, True)
    dead = likelihood(repeats, tenure_days - recency_days, False)
    none = (alive_and_silent + dead) / (alive + dead)
    assert none_logit(purchase_days, recency_days, tenure_days, horizon_days) == pytest.approx(log(none / (1 - none)), rel=1e-6)


def log_likelihood(prior: Prior, purchase_days: int, recency: float, tenure: float) -> float:
    """Of one history, in closed form, up to what does not depend on the parameters."""
    r, alpha, a, b = prior
    x = purchase_days - 1
    alive = log_beta(a, b + x + 1) - (r + x) * log(alpha + tenure)
    gone = log_beta(a + 1, b + x) - (r + x) * log(alpha + tenure - recency)
    top = max(alive, gone)
    both = top + log(exp(alive - top) + exp(gone - top))
    return lgamma(r + x) - lgamma(r) + r * log(alpha) - log_beta(a, b) + both


@pytest.mark.parametrize("prior", [START, Prior(2.0, 15.0, 0.4, 5.0), Prior(0.2, 300.0, 2.0, 0.7)])
@pytest.mark.parametrize(
    ("purchase_days", "recency", "tenure"), [(1, 0, 0), (1, 200, 200), (2, 30, 90), (12, 120, 700), (200, 3, 900)]
)
def test_the_gradient_is_the_slope_of_the_likelihood(prior: Prior, purchase_days: int, recency: float, tenure: float) -> None:
    for i, slope in enumerate(gradient(prior, purchase_days, recency, tenure)):
        step = 1e-5
        up, down = (prior._replace(**{prior._fields[i]: prior[i] * exp(sign * step)}) for sign in (1, -1))
        sides = [log_likelihood(side, purchase_days, recency, tenure) for side in (up, down)]
        assert slope == pytest.approx((sides[0] - sides[1]) / (2 * step), rel=1e-3, abs=1e-4)


def history_of(rng: Random, truth: Prior, tenure: float) -> tuple[int, float, float]:
    """(purchase days, recency, tenure) of a customer drawn from the model, seen ``tenure`` days after the first purchase."""
    rate, leaves = rng.gammavariate(truth.r, 1 / truth.alpha_days), rng.betavariate(truth.a, truth.b)
    n, last = 1, 0.0
    while rng.random() >= leaves:
        gap = rng.expovariate(rate) if rate > 1e-12 else 1e12
        if last + gap > tenure:
            break
        n, last = n + 1, last + gap
    return n, tenure - last, tenure


@pytest.mark.parametrize("truth", [Prior(1.2, 30.0, 0.8, 4.0), Prior(0.6, 150.0, 1.5, 2.0)])
def test_from_histories_alone_it_learns_how_many_will_not_come_back(truth: Prior) -> None:
    rng = Random(7)
    learner = PriorLearner()
    for _ in range(6000):
        learner.learn(*history_of(rng, truth, rng.uniform(0, 700)))
    for purchase_days, recency, tenure in [(1, 60, 60), (3, 20, 200), (8, 150, 400)]:
        learned, true = (logits(prior, purchase_days, recency, tenure, 60).none for prior in (learner.prior, truth))
        assert 1 / (1 + exp(-learned)) == pytest.approx(1 / (1 + exp(-true)), abs=0.06)


def test_customers_who_never_leave_or_all_leave_keep_the_parameters_finite() -> None:
    for purchase_days, recency, tenure in [(400, 0, 400), (1, 3000, 3000)]:
        learner = PriorLearner()
        for _ in range(5000):
            learner.learn(purchase_days, recency, tenure)
        assert all(isfinite(value) and value > 0 for value in learner.prior)
        assert all(isfinite(value) for value in logits(learner.prior, 2, 10, 30, 60))


def test_its_state_is_all_of_it() -> None:
    one = PriorLearner()
    for n in range(1, 50):
        one.learn(n, 3 * n, 30 * n)
    other = PriorLearner(one.state)
    one.learn(3, 4, 50)
    other.learn(3, 4, 50)
    assert other.state == one.state


@given(st.integers(1, 300), st.integers(0, 1500), st.integers(0, 700), st.sampled_from([30, 60, 90, 180]))
def test_more_silence_never_makes_a_return_likelier(purchase_days: int, bought_for: int, silence: int, horizon: int) -> None:
    tenure = bought_for if purchase_days > 1 else 0
    sooner = none_logit(purchase_days, silence, tenure + silence, horizon)
    later = none_logit(purchase_days, silence + 7, tenure + silence + 7, horizon)
    assert later >= sooner - 1e-9


@given(st.integers(1, 2000), st.floats(0, 30_000), st.floats(0, 30_000), st.integers(1, 400))
def test_the_log_odds_stay_within_their_limits(purchase_days: int, recency: float, bought_for: float, horizon: int) -> None:
    assert -LOGIT_MAX <= none_logit(purchase_days, recency, recency + bought_for, horizon) <= LOGIT_MAX


def test_a_daily_buyer_who_has_been_silent_for_years_is_as_lost_as_anyone_can_be() -> None:
    assert none_logit(1000, 3000, 4000, 60) == LOGIT_MAX


def test_a_longer_horizon_makes_a_return_likelier() -> None:
    assert none_logit(3, 20, 100, 90) < none_logit(3, 20, 100, 30)
