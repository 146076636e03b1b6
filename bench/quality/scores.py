"""How good probabilities are: AUC, PR-AUC of the rarer outcome, log-loss, Brier score, calibration; with intervals over
customers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

Array = np.ndarray
BINS = 20
MONTH_LEAST = 5 * BINS
RESAMPLES = 200
LEAST, GREATEST = 1e-6, 1 - 1e-6


def auc(y: Array, p: Array) -> float:
    """nan where all end alike."""
    return float(roc_auc_score(y, p)) if _both(y) else float("nan")


def pr_auc_returns(y: Array, p: Array) -> float:
    """Average precision of the customers who do buy (``y`` is 0), ranked by 1 - p; nan where all end alike."""
    return float(average_precision_score(1 - y, 1 - p)) if _both(y) else float("nan")


def _both(y: Array) -> bool:
    return bool(y.any() and not y.all())


def log_loss(y: Array, p: Array) -> float:
    p = np.clip(p, LEAST, GREATEST)
    return float(-np.mean(np.where(y == 1, np.log(p), np.log(1 - p))))


def brier(y: Array, p: Array) -> float:
    return float(np.mean((p - y) ** 2))


def ece(y: Array, p: Array) -> float:
    """Expected calibration error: BINS bins of equal mass."""
    order = np.argsort(p, kind="stable")
    return float(
        sum(len(part) * abs(p[part].mean() - y[part].mean()) for part in np.array_split(order, BINS) if len(part)) / len(p)
    )


def worst_months(y: Array, p: Array, days: Array, worst: int = 3) -> float:
    """The mean ECE of the ``worst`` windows of 30 days; nan where none has MONTH_LEAST moments."""
    months = (days - days.min()) // 30
    found = sorted(
        (ece(y[months == m], p[months == m]) for m in np.unique(months) if (months == m).sum() >= MONTH_LEAST), reverse=True
    )
    return float(np.mean(found[:worst])) if found else float("nan")


METRICS: Mapping[str, Callable[[Array, Array], float]] = {
    "auc": auc,
    "pr_auc_returns": pr_auc_returns,
    "log_loss": log_loss,
    "brier": brier,
    "ece": ece,
}


def all_of(y: Array, p: Array, days: Array) -> dict[str, float]:
    figures = {name: metric(y, p) for name, metric in METRICS.items()}
    return {**figures, "ece_worst_months": worst_months(y, p, days)}


def unknown(figures: Mapping[str, float], y: Array) -> dict[str, str]:
    """metric -> why it is nan, of what `all_of` gives."""
    alike = f"all {len(y):,} moments end alike ({'nothing was' if y.all() else 'something was'} bought); it needs both outcomes"
    few = f"no 30 days of the test have {MONTH_LEAST} moments"
    return {name: few if name == "ece_worst_months" else alike for name, value in figures.items() if np.isnan(value)}


def resamples(customers: Array, seed: int) -> Iterator[Array]:
    """Rows by the bootstrap over customers: they, not moments, are independent."""
    rng = np.random.default_rng(seed)
    _, of = np.unique(customers, return_inverse=True)
    order = np.argsort(of, kind="stable")
    starts = np.searchsorted(of[order], np.arange(of.max() + 2))
    for _ in range(RESAMPLES):
        drawn = rng.integers(0, of.max() + 1, of.max() + 1)
        yield order[np.concatenate([np.arange(starts[c], starts[c + 1]) for c in drawn])]


def paired(
    metric: Callable[[Array, Array], float], y: Array, ours: Array, peer: Array, customers: Array, seed: int
) -> list[float]:
    """[difference, low, high]: ours - peer, with its 95 % interval; nan where the metric is. Resamples in which all end alike,
    which few customers give, have no AUC and are left out."""
    if np.isnan(metric(y, ours)):
        return [float("nan")] * 3
    differences = [metric(y[rows], ours[rows]) - metric(y[rows], peer[rows]) for rows in resamples(customers, seed)]
    low, high = np.nanquantile(differences, [0.025, 0.975])
    return [metric(y, ours) - metric(y, peer), float(low), float(high)]
