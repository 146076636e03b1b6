"""Drifts of the model as actions for operators, on a topic of their own."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from portrait.models.churn import MODEL
from portrait.models.watch import Alarm
from portrait.settle import digest
from portrait.structures import DAY_MS
from schemas.outputs import OperatorAction, OperatorActionEvent, Reason
from schemas.registry import OPERATOR_ACTIONS
from streams.log import Outgoing

if TYPE_CHECKING:
    from portrait.models.learner import Learner

RULE = "model-drift"
EXPIRY_MS = 14 * DAY_MS
NAMED_MAX = 3

_SUGGEST = Reason(
    "suggest.look-at-model",
    "Look at `portrait model report`. Was it an error in the data? Mend it, then `portrait model rollback`. Else the model"
    " follows by itself.",
    "请查看 `portrait model report`。若为数据错误，请先修正数据，再执行 `portrait model rollback`；否则模型会自行适应。",
)


def told(learner: Learner) -> frozenset[tuple[str, int]]:
    """What these alarms are known by, once they are published."""
    return frozenset((alarm.subject, alarm.week) for alarm in learner.watch.alarms)


def drifts(learner: Learner, known: frozenset[tuple[str, int]], now_ms: int) -> list[Outgoing]:
    """An action for each alarm that is not ``known``. A repetition, after a crash, carries the same id."""
    new = [alarm for alarm in learner.watch.alarms if (alarm.subject, alarm.week) not in known]
    return [Outgoing(OPERATOR_ACTIONS, MODEL.encode(), _encode(action(alarm, learner, now_ms))) for alarm in new]


def action(alarm: Alarm, learner: Learner, now_ms: int) -> OperatorAction:
    return OperatorAction(
        id=digest(MODEL, str(learner.generation), alarm.subject, str(alarm.week)),
        rule=RULE,
        model=MODEL,
        model_version=f"{learner.generation}.{learner.lessons}",
        subject=alarm.subject,
        raised_at_ms=now_ms,
        expires_at_ms=now_ms + EXPIRY_MS,
        reasons=_reasons(alarm),
        suggest=_SUGGEST,
    )


def _reasons(alarm: Alarm) -> list[Reason]:
    if "before" in alarm.what:
        before, after = alarm.what["before"], alarm.what["after"]
        return [
            Reason(
                "drift.loss",
                f"The risks that were told have become worse: log-loss {after:.3f}, before {before:.3f}.",
                f"流失风险的预测变差：对数损失由 {before:.3f} 升至 {after:.3f}。",
            )
        ]
    return [
        Reason(
            f"drift.feature.{name}",
            f"{name} has moved by {size:+.1f} standard deviations.",
            f"特征 {name} 偏移了 {size:+.1f} 个标准差。",
        )
        for name, size in list(alarm.what.items())[:NAMED_MAX]
    ]


def _encode(found: OperatorAction) -> bytes:
    time = datetime.fromtimestamp(found.raised_at_ms / 1000, UTC).isoformat(timespec="milliseconds")
    return msgspec.json.encode(OperatorActionEvent(id=found.id, time=time, subject=found.model, data=found))
