"""Why this customer's churn risk is what it is, and what would lower it; the words for it stand in `schemas.words`.

A reason is a theme's part of the log-odds against the average customer. A lever is something that the company can bring about:
the score is made again as if it had been, and said if that is clearly less.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import exp
from typing import NamedTuple

from portrait.lifecycle import GROWING_PURCHASES, HALF_LIVES_DAYS, MATURE_PURCHASES, PRIOR_GAP_DAYS, Rhythm
from portrait.models.churn import INDEX, Scorer, buying
from schemas.words import Lever, Why

REASONS_MAX = LEVERS_MAX = 3
#: A lever that lowers the risk by less is not worth a sentence.
LEVER_LEAST = 0.01
#: Nobody buys seldom whose usual gap is less, and nobody often whose gap is more.
SELDOM_DAYS, OFTEN_DAYS = 30, 90

_MONTH, _USUAL, _QUIET = INDEX["visits30"], INDEX["visits_usual"], INDEX["quiet"]
_OPEN, _WELL, _SPEND = INDEX["complaints_open"], INDEX["resolved_well"], INDEX["spend"]


class _Seen(NamedTuple):
    """What the words of a reason are made of."""

    x: Sequence[float]
    rhythm: Rhythm
    today: int
    scorer: Scorer


def reasons(scorer: Scorer, x: Sequence[float], rhythm: Rhythm, today: int) -> list[Why]:
    """This customer's own top reasons, strongest first. The code says the theme and the direction: ``risk.silence.up``.

    A theme whose numbers do not speak for its direction is passed over: what did not happen is no reason against a customer,
    and trouble that did happen none for them, should the model have learned so from a few.
    """
    seen, found = _Seen(x, rhythm, today, scorer), list[Why]()
    for theme, amount in scorer.contributions(x):
        if len(found) == REASONS_MAX:
            break
        told = _THEMES[theme](seen, amount > 0)
        if told is not None:
            way, *numbers = told
            found.append(Why(f"risk.{theme}.{'up' if amount > 0 else 'down'}{way}", tuple(numbers)))
    return found


#: In which way it is said (`schemas.words`), and of which numbers.
Told = tuple[str, *tuple[int, ...]]
#: What is to be said of a customer for a theme that raises the risk, or lowers it; None where nothing true can be.
Theme = Callable[[_Seen, bool], Told | None]


def _silence(seen: _Seen, up: bool) -> Told | None:
    rhythm = seen.rhythm
    recency, gap = max(0, seen.today - rhythm.last_day), round(rhythm.gap_days)
    if rhythm.count == 1:  # there is no gap yet
        return _silence_once(recency, up)
    if up:
        if recency > gap:
            return "", recency, gap
        return (":seldom", gap) if gap >= SELDOM_DAYS else None
    if recency > gap:
        return (":waning", recency, gap) if gap <= OFTEN_DAYS else None
    return ("", recency, gap) if recency else (":today", gap)


def _silence_once(recency: int, up: bool) -> Told | None:
    if up:
        return (":once", recency) if recency else None
    if recency > PRIOR_GAP_DAYS:
        return None
    return (":first", recency) if recency else (":first-today",)


def _history(seen: _Seen, up: bool) -> Told | None:
    count = seen.rhythm.count
    if up:
        if count == 1:
            return (":once",)
        return ("", count) if count < MATURE_PURCHASES else None
    if count < GROWING_PURCHASES:
        return (":again",) if count == 2 else None
    return "", count


def _spend(seen: _Seen, up: bool) -> Told | None:
    """Against the shop's usual, whichever of both the model has learned to be the better sign."""
    value, usual = seen.x[_SPEND], seen.scorer.means[_SPEND]
    if not value:
        return None  # nothing is known of amounts
    return (":smaller",) if value < usual else (":larger",)


def _visits(seen: _Seen, up: bool) -> Told | None:
    month, usual = _counted(seen.x, _MONTH), _usual(seen.x)
    if up != (month < usual) or not (month or usual):
        return None
    return "", month, usual


def _complaints(seen: _Seen, up: bool) -> Told | None:
    x = seen.x
    waiting, well, badly = round(x[_OPEN]), round(x[_WELL]), round(x[INDEX["resolved_badly"]])
    complaints = _counted(x, INDEX["complaints90"])
    if up:
        return ("", waiting, complaints, badly) if waiting + complaints + badly else None
    if waiting or badly:
        return None
    if well:
        return "", well
    return None if complaints else (":none",)


def _trouble(feature: str, numbered: bool = True) -> Theme:
    """``numbered``: it is told how often."""
    index = INDEX[feature]

    def told(seen: _Seen, up: bool) -> Told | None:
        n = _counted(seen.x, index)
        if up != bool(n):
            return None
        return ("", n) if n and numbered else ("",)

    return told


_THEMES: Mapping[str, Theme] = {
    "silence": _silence,
    "history": _history,
    "spend": _spend,
    "visits": _visits,
    "complaints": _complaints,
    "unhappy": _trouble("unhappy90"),
    "late": _trouble("late90"),
    "refusals": _trouble("refused30", numbered=False),
    "rivals": _trouble("rivals90"),
    "tone": _trouble("displeased30"),
}


def _counted(x: Sequence[float], index: int) -> int:
    value = x[index]
    return round(exp(value) - 1) if value else 0


def _usual(x: Sequence[float]) -> int:
    """Clicks in 30 days, of the 60 days before the last 30."""
    return round(max(0.0, exp(x[_MONTH] - x[_USUAL]) - 1))


def levers(scorer: Scorer, x: Sequence[float], rhythm: Rhythm, today: int) -> list[Lever]:
    """What would lower the risk, and to what; the strongest first."""
    least = scorer.risk(x) - LEVER_LEAST
    found = []
    for name, change in _LEVERS.items():
        changed = change(scorer, x, rhythm, today)
        if changed is not None:
            lowered = scorer.risk(changed)
            if lowered <= least:
                found.append((lowered, name))
    found.sort()
    return [_told(name, lowered, x) for lowered, name in found[:LEVERS_MAX]]


def _told(name: str, lowered: float, x: Sequence[float]) -> Lever:
    numbers = {"resolve": (round(x[_OPEN]),), "visit": (_usual(x),) if name == "visit" else ()}
    return Lever(f"lever.{name}", numbers.get(name, ()), round(lowered, 4))


#: The features as if it had happened; None where there is nothing to change.
Change = Callable[[Scorer, Sequence[float], Rhythm, int], Sequence[float] | None]


def _with(x: Sequence[float], changes: Mapping[int, float]) -> list[float]:
    changed = list(x)
    for index, value in changes.items():
        changed[index] = value
    return changed


def _buy(scorer: Scorer, x: Sequence[float], rhythm: Rhythm, today: int) -> Sequence[float] | None:
    if today <= rhythm.last_day:
        return None
    elapsed, count = today - rhythm.last_day, rhythm.count + 1
    d21, d60, d180 = (d * 0.5 ** (elapsed / half) + 1.0 for d, half in zip(rhythm.decays, HALF_LIVES_DAYS, strict=True))
    gap_days = (PRIOR_GAP_DAYS + today - rhythm.first_day) / count
    bought = Rhythm(count=count, first_day=rhythm.first_day, last_day=today, gap_days=gap_days, decays=(d21, d60, d180))
    return _with(x, {**dict(enumerate(buying(bought, today, scorer))), _QUIET: 0.0})


def _resolve(scorer: Scorer, x: Sequence[float], rhythm: Rhythm, today: int) -> Sequence[float] | None:
    return _with(x, {_WELL: x[_WELL] + x[_OPEN], _OPEN: 0.0}) if x[_OPEN] else None


def _visit(scorer: Scorer, x: Sequence[float], rhythm: Rhythm, today: int) -> Sequence[float] | None:
    if x[_USUAL] >= 0 or _usual(x) <= _counted(x, _MONTH):
        return None
    return _with(x, {_MONTH: x[_MONTH] - x[_USUAL], _USUAL: 0.0})


def _without(name: str) -> Change:
    index = INDEX[name]
    return lambda scorer, x, rhythm, today: _with(x, {index: 0.0}) if x[index] else None


_LEVERS: Mapping[str, Change] = {
    "buy": _buy,
    "resolve": _resolve,
    "visit": _visit,
    "leave-in-peace": _without("refused30"),
    "deliver-in-time": _without("late90"),
}
