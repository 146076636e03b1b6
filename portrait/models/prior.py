"""The chance that a customer buys nothing within a horizon, from the purchase days alone: MBG/NBD in closed form, its
parameters learned online.

Batislam, Denizel, Filiztekin (2007), "Empirical validation and comparison of models for customer base analysis". The
likelihood of a history needs no label, so the parameters follow a shop from its first weeks on: one step of Adam (Kingma, Ba
2015) a history, on the logarithms of the parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log, sqrt
from typing import NamedTuple

from portrait.models.ascent import Ascent

#: Beyond this the closed form is numerically certain, and no customer is.
LOGIT_MAX = 6.0
#: exp() overflows at 709: a buyer of a thousand days who has been silent for years gets there.
EXPONENT_MAX = 700.0
SHORT_DAYS = 30
#: Sums over a customer's purchases are exact for so many, and an integral beyond.
TERMS_MAX = 32


class Prior(NamedTuple):
    """Rates of buying are Gamma(r, alpha) over the customers, chances of leaving after a purchase Beta(a, b)."""

    r: float
    alpha_days: float
    a: float
    b: float


#: Of no shop in particular: one purchase in four months, a third leaves after each.
START = Prior(0.5, 60.0, 1.0, 2.0)


class Logits(NamedTuple):
    """Log-odds, clipped to +-LOGIT_MAX."""

    none: float  # of buying nothing within the horizon
    dead: float  # of having left
    none_short: float  # of buying nothing within SHORT_DAYS


def logits(prior: Prior, purchase_days: int, recency_days: float, tenure_days: float, horizon_days: float) -> Logits:
    """``purchase_days`` >= 1, ``recency_days`` since the last purchase, ``tenure_days`` since the first;
    ``tenure_days >= recency_days >= 0``.
    """
    r, alpha, a, b = prior
    repeats = purchase_days - 1
    shape, base = r + repeats, alpha + tenure_days
    dead = a / (b + repeats) * exp(min(shape * log(base / (base - recency_days)), EXPONENT_MAX))
    return Logits(_none(shape, base, dead, horizon_days), _clip(log(dead)), _none(shape, base, dead, SHORT_DAYS))


def _none(shape: float, base: float, dead: float, horizon_days: float) -> float:
    silent = exp(shape * log(base / (base + horizon_days)))
    # P(none) = (silent + dead) / (1 + dead), so its odds are (silent + dead) / (1 - silent).
    return _clip(log((silent + dead) / (1.0 - silent)))


def _clip(logit: float) -> float:
    return -LOGIT_MAX if logit < -LOGIT_MAX else min(logit, LOGIT_MAX)


def gradient(prior: Prior, purchase_days: int, recency_days: float, tenure_days: float) -> tuple[float, float, float, float]:
    """Of the log-likelihood of one history, by the logarithms of the parameters."""
    r, alpha, a, b = prior
    x = purchase_days - 1
    shape, base = r + x, alpha + tenure_days
    last = base - recency_days
    odds = a / (b + x) * exp(min(shape * log(base / last), EXPONENT_MAX))
    dead = odds / (1.0 + odds)
    drops = harmonic(a + b, x + 1)
    by_r = harmonic(r, x) + log(alpha / base) + dead * log(base / last)
    by_alpha = r / alpha - shape / base + dead * shape * (1.0 / base - 1.0 / last)
    by_a = dead / a - drops
    by_b = harmonic(b, x + 1) - drops - dead / (b + x)
    # The Gamma functions of B(a, b+x+1) / B(a, b): psi(b+x+1) - psi(b) less psi(a+b+x+1) - psi(a+b).
    return by_r * r, by_alpha * alpha, by_a * a, by_b * b


def harmonic(start: float, terms: int) -> float:
    """psi(start + terms) - psi(start) = the sum of 1/(start + k) for k below ``terms``."""
    total = 0.0
    for k in range(min(terms, TERMS_MAX)):
        total += 1.0 / (start + k)
    if terms > TERMS_MAX:
        total += log((start + terms - 0.5) / (start + TERMS_MAX - 0.5))
    return total


#: The logarithms stay within so much of the start: where customers never leave, or all leave at once, there is no finite optimum.
RANGE = 4.0


def _rate(steps: int) -> float:
    """Falls with the root of the steps, down to a floor that follows drift."""
    return max(0.003, 0.03 / sqrt(1 + steps / 100))


class PriorLearner:
    """Learns a `Prior`. ``state`` is all of it, as plain data."""

    def __init__(self, state: Sequence[float] | None = None) -> None:
        logs = [log(value) for value in START]
        self._ascent = Ascent(logs, [(value - RANGE, value + RANGE) for value in logs], _rate, state)

    @property
    def state(self) -> list[float]:
        return self._ascent.state

    @property
    def prior(self) -> Prior:
        return Prior(*self._ascent.values)

    def learn(self, purchase_days: int, recency_days: float, tenure_days: float) -> None:
        """One step up the likelihood of this history."""
        self._ascent.step(gradient(self.prior, purchase_days, recency_days, tenure_days))
