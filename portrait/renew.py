"""A state made anew from all of a customer's events, to stand in the place of one that may be wrong. Pure.

The facts follow from the events alone, in whatever order, so nothing is settled while they are folded. What the facts decide
is made anew as of the old state's moment: stage, score, history of stages, view. What was promised to the world outside is
carried over: effects that wait to be published, cooldowns, examples that wait for their label, and the version that readers
have seen (ADR 12).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from portrait.dimensions.registry import DIMENSIONS
from portrait.evolve import Arrival, expire, fold, sift
from portrait.features.registry import FEATURES, NOTHING
from portrait.lifecycle import stage_at, walk
from portrait.models.churn import Scorer
from portrait.settle import STAGES_KEPT, Policy, Settling, settle, wake_ms
from portrait.show import show
from portrait.state import State
from portrait.structures import DAY_MS, NEVER

#: While it is folded, a state's moment follows its latest event at this distance: the old state's may lie behind that event.
BEHIND_MS = 90 * DAY_MS
#: It moves in steps of this length, and lets go of what has left all windows: memory is bounded, however long the history.
STEP_MS = 30 * DAY_MS
#: What a view may consist of, besides its version and its moment.
FIELDS = frozenset(
    {
        "stage",
        "lifecycle",
        "journey",
        "churn_risk",
        "risk",
        "value",
        "tags",
        *(feature.name for feature in FEATURES),
        *(dimension.name for dimension in DIMENSIONS),
    }
)

#: Fields of the state that follow from its facts, its moment and the model.
MADE_ANEW = (
    "stage", "stages", "risk", "value", "model", "scored_day", "rescore_day", "due_days", "shown_day", "shown", "tags", "tagged",
)  # fmt: skip

_SILENT = Policy(effects=False, silence_ms=NEVER)


def refold(state: State, arrivals: Sequence[Arrival]) -> int:
    """Fold what is new of these, in place; returns how many were. The state can't be read before `renew`."""
    fresh, _, _ = sift(state, arrivals)
    dirty: set[int] = set()
    for event in fresh:
        fold(state, event, dirty)
    if fresh and fresh[-1].time_ms - BEHIND_MS > state.moment_ms + STEP_MS:
        state.moment_ms = fresh[-1].time_ms - BEHIND_MS
        expire(state)
    return len(fresh)


def renew(
    customer_id: str, state: State, live: State | None, moment_ms: int, version: int, scorer: Scorer
) -> dict[str, bytes | None]:
    """Settle a refolded ``state`` at ``moment_ms``, in place, and without effects, so that it can replace ``live``.

    ``version``: the greatest that readers may have seen. Returns the whole view: None stands for a field to delete. May be
    called again when more has been folded.
    """
    fresh = State()
    for name in MADE_ANEW:
        setattr(state, name, getattr(fresh, name))
    days = (state.parts.consumption or NOTHING.consumption).bought.days()
    state.rhythm = walk(days)
    work = Settling(customer_id, state, moment_ms, scorer, _SILENT)
    work.moved = True
    work.dirty.update(range(len(FEATURES)))
    settle(work, max(moment_ms, state.moment_ms), ())
    expire(state)
    history = stages_until(days, state.parts.activity.first_ms // DAY_MS, state.moment_ms // DAY_MS)
    if history and history[-1][0] == state.stage:
        history.pop()
    state.stages = [*history, *state.stages][-STAGES_KEPT:]
    if live is not None:
        state.pending, state.cooldowns, state.effects = live.pending, live.cooldowns, live.effects
        state.owes_silence = live.owes_silence
    if work.stage is not None:
        state.wake_ms = wake_ms(work.customer_id, state, work.stage)
    state.version = version + 1
    return {**dict.fromkeys(FIELDS), **show(work)}


def stages_until(days: Sequence[int], first_seen_day: int, today: int) -> list[tuple[str, int]]:
    """The last stages until ``today``, with the day of entry, of a customer who bought on ``days`` (ascending, distinct).

    Backwards from one purchase that changed the stage to the one before: what lies between them is silence.
    """
    found: list[tuple[str, int]] = []
    count, until = bisect_right(days, today), today
    while len(found) < STAGES_KEPT:
        rhythm = walk(days[:count])
        day = rhythm.since_day if count else first_seen_day
        if not count and days and day >= until:
            break  # bought at first sight
        entered: list[tuple[str, int]] = []
        while day <= until:  # what silence brings on the day of a purchase comes before it, at midnight
            stage = stage_at(rhythm, day, first_seen_day)
            entered.append((stage.name, stage.since_day))
            day = stage.next_day
        found = entered + found
        if not count:
            break
        count, until = bisect_left(days, rhythm.since_day), rhythm.since_day
    return found[-STAGES_KEPT:]
