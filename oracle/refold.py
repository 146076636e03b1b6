"""One customer's states anew, in the order in which workers wrote them: stages, scores, and the ids of what they caused.

See docs/refold.md. Facts do not depend on that order; all of this does.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple
from zlib import crc32

from oracle.ledger import Ledger
from oracle.rules import Rule, Turn, called_for, digest
from oracle.score import Model, values_of
from oracle.tools import DAY_MS, day_of
from schemas.event import Event

STAGES_KEPT = 6
EFFECTS_MAX, LESSONS_MAX = 64, 48
PENDING_MAX = 2
GRACE_DAYS = 2
RESCORE_UNTIL_DAYS = 730
FAR = 2**62
LESSON = "churn"

#: A record's place in the log: the topic's code, the partition, the offset.
Place = tuple[int, int, int]


class Step(NamedTuple):
    """One write of a state, as the worker traced it."""

    causes: Sequence[Place]  # the records that it looked at; none: a tick
    clock_ms: int
    model: Model
    effects: bool  # False: what these records cause was published before
    silence_ms: int  # and so was what silence caused until then
    capped_rules: bool  # False: the cap on capped rules was reached
    held: int  # effects that the state still held, unpublished


class Pending(NamedTuple):
    """An example that waits for its label."""

    day: int
    horizon_days: int

    @property
    def matures_day(self) -> int:
        return self.day + self.horizon_days + GRACE_DAYS + 1


class Life:
    """A customer's history so far.

    ``raised``: ids of what it caused; ``hushed``: of what it did not, for that was published before; ``called_for``: of all
    that applied, be it cooled down, stale, or capped.
    """

    def __init__(self, customer_id: str, log: Mapping[Place, Event]) -> None:
        """``log``: the customer's events that count, by their places."""
        self.customer_id, self._log = customer_id, log
        self.ledger = Ledger()
        self.folded: set[Place] = set()
        self.moment_ms = 0
        self.stage = ""
        self.stages: list[tuple[str, int]] = []
        self.risk: float | None = None
        self.model_version = ""
        self.wake_ms = FAR
        self.pending: list[Pending] = []
        self.raised: set[str] = set()
        self.hushed: set[str] = set()
        self.called_for: set[str] = set()
        self._scored_day, self._rescore_day = 0, FAR
        self._cooldowns: dict[str, int] = {}
        self._effects = 0
        self._blind = self._owes_silence = False

    def fork(self) -> Life:
        """The same history, which may go on in another way."""
        return copy.deepcopy(self, {id(self._log): self._log})

    def take(self, step: Step) -> None:
        """Go on by one write."""
        self._effects = step.held
        if self.risk is not None and self.model_version != step.model.version:
            self._rescore(step.model, self._scored_day)
        events = self._new(step.causes)
        self._blind = not self.moment_ms and step.clock_ms <= 0
        if not self.moment_ms:
            first_ms = min([event.time_ms for event in events[:1]] + [self.ledger.first_ms] * bool(self.ledger.events))
            self.moment_ms = min(first_ms, step.clock_ms) if step.clock_ms > 0 else first_ms
        settled = False
        if self._owes_silence and not self._blind:
            step, self._owes_silence = step._replace(silence_ms=0), False
        for group in _by_day(events, day_of(self.moment_ms)):
            at_ms = max(self.moment_ms, min(group[-1].time_ms, step.clock_ms))
            self._live_until(at_ms, step)
            if step.effects:  # the silence that new events begin has had no effects yet
                step = step._replace(silence_ms=0)
            for event in group:
                self.ledger.add(event)
            self._settle(at_ms, group, step)
            settled = True
        settled |= self._live_until(step.clock_ms, step)
        if not settled or day_of(self.moment_ms) < day_of(step.clock_ms):
            self._settle(max(self.moment_ms, step.clock_ms), (), step)
        self.moment_ms = max(self.moment_ms, step.clock_ms)
        if self._blind:
            self.moment_ms = 0
            self._cooldowns.clear()
            self._owes_silence |= step.effects and bool(events)

    def _new(self, causes: Sequence[Place]) -> list[Event]:
        """Those that count and are not in here yet, in the order of their times."""
        new = [place for place in causes if place in self._log and place not in self.folded]
        self.folded.update(new)
        return sorted((self._log[place] for place in new), key=lambda event: event.time_ms)

    def _live_until(self, until_ms: int, step: Step) -> bool:
        """Settle at every moment that comes by itself. False: there was none."""
        any_came = False
        while self.wake_ms <= until_ms:
            self._settle(self.wake_ms, (), step)
            any_came = True
        return any_came

    def _settle(self, at_ms: int, events: Sequence[Event], step: Step) -> None:
        """At this moment, which is not before the last one; ``events`` have just come."""
        today = day_of(at_ms)
        self.moment_ms = at_ms
        stage_before, risk_before = self.stage, self.risk
        stage = self.ledger.stage(today)
        self.stage = stage.name
        entered = stage.name, stage.since_day
        if not self.stages or self.stages[-1] != entered:
            earlier = self.stages[:-1] if stage.name == stage_before else self.stages
            self.stages = [*earlier, entered][-STAGES_KEPT:]
        if self.ledger.bought:
            first_today = self._scored_day < today
            self._rescore(step.model, today)
            self._tell(today, step, first_today)
            self._plan(step.model, today)
        self._mature(today, step)
        self.wake_ms = self._next_wake_ms(today)
        if self._blind:
            stage_before, risk_before = "", None
        turn = Turn(self.ledger, events, stage_before, stage, risk_before, self.risk)
        loud = step.effects if events else at_ms > step.silence_ms
        for rule, episode in called_for(turn):
            self._raise(rule, episode, loud, step)

    def _rescore(self, model: Model, today: int) -> None:
        self.risk = model.risk(values_of(self.ledger, today, model))
        self.model_version, self._scored_day = model.version, today

    def _tell(self, today: int, step: Step, first_today: bool) -> None:
        """A history, on the customer's day for it."""
        if first_today and self._teaches(today) and today > self.ledger.bought[0]:
            history = digest(self.customer_id, LESSON, "history", str(today))
            self._cause(history, LESSONS_MAX, loud=today * DAY_MS > step.silence_ms)

    def _teaches(self, day: int) -> bool:
        mark = crc32(self.customer_id.encode())
        return mark // 28 % 4 == 0 and day % 28 == mark % 28

    def _plan(self, model: Model, today: int) -> None:
        """The day of the next score without an event, and an example for learning now and then."""
        silence = today - self.ledger.bought[-1]
        rescore_due = self._rescore_day <= today
        wait_days = min(28, max(1, int(silence * 0.15)))
        self._rescore_day = today + wait_days if silence <= RESCORE_UNTIL_DAYS else FAR
        spaced = not self.pending or today - self.pending[-1].day >= model.horizon_days // 2
        if len(self.pending) < PENDING_MAX and spaced and (silence == 0 or rescore_due):
            self.pending.append(Pending(today, model.horizon_days))

    def _mature(self, today: int, step: Step) -> None:
        while self.pending and self.pending[0].matures_day <= today:
            example = self.pending.pop(0)
            known = example.matures_day * DAY_MS <= step.silence_ms
            self._cause(digest(self.customer_id, LESSON, str(example.day)), LESSONS_MAX, loud=not known)

    def _next_wake_ms(self, today: int) -> int:
        days = [self._rescore_day, self.ledger.next_stage_day(today) or FAR]
        days += [example.matures_day for example in self.pending[:1]]
        if self._rescore_day < FAR:
            days += [day for day in range(today + 1, today + 29) if self._teaches(day)]
        return min(max(min(days), today + 1) * DAY_MS, FAR)

    def _raise(self, rule: Rule, episode: str, loud: bool, step: Step) -> None:
        id_ = digest(self.customer_id, rule.name, episode)
        self.called_for.add(id_)
        cool = self._cooldowns.get(rule.name, 0) <= self.moment_ms
        stale = self.moment_ms + rule.expiry_ms <= step.clock_ms
        if not cool or stale or (rule.capped and not step.capped_rules):
            return
        if self._cause(id_, EFFECTS_MAX, loud=loud):
            self._cooldowns[rule.name] = self.moment_ms + rule.cooldown_ms

    def _cause(self, id_: str, most: int, *, loud: bool) -> bool:
        """False: nothing is to be published, for it was before, or the state holds as many effects as it may."""
        if not loud:
            self.hushed.add(id_)
        elif self._effects < most:
            self._effects += 1
            self.raised.add(id_)
            return True
        return False


def _by_day(events: Sequence[Event], today: int) -> Iterator[list[Event]]:
    """Groups of a day each, the first with all that is of ``today`` or earlier."""
    group: list[Event] = []
    for event in events:
        day = day_of(event.time_ms)
        if day > today and group:
            yield group
            group = []
        today = max(today, day)
        group.append(event)
    if group:
        yield group
