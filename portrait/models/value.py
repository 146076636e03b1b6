"""What a customer will be worth: orders and spend to expect within the horizon, and when the next order may come (docs/value.md).

Orders: the MBG/NBD prior says how many a live customer makes, and that, halfway in logarithms, is brought to the chance of buying
at all that the churn model has learned from labels. Spend: orders times what a purchase of this customer is worth
(`portrait.models.spending`). An order here is a purchase day.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, exp, expm1, log, log1p, sqrt
from typing import Any

import msgspec

from portrait.features.consumption import CALENDAR_DAYS, Consumption
from portrait.features.registry import NOTHING
from portrait.lifecycle import Rhythm
from portrait.models.churn import INDEX, PRIOR, Scorer
from portrait.models.prior import EXPONENT_MAX, Prior
from portrait.models.spending import Average, Spending
from portrait.structures import DAY_MS, MORE, WINDOW_DAYS
from schemas.words import Why

#: A day further away is no expectation.
NEXT_DAYS_MAX = 730
#: No customer's purchase is taken for more than so many average ones: an absurd amount is nobody's habit.
OWN_MOST = 1000.0
#: Who is of high value stays so down to this part of the threshold.
HIGH_KEPT = 0.8
#: Rising: so many times the spend in the last window as in an earlier one, on so many purchase days, and so many before it.
RISING_TIMES, RISING_RECENT, RISING_EARLIER = 1.5, 3, 2
#: Of the probability to buy: a change that is less is no news.
BUYS_DIGITS = 2
_NONE, _DEAD = INDEX[PRIOR], INDEX["dead"]

Money = dict[str, tuple[float, float]]  # currency -> (purchase days, net spend in minor units)


class Value(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """As of one day. Numbers have two digits that count, so that a value only changes when it means something else."""

    orders: float  # purchase days within the horizon
    spend_minor: dict[str, int]  # within the horizon, by currency
    buys: float  # the probability of at least one order
    next_day: int | None  # by which the next order has come with even chances; None: not within sight
    worth: float  # the spend, in average purchases of the shop: comparable between currencies; 0: not known
    high: bool
    rising: bool


def value(parts: Any, rhythm: Rhythm, today: int, scorer: Scorer, x: Sequence[float], risk: float, was_high: bool) -> Value:
    """``x``: the churn model's features of that day, ``risk``: its score."""
    prior, horizon, spending = scorer.prior, scorer.horizon_days, scorer.spending
    tenure = max(0, today - rhythm.first_day)
    orders = expected_orders(prior, rhythm.count, tenure, horizon, x[_NONE], x[_DEAD], risk)
    spend, worth = _spend(money_of(parts, rhythm), orders, spending)
    wait = days_to_next(prior, rhythm.count, tenure, horizon, risk)
    return Value(
        orders=_short(orders),
        spend_minor=spend,
        buys=round(1.0 - risk, BUYS_DIGITS),
        next_day=None if wait is None else today + wait,
        worth=_short(worth),
        high=0 < spending.high * (HIGH_KEPT if was_high else 1.0) <= worth,
        rising=tenure >= 2 * WINDOW_DAYS and _rises(parts.consumption or NOTHING.consumption, tenure, today),
    )


def expected_orders(
    prior: Prior, purchase_days: int, tenure_days: float, horizon_days: int, none: float, dead: float, risk: float
) -> float:
    """Within [1 - risk, horizon]. ``none``, ``dead``: the prior's log-odds of buying nothing, and of having left.

    The prior's own expectation is P(alive) times that of a live customer (Batislam et al. 2007, there with a 2F1).
    """
    buys = 1.0 - risk
    alive, prior_buys = 1.0 / (1.0 + exp(dead)), 1.0 / (1.0 + exp(none))
    expected = alive * live_orders(prior, purchase_days, tenure_days, horizon_days) * sqrt(buys / prior_buys)
    return min(max(expected, buys), horizon_days)


def live_orders(prior: Prior, purchase_days: int, tenure_days: float, horizon_days: float) -> float:
    """How many purchases to expect of a customer who has not left: E[(1 - (base / (base + p * horizon))^shape) / p].

    p, the chance to leave after a purchase, is Beta(a, b + purchase_days): by the Gauss quadrature of two nodes, which has its
    first three moments.
    """
    shape, base = prior.r + purchase_days - 1, prior.alpha_days + tenure_days
    a, b = prior.a, prior.b + purchase_days
    total = a + b
    mean = a / total
    deviation = sqrt(mean * b / (total * (total + 1.0)))
    skew = (b - a) / (total + 2.0) * sqrt((total + 1.0) / (a * b))  # half of the skewness
    reach = sqrt(1.0 + skew * skew)
    low, high = mean + deviation * (skew - reach), mean + deviation * (skew + reach)
    upper = 0.5 * (1.0 - skew / reach)
    part = horizon_days / base
    return (upper - 1.0) * expm1(-shape * log1p(low * part)) / low - upper * expm1(-shape * log1p(high * part)) / high


def days_to_next(prior: Prior, purchase_days: int, tenure_days: float, horizon_days: int, risk: float) -> int | None:
    """In how many days the next order has come with even chances; None if that is further than NEXT_DAYS_MAX, or never.

    The prior shapes the waiting time of a live customer, (base / (base + t))^shape; the risk says how likely it is to end
    within the horizon. Where that is less likely, the customer may have left; where it is likelier, the pace is quicker.
    """
    shape, base = prior.r + purchase_days - 1, prior.alpha_days + tenure_days
    alive = (1.0 - risk) / -expm1(-shape * log1p(horizon_days / base))
    if alive <= 0.5:
        return None
    if alive < 1.0:
        exponent = -log1p(-0.5 / alive) / shape
    else:
        exponent = log(risk) / -shape if risk > 0 else EXPONENT_MAX  # (base / (base + horizon))^shape = risk
        base, exponent = horizon_days / expm1(min(exponent, EXPONENT_MAX)), log(2.0) / shape
    if exponent > log1p(NEXT_DAYS_MAX / base):
        return None
    return max(1, ceil(base * expm1(exponent)))


def money_of(parts: Any, rhythm: Rhythm) -> Money:
    """What the customer has spent so far. Purchase days are split between currencies as their orders are."""
    consumption = parts.consumption or NOTHING.consumption
    days = float(rhythm.count)
    if rhythm.last_day - parts.activity.first_ms // DAY_MS >= CALENDAR_DAYS:  # the calendar no longer holds all of them
        days = max(days, consumption.placed)
    return {
        currency: (
            days * money.orders / consumption.placed,
            max(0, money.spent_minor),
        )
        for currency, money in consumption.money.items()
        if money.orders and currency != MORE
    }


def _spend(money: Money, orders: float, spending: Spending) -> tuple[dict[str, int], float]:
    """(spend to expect by currency, the same in average purchases of the shop)."""
    days = sum(purchases for purchases, _ in money.values())
    spend, worth = {}, 0.0
    for currency, (purchases, spent_minor) in money.items():
        share = orders * purchases / days
        average = spending.averages.get(currency)
        own = spent_minor / purchases
        if average is not None:
            times = worth_of_purchase(average, purchases, own)
            worth += share * times
            own = times * average.mean_minor
        spend[currency] = int(_short(share * own))
    return spend, worth


def worth_of_purchase(average: Average, purchases: float, own_minor: float) -> float:
    """The customer's next purchase, in average ones: their own mean beside the shop's, each with its weight."""
    own = min(own_minor / average.mean_minor, OWN_MOST)
    return (average.weight + purchases * own) / (average.weight + purchases)


def _rises(consumption: Consumption, tenure_days: int, today: int) -> bool:
    """In the currency of most orders, with spend in it before. The days before the window are at least as many as those in it."""
    if consumption.placed < RISING_RECENT + RISING_EARLIER:
        return False
    money = consumption.main_money()
    recent = [amount for day, amount in money.days.items() if today - day < WINDOW_DAYS and amount > 0]
    if len(recent) < RISING_RECENT or consumption.bought.count_before(today - WINDOW_DAYS + 1) < RISING_EARLIER:
        return False
    spent = sum(recent)
    earlier = money.spent_minor - spent
    return earlier > 0 and spent * (tenure_days - WINDOW_DAYS) > RISING_TIMES * earlier * WINDOW_DAYS


def _short(number: float) -> float:
    """With two digits that count."""
    return float(f"{number:.2g}")


def shown_value(value: Value, horizon_days: int) -> dict[str, Any]:
    """The field ``value`` of the profile."""
    shown: dict[str, Any] = {
        "horizon_days": horizon_days,
        "expected_orders": value.orders,
        "expected_spend_minor": value.spend_minor,
        "buys": value.buys,
    }
    for flag, name in (("high", "high_value"), ("rising", "rising_value")):
        if getattr(value, flag):
            shown[name] = True
            shown.setdefault("why", []).append(Why(f"value.{flag}"))
    if value.next_day is not None:
        shown["expected_next_ms"] = value.next_day * DAY_MS
    return shown
