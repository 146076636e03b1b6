"""Two rules of the simulation's own, whose actions the truth alone decides: no threshold, no cooldown, no expiry, no cap.

So it can be said of every complaint, and of every customer's last silence, that an action must have been published.
"""

from __future__ import annotations

from portrait.rules.base import DAY_MS, Raised, Rule, Turn
from schemas.complaints import ComplaintOpened
from schemas.outputs import Reason

SILENT = ("declining", "dormant", "churned")
NEVER_MS = 1_000_000 * DAY_MS
_NONE = Reason("sim.none", "", "")


def _complaints(turn: Turn) -> Raised | None:
    ids = sorted(event.data.complaint_id for event in turn.events if isinstance(event.data, ComplaintOpened))
    return Raised(",".join(ids), [], _NONE) if ids else None


def _silence(turn: Turn) -> Raised | None:
    stage = turn.stage
    if stage.name not in SILENT or stage.name == turn.stage_before:
        return None
    return Raised(f"{stage.name}:{stage.since_day}", [], _NONE)


EVERY_COMPLAINT = Rule("every-complaint", ComplaintOpened, _complaints, cooldown_ms=0, expiry_ms=NEVER_MS)
EVERY_SILENCE = Rule("every-silence", "stage", _silence, cooldown_ms=0, expiry_ms=NEVER_MS)
