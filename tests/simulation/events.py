"""What the applications publish: a small company's events, with duplicates, disorder and poison, all drawn from the seed."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from random import Random
from typing import TYPE_CHECKING, Any

from tests.simulation.shape import DAY_MS

if TYPE_CHECKING:
    from tests.simulation.world import World

HOUR_MS = 3_600_000
POISON = (
    b"",
    b"not json",
    b'{"type":"order.placed"}',
    b'{"specversion":"1.0","id":"x","source":"/s","type":"no.such","data":{}}',
    None,
)
#: A producer's retry comes with at most so many records of its partition between.
RETRY_RECORDS = 24
LATE_MS = (HOUR_MS, 3 * DAY_MS, 100 * DAY_MS)

Data = dict[str, Any]


def _order(rng: Random, number: int, time: str) -> Data:
    return {"order_id": f"O{number}", "currency": rng.choice(("CNY", "EUR")), "amount_minor": rng.randrange(50_000)}


def _cancelled(rng: Random, number: int, time: str) -> Data:
    return _order(rng, number, time) | {"placed_at": time}


def _view(rng: Random, number: int, time: str) -> Data:
    return {"sku": f"S{rng.randrange(20)}", "category": f"k{rng.randrange(5)}", "device": rng.choice(("phone", "desktop"))}


def _complaint(rng: Random, number: int, time: str) -> Data:
    return {"complaint_id": f"K{number}", "severity": rng.choice(("low", "high"))}


def _resolved(rng: Random, number: int, time: str) -> Data:
    return {"complaint_id": f"K{rng.randrange(number + 1)}", "opened_at": time, "satisfaction": rng.randint(1, 5)}


def _rating(rng: Random, number: int, time: str) -> Data:
    return {"stars": rng.randint(1, 5)}


def _external(rng: Random, number: int, time: str) -> Data:
    return {"system": "crm", "external_id": f"X{rng.randrange(6)}"}


#: (share, topic, type, what it holds). Links and unlinks will be lines of this table.
KINDS: tuple[tuple[float, str, str, Callable[[Random, int, str], Data]], ...] = (
    (0.40, "orders", "order.placed", _order),
    (0.03, "orders", "order.cancelled", _cancelled),
    (0.27, "clicks", "item.viewed", _view),
    (0.15, "complaints", "complaint.opened", _complaint),
    (0.04, "complaints", "complaint.resolved", _resolved),
    (0.05, "feedback", "rating.given", _rating),
    (0.06, "customers", "external-id.assigned", _external),
)
_SHARES = [kind[0] for kind in KINDS]


class Applications:
    """Publishes into the world's log as time goes by."""

    def __init__(self, world: World) -> None:
        self._world, self._rng = world, world.rng
        self.published = 0

    def publish(self, n: int) -> None:
        for _ in range(n):
            self.published += 1
            self._world.now_ms += 1000 + round(self._world.shape.step_ms * self._rng.expovariate(1))
            self._one()

    def _one(self) -> None:
        world, rng, faults = self._world, self._rng, self._world.faults
        customer = f"C{rng.randrange(world.shape.customers)}"
        time_ms = world.now_ms
        if rng.random() < world.shape.late:
            time_ms -= rng.choice(LATE_MS)
            world.count("late")
        _, topic, type_, data = rng.choices(KINDS, _SHARES)[0]
        time = datetime.fromtimestamp(time_ms / 1000, UTC).isoformat()
        event = {"specversion": "1.0", "id": f"e{self.published}", "source": "/sim", "type": type_, "time": time}
        event["data"] = data(rng, self.published, time)
        world.append(topic, customer, json.dumps(event).encode())
        if world.hit(faults.duplicates):
            self._again(topic, customer)
        if world.hit(faults.poison):
            world.append(topic, customer, rng.choice(POISON))
            world.count("poison")

    def _again(self, topic: str, customer: str) -> None:
        """What this customer did once more, as it stands a little earlier in the log."""
        recent = self._world.log[self._world.partition_of(topic, customer)][-RETRY_RECORDS:]
        values = [record.value for record in recent if record is not None and record.key == customer.encode()]
        self._world.append(topic, customer, self._rng.choice(values))
        self._world.count("duplicates")
