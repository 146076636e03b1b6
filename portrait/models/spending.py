"""What a purchase is worth: the shop's average for each currency, and how much a customer's own average counts beside it.

Gamma-Gamma (Fader, Hardie 2013, "The Gamma-Gamma model of monetary value"): a customer's purchases are Gamma(p, nu), and nu is
Gamma(q, gamma) over the customers. What to expect of one who spent m on the average of x purchases is
(k * mean + x * m) / (k + x), with mean = p * gamma / (q - 1) and k = (q - 1) / p. The parameters are learned online from the
likelihood of unlabelled histories; so is the quantile of expected spend above which a customer is of high value. Amounts are in
minor units.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp, inf, isfinite, log
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from portrait.models.ascent import Ascent

#: The top tenth by expected spend is of high value.
HIGH_SHARE = 0.1
#: Further currencies are not learned: their customers count by their own averages alone.
CURRENCIES_MAX = 16
#: Beyond these nothing is learned of a history but that it is beyond: logarithms and sums stay finite.
PURCHASES_LEAST, PURCHASES_MOST, MEAN_LEAST, MEAN_MOST = 1e-3, 1e5, 0.01, 1e16
#: With fewer, the shop's average would be one customer's.
HISTORIES_LEAST = 10

Positive = Annotated[float, Meta(gt=0)]


class Average(msgspec.Struct, frozen=True, array_like=True):
    """``mean_minor``: of a purchase day in the shop; ``weight``: how many of a customer's own count as much as it."""

    mean_minor: Positive
    weight: Positive


class Spending(msgspec.Struct, frozen=True):
    """``high``: the expected spend, in average purchases of the shop, from which a customer is of high value; 0: unknown."""

    averages: dict[str, Average] = {}  # by currency
    high: Annotated[float, Meta(ge=0)] = 0.0


#: Of no shop in particular; gamma begins where it makes the mean that of the first customers.
_P, _Q = 3.0, 4.0
#: q stays clear of 1, where the mean is infinite.
_LIMITS = ((log(0.15), log(60.0)), (log(1.5), log(80.0)), (log(MEAN_LEAST), log(MEAN_MOST)))


def _rate(steps: int) -> float:
    """Falls with the steps, down to a floor that follows drift."""
    return max(0.001, 0.3 / (1 + steps / 10))


def gradient(p: float, q: float, gamma: float, purchases: float, mean: float) -> tuple[float, float, float]:
    """Of the log-likelihood of a customer's mean, by the logarithms of the parameters. ``purchases`` and ``mean`` above 0."""
    own = p * purchases
    total = gamma + purchases * mean
    both = digamma(own + q)
    by_p = own * (both - digamma(own) + log(purchases * mean / total))
    by_q = q * (both - digamma(q) + log(gamma / total))
    return by_p, by_q, q - (own + q) * gamma / total


def digamma(x: float) -> float:
    """For ``x`` above 0, within 1e-8: the recurrence up to 6, and the asymptotic series from there."""
    shift = 0.0
    while x < 6.0:
        shift -= 1.0 / x
        x += 1.0
    square = 1.0 / (x * x)
    return shift + log(x) - 0.5 / x - square * (1 / 12 - square * (1 / 120 - square * (1 / 252 - square / 240)))


class SpendingLearner:
    """Learns a `Spending`. ``state`` is all of it, as plain data."""

    def __init__(self, state: Mapping[str, Any] | None = None) -> None:
        saved = state or {"currencies": {}, "first": {}, "high": [0.0, 0]}
        self._currencies = {name: _ascent(1.0, of) for name, of in saved["currencies"].items()}
        self._first: dict[str, list[float]] = {name: list(of) for name, of in saved["first"].items()}
        self._high_log, self._histories = float(saved["high"][0]), int(saved["high"][1])

    @property
    def state(self) -> dict[str, Any]:
        return {
            "currencies": {name: ascent.state for name, ascent in self._currencies.items()},
            "first": {name: list(means) for name, means in self._first.items()},
            "high": [self._high_log, self._histories],
        }

    @property
    def spending(self) -> Spending:
        known = {name: _average(*of.values) for name, of in self._currencies.items()}
        return Spending(known, exp(self._high_log) if known and self._histories >= HISTORIES_LEAST else 0.0)

    def learn(self, money: Mapping[str, tuple[float, float]]) -> None:
        """``money``: currency -> (purchase days, net spend in minor units), of one customer; only above 0."""
        for currency, (purchases, spent_minor) in money.items():
            if not (0 < purchases < inf and 0 < spent_minor < inf):
                continue
            purchases = min(max(purchases, PURCHASES_LEAST), PURCHASES_MOST)
            mean = min(max(spent_minor / purchases, MEAN_LEAST), MEAN_MOST)
            ascent = self._currencies.get(currency)
            if ascent is None:
                self._begin(currency, mean)
            else:
                p, q, gamma = ascent.values
                ascent.step(gradient(p, q, gamma, purchases, mean))

    def _begin(self, currency: str, mean: float) -> None:
        """Start at the median of the first customers: currencies differ by powers of ten, and one customer may be absurd."""
        if currency not in self._first and len(self._first) + len(self._currencies) >= CURRENCIES_MAX:
            return
        first = self._first.setdefault(currency, [])
        first.append(mean)
        if len(first) == HISTORIES_LEAST:
            self._currencies[currency] = _ascent(sorted(first)[len(first) // 2])
            del self._first[currency]

    def learn_worth(self, worth: float) -> None:
        """One customer's expected spend: a step of the running quantile (Robbins, Monro 1951), on its logarithm."""
        if not (isfinite(worth) and worth > 0):
            return
        self._histories += 1
        if self._histories == 1:
            self._high_log = log(worth)
            return
        step = max(0.02, 1 / (1 + self._histories / 20))
        self._high_log += step * ((log(worth) > self._high_log) - HIGH_SHARE)


def _ascent(mean: float, state: Sequence[float] | None = None) -> Ascent:
    return Ascent((log(_P), log(_Q), log(mean * (_Q - 1) / _P)), _LIMITS, _rate, state)


def _average(p: float, q: float, gamma: float) -> Average:
    return Average(p * gamma / (q - 1), (q - 1) / p)
