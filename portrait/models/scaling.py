"""What River's models see of a lesson, and how they step: River's StandardScaler and AdaGrad, to the bit, in less time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from river import optim

#: A feature that has hardly ever varied is scaled as if it had by so much: else the first customer who shows it would be so
#: far from the mean that one label moves the scores of all who come after. Nor does an absurd value count for more than Z_MAX.
STD_LEAST, Z_MAX = 0.3, 6.0
VAR_LEAST = STD_LEAST * STD_LEAST


class Moments:
    """Of one feature: how many values, their mean and their variance (Welford 1962)."""

    __slots__ = ("count", "mean", "variance")

    def __init__(self, count: int = 0, mean: float = 0.0, variance: float = 0.0) -> None:
        self.count, self.mean, self.variance = count, mean, variance

    @property
    def scale(self) -> float:
        return self.variance**0.5 if self.variance > VAR_LEAST else STD_LEAST


class Scaling:
    """Each feature around its running mean, in running standard deviations, within bounds. ``kept``: the `state` of another."""

    def __init__(self, features: Iterable[str], kept: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        counts, means, variances = (kept[part] for part in ("counts", "means", "vars")) if kept else ({}, {}, {})
        self.of = {name: Moments() for name in features}
        # Also features that only other code knows, which may go on from here.
        self._others = {name: Moments() for name in counts if name not in self.of}
        for name, moments in (self.of | self._others).items():
            if name in counts:
                moments.count, moments.mean, moments.variance = int(counts[name]), float(means[name]), float(variances[name])

    @property
    def state(self) -> dict[str, dict[str, Any]]:
        seen = {name: moments for name, moments in (self.of | self._others).items() if moments.count}
        return {
            "counts": {name: moments.count for name, moments in seen.items()},
            "means": {name: moments.mean for name, moments in seen.items()},
            "vars": {name: moments.variance for name, moments in seen.items()},
        }

    def learn(self, x: Mapping[str, float]) -> dict[str, float]:
        """Take ``x`` into account, and scale it. Left out, for 0: what is at its mean; and what ``x`` lacks, which stays."""
        scaled = {}
        for name, of in self.of.items():
            value = x.get(name)
            if value is None:
                continue
            of.count = count = of.count + 1
            off = value - of.mean
            of.mean = mean = of.mean + off / count
            away = value - mean
            of.variance = variance = of.variance + (off * away - of.variance) / count
            z = away / (variance**0.5 if variance > VAR_LEAST else STD_LEAST)
            if z:
                scaled[name] = -Z_MAX if z < -Z_MAX else Z_MAX if z > Z_MAX else z
        return scaled


class AdaGrad(optim.AdaGrad):
    """Duchi, Hazan, Singer 2011. River's own asks for its rate, which is the same for all, at each weight."""

    def step(self, w: Any, g: Any) -> Any:
        rate, squares, eps = self.learning_rate, self.g2, self.eps
        for name, slope in g.items():
            squares[name] = square = squares[name] + slope**2
            w[name] -= rate / (square + eps) ** 0.5 * slope
        self.n_iterations += 1
        return w
