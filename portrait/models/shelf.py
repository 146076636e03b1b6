"""The versions of the model that are kept, and which of them scores: what the records of the topic `models`, in order, come to.

Trainer, workers and commands each make one of the same records, so they agree without asking each other.

| key | record |
|---|---|
| ``churn`` | the newest snapshot, whole: with the ids of the lessons learned last |
| ``churn@1.4810`` | a version that is kept, without them; no value: it is no longer kept |
| ``churn/pin`` | `Pin` |
| ``churn/order`` | `Order` |
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from portrait.models.churn import MODEL, Scorer, from_snapshot, verify
from portrait.models.watch import watched
from portrait.structures import DAY_MS
from schemas.outputs import Order, Pin, Snapshot

#: On the same topic lies what was learned of texts (`streams.learning`).
TEXTS = "language"
PIN_KEY, ORDER_KEY = f"{MODEL}/pin", f"{MODEL}/order"
#: Kept are the newest few, and further back the last one of each day and of each week.
NEWEST_KEPT, DAYS_KEPT, WEEKS_KEPT = 6, 8, 9
_KEPT_KEY = re.compile(rf"{MODEL}@([0-9]{{1,18}})\.([0-9]{{1,18}})")
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Refused(ValueError):
    """A record that can't be used; the message says why."""


class Shelf:
    """``horizon_days``: versions for another horizon are refused; None takes any."""

    def __init__(self, horizon_days: int | None = None) -> None:
        self.versions: dict[str, Snapshot] = {}
        self.newest: Snapshot | None = None  # where the trainer left off
        self.known = (0, 0)  # the greatest generation and lessons of any version that there was, also of those refused
        self.pin: Pin | None = None
        self.order: Order | None = None
        self._horizon_days = horizon_days

    @property
    def pinned(self) -> str:
        """The version that was pinned; empty if none is. It may be missing."""
        return self.pin.version if self.pin else ""

    @property
    def scoring(self) -> Snapshot | None:
        """What workers score with. None: the prior alone."""
        if self.pinned in self.versions:
            return self.versions[self.pinned]
        return max((s for s in self.versions.values() if s.ready), key=order_of, default=None)

    @property
    def waiting(self) -> Order | None:
        """An order that no generation has been begun for, and that has not been declined."""
        order = self.order
        if order is None or order.generation <= self.known[0] or (self.newest and self.newest.declined == order.id):
            return None
        return order

    @property
    def next_generation(self) -> int:
        """No name of a version is ever given twice: customers' scores and actions name it."""
        return max(self.known[0], self.order.generation if self.order else 1, 1) + 1

    def before(self, snapshot: Snapshot) -> Snapshot | None:
        """The version to go back to from ``snapshot``: the one before in its generation; before the first, the one that the
        generation came of. None: there is none, or it is not recorded, or no longer kept."""
        ready = [each for each in self.versions.values() if each.ready]
        own = [each for each in ready if each.generation == snapshot.generation and each.lessons < snapshot.lessons]
        if own:
            return max(own, key=order_of)
        came_of = next((each for each in ready if each.version == snapshot.before), None)
        if came_of is None or came_of.generation >= snapshot.generation:
            return None
        return self.before(came_of) if _is_again(snapshot, came_of) else came_of

    def take(self, key: bytes | None, value: bytes | None) -> None:
        """The next record; those of the models of texts are none of ours. Raises Refused, and nothing has changed then but what
        is known."""
        name = (key or b"").decode(errors="replace")
        if name.split("/")[0] == TEXTS:
            return
        self.known = max(self.known, _version_in(name))
        try:
            if name == PIN_KEY:
                self.pin = msgspec.json.decode(value, type=Pin) if value else None
            elif name == ORDER_KEY:
                self.order = msgspec.json.decode(value, type=Order) if value else None
            elif value:
                self._put(name, msgspec.json.decode(value, type=Snapshot))
            else:
                self.versions.pop(name.removeprefix(f"{MODEL}@"), None)
        except _UNREADABLE as error:
            raise Refused(f"{name}: {error}") from error

    def _put(self, name: str, snapshot: Snapshot) -> None:
        if name not in (MODEL, kept_key(snapshot.version)):
            raise Refused(f"a snapshot of version {snapshot.version} under the key {name}")
        if snapshot.model == MODEL:
            self.known = max(self.known, order_of(snapshot))
        scorer = checked(snapshot, whole=name == MODEL)
        if self._horizon_days not in (None, scorer.horizon_days):
            raise Refused(f"{name}: version {snapshot.version} is for a horizon of {scorer.horizon_days} days")
        self.versions[snapshot.version] = msgspec.structs.replace(snapshot, recent=[])
        # The copy that is kept lacks the lesson ids: it stands in for the newest only where that is lost.
        if self.newest is None or (order_of(snapshot), name == MODEL) > (order_of(self.newest), False):
            self.newest = snapshot


def checked(snapshot: Snapshot, whole: bool = False) -> Scorer:
    """The scorer of a snapshot that is as it was made and fits this code. ``whole``: with its lesson ids. Raises Refused."""
    try:
        verify(snapshot, whole)
        watched(snapshot)
        return from_snapshot(snapshot)
    except ValueError as error:
        raise Refused(str(error)) from error


def _is_again(snapshot: Snapshot, source: Snapshot) -> bool:
    """Whether it is ``source`` under another name: the first version after a rollback is."""
    learned = [[each.learner.get(part) for part in ("weights", "intercept", "labels")] for each in (snapshot, source)]
    return snapshot.lessons == source.lessons and learned[0] == learned[1]


def _version_in(key: str) -> tuple[int, int]:
    """(generation, lessons) of a kept version's key; (0, 0) for any other."""
    found = _KEPT_KEY.fullmatch(key)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def kept_key(version: str) -> str:
    return f"{MODEL}@{version}"


def order_of(snapshot: Snapshot) -> tuple[int, int]:
    return snapshot.generation, snapshot.lessons


def to_keep(versions: Iterable[Snapshot], needed: Iterable[str]) -> set[str]:
    """Of ``versions`` those to keep: the newest, and ever fewer further back; and all that are ``needed``.

    Which is newer follows from the versions: clocks may have run ahead when they were made.
    """
    newest_first = sorted(versions, key=order_of, reverse=True)
    keep = {snapshot.version for snapshot in newest_first[:NEWEST_KEPT]} | set(needed)
    for span_days, spans in ((1, DAYS_KEPT), (7, WEEKS_KEPT)):
        last: dict[int, str] = {}
        for snapshot in newest_first:
            last.setdefault(snapshot.trained_at_ms // (span_days * DAY_MS), snapshot.version)
        keep |= set(list(last.values())[:spans])
    return keep
