"""The prior against numerical integration of the model that it solves, its direction and its limits."""

from __future__ import annotations

from math import exp, lgamma, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portrait.models.prior import ALPHA_DAYS, LOGIT_MAX, A, B, R, none_logit


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
