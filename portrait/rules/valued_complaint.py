"""A customer of high value complained."""

from __future__ import annotations

from portrait.rules.base import DAY_MS, Raised, Rule, Turn
from schemas.complaints import ComplaintOpened
from schemas.outputs import Reason

#: High value: net lifetime spend (minor units), or as many orders.
SPENT_MINOR = 200_000
ORDERS = 8
SUGGEST = Reason(
    "suggest.call-back",
    "Let an experienced agent call back today, before anything else is offered.",
    "请资深客服当天回电，先解决问题，再谈其他。",
)


def check(turn: Turn) -> Raised | None:
    consumption = turn.consumption
    if consumption.placed < ORDERS and consumption.spent_minor < SPENT_MINOR:
        return None
    opened = [event for event in turn.events if isinstance(event.data, ComplaintOpened)]
    if not opened:
        return None
    worst = max(opened, key=lambda event: (event.time_ms, event.data.complaint_id))
    reason = Reason(
        "complaint.valued",
        f"Complained after {consumption.placed} orders.",
        f"累计 {consumption.placed} 单的高价值客户发起投诉。",
    )
    return Raised(worst.data.complaint_id, [reason, turn.why_stage()], SUGGEST)


RULE = Rule("valued-customer-complained", ComplaintOpened, check, cooldown_ms=DAY_MS, expiry_ms=2 * DAY_MS)
