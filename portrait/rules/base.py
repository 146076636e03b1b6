"""What a rule is: when a customer turns, it raises an action, once an episode."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from portrait.lifecycle import Rhythm, Stage
from schemas.event import Event
from schemas.outputs import Reason

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


class Turn(NamedTuple):
    """What happened to one customer between two moments: what rules look at. ``before`` is empty for a new customer."""

    events: Sequence[Event]
    stage_before: str
    stage: Stage
    risk_before: float | None  # by the same version of the model as ``risk``
    risk: float | None
    parts: Any
    rhythm: Rhythm
    why_stage: Callable[[], Reason]
    why_risk: Callable[[], list[Reason]]


class Raised(NamedTuple):
    """``episode`` makes the action's id: the same episode, the same action."""

    episode: str
    reasons: list[Reason]
    suggest: Reason


class Rule(NamedTuple):
    name: str
    check: Callable[[Turn], Raised | None]
    cooldown_ms: int
    expiry_ms: int
    #: Whether the model alone can set it off, for everybody at once: such actions are capped by rate.
    capped: bool = False
