"""A record on its way to Kafka or to a file, and what a data set turns into."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from schemas.registry import TYPES


class Parcel(NamedTuple):
    """A record to be published: its timestamp is the event's own time."""

    time_ms: int
    topic: str
    key: bytes | None
    value: bytes | None


class Contents(NamedTuple):
    """What a data set holds: its events in time order, counted by type, and of how many of its lines they are made."""

    parcels: list[Parcel]
    types: Counter[str]
    lines: int
    lines_used: int


def event(source: str, id_: str, type_: str, at: datetime, customer_id: str, data: dict[str, Any]) -> Parcel:
    """A CloudEvents 1.0 record; ``at`` carries the customer's offset."""
    envelope = {
        "specversion": "1.0",
        "id": id_,
        "source": source,
        "type": type_,
        "time": at.isoformat(),
        "datacontenttype": "application/json",
        "data": data,
    }
    topic = TYPES[type_][0].name
    return Parcel(int(at.timestamp() * 1000), topic, customer_id.encode(), msgspec.json.encode(envelope))


def json_line(parcel: Parcel) -> bytes:
    """One line, as `portrait publish` reads it: the event with ``topic`` and ``key``. What is no JSON object is in ``base64``."""
    line: dict[str, Any] = {"topic": parcel.topic, "key": None if parcel.key is None else parcel.key.decode(errors="replace")}
    try:
        value = msgspec.json.decode(parcel.value or b"")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        value = None
    line |= value if isinstance(value, dict) else {"base64": parcel.value}
    return msgspec.json.encode(line) + b"\n"
