"""Churn risk: the probability that a customer buys nothing within the horizon.

A logistic model over features of the state, on top of the log-odds of the MBG/NBD prior (`portrait.models.prior`), whose weight
starts at 1 and all others at 0: before the first label the score is the prior's, and every label moves it from there.

The trainer learns with River (`portrait.models.learner`) and publishes weights; workers score with `Scorer`, which is the same
function folded into one weight a feature. A customer's reasons are the features' contributions against the average customer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from math import exp, log, log1p
from operator import mul
from typing import Any

import msgspec

from portrait.features.registry import NOTHING
from portrait.lifecycle import HALF_LIVES_DAYS, Rhythm
from portrait.models.prior import none_logit
from portrait.structures import DAY_MS, WINDOW_DAYS
from schemas.outputs import Reason, Snapshot

MODEL = "churn"
PRIOR = "prior"
FEATURES = (
    PRIOR,
    "recency",  # log1p(days since the last purchase day)
    "tenure",  # log1p(days since the first)
    "purchases",  # ln of the number of purchase days
    "lateness",  # ln of recency over the usual gap
    "recent21",  # ln of purchases decayed with a half-life of 21 days
    "recent60",
    "recent180",
    "spend",  # log1p of the mean order, minor units
    "visits7",  # log1p of clicks in 7 days
    "visits30",
    "quiet",  # log1p(days since any event)
    "complaints_open",
    "complaints90",  # log1p
    "refused30",  # log1p of refused messages
)
#: The themes that reasons speak of, and the features that each sums up.
THEMES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("silence", (PRIOR, "recency", "lateness", "recent21", "recent60", "recent180", "quiet")),
    ("history", ("tenure", "purchases")),
    ("spend", ("spend",)),
    ("visits", ("visits7", "visits30")),
    ("complaints", ("complaints_open", "complaints90")),
    ("refusals", ("refused30",)),
)
_THEME_INDEXES = [(theme, [FEATURES.index(name) for name in names]) for theme, names in THEMES]
_VISITS30 = FEATURES.index("visits30")
_REFUSED30 = FEATURES.index("refused30")
REASONS_MAX = 3
#: Less than this in log-odds is no reason.
REASON_LEAST = 0.05


def features(parts: Any, rhythm: Rhythm, today: int, horizon_days: int) -> list[float] | None:
    """The features in the order of FEATURES, as of the UTC day ``today``; None for who has bought nothing yet."""
    if not rhythm.count:
        return None
    recency = max(0, today - rhythm.last_day)
    tenure = max(0, today - rhythm.first_day)
    d21, d60, d180 = rhythm.decays
    consumption, behaviour = parts.consumption or NOTHING.consumption, parts.behaviour or NOTHING.behaviour
    needs, contacts = parts.needs or NOTHING.needs, parts.contacts or NOTHING.contacts
    mean_minor = consumption.spent_minor / consumption.placed if consumption.placed else 0
    week = month = 0
    for day, clicks in behaviour.days.items():
        age = today - day
        if age < 30:
            month += clicks
            if age < 7:
                week += clicks
    return [
        none_logit(rhythm.count, recency, tenure, horizon_days),
        log1p(recency),
        log1p(tenure),
        log(rhythm.count),
        log((recency + 3.0) / (rhythm.gap_days + 3.0)),
        log(d21 * 0.5 ** (recency / HALF_LIVES_DAYS[0]) + 1e-3),
        log(d60 * 0.5 ** (recency / HALF_LIVES_DAYS[1]) + 1e-3),
        log(d180 * 0.5 ** (recency / HALF_LIVES_DAYS[2]) + 1e-3),
        log1p(max(0.0, mean_minor)),
        log1p(max(0, week)),
        log1p(max(0, month)),
        log1p(max(0, today - parts.activity.last_ms // DAY_MS)),
        float(needs.open) if needs.cases else 0.0,
        log1p(_within(needs.days, today, WINDOW_DAYS)) if needs.days else 0.0,
        log1p(_within(contacts.refused_days, today, 30)) if contacts.refused_days else 0.0,
    ]


def _within(days: Mapping[int, int], today: int, window_days: int) -> int:
    return sum(n for day, n in days.items() if today - day < window_days)


def _by_strength(item: tuple[str, float]) -> tuple[float, str]:
    return -abs(item[1]), item[0]


class Scorer(msgspec.Struct, frozen=True, kw_only=True):
    """A model folded for scoring: log-odds = bias + sum of weight * value. Plain data, made by `fresh` or `from_snapshot`."""

    version: str
    horizon_days: int
    bias: float
    weights: list[float]  # in the order of FEATURES
    means: list[float]  # of each feature: what reasons compare with

    def risk(self, x: Sequence[float]) -> float:
        """The probability, within [0, 1]."""
        z = sum(map(mul, self.weights, x), self.bias)
        if z < -30.0:
            return 0.0
        return 1.0 / (1.0 + exp(-z)) if z < 30.0 else 1.0

    def contributions(self, x: Sequence[float]) -> list[tuple[str, float]]:
        """(theme, log-odds against the average customer), greatest influence first."""
        each = [weight * (value - mean) for weight, value, mean in zip(self.weights, x, self.means, strict=True)]
        themes = []
        for theme, indexes in _THEME_INDEXES:
            amount = 0.0
            for i in indexes:
                amount += each[i]
            if amount > REASON_LEAST or amount < -REASON_LEAST:
                themes.append((theme, amount))
        themes.sort(key=_by_strength)
        return themes


#: What the average customer looks like before anything is learned: two purchases, a month ago.
_TYPICAL = (0.8, 3.4, 4.8, 0.7, -0.4, -1.0, -0.2, 0.2, 8.5, 0.7, 1.4, 2.4, 0.0, 0.1, 0.0)


def fresh(horizon_days: int) -> Scorer:
    """The prior alone: version 0.0."""
    weights = [1.0] + [0.0] * (len(FEATURES) - 1)
    return Scorer(version="0.0", horizon_days=horizon_days, bias=0.0, weights=weights, means=list(_TYPICAL))


def from_snapshot(snapshot: Snapshot) -> Scorer:
    """The scorer in a snapshot. Raises ValueError if it doesn't fit this code."""
    try:
        scorer = msgspec.convert({**snapshot.scorer, "version": snapshot.version}, Scorer)
    except msgspec.ValidationError as error:
        raise ValueError(f"snapshot {snapshot.version} of {snapshot.model!r}: {error}") from error
    if (
        snapshot.scorer.get("features") != list(FEATURES)
        or len(scorer.weights) != len(FEATURES)
        or len(scorer.means) != len(FEATURES)
    ):
        raise ValueError(f"snapshot {snapshot.version} of {snapshot.model!r} was made for other features")
    return scorer


_WORDS: Mapping[str, tuple[tuple[str, str], tuple[str, str]]] = {  # theme: (raises the risk), (lowers it)
    "silence": (
        (
            "No purchase for {recency} days; the usual gap is about {gap}.",
            "已 {recency} 天未购买，平时约每 {gap} 天一次。",
        ),
        (
            "Last purchase {recency} days ago; the usual gap is about {gap}.",
            "最近一次购买在 {recency} 天前，平时约每 {gap} 天一次。",
        ),
    ),
    "silence-once": (  # there is no gap yet
        ("Bought once, {recency} days ago.", "仅购买过一次，距今 {recency} 天。"),
        ("Bought once, {recency} days ago.", "仅购买过一次，距今 {recency} 天。"),
    ),
    "history": (
        ("Few purchases so far: days with one: {count}.", "购买记录较少：有购买的天数为 {count}。"),
        ("{count} purchase days: a loyal buyer.", "已有 {count} 天购买记录，属于老客户。"),
    ),
    "spend": (
        ("Order values speak for a looser tie.", "客单价显示黏性偏低。"),
        ("Order values speak for a firm tie.", "客单价显示黏性较高。"),
    ),
    "visits": (
        ("Visits less than comparable customers: {month} clicks in 30 days.", "访问偏少：30 天内仅 {month} 次点击。"),
        ("Visits often: {month} clicks in 30 days.", "访问活跃：30 天内 {month} 次点击。"),
    ),
    "complaints": (
        ("{open} complaints open, {complaints} in 90 days.", "未解决投诉 {open} 件，90 天内共 {complaints} 件。"),
        ("No open trouble.", "没有未解决的投诉。"),
    ),
    "refusals": (
        ("Refuses our messages.", "近期拒收我们的消息。"),
        ("Takes our messages.", "愿意接收我们的消息。"),
    ),
}


def reasons(scorer: Scorer, x: Sequence[float], parts: Any, rhythm: Rhythm, today: int) -> list[Reason]:
    """This customer's own top reasons, strongest first, in words.

    The code says the theme and the direction: ``risk.silence.up``.
    """
    needs = parts.needs or NOTHING.needs
    numbers = {
        "recency": max(0, today - rhythm.last_day),
        "gap": round(rhythm.gap_days),
        "count": rhythm.count,
        "month": round(exp(x[_VISITS30]) - 1),
        "open": needs.open,
        "complaints": _within(needs.days, today, WINDOW_DAYS),
    }
    # What did not happen is no reason against a customer, whatever it is worth beside the average one.
    hollow = {
        "silence": not numbers["recency"],
        "complaints": not (numbers["open"] or numbers["complaints"]),
        "refusals": not x[_REFUSED30],
        "visits": parts.behaviour is None,
    }
    found: list[Reason] = []
    for theme, amount in scorer.contributions(x):
        up = amount > 0
        if len(found) < REASONS_MAX and not (up and hollow.get(theme)):
            en, zh = _WORDS["silence-once" if theme == "silence" and rhythm.count == 1 else theme][0 if up else 1]
            found.append(Reason(f"risk.{theme}.{'up' if up else 'down'}", en.format(**numbers), zh.format(**numbers)))
    return found


def digest(scorer: dict[str, Any], learner: dict[str, Any]) -> str:
    """By which a snapshot is known to be whole: blake2b, 16 bytes, over the canonical JSON of both."""
    return blake2b(msgspec.json.encode([scorer, learner], order="sorted"), digest_size=16).hexdigest()
