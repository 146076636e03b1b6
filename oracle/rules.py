"""When a customer's turn calls for an action, and which (docs/refold.md, "The rules")."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import NamedTuple

from oracle.ledger import Ledger
from oracle.stage import Stage
from oracle.tools import DAY_MS
from schemas.complaints import ComplaintOpened
from schemas.event import Event

THRESHOLD = 0.8
VALUED_ORDERS, VALUED_SPENT_MINOR = 8, 200_000


class Rule(NamedTuple):
    name: str
    cooldown_ms: int
    expiry_ms: int
    capped: bool = False


RISK_ROSE = Rule("churn-risk-rose", 14 * DAY_MS, 7 * DAY_MS, capped=True)
COMPLAINED = Rule("valued-customer-complained", DAY_MS, 2 * DAY_MS)
FELL = Rule("stage-fell", 7 * DAY_MS, 14 * DAY_MS)
CAME_BACK = Rule("lost-customer-came-back", 30 * DAY_MS, 7 * DAY_MS)


class Turn(NamedTuple):
    """A customer before and after. ``stage_before`` is empty for who was not known."""

    ledger: Ledger
    events: Sequence[Event]
    stage_before: str
    stage: Stage
    risk_before: float | None
    risk: float | None


def called_for(turn: Turn) -> Iterator[tuple[Rule, str]]:
    """The rules that apply, in their order, and the episode of each."""
    if turn.risk_before is not None and turn.risk is not None and turn.risk_before < THRESHOLD <= turn.risk:
        yield RISK_ROSE, str(turn.ledger.bought[-1])
    opened = [(event.time_ms, event.data.complaint_id) for event in turn.events if isinstance(event.data, ComplaintOpened)]
    if opened and (turn.ledger.placed >= VALUED_ORDERS or turn.ledger.spent_minor >= VALUED_SPENT_MINOR):
        yield COMPLAINED, max(opened)[1]
    if turn.stage_before not in ("", turn.stage.name):
        if turn.stage.name in ("declining", "dormant"):
            yield FELL, f"{turn.stage.name}:{turn.stage.since_day}"
        elif turn.stage.name == "won_back":
            yield CAME_BACK, str(turn.stage.since_day)


def digest(customer_id: str, cause: str, *episode: str) -> str:
    """The id of an action or lesson."""
    return blake2b("\0".join((customer_id, cause, *episode)).encode(), digest_size=16).hexdigest()
