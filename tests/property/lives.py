"""Lives of one customer for the property tests: valid events of every type, made from the contracts themselves.

Everything is drawn from a `random.Random`: a seeded one for long lives, or hypothesis's own, which shrinks.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from random import Random
from typing import Any, NamedTuple

import msgspec
from msgspec import inspect

from schemas.registry import TYPES
from schemas.topic import EventType, Topic

CUSTOMER = b"C1"
DAY_MS = 86_400_000
#: The moment as of which facts are compared; no event is later.
END_MS = 20_000 * DAY_MS + 11 * 3_600_000
LONGEST_DAYS = 2_600  # more than the calendar of purchase days holds
OPTIONAL_GIVEN = 0.7
#: What free texts end with, and how long the contracts let them be.
SAID = [
    "质量很好，很满意",
    "快递太慢，再也不买了",
    "希望便宜点",
    "caught fire, I wish the battery was better",
    "太差了，退货！",
    "works great",
    "broken again 😡",
    "客服 so rude, 很失望",
    "👍",
    "",
]
TEXT_LENGTH_MAX = 10_000
ZONES = [UTC, timezone(timedelta(hours=8)), timezone(-timedelta(hours=9, minutes=30))]


class LogRecord(NamedTuple):
    """As Kafka's clients have it."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


class Sent(NamedTuple):
    """An event on its way to a topic."""

    topic: str
    value: bytes


class Author:
    """Writes events. ``words`` is the size of every vocabulary, ``days`` how far back the events reach.

    Times, orders and complaints come from small sets, so that events meet: on one day, in one millisecond, about one case.
    """

    def __init__(self, rng: Random, *, words: int, days: int, long_words: bool = False) -> None:
        self._rng = rng
        self._words, self._long_words = words, long_words
        self._moments = [self._moment(days) for _ in range(max(4, words))]
        self._count = 0

    def write(self) -> Sent:
        topic, event = self._choose(list(TYPES.values()))
        return Sent(topic.name, msgspec.json.encode(self._envelope(topic, event)))

    def _envelope(self, topic: Topic, event: EventType) -> dict[str, Any]:
        self._count += 1
        time = self._choose(self._moments)
        data = self._value(inspect.type_info(event.data))
        for field in ("placed_at", "opened_at"):
            if field in data:
                data[field] = min(data[field], time)
        return {
            "specversion": "1.0",
            "id": f"{topic.name}-{self._count}",
            "source": "/test",
            "type": event.name,
            "time": time.astimezone(self._choose(ZONES)),
            "data": data,
        }

    def _moment(self, days: int) -> datetime:
        """Often at the very edge of a day."""
        rng = self._rng
        day_ms = (END_MS // DAY_MS - rng.randint(0, days)) * DAY_MS
        ms = self._choose([0, 1, DAY_MS - 1, rng.randint(0, DAY_MS - 1)])
        us = self._choose([0, 0, 1, 499, 500, 999])
        moment = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=day_ms + ms, microseconds=us)
        return min(moment, datetime.fromtimestamp(END_MS / 1000, UTC))

    def _choose(self, options: Sequence[Any]) -> Any:
        return options[self._rng.randint(0, len(options) - 1)]

    def _word(self, limit: int | None) -> str:
        number = self._rng.randint(0, self._words - 1)
        if self._long_words:
            return f"{number:04}".ljust(min(limit or 300, 300), "\N{GRINNING FACE}")
        return self._choose([f"w{number}", f"词{number}", f"W{number} ß"])[: limit or 300]

    def _value(self, kind: Any) -> Any:
        """A JSON value of the type that msgspec describes."""
        rng = self._rng
        match kind:
            case inspect.Metadata():
                return self._value(kind.type)
            case inspect.StructType():
                fields = (f for f in kind.fields if f.name != "identities")  # who else it is: for those to say who test persons
                return {f.encode_name: self._value(f.type) for f in fields if f.required or rng.random() < OPTIONAL_GIVEN}
            case inspect.UnionType():
                return self._value(self._choose([t for t in kind.types if not isinstance(t, inspect.NoneType)]))
            case inspect.LiteralType():
                return self._choose(kind.values[: max(2, self._words)])
            case inspect.StrType(max_length=most) if most == TEXT_LENGTH_MAX:
                word = self._word(100)
                return f"{word} {SAID[sum(map(ord, word)) % len(SAID)]}"
            case inspect.StrType():
                return self._word(kind.max_length)
            case inspect.IntType():
                most = kind.le if kind.le is not None else 10**6
                return self._choose([kind.ge, min(most, kind.ge + 1), rng.randint(kind.ge, most)])
            case inspect.FloatType():
                return kind.ge + (kind.le - kind.ge) * rng.random()
            case inspect.BoolType():
                return rng.random() < 0.5
            case inspect.DateTimeType():
                return self._choose(self._moments)
            case inspect.ListType():
                return [self._value(kind.item_type) for _ in range(rng.randint(0, 3))]
            case inspect.DictType():
                return {self._value(kind.key_type): self._value(kind.value_type) for _ in range(rng.randint(kind.min_length, 3))}
        raise TypeError(f"the contracts have a kind of value that is not written here: {kind}")


def arrive(rng: Random, events: Sequence[Sent], duplicates: int = 0) -> list[LogRecord]:
    """The log when these events arrive in this order, some of them again before 15 others have come. One partition a topic."""
    order = list(events)
    for _ in range(duplicates if events else 0):
        again = events[rng.randint(0, len(events) - 1)]
        order.insert(order.index(again) + 1 + rng.randint(0, min(14, len(order) - order.index(again) - 1)), again)
    offsets: Counter[str] = Counter()
    log = []
    for topic, value in order:
        log.append(LogRecord(topic, 0, offsets[topic], END_MS, CUSTOMER, value))
        offsets[topic] += 1 + rng.randint(0, 2)  # others' events lie between
    return log


def readable(log: Sequence[LogRecord]) -> str:
    """For a failure's message: enough to make the log again."""
    return "\n".join(f"{r.topic}/{r.offset} {base64.b64encode(r.value or b'').decode()}" for r in log)
