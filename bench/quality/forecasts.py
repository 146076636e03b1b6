"""Expected orders and spend: what came of them, the peers of `lifetimes`, and how good a forecast is."""

from __future__ import annotations

import warnings
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from lifetimes import BetaGeoFitter, GammaGammaFitter, ModifiedBetaGeoFitter
from scipy.stats import spearmanr

from bench.quality.peers import PENALTIES

Array = np.ndarray
Histories = Mapping[str, tuple[list[int], list[int]]]  # customer -> (purchase days ascending, amounts in minor units)
TOP_SHARE = 0.1


def within(of: Histories, customers: Sequence[str], after: int, until: int) -> tuple[Array, Array]:
    """(purchase days, spend in minor units) of each customer, later than the day ``after`` and not later than ``until``."""
    orders, spend = np.zeros(len(customers)), np.zeros(len(customers))
    for i, customer in enumerate(customers):
        days, amounts = of[customer]
        low, high = bisect_right(days, after), bisect_right(days, until)
        orders[i], spend[i] = high - low, sum(amounts[low:high])
    return orders, spend


def naive(of: Histories, customers: Sequence[str], day: int, horizon: int) -> tuple[Array, Array]:
    """As in the last ``horizon`` days."""
    return within(of, customers, day - horizon, day)


def lifetimes(fitter: type, of: Histories, customers: Sequence[str], day: int, horizon: int) -> tuple[Array, Array]:
    """BG/NBD or MBG/NBD with Gamma-Gamma, both fitted on all purchases until ``day``. The least penalty that converges to finite
    numbers: without one, neither always does. Gamma-Gamma sees all purchases of a customer, not only the repeated."""
    orders, spend = within(of, customers, 0, day)
    first = np.array([of[customer][0][0] for customer in customers])
    last = np.array([of[customer][0][int(n) - 1] for customer, n in zip(customers, orders, strict=True)])
    repeats, recency, age = orders - 1, last - first, day - first
    expected = _least(lambda penalty: _orders(fitter(penalizer_coef=penalty), repeats, recency, age, horizon))
    mean = _least(lambda penalty: _mean(GammaGammaFitter(penalizer_coef=penalty), orders, spend / orders / 100)) * 100
    return expected, expected * mean


def _orders(model: Any, repeats: Array, recency: Array, age: Array, horizon: int) -> Array:
    model.fit(repeats, recency, age)
    return np.asarray(model.conditional_expected_number_of_purchases_up_to_time(horizon, repeats, recency, age))


def _mean(model: Any, purchases: Array, mean: Array) -> Array:
    model.fit(purchases, mean)
    return np.asarray(model.conditional_expected_average_profit(purchases, mean))


def _least(fit: Callable[[float], Array]) -> Array:
    for penalty in PENALTIES:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = fit(penalty)
        except Exception:  # ConvergenceError, or an overflow on the way
            continue
        if np.isfinite(found).all():
            return found
    raise SystemExit("`lifetimes` can't be fitted to this log: too few customers, or too few who bought again")


PEERS: Mapping[str, Callable[[Histories, Sequence[str], int, int], tuple[Array, Array]]] = {
    "lifetimes_mbg": lambda *given: lifetimes(ModifiedBetaGeoFitter, *given),
    "lifetimes_bg": lambda *given: lifetimes(BetaGeoFitter, *given),
    "naive": naive,
}


def mae(y: Array, p: Array) -> float:
    return float(np.mean(np.abs(p - y)))


def rmse(y: Array, p: Array) -> float:
    return float(np.sqrt(np.mean((p - y) ** 2)))


def bias(y: Array, p: Array) -> float:
    """Of the total: 0.1 stands for a tenth too many; nan where nothing came."""
    return float(p.mean() / y.mean() - 1) if y.any() else float("nan")


def deviance(y: Array, p: Array) -> float:
    """Poisson: least for the true expectation, where the absolute error is least for the median, which mostly is 0."""
    p = np.maximum(p, 1e-3)
    return float(2 * np.mean(np.where(y > 0, y * np.log(np.maximum(y, 1) / p), 0) - y + p))


def rank(y: Array, p: Array) -> float:
    """Spearman's correlation; nan where all are alike."""
    return float(spearmanr(y, p)[0]) if np.ptp(y) and np.ptp(p) else float("nan")


def capture(y: Array, p: Array) -> float:
    """Which part of all falls to the tenth from whom most was expected; nan where nothing came."""
    top = np.argsort(-p, kind="stable")[: max(1, int(len(y) * TOP_SHARE))]
    return share(y, top)


def share(y: Array, of: Array) -> float:
    """Which part of all falls to ``of``, a mask or indexes; nan where there is nothing."""
    return float(y[of].sum() / y.sum()) if y.any() else float("nan")


METRICS: Mapping[str, Mapping[str, Callable[[Array, Array], float]]] = {
    "orders": {"mae": mae, "rmse": rmse, "bias": bias, "deviance": deviance},
    "spend": {"mae": mae, "rmse": rmse, "bias": bias, "rank": rank, "capture": capture},
}
#: Those with an interval against each peer.
PAIRED = {"orders": ("mae", "rmse", "deviance"), "spend": ("mae", "rmse", "capture")}
