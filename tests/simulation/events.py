"""What the applications publish: a small company's events, with duplicates, disorder and poison, all drawn from the seed."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from random import Random
from typing import TYPE_CHECKING, Any

from tests.simulation import crowds
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


def _linked(rng: Random, number: int, time: str) -> Data:
    data = {"other": name_of(rng.randrange(NAMES)), "kind": "customer", "confidence": rng.choice([1, 0.9, 0.3])}
    return data | ({"by": "lin"} if rng.random() < 0.3 else {})


def _unlinked(rng: Random, number: int, time: str) -> Data:
    return {"other": name_of(rng.randrange(NAMES)), "kind": "customer"}


def _carried(rng: Random) -> str | Data:
    """A further identity of whoever an event is about."""
    other = name_of(rng.randrange(NAMES))
    return rng.choice([other, {"other": other, "confidence": rng.choice([0.9, 0.3])}])


def name_of(number: int) -> str:
    """A customer of a world with links: every third is a device."""
    return f"device:d{number}" if number % 3 == 1 else f"C{number}"


#: (share, topic, type, what it holds).
KINDS: tuple[tuple[float, str, str, Callable[[Random, int, str], Data]], ...] = (
    (0.40, "orders", "order.placed", _order),
    (0.03, "orders", "order.cancelled", _cancelled),
    (0.27, "clicks", "item.viewed", _view),
    (0.15, "complaints", "complaint.opened", _complaint),
    (0.04, "complaints", "complaint.resolved", _resolved),
    (0.05, "feedback", "rating.given", _rating),
    (0.06, "customers", "external-id.assigned", _external),
)
#: Identities that a link may name.
NAMES = 12


def _rfc3339(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat()


class Applications:
    """Publishes into the world's log as time goes by."""

    def __init__(self, world: World) -> None:
        self._world, self._rng = world, world.rng
        self.published = 0
        self._kinds = KINDS
        if links := world.shape.links:
            self._kinds += ((links, "customers", "identity.linked", _linked),)
            self._kinds += ((links / 5, "customers", "identity.unlinked", _unlinked),)
        self._shares = [kind[0] for kind in self._kinds]
        self._crowd = crowds.pairs(world.shape.crowd)

    def publish(self, n: int) -> None:
        if not self.published:
            self._gather()
        elif self.published > self._world.shape.records / 2:
            self._disperse()
        for _ in range(n):
            self.published += 1
            self._world.now_ms += 1000 + round(self._world.shape.step_ms * self._rng.expovariate(1))
            self._one()

    def _one(self) -> None:
        world, rng, faults = self._world, self._rng, self._world.faults
        number = rng.randrange(world.shape.customers)
        time_ms = world.now_ms
        if rng.random() < world.shape.late:
            time_ms -= rng.choice(LATE_MS)
            world.count("late")
        _, topic, type_, data = rng.choices(self._kinds, self._shares)[0]
        customer = name_of(number) if world.shape.links else f"C{number}"
        if world.shape.idle_days and number % 2 == 0 and not type_.startswith("identity"):
            customer = f"anonymous:a{number}"
        time = _rfc3339(time_ms)
        told = data(rng, self.published, time)
        own = Random(f"{time} {self.published}")  # of its own, so that all else is as it would be without
        if own.random() < world.shape.links / 4:
            told["identities"] = [_carried(own)]
        self._tell(topic, customer, type_, f"e{self.published}", time, told)
        if world.hit(faults.duplicates):
            self._again(topic, customer)
        if world.hit(faults.poison):
            world.append(topic, customer, rng.choice(POISON))
            world.count("poison")

    def _tell(self, topic: str, customer: str, type_: str, id_: str, time: str, data: Data) -> None:
        event = {"specversion": "1.0", "id": id_, "source": "/sim", "type": type_, "time": time, "data": data}
        self._world.append(topic, customer, json.dumps(event).encode())

    def _gather(self) -> None:
        """All of a crowd are linked at once, and some of them buy something."""
        time = _rfc3339(self._world.now_ms)
        for number, (one, other) in enumerate(self._crowd):
            self._tell("customers", one, "identity.linked", f"crowd-{number}", time, {"other": other, "kind": "anonymous"})
            if number % 7 == 0:
                self._tell("orders", other, "order.placed", f"bought-{number}", time, _order(self._rng, 100_000 + number, time))

    def _disperse(self) -> None:
        """Half way, some of these links are taken back, all at once; or none of them."""
        time = _rfc3339(self._world.now_ms)
        for number, (one, other) in enumerate(self._crowd):
            if self._world.shape.parted and number % 40 == 20:
                data = {"other": other, "kind": "anonymous"}
                self._tell("customers", one, "identity.unlinked", f"parted-{number}", time, data)
        self._crowd = []

    def _again(self, topic: str, customer: str) -> None:
        """What this customer did once more, as it stands a little earlier in the log."""
        recent = self._world.log[self._world.partition_of(topic, customer)][-RETRY_RECORDS:]
        values = [record.value for record in recent if record is not None and record.key == customer.encode()]
        self._world.append(topic, customer, self._rng.choice(values))
        self._world.count("duplicates")
