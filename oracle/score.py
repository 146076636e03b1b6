"""The churn risk of a model for what is known of a customer (docs/refold.md, "The score")."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log, log1p
from typing import NamedTuple

from oracle.ledger import HALF_LIVES_DAYS, Ledger, count_after
from oracle.tools import WINDOW_DAYS, day_of

FEATURES = (
    "prior", "dead", "none30", "recency", "tenure", "purchases", "lateness", "recent21", "recent60", "recent180", "spend",
    "visits7", "visits30", "visits_usual", "quiet", "complaints_open", "complaints90", "resolved_well", "resolved_badly",
    "unhappy90", "late90", "refused30", "rivals90", "displeased30",
)  # fmt: skip
LOG_ODDS_MAX = 6.0
NO_BOUND = 1.7976931348623157e308  # the greatest double


#: (r, alpha in days, a, b) of MBG/NBD.
Prior = tuple[float, float, float, float]
START: Prior = (0.5, 60.0, 1.0, 2.0)


class Model(NamedTuple):
    """``weights`` and bounds in the order of FEATURES. ``low``, ``high``: what is beyond counts as if it were there; empty: no
    bounds."""

    version: str
    horizon_days: int
    bias: float
    weights: Sequence[float]
    prior: Prior = START
    low: Sequence[float] = ()
    high: Sequence[float] = ()

    def risk(self, values: Sequence[float]) -> float:
        if self.low:
            values = [max(least, value) for least, value in zip(self.low, values, strict=True)]
            values = [min(most, value) for most, value in zip(self.high, values, strict=True)]
        log_odds = self.bias + sum(weight * value for weight, value in zip(self.weights, values, strict=True))
        if log_odds < -30:
            return 0.0
        return 1 / (1 + exp(-log_odds)) if log_odds < 30 else 1.0


def prior_alone(horizon_days: int) -> Model:
    """What scores before the first snapshot."""
    n = len(FEATURES)
    return Model(f"0.0/{horizon_days}", horizon_days, 0.0, [1.0] + [0.0] * (n - 1), low=[-NO_BOUND] * n, high=[NO_BOUND] * n)


def values_of(ledger: Ledger, today: int, model: Model) -> list[float]:
    """The features of who has bought."""
    number, rhythm = len(ledger.bought), ledger.rhythm
    recency, tenure = max(0, today - ledger.bought[-1]), max(0, today - ledger.bought[0])
    recent = [decayed * 0.5 ** (recency / half) for decayed, half in zip(rhythm.decayed, HALF_LIVES_DAYS, strict=True)]
    month, quarter = count_after(ledger.clicked, today - 30), count_after(ledger.clicked, today - WINDOW_DAYS)
    well, badly = ledger.resolutions(today - WINDOW_DAYS)
    return [
        prior_log_odds(model.prior, number, recency, tenure, model.horizon_days),
        log_odds_of_having_left(model.prior, number, recency, tenure),
        prior_log_odds(model.prior, number, recency, tenure, 30),
        log1p(recency),
        log1p(tenure),
        log(number),
        log((recency + 3) / (rhythm.gap_days + 3)),
        *(log(amount + 0.001) for amount in recent),
        log1p(max(0.0, ledger.mean_order_minor())),
        log1p(count_after(ledger.clicked, today - 7)),
        log1p(month),
        log((month + 1) / ((quarter - month) / 2 + 1)),
        log1p(max(0, today - day_of(ledger.last_own_ms))),
        float(ledger.open_complaints()),
        log1p(count_after(ledger.complained, today - WINDOW_DAYS)),
        float(well),
        float(badly),
        log1p(count_after(ledger.unhappy, today - WINDOW_DAYS)),
        log1p(count_after(ledger.late, today - WINDOW_DAYS)),
        log1p(count_after(ledger.refused, today - 30)),
        log1p(count_after(ledger.rivals, today - WINDOW_DAYS)),
        log1p(ledger.displeased(today - 30)),
    ]


def prior_log_odds(prior: Prior, number: int, recency: int, tenure: int, horizon_days: int) -> float:
    """MBG/NBD (Batislam, Denizel, Filiztekin 2007): of buying nothing within the horizon, after ``number`` purchase days."""
    r, alpha, _, _ = prior
    silent = ((alpha + tenure) / (alpha + tenure + horizon_days)) ** (r + number - 1)
    try:
        gone = _odds_of_having_left(prior, number, recency, tenure)
    except OverflowError:
        return LOG_ODDS_MAX
    return _bounded(log((silent + gone) / (1 - silent)))


def log_odds_of_having_left(prior: Prior, number: int, recency: int, tenure: int) -> float:
    try:
        return _bounded(log(_odds_of_having_left(prior, number, recency, tenure)))
    except OverflowError:
        return LOG_ODDS_MAX


def _odds_of_having_left(prior: Prior, number: int, recency: int, tenure: int) -> float:
    r, alpha, a, b = prior
    return a / (b + number - 1) * ((alpha + tenure) / (alpha + tenure - recency)) ** (r + number - 1)


def _bounded(log_odds: float) -> float:
    return min(LOG_ODDS_MAX, max(-LOG_ODDS_MAX, log_odds))
