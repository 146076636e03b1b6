"""What a rule is: when a customer turns, it raises an action, once an episode."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from portrait.features.consumption import Consumption
from portrait.features.registry import NOTHING
from portrait.lifecycle import Rhythm, Stage, reason_of
from portrait.models.churn import Scorer
from portrait.models.reasons import reasons
from portrait.state import State
from schemas.event import Event
from schemas.outputs import Reason
from schemas.types import Data

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


class Turn:
    """What happened to one customer between two moments: what rules look at.

    ``stage_before`` is empty for a new customer; ``risk_before`` was made by the same version of the model as ``risk``.
    """

    __slots__ = ("_scorer", "_state", "_x", "events", "risk", "risk_before", "stage", "stage_before")

    def __init__(
        self,
        events: Sequence[Event],
        stage_before: str,
        stage: Stage,
        risk_before: float | None,
        state: State,
        scorer: Scorer,
        x: Sequence[float] | None,
    ) -> None:
        self.events, self.stage_before, self.stage, self.risk_before = events, stage_before, stage, risk_before
        self.risk = state.risk
        self._state, self._scorer, self._x = state, scorer, x

    @property
    def consumption(self) -> Consumption:
        return self._state.parts.consumption or NOTHING.consumption

    @property
    def rhythm(self) -> Rhythm:
        return self._state.rhythm

    def why_stage(self) -> Reason:
        return reason_of(self.stage, self._state.rhythm).reason()

    def why_risk(self) -> list[Reason]:
        """Empty for a customer without a score."""
        state = self._state
        return reasons(self._scorer, self._x, state.rhythm, state.scored_day) if self._x else []


class Raised(NamedTuple):
    """``episode`` makes the action's id: the same episode, the same action."""

    episode: str
    reasons: list[Reason]
    suggest: Reason


class Rule(NamedTuple):
    name: str
    #: What must have happened for the rule to be looked at: the stage or the risk changed, or an event of this type came.
    trigger: Literal["stage", "risk"] | type[Data]
    check: Callable[[Turn], Raised | None]
    cooldown_ms: int
    expiry_ms: int
    #: Whether the model alone can set it off, for everybody at once: such actions are capped by rate.
    capped: bool = False
