"""Why this customer's churn risk is what it is, and what would lower it, in words a service agent understands.

A reason is a theme's part of the log-odds against the average customer. A lever is something that the company can bring about:
the score is made again as if it had been, and said if that is clearly less.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import exp
from typing import Any

from portrait.features.registry import NOTHING
from portrait.lifecycle import HALF_LIVES_DAYS, PRIOR_GAP_DAYS, Rhythm
from portrait.models.churn import INDEX, Scorer, buying, within
from schemas.outputs import Lever, Reason

REASONS_MAX = LEVERS_MAX = 3
#: A lever that lowers the risk by less is not worth a sentence.
LEVER_LEAST = 0.01

Words = tuple[str, str]  # English, Chinese
_WORDS: Mapping[str, tuple[Words, Words]] = {  # theme: (raises the risk), (lowers it)
    "silence": (
        ("No purchase for {recency} days; the usual gap is about {gap}.", "已 {recency} 天未购买，平时约每 {gap} 天一次。"),
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
        (
            "{month} clicks in 30 days, {usual} in 30 days before: less than it takes.",
            "近 30 天访问点击 {month} 次，此前每 30 天约 {usual} 次，访问偏少。",
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
        ("Deliveries came in time.", "配送均按时送达。"),
    ),
    "refusals": (
        ("Refuses our messages.", "近期拒收我们的消息。"),
        ("Takes our messages.", "愿意接收我们的消息。"),
    ),
    "rivals": (
        ("Named a rival in public {rivals} times in 90 days.", "90 天内公开提及竞争对手 {rivals} 次。"),
        ("Has not named a rival in 90 days.", "90 天内未提及竞争对手。"),
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
    numbers = _numbers(x, parts, rhythm, today)
    # What did not happen is no reason against a customer, whatever it is worth beside the average one.
    hollow = {
        "silence": not numbers["recency"],
        "complaints": not (numbers["open"] or numbers["complaints"] or numbers["badly"]),
        "visits": parts.behaviour is None,
        **{theme: not numbers[theme] for theme in ("unhappy", "late", "refusals", "rivals")},
    }
    found: list[Reason] = []
    for theme, amount in scorer.contributions(x):
        up = amount > 0
        if len(found) < REASONS_MAX and not (up and hollow.get(theme)):
            en, zh = _WORDS["silence-once" if theme == "silence" and rhythm.count == 1 else theme][0 if up else 1]
            code = f"risk.{theme}.{'up' if up else 'down'}"
            found.append(Reason(code, en.format(**numbers), zh.format(**numbers)))
    return found


def _numbers(x: Sequence[float], parts: Any, rhythm: Rhythm, today: int) -> dict[str, int]:
    needs, month = parts.needs or NOTHING.needs, round(exp(x[INDEX["visits30"]]) - 1)
    return {
        "recency": max(0, today - rhythm.last_day),
        "gap": round(rhythm.gap_days),
        "count": rhythm.count,
        "month": month,
        "usual": _usual(x),
        "open": round(x[INDEX["complaints_open"]]),
        "complaints": within(needs.days, today),
        "well": round(x[INDEX["resolved_well"]]),
        "badly": round(x[INDEX["resolved_badly"]]),
        "unhappy": _counted(x, "unhappy90"),
        "late": _counted(x, "late90"),
        "refusals": _counted(x, "refused30"),
        "rivals": _counted(x, "rivals90"),
    }


def _counted(x: Sequence[float], name: str) -> int:
    return round(exp(x[INDEX[name]]) - 1)


def _usual(x: Sequence[float]) -> int:
    """Clicks in 30 days, of the 60 days before the last 30."""
    return round(max(0.0, exp(x[INDEX["visits30"]] - x[INDEX["visits_usual"]]) - 1))


def levers(scorer: Scorer, x: Sequence[float], parts: Any, rhythm: Rhythm, today: int) -> list[Lever]:
    """What would lower the risk, and to what; the strongest first."""
    risk = scorer.risk(x)
    found = []
    for name, change in _LEVERS.items():
        changed = change(x, rhythm, today, scorer)
        if changed is not None:
            lowered = scorer.risk(changed)
            if lowered <= risk - LEVER_LEAST:
                found.append((lowered, name))
    numbers = {"open": round(x[INDEX["complaints_open"]]), "usual": _usual(x)}
    told = []
    for lowered, name in sorted(found)[:LEVERS_MAX]:
        en, zh = (words.format(percent=round(lowered * 100), **numbers) for words in _LEVER_WORDS[name])
        told.append(Lever(f"lever.{name}", en, zh, round(lowered, 4)))
    return told


Change = Callable[[Sequence[float], Rhythm, int, Scorer], list[float] | None]


def _buy(x: Sequence[float], rhythm: Rhythm, today: int, scorer: Scorer) -> list[float] | None:
    if today <= rhythm.last_day:
        return None
    elapsed, count = today - rhythm.last_day, rhythm.count + 1
    d21, d60, d180 = (d * 0.5 ** (elapsed / half) + 1.0 for d, half in zip(rhythm.decays, HALF_LIVES_DAYS, strict=True))
    gap_days = (PRIOR_GAP_DAYS + today - rhythm.first_day) / count
    bought = Rhythm(count=count, first_day=rhythm.first_day, last_day=today, gap_days=gap_days, decays=(d21, d60, d180))
    own = buying(bought, today, scorer)
    changed = [*own, *x[len(own) :]]
    changed[INDEX["quiet"]] = 0.0
    return changed


def _resolve(x: Sequence[float], rhythm: Rhythm, today: int, scorer: Scorer) -> list[float] | None:
    waiting = x[INDEX["complaints_open"]]
    return _with(x, complaints_open=0.0, resolved_well=x[INDEX["resolved_well"]] + waiting) if waiting else None


def _visit(x: Sequence[float], rhythm: Rhythm, today: int, scorer: Scorer) -> list[float] | None:
    lacking = -x[INDEX["visits_usual"]]
    return _with(x, visits30=x[INDEX["visits30"]] + lacking, visits_usual=0.0) if lacking > 0 else None


def _without(name: str) -> Change:
    def change(x: Sequence[float], rhythm: Rhythm, today: int, scorer: Scorer) -> list[float] | None:
        return _with(x, **{name: 0.0}) if x[INDEX[name]] else None

    return change


def _with(x: Sequence[float], **values: float) -> list[float]:
    changed = list(x)
    for name, value in values.items():
        changed[INDEX[name]] = value
    return changed


_LEVERS: Mapping[str, Change] = {
    "buy": _buy,
    "resolve": _resolve,
    "visit": _visit,
    "leave-in-peace": _without("refused30"),
    "deliver-in-time": _without("late90"),
}
