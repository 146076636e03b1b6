"""The rules: each once an episode, under an id that stays the same, not while it cools down, not when it would be stale."""

from __future__ import annotations

import msgspec
import pytest

from portrait.lifecycle import silence_days
from portrait.models.churn import FEATURES, Scorer, fresh
from portrait.rules.registry import RULES
from portrait.rules.risk_rose import THRESHOLD
from portrait.rules.valued_complaint import ORDERS, SPENT_MINOR
from portrait.settle import EFFECTS_MAX, Policy
from portrait.structures import DAY_MS
from schemas.outputs import Action
from tests.corekit import HORIZON_DAYS, Customer, at, click, complaint, event, order

RULE = {rule.name: rule for rule in RULES}
DECLINING, DORMANT, CHURNED = silence_days(90)


def of(rule: str, customer: Customer) -> list[Action]:
    return [action for action in customer.actions() if action.rule == rule]


def silent(customer: Customer, until: int) -> Customer:
    """Every day is looked at."""
    for day in range(until + 1):
        if day > customer.now_day:
            customer.waits_until(day)
    return customer


def by_clicks(version: str = "1.1", bias: float = -3.0) -> Scorer:
    """A model in which every click raises the risk, so that a test can move it; and a little each day since the first."""
    weights = [{"visits7": 2.0, "tenure": 0.1}.get(name, 0.0) for name in FEATURES]
    means = [0.0] * len(FEATURES)
    return msgspec.structs.replace(fresh(HORIZON_DAYS), version=version, bias=bias, weights=weights, means=means)


def test_the_rules_have_names_of_their_own_a_cooldown_and_an_expiry() -> None:
    assert len(RULE) == len(RULES)
    assert all(rule.cooldown_ms > 0 and rule.expiry_ms > 0 for rule in RULES)


# stage-fell


def test_a_stage_that_falls_raises_one_action_a_step_and_none_for_being_lost() -> None:
    customer = Customer()
    customer.sees(order(0))
    silent(customer, CHURNED + 50)
    found = of("stage-fell", customer)
    assert [(a.stage, a.raised_at_ms) for a in found] == [("declining", at(DECLINING)), ("dormant", at(DORMANT))]
    assert [a.suggest.code for a in found] == ["suggest.remind", "suggest.wake"]
    assert found[0].reasons[0].code == "stage.silent"


def test_each_silence_is_an_episode_of_its_own() -> None:
    customer = Customer()
    customer.sees(order(0))
    silent(customer, DECLINING)
    customer.sees(order(DECLINING + 1))
    second = DECLINING + 1 + silence_days(customer.known.rhythm.gap_days)[0]
    silent(customer, second)
    found = of("stage-fell", customer)
    assert [a.stage for a in found] == ["declining", "declining"]
    assert len({a.id for a in found}) == 2


# lost-customer-came-back


def test_a_lost_customer_who_buys_is_welcomed_once() -> None:
    customer = Customer()
    customer.sees(order(0))
    customer.waits_until(CHURNED)
    customer.sees(order(CHURNED + 1), order(CHURNED + 1.1))
    customer.sees(order(CHURNED + 2))
    (action,) = of("lost-customer-came-back", customer)
    assert action.stage == "won_back"
    assert action.raised_at_ms == at(CHURNED + 1.1)


def test_who_is_known_only_afterwards_is_not_welcomed_back() -> None:
    """The old order comes in late: nobody had counted this customer as lost."""
    customer = Customer()
    customer.sees(order(CHURNED + 1))
    assert of("lost-customer-came-back", customer) == []


def test_nobody_turns_before_there_is_a_clock() -> None:
    """What was bought between the two orders may lie in a partition that is unread; a complaint is one whatever is."""
    customer = Customer()
    for seen in (order(0), order(CHURNED + 1, amount_minor=SPENT_MINOR), complaint(CHURNED + 1.5)):
        customer.evolve([customer.arrival(seen)], 0)
    assert customer.known.stage == "won_back"
    assert [action.rule for action in customer.actions()] == ["valued-customer-complained"]
    customer.sees(order(CHURNED + 2))
    assert of("lost-customer-came-back", customer) == []


# valued-customer-complained


@pytest.mark.parametrize(
    ("orders", "amount_minor", "raised"),
    [(ORDERS, 100, 1), (ORDERS - 1, 100, 0), (1, SPENT_MINOR, 1), (1, SPENT_MINOR - 1, 0)],
)
def test_a_complaint_counts_as_a_valued_customers_from_eight_orders_or_two_thousand(
    orders: int, amount_minor: int, raised: int
) -> None:
    customer = Customer()
    for i in range(orders):
        customer.sees(order(i / 10, amount_minor=amount_minor))
    customer.sees(complaint(1))
    assert len(of("valued-customer-complained", customer)) == raised


def valued() -> Customer:
    customer = Customer()
    customer.sees(order(0, amount_minor=SPENT_MINOR))
    return customer


def test_a_complaint_told_again_and_its_resolution_raise_nothing_more() -> None:
    customer = valued()
    customer.sees(complaint(1, "K1"))
    opened_at = "2024-10-05T00:00:00Z"
    customer.sees(event("complaint.updated", 3, complaint_id="K1", opened_at=opened_at, severity="critical"))
    customer.sees(event("complaint.resolved", 4, complaint_id="K1", opened_at=opened_at))
    assert [a.episode for a in of("valued-customer-complained", customer)] == ["K1"]


def test_two_complaints_within_the_cooldown_raise_one_action_and_a_later_one_another() -> None:
    customer = valued()
    customer.sees(complaint(1, "K1"))
    customer.sees(complaint(1.5, "K2"))
    customer.sees(complaint(3, "K3"))
    assert [a.episode for a in of("valued-customer-complained", customer)] == ["K1", "K3"]


# churn-risk-rose


def rising(customer: Customer, day: float = 1) -> Customer:
    """A customer whose risk stands under the threshold, and then crosses it."""
    customer.sees(order(0))
    assert (customer.known.risk or 0) < THRESHOLD
    customer.sees(*[click(day + i / 100) for i in range(20)])
    assert (customer.known.risk or 0) >= THRESHOLD
    return customer


def test_a_risk_that_crosses_the_threshold_raises_one_action_with_its_reasons() -> None:
    customer = rising(Customer(by_clicks()))
    customer.sees(click(1.5))
    (action,) = of("churn-risk-rose", customer)
    assert action.model_version == "1.1"
    assert action.churn_risk is not None
    assert action.churn_risk >= THRESHOLD
    assert [reason.code for reason in action.reasons] == ["risk.history.up"], "many clicks are none that anybody understands"


def test_a_risk_that_comes_down_and_rises_again_cools_down_first() -> None:
    customer = rising(Customer(by_clicks()))
    silent(customer, 10)
    assert (customer.known.risk or 0) < THRESHOLD
    customer.sees(*[click(11 + i / 100) for i in range(20)])
    assert (customer.known.risk or 0) >= THRESHOLD
    assert len(of("churn-risk-rose", customer)) == 1


def test_a_new_model_is_no_crossing() -> None:
    customer = Customer(by_clicks(bias=-3.0))
    customer.sees(order(0))
    customer.scorer = by_clicks("1.2", bias=9.0)
    customer.sees(click(1))
    assert (customer.known.risk or 0) >= THRESHOLD
    assert customer.known.model == "1.2"
    assert of("churn-risk-rose", customer) == []


def test_a_crossing_under_a_new_model_counts_between_its_own_scores() -> None:
    customer = Customer(fresh(HORIZON_DAYS))
    customer.sees(order(0))
    customer.scorer = by_clicks("1.2")
    customer.sees(*[click(1 + i / 100) for i in range(20)])
    assert len(of("churn-risk-rose", customer)) == 1


def test_the_cap_holds_back_what_the_model_can_set_off_and_nothing_else() -> None:
    customer = Customer(by_clicks(), Policy(capped_rules=False))
    rising(customer)
    customer.sees(order(1.3, amount_minor=SPENT_MINOR))
    customer.sees(complaint(1.4))
    assert [a.rule for a in customer.actions()] == ["valued-customer-complained"]


# What all rules share


def test_the_same_customer_rule_and_episode_give_the_same_id_every_time() -> None:
    def ids() -> list[str]:
        customer = valued()
        customer.sees(complaint(1, "K1"))
        return [a.id for a in customer.actions()]

    assert ids() == ids()
    customer = valued()
    customer.sees(complaint(1, "K2"))
    assert [a.id for a in customer.actions()] != ids()


def test_actions_expire_after_their_rules_time() -> None:
    customer = valued()
    customer.sees(complaint(1, "K1"))
    (action,) = customer.actions()
    assert action.expires_at_ms - action.raised_at_ms == RULE[action.rule].expiry_ms


def test_what_would_be_stale_before_anyone_could_act_is_not_raised() -> None:
    expiry_days = RULE["valued-customer-complained"].expiry_ms / DAY_MS
    late = valued()
    late.sees(complaint(1, "K1"), now=1 + expiry_days)
    assert of("valued-customer-complained", late) == []
    in_time = valued()
    in_time.sees(complaint(1, "K1"), now=1 + expiry_days - 0.01)
    assert len(of("valued-customer-complained", in_time)) == 1


def test_no_rule_acts_while_events_are_applied_again_nor_does_it_cool_down() -> None:
    customer = valued()
    customer.policy = Policy(effects=False)
    customer.sees(complaint(1, "K1"))
    assert customer.known.cooldowns == {}
    customer.policy = Policy()
    customer.sees(complaint(1.1, "K2"))
    assert [a.episode for a in customer.actions()] == ["K2"]


def test_effects_that_nobody_takes_are_capped() -> None:
    customer = valued()
    for day in range(1, 2 * EFFECTS_MAX):
        customer.sees(complaint(day * 1.5, f"K{day}"))
    assert len(customer.known.effects) == EFFECTS_MAX


def test_a_cooldown_that_has_passed_leaves_the_state() -> None:
    customer = valued()
    customer.sees(complaint(1, "K1"))
    assert "valued-customer-complained" in customer.known.cooldowns
    silent(customer, DORMANT)
    assert "valued-customer-complained" not in customer.known.cooldowns


def test_an_actions_envelope_is_a_cloudevent_about_the_customer() -> None:
    customer = valued()
    customer.sees(complaint(1, "K1"))
    (effect,) = customer.known.effects
    sent = msgspec.json.decode(effect.value)
    assert (sent["specversion"], sent["type"], sent["subject"]) == ("1.0", "action.raised", "C1")
    assert sent["id"] == sent["data"]["id"] == effect.id
