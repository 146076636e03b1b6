"""The lifecycle stage: a pure function of the purchase days and the moment, so it does not depend on the order of events.

The walk over the purchase days, oldest first, is a small state machine, and that is where the hysteresis lies: while a customer
buys, the stage only moves forward (new, growing, mature); only silence takes it down (declining, dormant, churned), after spans
that follow the customer's own rhythm; and only a purchase takes it up again. So a stage can't flap: between two purchases it
only goes down, each step once.

The rhythm is the usual gap between purchases, shrunk towards 90 days while there is little evidence:
(90 + sum of gaps) / number of purchase days.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from portrait.structures import NEVER
from schemas.words import Why

PRIOR_GAP_DAYS = 90
GROWING_PURCHASES = 3
MATURE_PURCHASES = 8
MATURE_TENURE_DAYS = 180
#: Purchases after which a customer who had gone counts as any other.
WON_BACK_PURCHASES = 3

STAGES = ("prospect", "new", "growing", "mature", "declining", "dormant", "churned", "won_back")
#: Silence as a multiple of the usual gap, with its least and most days: stage, factor, least, most.
SILENCE = (("declining", 1.5, 14, 120), ("dormant", 2.5, 30, 210), ("churned", 4.0, 60, 365))


class Rhythm(msgspec.Struct, array_like=True, gc=False):
    """What the walk over the purchase days leaves: all that the stage, the score and the reasons need. Derived, never merged."""

    count: int = 0
    first_day: int = 0
    last_day: int = 0
    gap_days: float = float(PRIOR_GAP_DAYS)
    stage: str = "prospect"  # while the customer is not silent
    since_day: int = 0  # when that stage was entered
    why: str = "seen"  # code of the reason
    why_days: int = 0  # the number of days that the reason names
    decays: tuple[float, float, float] = (0.0, 0.0, 0.0)  # purchases at the last one, decayed with HALF_LIVES_DAYS
    silence: tuple[int, int, int] = (0, 0, 0)  # days until declining, dormant, churned: `silence_days` of the gap


class Stage(msgspec.Struct, frozen=True, gc=False):
    """The stage at a moment, when it was entered, why, and the day on which silence would change it."""

    name: str
    since_day: int
    why: str
    why_days: int
    next_day: int


HALF_LIVES_DAYS = (21.0, 60.0, 180.0)


def silence_days(gap_days: float) -> tuple[int, int, int]:
    """After how many days without a purchase a customer of this rhythm is declining, dormant, churned."""
    a, b, c = (max(least, min(most, round(factor * gap_days))) for _, factor, least, most in SILENCE)
    return a, b, c


def walk(days: Sequence[int]) -> Rhythm:
    """Fold the purchase days (ascending, distinct) into the rhythm."""
    rhythm = Rhythm()
    if not days:
        return rhythm
    first = last = days[0]
    count, since_return, stage, since, why, why_days = 0, 0, "new", first, "first_purchase", 0
    gone = False
    decays = [0.0, 0.0, 0.0]
    for day in days:
        elapsed = day - last
        gap = (PRIOR_GAP_DAYS + last - first) / max(count, 1)
        declining, dormant, churned = silence_days(gap)
        count += 1
        if count > 1:
            decays = [d * 0.5 ** (elapsed / half) for d, half in zip(decays, HALF_LIVES_DAYS, strict=True)]
            if elapsed >= churned:
                gone, since_return = True, 0
                stage, since, why, why_days = "won_back", day, "bought_after_loss", elapsed
            elif elapsed >= declining:
                since, why, why_days = day, "bought_after_silence", elapsed
                since_return = 0 if elapsed >= dormant else since_return
        since_return += 1
        decays = [d + 1.0 for d in decays]
        last = day
        step = _step(count, since_return, day - first, gone)
        if step != stage and _forward(stage, step):
            stage, since, why, why_days = step, day, "bought_often", count
    gap = (PRIOR_GAP_DAYS + last - first) / count
    decayed = (decays[0], decays[1], decays[2])
    return Rhythm(count, first, last, gap, stage, since, why, why_days, decayed, silence_days(gap))


def _step(count: int, since_return: int, tenure_days: int, gone: bool) -> str:
    """The stage that the purchases so far have earned."""
    if gone and since_return < WON_BACK_PURCHASES:
        return "won_back"
    if count >= MATURE_PURCHASES and tenure_days >= MATURE_TENURE_DAYS:
        return "mature"
    return "growing" if count >= GROWING_PURCHASES else "new"


_RANK = {"new": 0, "won_back": 1, "growing": 2, "mature": 3}


def _forward(stage: str, step: str) -> bool:
    return _RANK[step] > _RANK[stage]


def stage_at(rhythm: Rhythm, today: int, first_seen_day: int) -> Stage:
    """The stage on the UTC day ``today``."""
    if not rhythm.count:
        return Stage("prospect", first_seen_day, "seen", 0, NEVER)
    spans = rhythm.silence
    elapsed = today - rhythm.last_day
    if elapsed < spans[0]:
        return Stage(rhythm.stage, rhythm.since_day, rhythm.why, rhythm.why_days, rhythm.last_day + spans[0])
    name, since, why, why_days, next_day = rhythm.stage, 0, "silent", 0, NEVER
    for i, (silent, *_) in enumerate(SILENCE):
        if elapsed >= spans[i]:
            name, since, why_days = silent, rhythm.last_day + spans[i], spans[i]
            next_day = rhythm.last_day + spans[i + 1] if i + 1 < len(SILENCE) else NEVER
    return Stage(name, since, why, why_days, next_day)


#: Of these many numbers a stage's reason tells: the days, and the gap that was usual.
_TOLD = {"bought_often": 1, "bought_after_silence": 1, "bought_after_loss": 1, "silent": 2}


def reason_of(stage: Stage, rhythm: Rhythm) -> Why:
    return Why(f"stage.{stage.why}", (stage.why_days, round(rhythm.gap_days))[: _TOLD.get(stage.why, 0)])
