"""Medians and quantiles of what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from statistics import median
from typing import Any

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


def known(figures: Any) -> Any:
    """The same figures with None, JSON's null, for each that is no finite number: JSON has neither nan nor infinity."""
    if isinstance(figures, dict):
        return {name: known(value) for name, value in figures.items()}
    if isinstance(figures, list):
        return [known(value) for value in figures]
    return None if isinstance(figures, float) and not isfinite(figures) else figures


def text(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
