"""Why this customer's churn risk is what it is, and what would lower it, in words a service agent understands.

A reason is a theme's part of the log-odds against the average customer. A lever is something that the company can bring about:
the score is made again as if it had been, and said if that is clearly less.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import exp
from typing import Any

from portrait.lifecycle import HALF_LIVES_DAYS, PRIOR_GAP_DAYS, Rhythm
from portrait.models.churn import INDEX, Scorer, buying, probability
from schemas.outputs import Lever, Reason

REASONS_MAX = LEVERS_MAX = 3
#: A lever that lowers the risk by less is not worth a sentence.
LEVER_LEAST = 0.01

_MONTH, _USUAL, _QUIET = INDEX["visits30"], INDEX["visits_usual"], INDEX["quiet"]
_OPEN, _WELL = INDEX["complaints_open"], INDEX["resolved_well"]

Words = tuple[str, str]  # English, Chinese
_WORDS: Mapping[str, tuple[Words, Words]] = {  # theme: (raises the risk), (lowers it)
    "silence": (
        ("No purchase for {recency} days; one is expected about every {gap}.", "已 {recency} 天未购买，预计约每 {gap} 天一次。"),
        (
            "Last purchase {recency} days ago; one is expected about every {gap}.",
            "最近一次购买在 {recency} 天前，预计约每 {gap} 天一次。",
        ),
    ),
    "silence-once": (  # there is no gap yet
        ("Bought once, {recency} days ago.", "仅购买过一次，距今 {recency} 天。"),
        ("Bought once, {recency} days ago.", "仅购买过一次，距今 {recency} 天。"),
    ),
    "history": (
        ("Days with a purchase so far: {count}.", "有购买的天数：{count}。"),
        ("Days with a purchase so far: {count}.", "有购买的天数：{count}。"),
    ),
    "spend": (
        ("Order values speak for a looser tie.", "客单价显示黏性偏低。"),
        ("Order values speak for a firm tie.", "客单价显示黏性较高。"),
    ),
    "visits": (
        (
            "{month} clicks in 30 days, {usual} in 30 days before.",
            "近 30 天访问点击 {month} 次，此前每 30 天约 {usual} 次。",
        ),
        ("{month} clicks in 30 days, {usual} in 30 days before.", "近 30 天访问点击 {month} 次，此前每 30 天约 {usual} 次。"),
    ),
    "complaints": (
        (
            "{open} complaints open, {complaints} in 90 days, {badly} resolved badly.",
            "未解决投诉 {open} 件，90 天内共 {complaints} 件，处理不满意 {badly} 件。",
        ),
        ("Complaints open: {open}, resolved well: {well}.", "未解决投诉 {open} 件，妥善解决 {well} 件。"),
    ),
    "unhappy": (
        ("Unhappy answers in 90 days: {unhappy}.", "90 天内有 {unhappy} 次不满意的反馈。"),
        ("No unhappy answers in 90 days.", "90 天内没有不满意的反馈。"),
    ),
    "late": (
        ("Late deliveries in 90 days: {late}.", "90 天内有 {late} 次配送迟到。"),
        ("No late delivery in 90 days.", "90 天内没有配送迟到。"),
    ),
    "refusals": (
        ("Refuses our messages.", "近期拒收我们的消息。"),
        ("No refused message in 30 days.", "30 天内没有拒收消息。"),
    ),
    "rivals": (
        ("Named a rival in public {rivals} times in 90 days.", "90 天内公开提及竞争对手 {rivals} 次。"),
        ("Has not named a rival in 90 days.", "90 天内未提及竞争对手。"),
    ),
    "tone": (
        ("Wrote clearly displeased on {tone} of the last 30 days.", "近 30 天中有 {tone} 天的文字明显不满。"),
        ("Wrote nothing clearly displeased in 30 days.", "近 30 天没有明显不满的文字。"),
    ),
}
_LEVER_WORDS: Mapping[str, Words] = {
    "buy": ("A purchase now would bring it to {percent} %.", "若现在促成一次购买，风险降至 {percent}%。"),
    "resolve": (
        "Resolving the open complaints ({open}) to their satisfaction would bring it to {percent} %.",
        "若妥善解决未结投诉（{open} 件），风险降至 {percent}%。",
    ),
    "visit": (
        "Visiting as usual again ({usual} clicks in 30 days) would bring it to {percent} %.",
        "若恢复平时的访问（30 天约 {usual} 次），风险降至 {percent}%。",
    ),
    "leave-in-peace": (
        "Thirty days without a message that they refuse would bring it to {percent} %.",
        "若 30 天内不再发送其拒收的消息，风险降至 {percent}%。",
    ),
    "deliver-in-time": (
        "Had deliveries come in time, it would be {percent} %: make sure of the next.",
        "若配送准时，风险为 {percent}%，请确保下次按时送达。",
    ),
}


def reasons(scorer: Scorer, x: Sequence[float], parts: Any, rhythm: Rhythm, today: int) -> list[Reason]:
    """This customer's own top reasons, strongest first. The code says the theme and the direction: ``risk.silence.up``."""
    found: list[Reason] = []
    for theme, amount in scorer.contributions(x):
        if len(found) == REASONS_MAX:
            break
        numbers = _NUMBERS[theme](x, parts, rhythm, today)
        # What did not happen is no reason against a customer, whatever it is worth beside the average one.
        if amount > 0 and theme not in _ALWAYS and not any(numbers.values()):
            continue
        if amount > 0 and theme == "silence" and not numbers["recency"]:
            continue
        # And what did happen is none for them, should the model have learned so from a few.
        if amount < 0 and theme in _TROUBLE and any(numbers.values()):
            continue
        up = "up" if amount > 0 else "down"
        en, zh = _WORDS["silence-once" if theme == "silence" and rhythm.count == 1 else theme][0 if amount > 0 else 1]
        found.append(Reason(f"risk.{theme}.{up}", en.format_map(numbers), zh.format_map(numbers)))
    return found


Numbers = Callable[[Sequence[float], Any, Rhythm, int], dict[str, int]]


def _silence(x: Sequence[float], parts: Any, rhythm: Rhythm, today: int) -> dict[str, int]:
    return {"recency": max(0, today - rhythm.last_day), "gap": round(rhythm.gap_days)}


def _history(x: Sequence[float], parts: Any, rhythm: Rhythm, today: int) -> dict[str, int]:
    return {"count": rhythm.count}


def _visits(x: Sequence[float], parts: Any, rhythm: Rhythm, today: int) -> dict[str, int]:
    return {"month": _counted(x, _MONTH), "usual": _usual(x)}


def _complaints(x: Sequence[float], parts: Any, rhythm: Rhythm, today: int) -> dict[str, int]:
    return {
        "open": round(x[_OPEN]),
        "complaints": _counted(x, INDEX["complaints90"]),
        "well": round(x[_WELL]),
        "badly": round(x[INDEX["resolved_badly"]]),
    }


def _count_of(theme: str, feature: str) -> Numbers:
    index = INDEX[feature]
    return lambda x, parts, rhythm, today: {theme: _counted(x, index)}


_NUMBERS: Mapping[str, Numbers] = {
    "silence": _silence,
    "history": _history,
    "spend": lambda x, parts, rhythm, today: {},
    "visits": _visits,
    "complaints": _complaints,
    "unhappy": _count_of("unhappy", "unhappy90"),
    "late": _count_of("late", "late90"),
    "refusals": _count_of("refusals", "refused30"),
    "rivals": _count_of("rivals", "rivals90"),
    "tone": _count_of("tone", "displeased30"),
}
#: Themes that can speak against anybody.
_ALWAYS = frozenset(("history", "spend"))
_TROUBLE = frozenset(("unhappy", "late", "refusals", "rivals", "tone"))


def _counted(x: Sequence[float], index: int) -> int:
    value = x[index]
    return round(exp(value) - 1) if value else 0


def _usual(x: Sequence[float]) -> int:
    """Clicks in 30 days, of the 60 days before the last 30."""
    return round(max(0.0, exp(x[_MONTH] - x[_USUAL]) - 1))


def levers(scorer: Scorer, x: Sequence[float], rhythm: Rhythm, today: int) -> list[Lever]:
    """What would lower the risk, and to what; the strongest first."""
    log_odds = scorer.log_odds(x)
    least = probability(log_odds) - LEVER_LEAST
    found = []
    for name, change in _LEVERS.items():
        by = change(scorer, x, rhythm, today)
        if by < 0:
            lowered = probability(log_odds + by)
            if lowered <= least:
                found.append((lowered, name))
    found.sort()
    return [_told(name, lowered, x) for lowered, name in found[:LEVERS_MAX]]


def _told(name: str, lowered: float, x: Sequence[float]) -> Lever:
    en, zh = _LEVER_WORDS[name]
    numbers = {"percent": round(lowered * 100), "open": round(x[_OPEN]), "usual": _usual(x) if name == "visit" else 0}
    return Lever(f"lever.{name}", en.format_map(numbers), zh.format_map(numbers), round(lowered, 4))


#: By how much a change moves the log-odds; 0 where there is nothing to change.
Change = Callable[[Scorer, Sequence[float], Rhythm, int], float]


def _buy(scorer: Scorer, x: Sequence[float], rhythm: Rhythm, today: int) -> float:
    if today <= rhythm.last_day:
        return 0.0
    elapsed, count = today - rhythm.last_day, rhythm.count + 1
    d21, d60, d180 = (d * 0.5 ** (elapsed / half) + 1.0 for d, half in zip(rhythm.decays, HALF_LIVES_DAYS, strict=True))
    gap_days = (PRIOR_GAP_DAYS + today - rhythm.first_day) / count
    bought = Rhythm(count=count, first_day=rhythm.first_day, last_day=today, gap_days=gap_days, decays=(d21, d60, d180))
    own = buying(bought, today, scorer)
    by = sum(weight * (after - before) for weight, after, before in zip(scorer.weights, own, x, strict=False))
    return by - scorer.weights[_QUIET] * x[_QUIET]


def _resolve(scorer: Scorer, x: Sequence[float], rhythm: Rhythm, today: int) -> float:
    return (scorer.weights[_WELL] - scorer.weights[_OPEN]) * x[_OPEN]


def _visit(scorer: Scorer, x: Sequence[float], rhythm: Rhythm, today: int) -> float:
    lacking = -x[_USUAL]
    if lacking <= 0 or _usual(x) <= _counted(x, _MONTH):
        return 0.0
    return (scorer.weights[_MONTH] + scorer.weights[_USUAL]) * lacking


def _without(name: str) -> Change:
    index = INDEX[name]
    return lambda scorer, x, rhythm, today: -scorer.weights[index] * x[index]


_LEVERS: Mapping[str, Change] = {
    "buy": _buy,
    "resolve": _resolve,
    "visit": _visit,
    "leave-in-peace": _without("refused30"),
    "deliver-in-time": _without("late90"),
}
