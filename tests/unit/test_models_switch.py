"""Another version for everybody at once sets nothing off: what it says is compared with itself."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from portrait.evolve import evolve, published
from portrait.models.churn import FEATURES, Scorer, fresh
from portrait.models.learner import begin
from portrait.rules.risk_rose import THRESHOLD
from schemas.outputs import ActionEvent, Order
from schemas.registry import ACTIONS
from tests.corekit import HORIZON_DAYS, Customer, at, order
from tests.unit.test_models_learner import taught

CUSTOMERS = 1000


def gloomy(version: str) -> Scorer:
    """Says 0.95 of everybody."""
    return msgspec.structs.replace(fresh(HORIZON_DAYS), version=version, bias=3.0, weights=[0.0] * len(FEATURES))


def population(scorer: Scorer) -> list[Customer]:
    customers = [Customer(scorer) for _ in range(CUSTOMERS)]
    for n, customer in enumerate(customers):
        for day in (0, 5 + n % 9, 20 + n % 7):
            customer.sees(order(day, id=f"{n}-{day}"))
        published(customer.known)
    return customers


def switched(customers: list[Customer], scorer: Scorer, day: float) -> list[Any]:
    """Every customer is looked at with another scorer. Actions that came of it."""
    actions = []
    for n, customer in enumerate(customers):
        change = evolve(customer.known, "C1", [customer.arrival(order(day, id=f"{n}-{day}"))], at(day), scorer)
        assert change is not None
        customer.state = change.state
        assert change.state.model == scorer.version
        actions += [msgspec.json.decode(e.value, type=ActionEvent).data for e in change.state.effects if e.topic == ACTIONS]
        published(change.state)
    return actions


def test_a_pin_to_a_version_that_finds_everybody_at_risk_raises_no_action() -> None:
    mild = msgspec.structs.replace(gloomy("1.100"), bias=-3.0)
    customers = population(mild)
    assert switched(customers, gloomy("1.200"), 30) == []
    assert all((customer.known.risk or 0) > THRESHOLD for customer in customers)
    assert switched(customers, mild, 31) == []
    assert switched(customers, gloomy("1.200"), 32) == []


@pytest.mark.parametrize("version", ["1.20", ""], ids=["rollback", "retrain"])
def test_a_new_generation_raises_no_action(version: str) -> None:
    before = taught(300).snapshot({}, 1)
    source = taught(20).snapshot({}, 1)
    asked = Order(model="churn", id="o", generation=2, version=version, at_ms=1)
    after = begin(asked, before, source if version else None, before, HORIZON_DAYS).scorer()
    customers = population(taught(300).scorer())
    assert switched(customers, after, 30) == []
    assert {customer.known.model for customer in customers} == {"2.20" if version else "2.0"}


def test_a_new_horizon_raises_no_action_while_the_prior_scores() -> None:
    """Of 180 days and of 7: nearly everybody buys nothing within the shorter one."""
    customers = population(fresh(180))
    assert all((customer.known.risk or 0) < THRESHOLD for customer in customers)
    assert switched(customers, fresh(7), 30) == []
    assert sum((customer.known.risk or 0) > THRESHOLD for customer in customers) == CUSTOMERS


def test_silence_under_the_new_version_raises_what_it_would_have_raised_had_it_always_scored() -> None:
    """So the switch neither sets off nor swallows."""
    other = taught(200).scorer()

    def raised(first: Scorer) -> list[str]:
        customer = Customer(first)
        customer.sees(order(0))
        customer.scorer = other
        for day in range(1, 120):
            customer.waits_until(day)
        return [action.episode for action in customer.actions() if action.rule == "churn-risk-rose"]

    assert raised(fresh(HORIZON_DAYS)) == raised(other)
