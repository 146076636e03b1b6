"""The view: what readers of the profile's hash see. Each feature shows one field; the stage and the score show theirs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from zlib import crc32

import msgspec

from portrait.dimensions.base import Facts
from portrait.dimensions.registry import DIMENSIONS, READ_BY
from portrait.features.base import unseen
from portrait.features.registry import FEATURES
from portrait.journey import journey
from portrait.lifecycle import reason_of
from portrait.models.reasons import levers, reasons
from portrait.models.value import BUYS_DIGITS, Value, shown_value
from portrait.settle import Settling, expect
from portrait.state import State
from portrait.structures import DAY_MS, NEVER
from portrait.tags.held import LOOKS, STANDING_LOOKS, TAGS_MAX, Held, found_in, heaviest, looked_at, looked_at_all, told
from portrait.tags.registry import DIGEST
from portrait.tags.standing import risk_step, standing_of

_json = msgspec.json.Encoder().encode
#: Earlier stages that are shown.
BEFORE = 2


_NAMES = [feature.name for feature in FEATURES]
#: What many small events add up to is concluded anew when there are so much more of them: an eighth.
GROWN = 8
#: In `State.due_days` dimension n stands under DERIVED + n.
DERIVED = 1000
NEEDS, CONSUMPTION = _NAMES.index("needs"), _NAMES.index("consumption")
#: What the step of the journey follows from, besides stage and purchases.
FUNNEL = frozenset(_NAMES.index(name) for name in ("behaviour", "consumption", "needs", "social", "feedback", "voice"))


def next_shown_day(state: State) -> int:
    """The day on which some feature's view changes by itself."""
    return min(state.due_days.values(), default=NEVER)


def show(work: Settling) -> dict[str, bytes | None]:
    """The fields that may have changed, by an event or by themselves; None: to delete."""
    state = work.state
    today = state.moment_ms // DAY_MS
    another_day = today != state.shown_day
    state.shown_day = today
    fields: dict[str, bytes | None] = {}
    due = {index for index, day in state.due_days.items() if day <= today}
    dirty = work.dirty.union(index for index in due if index < DERIVED)
    derived = {index - DERIVED for index in due if index >= DERIVED}
    grown = state.events % max(1, state.events // GROWN) == 0
    for index in dirty:
        feature = FEATURES[index]
        part = getattr(state.parts, feature.name) if feature.view is not unseen else None
        due_day = 0
        if part is not None:
            shown, due_day = feature.view(part, today)
            if due_day < NEVER:
                state.due_days[index] = due_day
            else:
                state.due_days.pop(index, None)
            fields[feature.name] = None if shown is None else _json(shown)
        # What waits is looked at when a window ends; with none open (it came too late for all of them) it can't wait.
        if grown or not feature.frequent or index in due or due_day >= NEVER:
            derived |= READ_BY[index]
    tags_before, value_before = state.tags, state.value
    tagged = state.tagged == DIGEST
    _derive(work, range(len(DIMENSIONS)) if work.moved or not tagged else derived, not tagged, fields)
    if work.stage is not None:
        if work.moved:
            fields["lifecycle"] = _json(_lifecycle(work))
            fields["stage"] = state.stage.encode()
        if work.x is not None and state.risk is not None:
            risk = b"%.4f" % state.risk
            fields["churn_risk"] = risk
            rescored = another_day or work.moved or work.remodelled
            if rescored or risk != work.shown_risk or NEEDS in work.dirty:  # its words count complaints
                fields["risk"] = _json(_risk(work))
            _show_value(work, fields, rescored)
        if work.moved or not tagged or _stands_elsewhere(work, value_before):
            state.tags = looked_at(state.tags, STANDING_LOOKS, standing_of(state))
        if another_day or work.moved or not FUNNEL.isdisjoint(work.dirty):
            step = journey(state.parts, state.rhythm.count, state.stage, today)
            fields["journey"] = _json({"step": step.step, "why": step.why})
    if state.tags is not tags_before:
        _bound_tags(state, tags_before)
        fields["tags"] = _json(told(state.tags)) if state.tags else None
    fields["version"] = b"%d" % state.version
    fields["updated_at_ms"] = b"%d" % state.moment_ms
    return fields


def _derive(work: Settling, numbers: Iterable[int], tag_all: bool, fields: dict[str, bytes | None]) -> None:
    """Derived dimensions anew; those that say what they said before are left as they are, and so are the tags that rest on them.

    ``tag_all``: the tags are others than those that the state was tagged with."""
    state = work.state
    shown, due_days, facts = state.shown, state.due_days, facts_of(state)
    looked: list[int] = []
    found: Held = {}
    for number in numbers:
        dimension = DIMENSIONS[number]
        view, due_day = dimension.derive(facts)
        if due_day < NEVER:
            due_days[DERIVED + number] = due_day
        else:
            due_days.pop(DERIVED + number, None)
        if view is None:
            if number in shown:
                del shown[number]
                fields[dimension.name] = None
            elif not tag_all:
                continue
        else:
            said = _json(view)
            mark = crc32(said)
            if mark != shown.get(number):
                shown[number] = mark
                fields[dimension.name] = said
            elif not tag_all:
                continue
            found.update(found_in(LOOKS[number], view))
        looked.append(number)
    if looked:
        state.tags = looked_at_all(state.tags, looked, found)
    state.tagged = DIGEST


def facts_of(state: State) -> Facts:
    """What dimensions read, as of the state's moment."""
    return Facts(state.parts, state.stage, state.moment_ms // DAY_MS, state.moment_ms, state.rhythm)


def _stands_elsewhere(work: Settling, before: Value | None) -> bool:
    """Whether the tags of the standing may be others, though the stage is the same: ``before`` is the value as last shown."""
    state, now = work.state, work.state.value
    if risk_step(state.risk) != risk_step(float(work.shown_risk) if work.shown_risk else None):
        return True
    return now is not before and (now is None or before is None or (now.high, now.rising) != (before.high, before.rising))


def _bound_tags(state: State, before: Held) -> None:
    """At most TAGS_MAX. Who had as many may have had more: then all are looked at anew."""
    if len(before) >= TAGS_MAX:
        state.tags = looked_at({}, STANDING_LOOKS, standing_of(state))
        facts = facts_of(state)
        for number, dimension in enumerate(DIMENSIONS):
            state.tags = looked_at(state.tags, LOOKS[number], dimension.derive(facts)[0])
    if len(state.tags) > TAGS_MAX:
        state.tags = heaviest(state.tags)


def _show_value(work: Settling, fields: dict[str, bytes | None], rescored: bool) -> None:
    """Make the value anew where it may have changed; show it if it says something else."""
    state, before = work.state, work.state.value
    buys = round(1.0 - (state.risk or 0.0), BUYS_DIGITS)
    if before is None or rescored or buys != before.buys or CONSUMPTION in work.dirty:
        state.value = expect(work, state.scored_day)
        if work.moved or work.remodelled or state.value != before:
            fields["value"] = _json(shown_value(state.value, work.scorer.horizon_days))


def _lifecycle(work: Settling) -> dict[str, Any]:
    state, stage = work.state, work.stage
    if stage is None:
        raise RuntimeError("a state is shown before it was settled")
    shown: dict[str, Any] = {"stage": stage.name, "since_ms": stage.since_day * DAY_MS, "why": reason_of(stage, state.rhythm)}
    if state.rhythm.count:
        shown["purchase_days"] = state.rhythm.count
        shown["usual_gap_days"] = round(state.rhythm.gap_days, 1)
    if stage.next_day < NEVER:
        shown["next_if_silent_ms"] = stage.next_day * DAY_MS
    # Where topics are read at different speeds, a stage can turn out to have begun before one that was seen earlier.
    earlier = [(name, day) for name, day in reversed(state.stages[:-1]) if day < stage.since_day][:BEFORE]
    if earlier:
        shown["before"] = [(name, day * DAY_MS) for name, day in earlier]
    return shown


def _risk(work: Settling) -> dict[str, Any]:
    state, scorer = work.state, work.scorer
    risk = round(state.risk or 0.0, 4)
    known = scorer, work.x or (), state.rhythm, state.scored_day
    shown: dict[str, Any] = {"churn": risk, "horizon_days": scorer.horizon_days, "model": state.model}
    sure = scorer.sure_of(risk)
    if sure.of:
        shown["sure"] = sure
    for name, said in (("reasons", reasons(*known)), ("levers", levers(*known))):
        if said:
            shown[name] = said
    return shown
