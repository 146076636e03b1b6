"""Settling a state at a moment: the stage, the score, the labels that have matured, and the actions of the rules."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from typing import NamedTuple
from zlib import crc32

import msgspec

from portrait.features.registry import NOTHING
from portrait.lifecycle import Stage, stage_at, walk
from portrait.models import churn
from portrait.models.churn import Scorer
from portrait.models.value import Value, money_of, value
from portrait.rules.base import Raised, Rule, Turn
from portrait.rules.registry import RULES
from portrait.state import Effect, Pending, State, pending
from portrait.structures import DAY_MS, NEVER
from schemas.event import Event
from schemas.outputs import Action, ActionEvent, History, Lesson
from schemas.registry import ACTIONS, LESSONS

STAGES_KEPT = 6
PENDING_MAX = 2
EFFECTS_MAX = 64
#: Lessons leave room for actions: a long history that comes at once teaches less, and today's complaint is still told.
LESSONS_MAX = 48
#: After the horizon, an event may still come in for so long before its example is labelled.
GRACE_DAYS = 2
#: A silent customer is scored again after a part of the silence, at least a day and at most four weeks, for two years.
RESCORE_PART, RESCORE_DAYS_MAX, RESCORE_UNTIL_DAYS = 0.15, 28, 730

#: One customer in so many teaches the prior, each so often and on a day of the calendar: a moment that their own buying
#: chose would show them livelier, or more silent, than customers are.
HISTORY_ONE_IN, HISTORY_EVERY_DAYS = 4, 28

_json = msgspec.json.Encoder().encode


class Policy(NamedTuple):
    """What the shell allows.

    ``effects``: False while events are applied again whose effects were published before; ``silence_ms``: what silence brought
    until then has had its effects too. ``capped_rules``: False once the cap is reached on actions that the model can set off
    for everybody at once.
    """

    effects: bool = True
    silence_ms: int = 0
    capped_rules: bool = True


class Settling:
    """What accumulates while one state is moved through its moments."""

    __slots__ = (
        "blind", "capped", "clock_ms", "customer_id", "dirty", "dropped", "moved", "policy", "remodelled", "scorer", "shown_risk",
        "stage", "state", "x",
    )  # fmt: skip

    def __init__(self, customer_id: str, state: State, clock_ms: int, scorer: Scorer, policy: Policy) -> None:
        self.customer_id, self.state, self.clock_ms, self.scorer, self.policy = customer_id, state, clock_ms, scorer, policy
        # No clock, and no moment from an earlier one: whatever is known, older orders may stand unread.
        self.blind = not state.moment_ms and clock_ms <= 0
        self.dirty: set[int] = set()  # features whose view may have changed
        self.moved = not state.version  # whether stage or rhythm may have changed since the last view
        self.remodelled = state.risk is not None and state.model != scorer.version
        self.shown_risk = b"%.4f" % state.risk if state.risk is not None else b""
        self.capped = self.dropped = 0
        self.stage: Stage | None = None
        self.x: list[float] | None = None  # features of the last score


def rescore(state: State, scorer: Scorer) -> None:
    """Make the last score anew with another version of the model, so that a crossing is only ever between scores of one."""
    x = churn.features(state.parts, state.rhythm, state.scored_day, scorer)
    state.risk = scorer.risk(x) if x is not None else None
    state.model = scorer.version


def settle(work: Settling, at_ms: int, events: Sequence[Event]) -> None:
    """Bring ``work.state`` to ``at_ms``, which is not before its own moment. ``events`` have just been folded."""
    state = work.state
    today = at_ms // DAY_MS
    state.moment_ms = at_ms
    stage = work.stage = stage_at(state.rhythm, today, state.parts.activity.first_ms // DAY_MS)
    stage_before, risk_before = state.stage, state.risk
    entered = (stage.name, stage.since_day)
    if not state.stages or state.stages[-1] != entered:
        work.moved = True
        state.stage = stage.name
        earlier = state.stages[:-1] if stage.name == stage_before else state.stages  # it began on another day than was thought
        state.stages = [*earlier, entered][-STAGES_KEPT:]
    _score(work, today)
    if state.pending:
        _label(work, today)
    state.wake_ms = wake_ms(work.customer_id, state, stage)
    policy = work.policy
    loud = policy.effects if events else at_ms > policy.silence_ms
    if loud and (events or stage.name != stage_before or state.risk != risk_before):
        _apply_rules(work, stage_before, stage, risk_before, events)


def follow_rhythm(work: Settling) -> None:
    """Walk the purchase days anew if they have changed since."""
    state = work.state
    if state.parts.consumption is None:
        return
    bought, rhythm = state.parts.consumption.bought, state.rhythm
    if bought.first != rhythm.first_day or bought.count() != rhythm.count:
        state.rhythm = walk(bought.days())
        work.moved = True


def _score(work: Settling, today: int) -> None:
    state, scorer = work.state, work.scorer
    x = work.x = churn.features(state.parts, state.rhythm, today, scorer)
    if x is None:
        return
    state.risk = scorer.risk(x)
    _tell_history(work, today)  # before this day counts as scored
    state.model, state.scored_day = scorer.version, today
    silence = today - state.rhythm.last_day
    step = min(RESCORE_DAYS_MAX, max(1, int(silence * RESCORE_PART)))
    rescore_due = state.rescore_day <= today
    state.rescore_day = today + step if silence <= RESCORE_UNTIL_DAYS else NEVER
    last = state.pending[-1].day if state.pending else -NEVER
    if len(state.pending) < PENDING_MAX and today - last >= scorer.horizon_days // 2 and (silence == 0 or rescore_due):
        state.pending.append(pending(today, state.risk, scorer.version, x, scorer.horizon_days))


def _tell_history(work: Settling, today: int) -> None:
    """On the customer's day for it, what a model without labels learns from. `wake_ms` sees to it that this day comes."""
    state = work.state
    tenure = today - state.rhythm.first_day
    if today != history_day(work.customer_id, today - 1) or state.scored_day >= today or tenure <= 0:
        return
    policy = work.policy
    if today * DAY_MS <= policy.silence_ms or not _room(work, LESSONS_MAX):
        return
    history = History(
        id=digest(work.customer_id, churn.MODEL, "history", str(today)),
        model=churn.MODEL,
        at_ms=today * DAY_MS,
        purchase_days=state.rhythm.count,
        recency_days=max(0, today - state.rhythm.last_day),
        tenure_days=tenure,
        money=money_of(state.parts, state.rhythm),
        worth=expect(work, today).worth,
    )
    state.effects.append(Effect(LESSONS, history.id, _json(history)))


def expect(work: Settling, today: int) -> Value:
    """The value as of ``today``, the day of the last score. Only for a customer who has one."""
    state = work.state
    if work.x is None or state.risk is None:
        raise RuntimeError("a value is asked for before there is a score")
    was_high = state.value is not None and state.value.high
    return value(state.parts, state.rhythm, today, work.scorer, work.x, state.risk, was_high)


def history_day(customer_id: str, after_day: int) -> int:
    """The next day after ``after_day`` on which this customer teaches the prior; NEVER for most."""
    mark = crc32(customer_id.encode())
    if mark // HISTORY_EVERY_DAYS % HISTORY_ONE_IN:
        return NEVER
    return after_day + 1 + (mark - after_day - 1) % HISTORY_EVERY_DAYS


def _matures_day(pending: Pending) -> int:
    return pending.day + pending.horizon_days + GRACE_DAYS + 1


def _label(work: Settling, today: int) -> None:
    """Turn the examples whose horizon has passed into lessons. Both classes wait until then: a label that is known early is
    nearly always of one class, and would ruin the model."""
    state = work.state
    while state.pending and _matures_day(state.pending[0]) <= today:
        example = state.pending.pop(0)
        if _matures_day(example) * DAY_MS <= work.policy.silence_ms or not _room(work, LESSONS_MAX):
            continue
        bought = (state.parts.consumption or NOTHING.consumption).bought
        churned = not bought.any_between(example.day + 1, example.day + example.horizon_days)
        lesson = Lesson(
            id=digest(work.customer_id, churn.MODEL, str(example.day)),
            model=churn.MODEL,
            scored_at_ms=example.day * DAY_MS,
            horizon_days=example.horizon_days,
            features=dict(zip(churn.FEATURES, example.features, strict=False)),  # older code's are fewer
            risk=example.risk,
            model_version=example.version,
            churned=churned,
        )
        state.effects.append(Effect(LESSONS, lesson.id, _json(lesson)))


def wake_ms(customer_id: str, state: State, stage: Stage) -> int:
    """When a settled state must be settled again though nothing arrives."""
    wake = min(stage.next_day, state.rescore_day)
    if state.rescore_day < NEVER:  # who has been silent for years teaches nothing new
        wake = min(wake, history_day(customer_id, state.moment_ms // DAY_MS))
    if state.pending:
        wake = min(wake, _matures_day(state.pending[0]))
    # Always after today: whoever wakes a state until it has nothing due must come to an end.
    return min(max(wake, state.moment_ms // DAY_MS + 1) * DAY_MS, NEVER)


def _apply_rules(work: Settling, stage_before: str, stage: Stage, risk_before: float | None, events: Sequence[Event]) -> None:
    state = work.state
    happened: set[object] = {type(event.data) for event in events}
    if stage.name != stage_before and not work.blind:
        happened.add("stage")
    if state.risk != risk_before and not work.blind:
        happened.add("risk")
    turn = Turn(events, stage_before, stage, risk_before, state, work.scorer, work.x)
    for rule in RULES:
        if rule.trigger not in happened or (rule.capped and not work.policy.capped_rules):
            continue
        raised = rule.check(turn)
        if raised is not None and _may(work, rule):
            _raise(work, rule, raised)


def _may(work: Settling, rule: Rule) -> bool:
    """Not while the rule cools down, and not what would be stale before anyone could act on it."""
    state = work.state
    return (
        state.cooldowns.get(rule.name, 0) <= state.moment_ms
        and state.moment_ms + rule.expiry_ms > work.clock_ms
        and _room(work, EFFECTS_MAX)
    )


def _room(work: Settling, most: int) -> bool:
    """Whether the state may keep one more effect. What it may not is counted."""
    room = len(work.state.effects) < most
    work.dropped += not room
    return room


def _raise(work: Settling, rule: Rule, raised: Raised) -> None:
    state = work.state
    now_ms = state.moment_ms
    action = Action(
        id=digest(work.customer_id, rule.name, raised.episode),
        customer_id=work.customer_id,
        rule=rule.name,
        episode=raised.episode,
        raised_at_ms=now_ms,
        expires_at_ms=now_ms + rule.expiry_ms,
        stage=state.stage,
        churn_risk=None if state.risk is None else round(state.risk, 4),
        model_version=state.model,
        reasons=raised.reasons,
        suggest=raised.suggest,
    )
    time = datetime.fromtimestamp(now_ms / 1000, UTC).isoformat(timespec="milliseconds")
    event = ActionEvent(id=action.id, time=time, subject=work.customer_id, data=action)
    state.effects.append(Effect(ACTIONS, action.id, _json(event)))
    state.cooldowns = {name: until for name, until in state.cooldowns.items() if until > now_ms}
    state.cooldowns[rule.name] = now_ms + rule.cooldown_ms
    work.capped += rule.capped


def digest(*parts: str) -> str:
    """A stable id of 128 bits made of its parts."""
    return blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()
