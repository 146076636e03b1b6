"""The lifecycle stage: every step of the walk, and that it can't flap."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portrait.lifecycle import SILENCE, STAGES, WON_BACK_PURCHASES, reason_of, silence_days, stage_at, walk
from portrait.state import facts
from portrait.structures import DAY_MS, NEVER
from tests.corekit import DAY0, Customer, at, click, order

purchase_days = st.lists(st.integers(0, 900), min_size=1, max_size=12, unique=True).map(
    lambda days: sorted(DAY0 + d for d in days)
)
DOWN = [name for name, *_ in SILENCE]


def stage_on(day: int, *bought: int) -> str:
    return stage_at(walk([DAY0 + d for d in bought]), DAY0 + day, DAY0).name


def test_who_has_bought_nothing_is_a_prospect() -> None:
    stage = stage_at(walk([]), DAY0 + 900, DAY0 + 3)
    assert (stage.name, stage.since_day, stage.next_day) == ("prospect", DAY0 + 3, NEVER)


def test_the_first_purchase_makes_a_new_customer() -> None:
    assert stage_on(0, 0) == "new"


def test_the_third_purchase_day_makes_a_growing_one() -> None:
    assert stage_on(20, 0, 10) == "new"
    assert stage_on(20, 0, 10, 20) == "growing"


def test_eight_purchase_days_over_half_a_year_make_a_mature_one() -> None:
    often = [0, 10, 20, 30, 40, 50, 60]
    assert stage_on(70, *often, 70) == "growing", "eight, but too soon"
    assert stage_on(180, *often, 90, 120, 150, 180) == "mature"
    assert stage_on(200, 0, 50, 100, 150, 200) == "growing", "long enough, but too few"


def test_silence_takes_down_step_by_step_at_the_days_of_the_customers_own_rhythm() -> None:
    bought = [0, 30, 60, 90]  # gap: (90 + 90) / 4 = 45
    declining, dormant, churned = silence_days(45)
    assert (declining, dormant, churned) == (68, 112, 180)
    assert stage_on(90 + declining - 1, *bought) == "growing"
    assert stage_on(90 + declining, *bought) == "declining"
    assert stage_on(90 + dormant, *bought) == "dormant"
    assert stage_on(90 + churned, *bought) == "churned"
    assert stage_on(9000, *bought) == "churned"


def test_a_purchase_while_declining_or_dormant_takes_back_to_where_the_customer_was() -> None:
    for silence in silence_days(45)[:2]:
        rhythm = walk([DAY0 + d for d in (0, 30, 60, 90, 90 + silence)])
        stage = stage_at(rhythm, DAY0 + 90 + silence, DAY0)
        assert (stage.name, stage.why, stage.why_days) == ("growing", "bought_after_silence", silence)


def test_a_purchase_after_being_lost_wins_back() -> None:
    lost = 90 + silence_days(45)[2]
    stage = stage_at(walk([DAY0 + d for d in (0, 30, 60, 90, lost)]), DAY0 + lost, DAY0)
    assert (stage.name, stage.since_day, stage.why) == ("won_back", DAY0 + lost, "bought_after_loss")


def test_who_was_won_back_counts_as_any_other_after_three_purchases() -> None:
    lost = 90 + silence_days(45)[2]
    back = [lost + 5 * i for i in range(WON_BACK_PURCHASES)]
    assert stage_on(back[-2], 0, 30, 60, 90, *back[:-1]) == "won_back"
    assert stage_on(back[-1], 0, 30, 60, 90, *back) == "growing"


def test_purchases_of_one_day_are_one_purchase_day() -> None:
    customer = Customer()
    for hour in range(10):
        customer.sees(order(hour / 24))
    assert customer.known.rhythm.count == 1
    assert customer.stage == "new"


@given(purchase_days)
def test_between_two_purchases_the_stage_only_goes_down_each_step_once_and_in_order(days: list[int]) -> None:
    for n in range(1, len(days) + 1):
        until = days[n] if n < len(days) else days[-1] + 500
        rhythm = walk(days[:n])
        seen = [stage_at(rhythm, day, days[0]).name for day in range(days[n - 1], until)]
        steps = list(dict.fromkeys(seen))
        assert steps[1:] == DOWN[: len(steps) - 1]
        assert seen == sorted(seen, key=steps.index), "no stage comes back"


@given(purchase_days)
def test_while_a_customer_buys_in_time_the_stage_only_rises(days: list[int]) -> None:
    rank = {"new": 0, "won_back": 0, "growing": 1, "mature": 2}
    before = walk(days[:1]).stage
    for n in range(2, len(days) + 1):
        rhythm = walk(days[:n])
        lost = rhythm.why == "bought_after_loss" and rhythm.since_day == days[n - 1]
        assert lost or rank[rhythm.stage] >= rank[before]
        before = rhythm.stage


@given(purchase_days, st.integers(0, 600))
def test_a_stage_names_the_day_of_its_next_step_and_stays_until_then(days: list[int], silence: int) -> None:
    rhythm, today = walk(days), days[-1] + silence
    stage = stage_at(rhythm, today, days[0])
    assert stage.name in STAGES
    assert stage.since_day <= today
    if stage.next_day == NEVER:
        assert stage.name == "churned"
        return
    assert stage_at(rhythm, stage.next_day - 1, days[0]).name == stage.name
    assert stage_at(rhythm, stage.next_day, days[0]).name != stage.name


@given(st.floats(0, 4000))
def test_the_steps_of_silence_are_apart_whatever_the_rhythm(gap_days: float) -> None:
    declining, dormant, churned = silence_days(gap_days)
    assert 14 <= declining < dormant < churned <= 365


@given(purchase_days, st.integers(0, 600))
def test_every_stage_has_its_reason_in_two_languages(days: list[int], silence: int) -> None:
    rhythm = walk(days)
    reason = reason_of(stage_at(rhythm, days[-1] + silence, days[0]), rhythm)
    assert reason.code.startswith("stage.")
    assert "{" not in reason.en + reason.zh


def test_the_stage_moves_by_itself_when_its_day_comes_and_a_click_does_not_hold_it_up() -> None:
    customer = Customer()
    customer.sees(order(0))
    declining, dormant, churned = silence_days(90)
    customer.sees(click(declining - 1))
    assert customer.stage == "new"
    for day, stage in ((declining, "declining"), (dormant, "dormant"), (churned, "churned")):
        customer.waits_until(day)
        assert customer.stage == stage
    assert [name for name, _ in customer.known.stages] == ["new", "declining", "dormant", "churned"]


def test_five_years_of_silence_leave_a_lost_customer_lost() -> None:
    customer = Customer()
    for day in range(0, 100, 10):
        customer.sees(order(day))
    customer.waits_until(4000)
    assert customer.stage == "churned"


@pytest.mark.parametrize("arrive", [(0, 2000), (2000, 0)])
def test_an_order_of_more_than_five_years_ago_gives_the_same_stage_and_facts_early_or_late(arrive: tuple[int, int]) -> None:
    customer = Customer()
    for day in arrive:
        customer.sees(order(day), now=2000)
    assert customer.stage == "new"
    assert customer.known.parts.consumption.bought.days() == [DAY0 + 2000]


@given(st.lists(st.integers(0, 6000), min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_stage_and_facts_do_not_depend_on_the_order_of_orders(days: list[int], random: Random) -> None:
    orders = [order(day) for day in days]
    found = set()
    for _ in range(3):
        random.shuffle(orders)
        customer = Customer()
        for each in orders:
            customer.sees(each, now=max(customer.now_day, each.time_ms / DAY_MS - DAY0))
        customer.waits_until(6001)
        found.add((customer.stage, facts(customer.known, at(6001))))
    assert len(found) == 1
