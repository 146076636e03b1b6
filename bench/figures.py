"""Medians and quantiles of what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

import numpy as np


def spread(values: Sequence[float]) -> list[float]:
    """[least, greatest], rounded."""
    return [rounded(min(values)), rounded(max(values))]


def middle(values: Sequence[float]) -> float:
    return rounded(median(values))


def quantile(values: np.ndarray | Sequence[float], share: float) -> float:
    """The value that ``share`` of all don't exceed: one that was measured, never between two."""
    return rounded(float(np.quantile(np.asarray(values), share, method="inverted_cdf")))


def rounded(value: float) -> float:
    """Four significant digits are more than a benchmark knows."""
    return float(f"{value:.4g}")
