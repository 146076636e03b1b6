"""The product's own code over a log of purchases, a day at a time: states, features, labels, trainer, a snapshot a day.

Each day: fold its purchases and tick who is due, learn the lessons that matured, then score with yesterday's snapshot. A
scoring moment is every purchase, and a timer every ``grid`` days a customer, staggered by id.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from zlib import crc32

import msgspec
import numpy as np

from bench.quality.logs import Purchase
from portrait.evolve import Arrival, due_ms, evolve, published
from portrait.lifecycle import stage_at
from portrait.models import churn
from portrait.models.churn import Scorer
from portrait.models.learner import Learner
from portrait.models.value import Value
from portrait.models.value import value as value_of
from portrait.state import State, encode, mark_of
from portrait.structures import DAY_MS
from schemas.event import Event, decode
from schemas.outputs import History, Lesson, Start
from schemas.registry import BY_NAME, LESSONS

Array = np.ndarray
NOON_MS = DAY_MS // 2
_decode = msgspec.json.Decoder(History | Lesson).decode
_MARK = mark_of(BY_NAME["orders"].code, 0)


class Moments(msgspec.Struct, kw_only=True):
    """The scored moments, column by column."""

    customers: Array  # of str
    days: Array
    risks: Array
    features: Array  # moments x features
    purchase: Array  # whether the moment is a purchase
    stages: Array  # of str: the lifecycle stage at the moment


class Costs(msgspec.Struct, kw_only=True):
    """Microseconds of CPU time of a lesson and of a score, bytes of a state."""

    learn_us: float
    predict_us: float
    state_bytes: float


class Drive:
    """One run. ``states`` and ``learner`` are the product's. ``start``: the weights of another shop that it begins with."""

    def __init__(self, horizon_days: int, grid_days: int, start: Start | None = None) -> None:
        self.horizon_days, self.grid_days = horizon_days, grid_days
        self.states: dict[str, State] = {}
        self.learner = Learner(horizon_days)
        self.scorer: Scorer = churn.fresh(horizon_days)
        if start is not None:
            self.learner.start_from(start)
            self.scorer = self.learner.scorer()
        self.learn_s = self.predict_s = self.value_s = 0.0
        self._offset = 0
        self._due: defaultdict[int, set[str]] = defaultdict(set)
        self._rows: list[tuple[str, int, float, list[float], bool, str]] = []
        self._phases: defaultdict[int, list[str]] = defaultdict(
            list
        )  # timer phase -> customers, in the order of their first purchase

    def run(self, purchases: Sequence[Purchase], until_day: int, each: Callable[[], None] = lambda: None) -> Moments:
        """All days from the first purchase to ``until_day``."""
        by_day: defaultdict[int, list[Purchase]] = defaultdict(list)
        for purchase in purchases:
            by_day[purchase.day].append(purchase)
        for day in range(min(by_day), until_day + 1):
            self._day(day, by_day.get(day, []))
            each()
        customers, days, risks, features, bought, stages = zip(*self._rows, strict=True)
        return Moments(
            customers=np.array(customers), days=np.array(days), risks=np.array(risks),
            features=np.array(features), purchase=np.array(bought), stages=np.array(stages),
        )  # fmt: skip

    def values(self, day: int) -> dict[str, Value]:
        """What the product expects of every customer on the evening of ``day``, the last one that was run."""
        found = {}
        for customer, state in self.states.items():
            x = churn.features(state.parts, state.rhythm, day, self.scorer)
            assert x is not None, "everybody in the log has bought something"
            was_high = state.value is not None and state.value.high
            began_s = time.thread_time()
            found[customer] = value_of(state.parts, state.rhythm, day, self.scorer, x, self.scorer.risk(x), was_high)
            self.value_s += time.thread_time() - began_s
        return found

    def costs(self) -> Costs:
        sizes = [len(encode(state)) for state in self.states.values()]
        return Costs(
            learn_us=self.learn_s * 1e6 / max(1, self.learner.lessons),
            predict_us=self.predict_s * 1e6 / max(1, len(self._rows)),
            state_bytes=float(np.mean(sizes)),
        )

    def _day(self, day: int, purchases: Iterable[Purchase]) -> None:
        clock_ms = (day + 1) * DAY_MS - 1
        bought = {purchase.customer: purchase for purchase in purchases}
        lessons: list[bytes] = []
        for customer, purchase in bought.items():
            self._evolve(customer, [self._arrival(purchase)], clock_ms, lessons)
        for due_day in [d for d in self._due if d <= day]:
            for customer in sorted(self._due.pop(due_day)):
                self._evolve(customer, (), clock_ms, lessons)
        self._score(day, bought)
        began_s = time.thread_time()
        for value in lessons:
            lesson = _decode(value)
            self.learner.learn_history(lesson) if isinstance(lesson, History) else self.learner.learn(lesson)
        self.learn_s += time.thread_time() - began_s
        self.scorer = self.learner.scorer()

    def _arrival(self, purchase: Purchase) -> Arrival:
        self._offset += 1
        time_ms = purchase.day * DAY_MS + NOON_MS
        value = {
            "specversion": "1.0", "id": str(self._offset), "source": "/log", "type": "order.placed",
            "data": {"order_id": str(self._offset), "currency": "GBP", "amount_minor": purchase.amount_minor},
        }  # fmt: skip
        event = decode("orders", purchase.customer.encode(), msgspec.json.encode(value), (), time_ms)
        if not isinstance(event, Event):
            raise ValueError(f"the product refuses a purchase of the log: {event.message}")
        return Arrival(_MARK, self._offset, event)

    def _evolve(self, customer: str, arrivals: Sequence[Arrival], clock_ms: int, lessons: list[bytes]) -> None:
        state = self.states.get(customer)
        if state is None:
            self._phases[crc32(customer.encode()) % self.grid_days].append(customer)
        change = evolve(state, customer, arrivals, clock_ms, self.scorer)
        if change is None:
            return
        lessons += [effect.value for effect in change.state.effects if effect.topic == LESSONS]
        published(change.state)
        self.states[customer] = change.state
        due = due_ms(change.state)
        if due is not None:
            self._due[max(due, clock_ms + 1) // DAY_MS].add(customer)

    def _score(self, day: int, bought: Iterable[str]) -> None:
        bought = set(bought)
        timer = [customer for customer in self._phases[day % self.grid_days] if customer not in bought]
        for customer, purchase in [*((c, True) for c in sorted(bought)), *((c, False) for c in timer)]:
            state = self.states[customer]
            began_s = time.thread_time()
            x = churn.features(state.parts, state.rhythm, day, self.scorer)
            assert x is not None, "everybody in the log has bought something"
            risk = self.scorer.risk(x)
            self.predict_s += time.thread_time() - began_s
            stage = stage_at(state.rhythm, day, state.rhythm.first_day).name
            self._rows.append((customer, day, risk, x, purchase, stage))


def labels(moments: Moments, purchases: Sequence[Purchase], horizon_days: int) -> Array:
    """1 where nothing was bought in the ``horizon_days`` after the moment's day."""
    bought: defaultdict[str, list[int]] = defaultdict(list)
    for purchase in purchases:
        bought[purchase.customer].append(purchase.day)
    days = {customer: np.array(sorted(of)) for customer, of in bought.items()}
    out = np.empty(len(moments.days), dtype=np.int8)
    for i, (customer, day) in enumerate(zip(moments.customers, moments.days, strict=True)):
        of = days[customer]
        at = np.searchsorted(of, day, side="right")
        out[i] = not (at < len(of) and of[at] <= day + horizon_days)
    return out
