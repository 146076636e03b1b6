"""The churn risk crossed the threshold upwards, between two scores by one version of the model."""

from __future__ import annotations

from portrait.rules.base import DAY_MS, Raised, Rule, Turn
from schemas.outputs import Reason

THRESHOLD = 0.8
SUGGEST = Reason(
    "suggest.reach-out",
    "Get in touch on the channel they answer on, with something that fits what they last bought.",
    "通过其常用渠道主动联系，结合最近一次购买给出合适的关怀或优惠。",
)


def check(turn: Turn) -> Raised | None:
    if turn.risk is None or turn.risk_before is None or not turn.risk_before < THRESHOLD <= turn.risk:
        return None
    return Raised(str(turn.rhythm.last_day), turn.why_risk(), SUGGEST)


RULE = Rule("churn-risk-rose", "risk", check, cooldown_ms=14 * DAY_MS, expiry_ms=7 * DAY_MS, capped=True)
