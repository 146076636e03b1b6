"""A customer of the core, for tests: events through the real decoder, a clock moved by hand, effects taken out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import count
from typing import Any

import msgspec

from portrait.dimensions.base import Dimension, Facts
from portrait.evolve import Arrival, Change, evolve, published
from portrait.models.churn import Scorer, fresh
from portrait.settle import Policy
from portrait.state import State, mark_of
from portrait.structures import DAY_MS
from schemas.event import Event, decode
from schemas.outputs import Action, ActionEvent, Lesson
from schemas.registry import ACTIONS, LESSONS, TYPES

#: A day like any other: 2024-10-04.
DAY0 = 20_000
HORIZON_DAYS = 60
_ids = count()


def at(day: float) -> int:
    """``day`` days after DAY0, in epoch milliseconds."""
    return round((DAY0 + day) * DAY_MS)


def rfc3339(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")


def event(name: str, day: float, *, id: str | None = None, **data: Any) -> Event:
    """An event of the type ``name``, ``day`` days after DAY0, as the decoder makes it. Its id is new unless given."""
    envelope = {
        "specversion": "1.0",
        "id": id or f"e{next(_ids)}",
        "source": "/tests",
        "type": name,
        "time": rfc3339(at(day)),
        "data": data,
    }
    decoded = decode(TYPES[name][0].name, b"C1", msgspec.json.encode(envelope), (), at(day))
    if not isinstance(decoded, Event):
        raise ValueError(decoded)
    return decoded


def order(day: float, *, id: str | None = None, amount_minor: int = 10_000, **data: Any) -> Event:
    return event("order.placed", day, id=id, **{"order_id": f"O{day}", "currency": "CNY", "amount_minor": amount_minor} | data)


def click(day: float, *, id: str | None = None) -> Event:
    return event("page.viewed", day, id=id, page="/")


def complaint(day: float, complaint_id: str = "K1", **data: Any) -> Event:
    return event("complaint.opened", day, complaint_id=complaint_id, **data)


class Customer:
    """One customer, whose events come on one partition a topic. ``published``: what `flush` has taken out so far."""

    def __init__(self, scorer: Scorer | None = None, policy: Policy | None = None) -> None:
        self.scorer = scorer or fresh(HORIZON_DAYS)
        self.policy = policy or Policy()
        self.state: State | None = None
        self.published: list[tuple[str, Any]] = []
        self.fields: dict[str, bytes] = {}
        self._offsets: dict[int, int] = {}

    def sees(self, *events: Event, now: float | None = None) -> Change:
        """Fold ``events`` in one go. ``now``, in days after DAY0: the last event's time, if not given."""
        arrivals = [self.arrival(e) for e in events]
        clock_ms = at(now) if now is not None else max(e.time_ms for e in events)
        change = self.evolve(arrivals, clock_ms)
        if change is None:
            raise ValueError("nothing new")
        return change

    def arrival(self, event: Event) -> Arrival:
        offset = self._offsets[event.topic_code] = self._offsets.get(event.topic_code, -1) + 1
        return Arrival(mark_of(event.topic_code, 0), offset, event)

    def waits_until(self, day: float) -> Change | None:
        """Nothing happens until then."""
        return self.evolve([], at(day))

    def evolve(self, arrivals: Sequence[Arrival], clock_ms: int) -> Change | None:
        change = evolve(self.state, "C1", arrivals, clock_ms, self.scorer, self.policy)
        if change is not None:
            self.state = change.state
            for name, value in change.fields.items():
                if value is None:
                    self.fields.pop(name, None)
                else:
                    self.fields[name] = value
        return change

    def flush(self) -> list[tuple[str, Any]]:
        """Publish the effects: (topic, Action or Lesson)."""
        found = [(effect.topic, _decoded(effect.topic, effect.value)) for effect in self.known.effects]
        published(self.known)
        self.published += found
        return found

    @property
    def now_day(self) -> float:
        """The moment of the state, in days after DAY0; DAY0 for who is not known yet."""
        return self.state.moment_ms / DAY_MS - DAY0 if self.state else 0

    @property
    def known(self) -> State:
        if self.state is None:
            raise ValueError("nothing is known of this customer yet")
        return self.state

    @property
    def stage(self) -> str:
        return self.known.stage

    def actions(self) -> list[Action]:
        """Flush, and return the actions that came out by now."""
        self.flush()
        return [effect for topic, effect in self.published if topic == ACTIONS]

    def lessons(self) -> list[Lesson]:
        self.flush()
        return [effect for topic, effect in self.published if topic == LESSONS]


def concluded(dimension: Dimension, *events: Event, day: float) -> Any:
    """What a derived dimension says, ``day`` days after DAY0, of a customer who has these events; None: nothing.

    The events come one by one, in the order given and the other way round, which must not matter.
    """
    told = []
    for ordered in (events, events[::-1]):
        customer = Customer()
        for each in ordered:
            customer.sees(each, now=day)
        customer.waits_until(day)
        state = customer.known
        today = state.moment_ms // DAY_MS
        told.append(dimension.derive(Facts(state.parts, state.stage, today, state.moment_ms, state.rhythm)))
    assert told[0] == told[1], "whatever the order"
    return told[0][0]


def _decoded(topic: str, value: bytes) -> Action | Lesson:
    if topic == ACTIONS:
        return msgspec.json.decode(value, type=ActionEvent).data
    return msgspec.json.decode(value, type=Lesson)
