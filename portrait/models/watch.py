"""Watching the churn model: how well it predicts, and whether what it sees drifts.

ADWIN (Bifet, Gavaldà 2007; River's) looks at the loss, and at each feature that says what customers do, among those who bought
lately. A shop that merely grows older has ever more customers who are long gone: what follows from the days of purchases moves by
that alone, and so does all else over all customers. Its windows are no plain data: a restart forgets them, and a drift that was
under way then is told later, or not at all. All else is in `Watch.state`.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import log1p
from typing import Any

import msgspec

from portrait.models.churn import THEMES
from portrait.models.measures import FADE_LABELS, WEEK_MS, Measures
from portrait.structures import NEVER
from schemas.outputs import Snapshot

LOSS, INPUTS = "loss", "features"
#: Features that move as a shop grows older: they follow from the days of purchases alone, or nearly so.
AGEING = frozenset(name for theme, names in THEMES if theme in ("silence", "history") for name in names)
RECENCY, LATELY = "recency", log1p(30)
#: Each label is shown to the detectors of every so many features, in turn.
TURNS = 6
#: Of the running means that are compared, in labels shown; drift is told in standard deviations between the two.
FAST, SLOW = 50, 2500
#: What a detector finds is worth an operator's time from this much on. It takes some fifty labels at the most.
SHIFT_LEAST = 0.3
LOSS_LEAST = 1.05
ALARMS_KEPT = 20


class Shift(msgspec.Struct):
    """Of one feature: what it was lately, and over a long time."""

    labels: int = 0
    fast: float = 0.0
    slow: float = 0.0
    square: float = 0.0  # variance around ``slow``

    def learn(self, value: float) -> None:
        self.labels = labels = self.labels + 1
        self.fast += (value - self.fast) / (labels if labels < FAST else FAST)
        rate = 1 / (labels if labels < SLOW else SLOW)
        off = value - self.slow
        self.slow = slow = self.slow + rate * off
        self.square += rate * (off * (value - slow) - self.square)

    @property
    def size(self) -> float:
        """In standard deviations; 0 while too little is known."""
        return (self.fast - self.slow) / self.square**0.5 if self.labels > FAST and self.square > 1e-9 else 0.0


class Alarm(msgspec.Struct, frozen=True):
    """A drift that operators should hear of. One a week and subject, at the most."""

    subject: str  # LOSS or INPUTS
    week: int  # since 1970: of the label that gave it away
    labels: int  # so many were known
    what: dict[str, float]  # LOSS: before, after; INPUTS: feature -> its shift in standard deviations


class State(msgspec.Struct):
    measures: Measures = msgspec.field(default_factory=Measures)
    own_log_loss: float = 0.0
    loss: Shift = msgspec.field(default_factory=Shift)
    shifts: dict[str, Shift] = {}
    alarms: list[Alarm] = []
    heard_week: int = -1  # of the drifts of weeks until this one operators have heard


def watched(snapshot: Snapshot) -> State:
    """What a snapshot knows of it. Raises ValueError."""
    try:
        return msgspec.convert(snapshot.learner.get("watch", {}), State, str_keys=True)
    except msgspec.ValidationError as error:
        raise ValueError(f"snapshot {snapshot.version}: what was watched can't be read: {error}") from error


class Watch:
    """Not thread safe. ``features``: whose drift is watched; ``kept``: to go on from, it is changed in place."""

    def __init__(self, features: tuple[str, ...], kept: State | None = None) -> None:
        kept = kept or State()
        self.measures, self.own_log_loss, self.loss, self.alarms = kept.measures, kept.own_log_loss, kept.loss, kept.alarms
        self.heard_week = kept.heard_week
        self.shifts = {name: kept.shifts.get(name) or Shift() for name in features}
        self.drifts = 0
        self._turns = [features[turn::TURNS] for turn in range(TURNS)]
        from river.drift import ADWIN  # takes seconds: only who trains needs it

        self._detectors = {name: ADWIN() for name in (LOSS, *features) if name not in AGEING}

    @property
    def state(self) -> dict[str, Any]:
        kept = State(self.measures, self.own_log_loss, self.loss, self.shifts, self.alarms, self.heard_week)
        return msgspec.to_builtins(kept, str_keys=True)

    def begin_after(self, before: State) -> None:
        """What ``before`` was watched by will be learned again: its alarms are old news, and so are all drifts of its weeks."""
        self.alarms = list(before.alarms)
        self.heard_week = max(before.heard_week, *before.measures.weeks, -1)

    def learn(self, x: Mapping[str, float], risk: float, churned: bool, at_ms: int, own_loss: float, now_ms: int = NEVER) -> None:
        """A label. ``risk``: what was told at ``at_ms``; ``own_loss``: of what the learner itself would have said just now."""
        loss = self.measures.learn(risk, churned, at_ms, now_ms)
        labels = self.measures.labels
        self.own_log_loss += max(1 / labels, 1 / FADE_LABELS) * (own_loss - self.own_log_loss)
        detectors, shifts, week = self._detectors, self.shifts, at_ms // WEEK_MS
        self.loss.learn(loss)
        of_loss = detectors[LOSS]
        of_loss.update(loss)
        if of_loss.drift_detected:
            self.drifts += 1
            if self.loss.fast > LOSS_LEAST * self.loss.slow:
                self._alarm(Alarm(LOSS, week, labels, {"before": self.loss.slow, "after": self.loss.fast}))
        lately = x.get(RECENCY, 0.0) <= LATELY
        for name in self._turns[labels % TURNS]:
            value = x.get(name)
            if value is None:  # a lesson of code that did not know it
                continue
            detector = detectors.get(name)
            if detector is None:
                shifts[name].learn(value)
            elif lately:
                shifts[name].learn(value)
                detector.update(value)
                if detector.drift_detected:
                    self.drifts += 1
                    if abs(shifts[name].size) >= SHIFT_LEAST:
                        self._alarm(Alarm(INPUTS, week, labels, self._shifted()))

    def _shifted(self) -> dict[str, float]:
        """What has moved, the most first."""
        sizes = sorted(((abs(shift.size), name) for name, shift in self.shifts.items() if name not in AGEING), reverse=True)
        return {name: self.shifts[name].size for size, name in sizes if size >= SHIFT_LEAST}

    def _alarm(self, alarm: Alarm) -> None:
        known = {(each.subject, each.week) for each in self.alarms}
        if alarm.week > self.heard_week and (alarm.subject, alarm.week) not in known:
            self.alarms = [*self.alarms, alarm][-ALARMS_KEPT:]

    def plain(self) -> dict[str, float]:
        return self.measures.plain() | {"own_log_loss": self.own_log_loss, "drifts": float(self.drifts)}
