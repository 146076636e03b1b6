"""A customer who counted as lost bought again."""

from __future__ import annotations

from portrait.rules.base import DAY_MS, Raised, Rule, Turn
from schemas.outputs import Reason

SUGGEST = Reason(
    "suggest.welcome-back",
    "Welcome back, and make sure that this order goes well.",
    "欢迎回归，并确保这一单体验顺利。",
)


def check(turn: Turn) -> Raised | None:
    if turn.stage.name != "won_back" or not turn.stage_before or turn.stage_before == "won_back":
        return None
    return Raised(str(turn.stage.since_day), [turn.why_stage()], SUGGEST)


RULE = Rule("lost-customer-came-back", "stage", check, cooldown_ms=30 * DAY_MS, expiry_ms=7 * DAY_MS)
