"""Why this customer's churn risk is what it is, and what would lower it, in words a service agent understands.

A reason is a theme's part of the log-odds against the average customer. A lever is something that the company can bring about:
the score is made again as if it had been, and said if that is clearly less.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import exp
from typing import NamedTuple

from portrait.lifecycle import GROWING_PURCHASES, HALF_LIVES_DAYS, MATURE_PURCHASES, PRIOR_GAP_DAYS, Rhythm
from portrait.models.churn import INDEX, Scorer, buying
from schemas.outputs import Lever, Reason

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


def reasons(scorer: Scorer, x: Sequence[float], rhythm: Rhythm, today: int) -> list[Reason]:
    """This customer's own top reasons, strongest first. The code says the theme and the direction: ``risk.silence.up``.

    A theme whose numbers do not speak for its direction is passed over: what did not happen is no reason against a customer,
    and trouble that did happen none for them, should the model have learned so from a few.
    """
    seen, found = _Seen(x, rhythm, today, scorer), list[Reason]()
    for theme, amount in scorer.contributions(x):
        if len(found) == REASONS_MAX:
            break
        words = _THEMES[theme](seen, amount > 0)
        if words is not None:
            found.append(Reason(f"risk.{theme}.{'up' if amount > 0 else 'down'}", *words))
    return found


Words = tuple[str, str]  # English, Chinese
#: What is to be said of a customer for a theme that raises the risk, or lowers it; None where nothing true can be.
Theme = Callable[[_Seen, bool], Words | None]


def _silence(seen: _Seen, up: bool) -> Words | None:
    rhythm = seen.rhythm
    recency, gap = max(0, seen.today - rhythm.last_day), round(rhythm.gap_days)
    days = _some(recency, "day")
    short, every = ("every day",) * 2 if gap == 1 else (f"every {gap}", f"every {gap} days")
    if rhythm.count == 1:  # there is no gap yet
        return _silence_once(recency, days, up)
    if up:
        if recency > gap:
            return (
                f"No purchase for {days}; one is expected about {short}.",
                f"已 {recency} 天未购买，预计约每 {gap} 天一次。",
            )
        return (f"Buys seldom: about {every}.", f"购买间隔较长，约每 {gap} 天一次。") if gap >= SELDOM_DAYS else None
    if recency > gap:
        return (
            f"Used to buy often, about {every}; last {days} ago.",
            f"曾经常购买，约每 {gap} 天一次；最近一次在 {recency} 天前。",
        ) if gap <= OFTEN_DAYS else None  # fmt: skip
    if not recency:
        return f"Last purchase today; one is expected about {every}.", f"今天购买过，预计约每 {gap} 天一次。"
    return (
        f"Last purchase {days} ago; one is expected about {short}.",
        f"最近一次购买在 {recency} 天前，预计约每 {gap} 天一次。",
    )


def _silence_once(recency: int, days: str, up: bool) -> Words | None:
    if up:
        return (f"Bought once, {days} ago.", f"仅购买过一次，距今 {recency} 天。") if recency else None
    if recency > PRIOR_GAP_DAYS:
        return None
    if not recency:
        return "First purchase today.", "今天首次购买。"
    return f"First purchase only {days} ago.", f"首次购买就在 {recency} 天前。"


def _history(seen: _Seen, up: bool) -> Words | None:
    count = seen.rhythm.count
    if up:
        if count == 1:
            return "Only one purchase so far.", "至今仅购买过一次。"
        if count >= MATURE_PURCHASES:
            return None
        return f"Only {count} days with a purchase so far.", f"至今仅有 {count} 天购买过。"
    if count < GROWING_PURCHASES:
        return ("Has bought again: 2 days with a purchase.", "已复购：有 2 天购买过。") if count == 2 else None
    return f"Loyal: {count} days with a purchase.", f"忠实客户：有 {count} 天购买过。"


def _spend(seen: _Seen, up: bool) -> Words | None:
    """Against the shop's usual, whichever of both the model has learned to be the better sign."""
    value, usual = seen.x[_SPEND], seen.scorer.means[_SPEND]
    if not value:
        return None  # nothing is known of amounts
    if value < usual:
        return "Orders are smaller than this shop's usual.", "客单价低于本店通常水平。"
    return "Orders are larger than this shop's usual.", "客单价高于本店通常水平。"


def _visits(seen: _Seen, up: bool) -> Words | None:
    month, usual = _counted(seen.x, _MONTH), _usual(seen.x)
    if up != (month < usual) or not (month or usual):
        return None
    return (
        f"{_some(month, 'click')} in 30 days, {usual} in 30 days before.",
        f"近 30 天点击 {month} 次，此前每 30 天约 {usual} 次。",
    )


def _complaints(seen: _Seen, up: bool) -> Words | None:
    x = seen.x
    waiting, well, badly = round(x[_OPEN]), round(x[_WELL]), round(x[INDEX["resolved_badly"]])
    complaints = _counted(x, INDEX["complaints90"])
    if up:
        return (
            f"{_some(waiting, 'complaint')} open, {complaints} in 90 days, {badly} resolved badly.",
            f"未解决投诉 {waiting} 件，90 天内共 {complaints} 件，处理不满意 {badly} 件。",
        ) if waiting + complaints + badly else None  # fmt: skip
    if waiting or badly:
        return None
    if well:
        return f"{_some(well, 'complaint')} resolved well, none open.", f"妥善解决投诉 {well} 件，无未解决投诉。"
    return None if complaints else ("No complaint in 90 days.", "90 天内没有投诉。")


def _trouble(feature: str, happened: Words, not_happened: Words) -> Theme:
    """``happened`` may say ``{n}``, how often, and ``{times}``: "once", "2 times"."""
    index = INDEX[feature]

    def words(seen: _Seen, up: bool) -> Words | None:
        n = _counted(seen.x, index)
        if up != bool(n):
            return None
        if not n:
            return not_happened
        times = "once" if n == 1 else f"{n} times"
        en, zh = (text.format(n=n, times=times) for text in happened)
        return en, zh

    return words


_THEMES: Mapping[str, Theme] = {
    "silence": _silence,
    "history": _history,
    "spend": _spend,
    "visits": _visits,
    "complaints": _complaints,
    "unhappy": _trouble(
        "unhappy90",
        ("Unhappy answers in 90 days: {n}.", "90 天内有 {n} 次不满意的反馈。"),
        ("No unhappy answers in 90 days.", "90 天内没有不满意的反馈。"),
    ),
    "late": _trouble(
        "late90",
        ("Late deliveries in 90 days: {n}.", "90 天内有 {n} 次配送延误。"),
        ("No late delivery in 90 days.", "90 天内没有配送延误。"),
    ),
    "refusals": _trouble(
        "refused30",
        ("Refuses our messages.", "近期拒收我们的消息。"),
        ("No refused message in 30 days.", "30 天内没有拒收消息。"),
    ),
    "rivals": _trouble(
        "rivals90",
        ("Named a rival in public {times} in 90 days.", "90 天内公开提及竞争对手 {n} 次。"),
        ("Has not named a rival in 90 days.", "90 天内未提及竞争对手。"),
    ),
    "tone": _trouble(
        "displeased30",
        ("Wrote clearly displeased on {n} of the last 30 days.", "近 30 天中有 {n} 天的文字明显不满。"),
        ("Wrote nothing clearly displeased in 30 days.", "近 30 天没有明显不满的文字。"),
    ),
}


def _some(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def _counted(x: Sequence[float], index: int) -> int:
    value = x[index]
    return round(exp(value) - 1) if value else 0


def _usual(x: Sequence[float]) -> int:
    """Clicks in 30 days, of the 60 days before the last 30."""
    return round(max(0.0, exp(x[_MONTH] - x[_USUAL]) - 1))


_LEVER_WORDS: Mapping[str, Words] = {
    "buy": ("A purchase now would bring it to {percent} %.", "若现在促成一次购买，风险降至 {percent}%。"),
    "resolve": (
        "Resolving {complaints} to their satisfaction would bring it to {percent} %.",
        "若妥善解决未结投诉（{open} 件），风险降至 {percent}%。",
    ),
    "visit": (
        "Visiting as usual again ({clicks} in 30 days) would bring it to {percent} %.",
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
    en, zh = _LEVER_WORDS[name]
    waiting, usual, percent = round(x[_OPEN]), _usual(x) if name == "visit" else 0, round(lowered * 100)
    complaints = "the open complaint" if waiting == 1 else f"the {waiting} open complaints"
    en = en.format(percent=percent, complaints=complaints, clicks=_some(usual, "click"))
    return Lever(f"lever.{name}", en, zh.format(percent=percent, open=waiting, usual=usual), round(lowered, 4))


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
