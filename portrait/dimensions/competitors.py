"""Which competitors a customer speaks of, what they are compared for, and who has won the customer."""

from __future__ import annotations

from typing import Any, Literal

from portrait.dimensions.base import Dimension, Facts, at_least
from portrait.structures import DAY_MS, MORE, NEVER
from schemas.profile import View

SHOWN = 3


class Rival(View, frozen=True, kw_only=True):
    """One competitor."""

    mentions: int = 0  # at least so many
    last_ms: int = 0  # the latest
    #: won: bought from us since; lost: has not, for longer than is usual between their purchases; open: not decided yet
    outcome: Literal["won", "lost", "open"] = "open"


class Competitors(View, frozen=True, kw_only=True):
    """The competitors that were named latest, at most three, and what about."""

    rivals: dict[str, Rival] = {}
    compared_for: list[str] = []  # topics of those mentions, the most frequent first; at most three


def derive(facts: Facts) -> tuple[View | None, int]:
    part, consumption = facts.parts.rivals, facts.parts.consumption
    if part is None or not part.by_name:
        return None, NEVER
    ordered_ms = consumption.last.ms if consumption is not None else 0
    span = facts.rhythm.silence[0]  # 0: never bought, so there is nobody to lose
    due = NEVER
    latest = sorted(((-seen[1], name) for name, seen in part.by_name.items() if name != MORE))[:SHOWN]
    rivals: dict[str, Rival] = {}
    for minus_ms, name in latest:
        named_ms = -minus_ms
        outcome: Literal["won", "lost", "open"] = "open"
        if ordered_ms > named_ms:
            outcome = "won"
        elif span:
            lost_day = named_ms // DAY_MS + span
            if facts.today >= lost_day:
                outcome = "lost"
            else:
                due = min(due, lost_day)
        rivals[name] = Rival(mentions=at_least(part.by_name[name][0]), last_ms=named_ms, outcome=outcome)
    if not rivals:
        return None, NEVER
    return Competitors(rivals=rivals, compared_for=_topics(part.topics)), due


def _topics(topics: Any) -> list[str]:
    return [name for _, name in sorted((-n, name) for name, n in (topics or {}).items() if name != MORE)[:SHOWN]]


DIMENSION = Dimension(
    name="competitors",
    contract=Competitors,
    reads=("rivals", "consumption"),
    derive=derive,
    events=("mention.*", "account.followed", "order.placed"),
    zh="竞争对手",
)
