"""The chance that a customer buys nothing within a horizon, from the purchase days alone: MBG/NBD in closed form.

Batislam, Denizel, Filiztekin (2007), "Empirical validation and comparison of models for customer base analysis". The parameters
are those that maximum likelihood finds on CDNOW (in days); they serve as a prior that needs no label, on which the learned model
builds.
"""

from __future__ import annotations

from math import exp, log

R, ALPHA_DAYS, A, B = 0.525, 43.3, 0.891, 1.614
#: Beyond this the closed form is numerically certain, and no customer is.
LOGIT_MAX = 6.0
#: exp() overflows at 709: a buyer of a thousand days who has been silent for years gets there.
EXPONENT_MAX = 700.0


def none_logit(purchase_days: int, recency_days: float, tenure_days: float, horizon_days: float) -> float:
    """Log-odds of buying nothing within the horizon, clipped to +-LOGIT_MAX.

    ``purchase_days`` >= 1, ``recency_days`` since the last purchase, ``tenure_days`` since the first;
    ``tenure_days >= recency_days >= 0``.
    """
    repeats = purchase_days - 1
    shape = R + repeats
    dropout = A / (B + repeats)
    base = ALPHA_DAYS + tenure_days
    dead = dropout * exp(min(shape * log(base / (base - recency_days)), EXPONENT_MAX))
    silent = exp(shape * log(base / (base + horizon_days)))
    # P(none) = (silent + dead) / (1 + dead), so its odds are (silent + dead) / (1 - silent).
    logit = log((silent + dead) / (1.0 - silent))
    return max(-LOGIT_MAX, min(LOGIT_MAX, logit))
