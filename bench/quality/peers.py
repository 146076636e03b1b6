"""The peers on the same moments: gradient boosting refitted every week, MBG/NBD refitted every month. Both see only labels and
purchases of the past."""

from __future__ import annotations

import warnings
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np
from lifetimes import ModifiedBetaGeoFitter
from sklearn.ensemble import HistGradientBoostingClassifier

from bench.quality.drive import Moments
from bench.quality.logs import Purchase

Array = np.ndarray
HGB_EVERY_DAYS, MBG_EVERY_DAYS = 7, 30
LABELS_LEAST = 200
PENALTIES = (0.0, 0.001, 0.01, 0.1)
#: churn.md's settings: the usual one, and one for small shops.
HGB = {
    "hgb_weekly": {
        "max_iter": 120, "learning_rate": 0.06, "max_leaf_nodes": 15, "min_samples_leaf": 100, "l2_regularization": 1.0,
    },
    "hgb_regularised_weekly": {
        "max_iter": 60, "learning_rate": 0.06, "max_leaf_nodes": 6, "min_samples_leaf": 200, "l2_regularization": 10.0,
    },
}  # fmt: skip
HALF_LIVES_DAYS = (21.0, 60.0, 180.0)
WINDOWS_DAYS = (28, 90, 180, 365)


def histories(purchases: Sequence[Purchase]) -> dict[str, tuple[list[int], list[int]]]:
    """customer -> (purchase days ascending, amounts)."""
    found: defaultdict[str, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for purchase in sorted(purchases, key=lambda p: p.day):
        days, amounts = found[purchase.customer]
        days.append(purchase.day)
        amounts.append(purchase.amount_minor)
    return dict(found)


def features(moments: Moments, purchases: Sequence[Purchase]) -> Array:
    """What the boosted trees see: recency, tenure, count, gaps, decayed and windowed counts, amounts. Not made by the
    product's code."""
    of = histories(purchases)
    return np.array([_features(*of[c], int(day)) for c, day in zip(moments.customers, moments.days, strict=True)])


def _features(days: list[int], amounts: list[int], today: int) -> list[float]:
    n = bisect_right(days, today)
    seen, spent = days[:n], amounts[:n]
    gaps = np.diff(seen) if n > 1 else np.array([90.0])
    recency, tenure = today - seen[-1], today - seen[0]
    usual = (90 + seen[-1] - seen[0]) / n
    ages = today - np.array(seen)
    return [
        recency, tenure, n, usual, (recency + 3) / (usual + 3), float(gaps[-1]), float(gaps.min()), float(gaps.max()),
        float(gaps.std()),
        *(float(np.sum(0.5 ** (ages / half))) for half in HALF_LIVES_DAYS),
        *(float(np.sum(ages < window)) for window in WINDOWS_DAYS),
        float(np.mean(spent)), float(spent[-1]), float(np.sum(spent)),
    ]  # fmt: skip


def hgb(x: Array, y: Array, days: Array, horizon: int, first: int, settings: dict[str, float], each: Callable[[], None]) -> Array:
    """Risks of the moments from day ``first`` on; those before are nan. Refitted each week on all labels that have matured."""
    risks = np.full(len(y), np.nan)
    for start in range(first, int(days.max()) + 1, HGB_EVERY_DAYS):
        known = days + horizon < start
        wanted = (days >= start) & (days < start + HGB_EVERY_DAYS)
        each()
        if not wanted.any():
            continue
        if known.sum() < LABELS_LEAST or len(np.unique(y[known])) < 2:
            risks[wanted] = 0.5 if not known.any() else y[known].mean()
            continue
        model = HistGradientBoostingClassifier(**settings, early_stopping=False, random_state=0).fit(x[known], y[known])
        risks[wanted] = model.predict_proba(x[wanted])[:, 1]
    return risks


def mbg(moments: Moments, purchases: Sequence[Purchase], horizon: int, first: int, each: Callable[[], None]) -> Array:
    """P(no purchase within the horizon) of MBG/NBD, fitted by `lifetimes` each month on the purchases until then."""
    of = histories(purchases)
    n, recency, tenure = _histories_at(moments.customers, moments.days, of)
    risks = np.full(len(n), np.nan)
    for start in range(first, int(moments.days.max()) + 1, MBG_EVERY_DAYS):
        wanted = (moments.days >= start) & (moments.days < start + MBG_EVERY_DAYS)
        known = [customer for customer, (days, _) in of.items() if days[0] < start]
        repeats, last, age = _fit_table(known, of, start - 1)
        parameters = _fit(repeats, last, age)
        risks[wanted] = none_within(parameters, n[wanted] - 1, recency[wanted], tenure[wanted], horizon)
        each()
    return risks


def _histories_at(customers: Array, at: Array, of: dict[str, tuple[list[int], list[int]]]) -> tuple[Array, Array, Array]:
    rows = []
    for customer, day in zip(customers, at, strict=True):
        days = of[customer][0]
        n = bisect_right(days, int(day))
        rows.append((n, day - days[n - 1], day - days[0]))
    found = np.array(rows, dtype=float)
    return found[:, 0], found[:, 1], found[:, 2]


def _fit_table(customers: Sequence[str], of: dict[str, tuple[list[int], list[int]]], today: int) -> tuple[Array, Array, Array]:
    n, recency, tenure = _histories_at(np.array(customers), np.full(len(customers), today), of)
    return n - 1, tenure - recency, tenure


def _fit(repeats: Array, last: Array, age: Array) -> tuple[float, float, float, float]:
    """(r, alpha, a, b). `lifetimes` does not always converge: the least penalty that does."""
    for penalty in PENALTIES:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = ModifiedBetaGeoFitter(penalizer_coef=penalty).fit(repeats, last, age).params_
            return float(found["r"]), float(found["alpha"]), float(found["a"]), float(found["b"])
        except Exception:  # ConvergenceError, or an overflow on the way
            continue
    raise SystemExit("`lifetimes` can't be fitted to this log: too few customers, or too few who bought again")


def none_within(parameters: tuple[float, float, float, float], x: Array, recency: Array, tenure: Array, horizon: int) -> Array:
    """The closed form: P(no purchase in the next ``horizon`` days) for ``x`` repeats, days since the last and the first."""
    r, alpha, a, b = parameters
    shape = r + x
    dead = a / (b + x) * np.exp(np.minimum(shape * np.log((alpha + tenure) / (alpha + tenure - recency)), 700))
    silent = np.exp(shape * np.log((alpha + tenure) / (alpha + tenure + horizon)))
    return np.clip((silent + dead) / (1 + dead), 1e-6, 1 - 1e-6)
