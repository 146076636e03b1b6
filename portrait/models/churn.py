"""Churn risk: the probability that a customer buys nothing within the horizon.

A logistic model over features of the state, on top of the log-odds of the MBG/NBD prior (`portrait.models.prior`), whose weight
starts at 1 and all others at 0: before the first label the score is the prior's, and every label moves it from there.

The trainer learns with River (`portrait.models.learner`) and publishes weights; workers score with `Scorer`, which is the same
function folded into one weight a feature. Its words stand in `portrait.models.reasons`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b
from math import exp, log, log1p
from typing import Any, NamedTuple

import msgspec

from portrait.features.registry import NOTHING
from portrait.features.voice import CLEAR
from portrait.lifecycle import HALF_LIVES_DAYS, Rhythm
from portrait.models.measures import TENTHS, UNSURE, tenth_of
from portrait.models.prior import START, Prior, logits
from portrait.models.spending import Spending
from portrait.structures import DAY_MS, WINDOW_DAYS, Days, within
from schemas.outputs import Snapshot, Sure

MODEL = "churn"
PRIOR = "prior"
#: Of snapshots that can be read. Those before BOUNDED have no bounds, and score as they did when they were made.
FORMATS, BOUNDED = (1, 2, 3), 3
#: The bound of what has none: the greatest double, for JSON knows no infinity.
FAR = 1.7976931348623157e308


def _displeased(tones: Days, today: int) -> int:
    """The days of the last 30 on which what was written was clearly displeased, all of a day taken together."""
    return sum(tone <= -CLEAR for day, tone in tones.items() if today - day < 30)


class Counted(NamedTuple):
    """A feature that counts something: the model sees log1p of it. ``theme``: what reasons call it."""

    name: str
    theme: str
    of: Callable[[Any, int], float]  # (the state's parts, the UTC day) -> how often


#: A new feature is a line at the end: examples that wait for their label know features by position. A theme that is new needs
#: words in `portrait.models.reasons`.
COUNTED = (
    # low stars, low recommendations, conversations that solved nothing
    Counted("unhappy90", "unhappy", lambda of, today: within(of.feedback.unhappy_days, today) if of.feedback else 0),
    Counted("late90", "late", lambda of, today: within(of.consumption.late_days, today) if of.consumption else 0),
    Counted("refused30", "refusals", lambda of, today: within(of.contacts.refused_days, today, 30) if of.contacts else 0),
    # mentions that name a rival
    Counted("rivals90", "rivals", lambda of, today: within(of.social.rival_days, today) if of.social else 0),
    Counted("displeased30", "tone", lambda of, today: _displeased(of.voice.tones, today) if of.voice else 0),
)
FEATURES = (
    PRIOR,
    "dead",  # the prior's log-odds of having left
    "none30",  # and of buying nothing within 30 days
    "recency",  # log1p(days since the last purchase day)
    "tenure",  # log1p(days since the first)
    "purchases",  # ln of the number of purchase days
    "lateness",  # ln of recency over the usual gap
    "recent21",  # ln of purchases decayed with a half-life of 21 days
    "recent60",
    "recent180",
    "spend",  # log1p of the mean order in the currency of most orders, minor units
    "visits7",  # log1p of clicks in 7 days
    "visits30",
    "visits_usual",  # ln of clicks in 30 days over those of 30 days on the average of the 60 before, one more of each
    "quiet",  # log1p(days since any event)
    "complaints_open",
    "complaints90",  # log1p
    "resolved_well",  # complaints resolved in 90 days with 4 or 5 stars
    "resolved_badly",  # with 1 or 2
    *(each.name for each in COUNTED),
)
#: The themes that reasons speak of, and the features that each sums up.
THEMES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("silence", (PRIOR, "dead", "none30", "recency", "lateness", "recent21", "recent60", "recent180", "quiet")),
    ("history", ("tenure", "purchases")),
    ("spend", ("spend",)),
    ("visits", ("visits7", "visits30", "visits_usual")),
    ("complaints", ("complaints_open", "complaints90", "resolved_well", "resolved_badly")),
    *((each.theme, (each.name,)) for each in COUNTED),
)
_THEME_INDEXES = [(theme, [FEATURES.index(name) for name in names]) for theme, names in THEMES]
INDEX = {name: i for i, name in enumerate(FEATURES)}
#: Stars for a complaint's resolution that say it went well, or badly.
WELL_STARS, BADLY_STARS = 4, 2
#: Less than this in log-odds is no reason.
REASON_LEAST = 0.05


def features(parts: Any, rhythm: Rhythm, today: int, scorer: Scorer) -> list[float] | None:
    """The features in the order of FEATURES, as of the UTC day ``today``; None for who has bought nothing yet.

    Of ``scorer`` they need the horizon and the prior.
    """
    if not rhythm.count:
        return None
    consumption = parts.consumption or NOTHING.consumption
    needs = parts.needs
    money = consumption.main_money()
    mean_minor = money.spent_minor / money.orders if money.orders else 0
    return [
        *buying(rhythm, today, scorer),
        log1p(max(0.0, mean_minor)),
        *_visits(parts.behaviour, today),
        log1p(max(0, today - parts.activity.last_ms // DAY_MS)),
        *(_complaints(needs, today) if needs is not None else _NO_COMPLAINTS),
        *[log1p(each.of(parts, today)) for each in COUNTED],
    ]


def buying(rhythm: Rhythm, today: int, scorer: Scorer) -> list[float]:
    """The features of the purchase days alone, `PRIOR` to ``recent180``."""
    recency, tenure = max(0, today - rhythm.last_day), max(0, today - rhythm.first_day)
    d21, d60, d180 = rhythm.decays
    return [
        *logits(scorer.prior, rhythm.count, recency, tenure, scorer.horizon_days),
        log1p(recency),
        log1p(tenure),
        log(rhythm.count),
        log((recency + 3.0) / (rhythm.gap_days + 3.0)),
        log(d21 * 0.5 ** (recency / HALF_LIVES_DAYS[0]) + 1e-3),
        log(d60 * 0.5 ** (recency / HALF_LIVES_DAYS[1]) + 1e-3),
        log(d180 * 0.5 ** (recency / HALF_LIVES_DAYS[2]) + 1e-3),
    ]


def _visits(behaviour: Any, today: int) -> tuple[float, float, float]:
    if behaviour is None:
        return 0.0, 0.0, 0.0
    week = month = before = 0
    for day, clicks in behaviour.days.items():
        age = today - day
        if age < 30:
            month += clicks
            if age < 7:
                week += clicks
        elif age < WINDOW_DAYS:
            before += clicks
    return log1p(week), log1p(month), log((month + 1.0) / (before / 2 + 1.0))  # before: of 60 days


_NO_COMPLAINTS = (0.0, 0.0, 0.0, 0.0)


def _complaints(needs: Any, today: int) -> tuple[float, float, float, float]:
    waiting = well = badly = 0
    for case in needs.cases:
        if not case.resolved_ms:
            waiting += 1
        elif today - case.resolved_ms // DAY_MS < WINDOW_DAYS:
            well += case.stars >= WELL_STARS
            badly += 0 < case.stars <= BADLY_STARS
    return float(waiting), log1p(within(needs.days, today)), float(well), float(badly)


def _by_strength(item: tuple[str, float]) -> tuple[float, str]:
    return -abs(item[1]), item[0]


def probability(log_odds: float) -> float:
    """Within [0, 1], whatever the log-odds."""
    if log_odds < -30.0:
        return 0.0
    return 1.0 / (1.0 + exp(-log_odds)) if log_odds < 30.0 else 1.0


class Scorer(msgspec.Struct, frozen=True, kw_only=True):
    """A model folded for scoring: log-odds = bias + sum of weight * value, each value no further out than its bounds, as the
    learner has it. Plain data, made by `fresh` or `from_snapshot`."""

    version: str
    horizon_days: int
    bias: float
    weights: list[float]  # in the order of FEATURES
    means: list[float]  # of each feature: what reasons compare with
    low: list[float]  # what is beyond counts as if it were just there
    high: list[float]
    prior: Prior = START
    spending: Spending = Spending()
    sure: list[Sure] = []  # by tenths of the risk; empty: no outcome is known

    def sure_of(self, risk: float) -> Sure:
        """What became of scores like this one."""
        return self.sure[tenth_of(risk)] if self.sure else UNSURE

    def risk(self, x: Sequence[float]) -> float:
        """The probability, within [0, 1]."""
        return probability(self.log_odds(x))

    def log_odds(self, x: Sequence[float]) -> float:
        log_odds = self.bias
        for weight, value, low, high in zip(self.weights, x, self.low, self.high, strict=True):
            log_odds += weight * (value if low <= value <= high else low if value < low else high)
        return log_odds

    def contributions(self, x: Sequence[float]) -> list[tuple[str, float]]:
        """(theme, log-odds against the average customer), greatest influence first."""
        seen = [min(max(value, low), high) for value, low, high in zip(x, self.low, self.high, strict=True)]
        each = [weight * (value - mean) for weight, value, mean in zip(self.weights, seen, self.means, strict=True)]
        themes = []
        for theme, indexes in _THEME_INDEXES:
            amount = 0.0
            for i in indexes:
                amount += each[i]
            if amount > REASON_LEAST or amount < -REASON_LEAST:
                themes.append((theme, amount))
        themes.sort(key=_by_strength)
        return themes


#: What the average customer looks like before anything is learned: two purchases, a month ago. Nothing of all else.
_TYPICAL = {
    PRIOR: 0.8, "none30": 1.6, "recency": 3.4, "tenure": 4.8, "purchases": 0.7, "lateness": -0.4, "recent21": -1.0,
    "recent60": -0.2, "recent180": 0.2, "spend": 8.5, "visits7": 0.7, "visits30": 1.4, "quiet": 2.4, "complaints90": 0.1,
}  # fmt: skip


def fresh(horizon_days: int) -> Scorer:
    """The prior alone: version 0.0/60 for 60 days. Risks of two horizons must not pass for scores of one version."""
    weights = [1.0] + [0.0] * (len(FEATURES) - 1)
    means = [_TYPICAL.get(name, 0.0) for name in FEATURES]
    low, high = unbounded(len(FEATURES))
    version = f"0.0/{horizon_days}"
    return Scorer(version=version, horizon_days=horizon_days, bias=0.0, weights=weights, means=means, low=low, high=high)


def unbounded(features: int) -> tuple[list[float], list[float]]:
    """The bounds of so many features that have none."""
    return [-FAR] * features, [FAR] * features


def from_snapshot(snapshot: Snapshot) -> Scorer:
    """The scorer in a snapshot, by the names of its features: one that it does not know has no weight yet, and of one that this
    code does not know everybody counts as the average. Raises ValueError if it doesn't fit this code."""
    try:
        names = msgspec.convert(snapshot.scorer.get("features"), list[str])
        bounds = dict(zip(("low", "high"), unbounded(len(names)), strict=True)) if snapshot.format < BOUNDED else {}
        scorer = msgspec.convert({**snapshot.scorer, **bounds, "version": snapshot.version}, Scorer)
    except msgspec.ValidationError as error:
        raise ValueError(f"snapshot {snapshot.version} of {snapshot.model!r}: {error}") from error
    lengths = {len(column) for column in (names, set(names), scorer.weights, scorer.means, scorer.low, scorer.high)}
    if PRIOR not in names or len(lengths) != 1 or len(scorer.sure) not in (0, TENTHS):
        raise ValueError(f"snapshot {snapshot.version} of {snapshot.model!r} was made for other features")
    return scorer if names == list(FEATURES) else _translated(scorer, names)


def _translated(scorer: Scorer, names: list[str]) -> Scorer:
    known = dict(zip(names, zip(scorer.weights, scorer.means, scorer.low, scorer.high, strict=True), strict=True))
    columns = [known.get(name, (0.0, _TYPICAL.get(name, 0.0), -FAR, FAR)) for name in FEATURES]
    weights, means, low, high = map(list, zip(*columns, strict=True))
    others = sum(weight * mean for name, (weight, mean, _, _) in known.items() if name not in INDEX)
    return msgspec.structs.replace(scorer, bias=scorer.bias + others, weights=weights, means=means, low=low, high=high)


def digest(snapshot: Snapshot) -> str:
    """By which a snapshot is known to be whole: of all but itself and ``recent``, which the copy that is kept lacks, and
    whose own digest is covered. Of format 1: of scorer and learner alone."""
    if snapshot.format == 1:
        return digest_of([snapshot.scorer, snapshot.learner])
    return digest_of(msgspec.structs.replace(snapshot, recent=[], digest=""))


def digest_of(data: Any) -> str:
    """blake2b, 16 bytes, over canonical JSON."""
    return blake2b(msgspec.json.encode(data, order="sorted"), digest_size=16).hexdigest()


def verify(snapshot: Snapshot, whole: bool = False) -> None:
    """Raises ValueError where a snapshot is of another model or format, or not as it was made. ``whole``: no copy without
    ``recent`` will do."""
    if snapshot.model != MODEL or snapshot.format not in FORMATS:
        raise ValueError(
            f"snapshot of model {snapshot.model!r}, format {snapshot.format}: this code reads {MODEL!r}, formats {FORMATS}"
        )
    others = snapshot.format > 1 and (whole or snapshot.recent) and digest_of(snapshot.recent) != snapshot.recent_digest
    if others or digest(snapshot) != snapshot.digest:
        raise ValueError(f"snapshot {snapshot.version}: its digest does not match its contents")
