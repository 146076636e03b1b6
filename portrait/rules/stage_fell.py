"""The stage turned declining or dormant: silence has become longer than this customer's rhythm explains."""

from __future__ import annotations

from portrait.rules.base import DAY_MS, Raised, Rule, Turn
from schemas.outputs import Reason

SUGGEST = {
    "declining": Reason(
        "suggest.remind",
        "Remind gently: what is new in their favourite categories, or what runs out about now.",
        "温和提醒：其偏好品类的新品，或按周期该补货的商品。",
    ),
    "dormant": Reason(
        "suggest.wake",
        "Wake with a real reason to return: a personal offer, or a question why they stay away.",
        "用真正的理由唤醒：专属优惠，或询问离开的原因。",
    ),
}


def check(turn: Turn) -> Raised | None:
    stage = turn.stage
    if stage.name not in SUGGEST or not turn.stage_before or stage.name == turn.stage_before:
        return None
    return Raised(f"{stage.name}:{stage.since_day}", [turn.why_stage(), *turn.why_risk()], SUGGEST[stage.name])


RULE = Rule("stage-fell", "stage", check, cooldown_ms=7 * DAY_MS, expiry_ms=14 * DAY_MS)
