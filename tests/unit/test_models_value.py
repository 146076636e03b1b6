"""What a customer is expected to be worth: the closed form, a simulation of the model, limits and directions, flags."""

from __future__ import annotations

from math import exp, isfinite, log
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from portrait.models.churn import Scorer, fresh
from portrait.models.prior import START, Prior, logits
from portrait.models.spending import Average, Spending
from portrait.models.value import (
    NEXT_DAYS_MAX,
    OWN_MOST,
    Value,
    days_to_next,
    expected_orders,
    live_orders,
    worth_of_purchase,
)
from portrait.structures import DAY_MS
from tests.corekit import DAY0, HORIZON_DAYS, Customer, at, click, event, order, rfc3339

PRIORS = [
    START,
    Prior(0.53, 43.0, 0.89, 1.6),
    Prior(0.55, 36.0, 0.2, 7.0),
    Prior(0.2, 300.0, 2.0, 0.7),
    Prior(0.6, 60.0, 0.03, 2.0),
]
AVERAGES = Spending({"CNY": Average(10_000.0, 1.0), "EUR": Average(1_000.0, 1.0)}, high=2.0)

priors = st.builds(Prior, st.floats(0.01, 20), st.floats(2, 3000), st.floats(0.02, 50), st.floats(0.04, 100))
histories = st.tuples(st.integers(1, 1500), st.integers(0, 2000), st.integers(0, 2000)).map(
    lambda t: (t[0], t[2], t[2] + max(t[1], t[0] - 1) if t[0] > 1 else t[2])  # purchase days, recency, tenure
)
risks, horizons = st.floats(0, 1), st.sampled_from([30, 60, 90, 180])


def expected(prior: Prior, purchases: int, recency: float, tenure: float, horizon: int, risk: float | None = None) -> float:
    """With the prior's own risk, unless one is given."""
    none, dead, _ = logits(prior, purchases, recency, tenure, horizon)
    return expected_orders(prior, purchases, tenure, horizon, none, dead, 1 / (1 + exp(-none)) if risk is None else risk)


def integral(prior: Prior, purchases: int, tenure: float, horizon: float) -> float:
    """What `live_orders` stands for, over the Beta of p by midpoints in its log-odds."""
    shape, base, a, b = prior.r + purchases - 1, prior.alpha_days + tenure, prior.a, prior.b + purchases
    steps, low, high = 4000, -60.0 / min(a, 1.0), 40.0
    weight = total = 0.0
    for i in range(steps):
        odds = low + (high - low) * (i + 0.5) / steps
        log_p, log_q = -_log1pexp(-odds), -_log1pexp(odds)
        density = exp(a * log_p + b * log_q - (a * log(a / (a + b)) + b * log(b / (a + b))))
        p = exp(log_p)
        weight += density
        total += density * (1 - exp(-shape * log(1 + p * horizon / base))) / p if p > 1e-9 else density * shape * horizon / base
    return total / weight


def _log1pexp(x: float) -> float:
    return x if x > 35 else log(1 + exp(x))


@pytest.mark.parametrize("prior", PRIORS)
@pytest.mark.parametrize(("purchases", "tenure"), [(1, 20), (1, 400), (2, 90), (5, 150), (12, 300), (40, 700)])
@pytest.mark.parametrize("horizon", [30, 90, 180])
def test_two_nodes_are_as_good_as_the_integral(prior: Prior, purchases: int, tenure: int, horizon: int) -> None:
    assert live_orders(prior, purchases, tenure, horizon) == pytest.approx(integral(prior, purchases, tenure, horizon), rel=0.03)


@pytest.mark.parametrize("prior", PRIORS)
def test_it_is_the_expectation_of_lifetimes(prior: Prior) -> None:
    special = pytest.importorskip("scipy.special")
    for purchases, recency, tenure, horizon in [(1, 30, 30, 60), (2, 60, 200, 90), (6, 10, 200, 30), (15, 100, 700, 180)]:
        (r, alpha, a, b), x = prior, purchases - 1
        hyper = special.hyp2f1(r + x, b + x + 1, a + b + x, horizon / (alpha + tenure + horizon))
        shrunk = ((alpha + tenure) / (alpha + tenure + horizon)) ** (r + x)
        gone = a / (b + x) * ((alpha + tenure) / (alpha + tenure - recency)) ** (r + x)
        closed = (a + b + x) / (a - 1) * (1 - hyper * shrunk) / (1 + gone) if a != 1 else None
        if closed is not None:  # at a = 1 theirs is 0 / 0
            assert expected(prior, purchases, recency, tenure, horizon) == pytest.approx(closed, rel=0.03, abs=0.01)


def test_customers_drawn_from_the_model_buy_as_often_and_as_soon_as_expected() -> None:
    rng, truth, horizon = Random(5), Prior(0.8, 40.0, 0.7, 3.0), 60
    bought = wanted = dated = in_time = 0.0
    for _ in range(6000):
        tenure = rng.uniform(1, 400)
        n, recency, later = life(rng, truth, tenure)
        none = logits(truth, n, recency, tenure, horizon).none
        risk = 1 / (1 + exp(-none))
        wanted += expected(truth, n, recency, tenure, horizon)
        bought += sum(day <= tenure + horizon for day in later)
        days = days_to_next(truth, n, tenure, horizon, risk)
        if days is not None:
            dated += 1
            in_time += any(day <= tenure + days for day in later)
    assert wanted == pytest.approx(bought, rel=0.06)
    assert dated > 1000
    assert in_time / dated == pytest.approx(0.5, abs=0.05)


def life(rng: Random, truth: Prior, tenure: float) -> tuple[int, float, list[float]]:
    """(purchase days until ``tenure``, recency then, days of later purchases)."""
    rate, leaves = rng.gammavariate(truth.r, 1 / truth.alpha_days), rng.betavariate(truth.a, truth.b)
    days = [0.0]
    while rng.random() >= leaves and days[-1] < tenure + NEXT_DAYS_MAX:
        days.append(days[-1] + rng.expovariate(max(rate, 1e-9)))
    seen = [day for day in days if day <= tenure]
    return len(seen), tenure - seen[-1], [day for day in days if day > tenure]


@given(priors, histories, horizons, risks)
def test_whatever_comes_orders_are_finite_no_less_than_the_chance_of_one_and_no_more_than_days(
    prior: Prior, history: tuple[int, int, int], horizon: int, risk: float
) -> None:
    orders = expected(prior, *history, horizon, risk)
    assert 1 - risk <= orders <= horizon


@given(priors, histories, horizons, risks, risks)
def test_a_greater_risk_never_means_more_orders_or_a_sooner_one(
    prior: Prior, history: tuple[int, int, int], horizon: int, one: float, other: float
) -> None:
    low, high = sorted((one, other))
    assert expected(prior, *history, horizon, high) <= expected(prior, *history, horizon, low)
    sooner, later = (days_to_next(prior, history[0], history[2], horizon, risk) for risk in (low, high))
    assert (sooner or NEXT_DAYS_MAX) <= (later or NEXT_DAYS_MAX)


@given(priors, histories, risks)
def test_the_next_order_is_within_the_horizon_exactly_if_it_is_likelier_than_not(
    prior: Prior, history: tuple[int, int, int], risk: float
) -> None:
    days = days_to_next(prior, history[0], history[2], 60, risk)
    assert days is None or 1 <= days <= NEXT_DAYS_MAX
    if abs(risk - 0.5) > 1e-6:
        assert (days is not None and days <= 60) == (risk < 0.5)


@given(st.floats(0.01, 1e13), st.floats(0.01, 300), st.floats(0.01, 2000), st.floats(0, 1e16))
def test_a_purchase_is_expected_between_the_shops_and_the_customers_own(
    mean: float, weight: float, purchases: float, own: float
) -> None:
    times = worth_of_purchase(Average(mean, weight), purchases, own)
    capped = min(own / mean, OWN_MOST)
    assert min(1.0, capped) - 1e-9 <= times <= max(1.0, capped) + 1e-9


def test_many_purchases_of_ones_own_count_more_than_one() -> None:
    average = Average(1000.0, 2.0)
    assert 1 < worth_of_purchase(average, 1, 5000) < worth_of_purchase(average, 20, 5000) < 5


# -- through the core --------------------------------------------------------------------------------------------------------


def scorer(spending: Spending = AVERAGES) -> Scorer:
    return msgspec.structs.replace(fresh(HORIZON_DAYS), spending=spending)


def valued(customer: Customer) -> Value:
    assert customer.known.value is not None
    return customer.known.value


def shown(customer: Customer) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(customer.fields["value"])
    return found


def buyer(days: Any, amount_minor: int = 10_000, spending: Spending = AVERAGES, **data: Any) -> Customer:
    customer = Customer(scorer(spending))
    for day in days:
        customer.sees(order(day, amount_minor=amount_minor, **data))
    return customer


def test_who_has_bought_nothing_has_no_value() -> None:
    customer = Customer(scorer())
    customer.sees(click(1))
    assert customer.known.value is None
    assert "value" not in customer.fields


def test_a_regular_customer_is_shown_with_orders_spend_and_a_date() -> None:
    customer = buyer(range(0, 200, 20))
    found = shown(customer)
    assert found["horizon_days"] == HORIZON_DAYS
    assert found["expected_orders"] == pytest.approx(2.8, abs=1.0)
    assert found["expected_spend_minor"]["CNY"] == pytest.approx(10_000 * found["expected_orders"], rel=0.06)
    assert (DAY0 + 180) * DAY_MS < found["expected_next_ms"] <= (DAY0 + 180 + HORIZON_DAYS) * DAY_MS
    assert found["buys"] == pytest.approx(1 - float(customer.fields["churn_risk"]), abs=0.006)


def test_after_a_year_of_silence_no_order_is_in_sight() -> None:
    customer = buyer(range(0, 200, 20))
    customer.waits_until(600)
    assert valued(customer).orders < 0.2
    assert valued(customer).next_day is None
    assert "expected_next_ms" not in shown(customer)


@pytest.mark.parametrize("amount_minor", [0, 1, 10**13])
@pytest.mark.parametrize("spending", [AVERAGES, Spending()])
def test_absurd_amounts_stay_within_bounds(amount_minor: int, spending: Spending) -> None:
    customer = buyer([0], amount_minor, spending)
    spend = valued(customer).spend_minor["CNY"]
    assert (
        0 <= spend <= HORIZON_DAYS * min(max(amount_minor, 10_000), 10**13 if not spending.averages else 10_000 * int(OWN_MOST))
    )
    assert isfinite(valued(customer).worth)


def test_what_was_refunded_is_no_reason_to_expect_as_much() -> None:
    customer = buyer([0, 20, 40])
    before = valued(customer).spend_minor["CNY"]
    customer.sees(
        event("order.refunded", 41, order_id="O40", placed_at="2024-11-13T00:00:00Z", currency="CNY", amount_minor=10**9)
    )
    assert 0 < valued(customer).spend_minor["CNY"] < before


def test_currencies_are_expected_as_they_were_used_and_compared_by_the_shops_averages() -> None:
    both = Customer(scorer())
    for day in range(0, 160, 20):
        both.sees(order(day) if day % 40 else order(day, currency="EUR", amount_minor=1_000))
    spend = valued(both).spend_minor
    assert spend["CNY"] == pytest.approx(10 * spend["EUR"], rel=0.06)
    assert valued(both).worth == pytest.approx(valued(buyer(range(0, 160, 20))).worth, rel=0.06)


def test_a_high_value_customer_is_flagged_and_does_not_flap() -> None:
    customer = buyer(range(0, 100, 10), 60_000)
    assert valued(customer).high
    (why,) = shown(customer)["why"]
    assert why == ["value.high", []]
    worth = valued(customer).worth
    nearly = msgspec.structs.replace(AVERAGES, high=worth * 1.1)
    customer.scorer = scorer(nearly)
    customer.sees(order(91, amount_minor=60_000))
    assert valued(customer).high, "it stays so, near the threshold"
    assert not valued(buyer(range(0, 100, 10), 60_000, msgspec.structs.replace(AVERAGES, high=worth * 1.5))).high
    assert not valued(buyer(range(0, 100, 10), 60_000, Spending(AVERAGES.averages))).high, "while no threshold is known"


def test_rising_is_clearly_more_than_before_on_several_days() -> None:
    steady = buyer(range(0, 300, 20))
    assert not valued(steady).rising
    more = buyer([*range(0, 200, 40), *range(210, 300, 10)])
    assert valued(more).rising
    assert "value.rising" in [code for code, _ in shown(more)["why"]]
    one_big = buyer(range(0, 250, 50))
    one_big.sees(order(260, amount_minor=10**7))
    assert not valued(one_big).rising, "one order is no habit"
    assert not valued(buyer(range(0, 90, 5))).rising, "there is no before"


def test_many_orders_on_one_day_are_no_habit_of_before() -> None:
    customer = Customer(scorer(AVERAGES))
    customer.sees(*(order(0, order_id=f"A{n}") for n in range(6)))
    customer.sees(*(order(day, amount_minor=90_000) for day in (220, 230, 240, 250)))
    assert not valued(customer).rising, "one purchase day, whatever the number of orders"
    customer.sees(order(50))
    assert valued(customer).rising


def test_nobody_rises_from_nothing_that_was_paid_before() -> None:
    customer = buyer([0, 40, 80, 220, 230, 240, 250])
    refunds = [
        event("order.refunded", 251, order_id=f"O{day}", currency="CNY", amount_minor=10_000, placed_at=rfc3339(at(day)))
        for day in (0, 40, 80)
    ]
    customer.sees(*refunds)
    assert not valued(customer).rising


def test_spend_in_currencies_that_are_not_told_apart_lets_nobody_rise() -> None:
    """The first four are; most orders are in the others."""
    customer = Customer(scorer(AVERAGES))
    customer.sees(*(order(n, currency=currency) for n, currency in enumerate(("CNY", "EUR", "USD", "GBP"))))
    customer.sees(*(order(100 + n, currency=("JPY", "KRW")[n % 2]) for n in range(10)))
    customer.sees(*(order(day, currency=("JPY", "KRW")[day % 2], amount_minor=10**6) for day in range(220, 260, 5)))
    assert not valued(customer).rising


@pytest.mark.parametrize("first", [("CNY", "EUR"), ("EUR", "CNY")])
def test_of_equally_many_orders_in_two_currencies_the_choice_does_not_depend_on_the_order(first: tuple[str, str]) -> None:
    customer = Customer(scorer(AVERAGES))
    for currency in first:
        days = (0, 50, 220, 230, 240, 250) if currency == "CNY" else (1, 51, 221, 231, 241, 251)
        amounts = (100, 100, 90, 90, 90, 90) if currency == "CNY" else (10, 10, 90, 90, 90, 90)
        late = [
            order(d, currency=currency, order_id=f"{currency}{d}", amount_minor=a) for d, a in zip(days, amounts, strict=True)
        ]
        customer.sees(*late)
    assert valued(customer).rising, "EUR rises, CNY does not"


def test_the_field_is_written_when_it_means_something_else_and_not_at_every_event() -> None:
    customer = buyer(range(0, 200, 20))
    assert "value" not in customer.sees(click(180.5)).fields
    assert "value" in customer.sees(order(181)).fields
    change = customer.waits_until(240)
    assert change is None or "value" in customer.fields
