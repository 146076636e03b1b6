"""A version of the model in words: what each weight says, and what the prior takes the customers for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import exp
from typing import Any, NamedTuple

from portrait.models.churn import FEATURES, PRIOR, Scorer, from_snapshot
from portrait.models.measures import Group
from portrait.models.watch import watched
from schemas.outputs import Snapshot

CALIBRATION_GROUPS = 10

#: What more of a feature means.
MEANINGS = {
    PRIOR: "log-odds of buying nothing within the horizon, from the purchase days alone (MBG/NBD)",
    "dead": "log-odds of having left for good, by the same",
    "none30": "log-odds of buying nothing within 30 days, by the same",
    "recency": "longer since the last purchase",
    "tenure": "longer since the first purchase",
    "purchases": "more days with a purchase",
    "lateness": "longer since the last purchase than is usual for them",
    "recent21": "more purchases lately (half-life 21 days)",
    "recent60": "more purchases lately (half-life 60 days)",
    "recent180": "more purchases lately (half-life 180 days)",
    "spend": "larger orders",
    "visits7": "more clicks in 7 days",
    "visits30": "more clicks in 30 days",
    "visits_usual": "more clicks in 30 days than in 30 days of the 60 before",
    "quiet": "longer since any event",
    "complaints_open": "more complaints open",
    "complaints90": "more complaints in 90 days",
    "resolved_well": "more complaints resolved to their liking in 90 days",
    "resolved_badly": "more complaints resolved badly in 90 days",
    "unhappy90": "more low ratings and failed conversations in 90 days",
    "late90": "more late deliveries in 90 days",
    "refused30": "more messages refused in 30 days",
    "rivals90": "more mentions of a rival in 90 days",
    "displeased30": "more days in 30 on which they wrote clearly displeased",
}


class Weight(NamedTuple):
    """One feature. ``step``: its standard deviation among the lessons; ``odds``: by what one step multiplies those of leaving."""

    feature: str
    meaning: str
    weight: float
    mean: float
    step: float
    odds: float

    @property
    def words(self) -> str:
        if self.feature == PRIOR:
            return f"counts {self.weight:.2f} times: 1 takes it as it is"
        if abs(self.odds - 1) < 0.005:
            return "makes no difference"
        return f"makes leaving {'more' if self.odds > 1 else 'less'} likely: odds × {self.odds:.2f} a step of {self.step:.2f}"


def weights(snapshot: Snapshot) -> list[Weight]:
    """The strongest first. Raises ValueError for a snapshot of other features."""
    scorer, variances = from_snapshot(snapshot), snapshot.learner.get("vars", {})
    found = []
    for name, weight, mean in zip(FEATURES, scorer.weights, scorer.means, strict=True):
        step = float(variances.get(name, 0.0)) ** 0.5 if name != PRIOR else 1.0
        found.append(Weight(name, MEANINGS.get(name, name), weight, mean, step, exp(min(weight * step, 50.0))))
    return sorted(found, key=lambda weight: -abs(weight.odds - 1))


def prior_words(scorer: Scorer) -> list[tuple[str, str]]:
    """(parameter, what it says)."""
    r, alpha, a, b = scorer.prior
    return [
        (f"r = {r:.3f}, alpha = {alpha:.1f} days", f"who has not left buys on about one day in {alpha / r:,.0f}; "
         f"customers differ {'much' if r < 1 else 'little'} in that"),
        (f"a = {a:.3f}, b = {b:.3f}", f"after a purchase about {a / (a + b):.0%} leave"),
    ]  # fmt: skip


def calibration(snapshot: Snapshot) -> list[Group]:
    return watched(snapshot).measures.calibration(CALIBRATION_GROUPS)


def row(snapshot: Snapshot, roles: Sequence[str]) -> dict[str, Any]:
    """A version as JSON and tables have it."""
    names = ("labels", "log_loss", "own_log_loss", "auc", "ece", "brier", "base_rate", "drifts")
    return {
        "version": snapshot.version,
        "generation": snapshot.generation,
        "lessons": snapshot.lessons,
        "trained_at_ms": snapshot.trained_at_ms,
        **{name: snapshot.metrics.get(name) for name in names},
        "is": list(roles),
    }


def in_full(snapshot: Snapshot, roles: Sequence[str]) -> dict[str, Any]:
    """All that `portrait model show` tells."""
    scorer = from_snapshot(snapshot)
    return row(snapshot, roles) | {
        "horizon_days": scorer.horizon_days,
        "bias": scorer.bias,
        "weights": [weight._asdict() | {"words": weight.words} for weight in weights(snapshot)],
        "prior": {"r": scorer.prior.r, "alpha_days": scorer.prior.alpha_days, "a": scorer.prior.a, "b": scorer.prior.b},
        "prior_words": [f"{name}: {words}" for name, words in prior_words(scorer)],
        "calibration": [group._asdict() for group in calibration(snapshot)],
        "by_week": [{"week_ms": at_ms, **figures} for at_ms, figures in by_week(snapshot)],
        "shifts": shifts(snapshot),
        "alarms": [{"subject": alarm.subject, "week": alarm.week, "what": alarm.what} for alarm in watched(snapshot).alarms],
        "trial": snapshot.learner.get("trial"),
    }


def by_week(snapshot: Snapshot) -> Iterator[tuple[int, dict[str, Any]]]:
    """(beginning in ms, figures) of each week in which something was told and its label is known."""
    for at_ms, week in watched(snapshot).measures.by_week():
        n = max(1, week.labels)
        yield (
            at_ms,
            {
                "labels": week.labels,
                "auc": week.auc,
                "log_loss": week.loss / n,
                "brier": week.brier / n,
                "base_rate": week.left / n,
            },
        )


def shifts(snapshot: Snapshot) -> dict[str, float]:
    """Feature -> how far it has moved, in standard deviations."""
    kept = watched(snapshot).shifts
    return {name: kept[name].size for name in FEATURES if name in kept}
