"""A decoded event, and the codec from Kafka records to it: CloudEvents 1.0, structured and binary content mode.

Source: CloudEvents 1.0.2 with its Kafka protocol binding and JSON format. One pass of msgspec per record: the envelope is a
union tagged by ``type``. A record that does not fit becomes a `Rejection`, which names the reason, the path and the remedy;
nothing raises.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import reduce
from hashlib import blake2b
from operator import or_
from typing import Any, Literal

import msgspec

from schemas.cleaning import NONE_REFUSED, Refused, clean
from schemas.registry import EVENT_TOPICS, TYPES
from schemas.types import Data, Key, Line, Name, Time

VALUE_BYTES_MAX = 256 * 1024
CUSTOMER_ID_BYTES_MAX = 256
#: An event may be this far ahead of the broker's time for its record (clocks differ), and no further.
FUTURE_SKEW_MS = 5 * 60_000
#: The year 9999, which no event reaches, even if its record's own time does (under CreateTime that is the producer's claim).
TIME_MS_END = 253_370_764_800_000
HOUR_MS = 3_600_000
#: The weekday of 1970-01-01, Monday being 0.
THURSDAY = 3

Headers = Sequence[tuple[str, bytes | None]]

_BINARY = "ce_specversion"
#: Set by ``portrait dlq replay``: ``topic/partition/offset`` of the record that this one stands for.
REPLAY_OF = "portrait-replay-of"
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff]")


class Event(msgspec.Struct, gc=False):
    """One valid event of one customer.

    ``hash`` is blake2b, 8 bytes long, over the CloudEvents source and id, which together identify an event;
    ``hour`` is the customer's local hour (0 to 23) and ``weekday`` their local day (0: Monday), from the offset of ``time``;
    ``source`` is who published it; ``refused`` names the fields of which a value was left out, by `schemas.cleaning`, or, of
    ``identities``, where these get their names (`schemas.identity`).
    """

    customer_id: str
    topic_code: int
    time_ms: int
    hour: int
    hash: bytes
    id: str
    data: Any
    weekday: int = 0
    source: str = ""
    refused: Refused = NONE_REFUSED


class Rejection(msgspec.Struct, gc=False):
    """Why a record can't be folded: a stable ``reason`` (for metrics), the place, what is wrong, and how to mend it."""

    reason: Literal[
        "no-value", "too-large", "bad-key", "not-json", "invalid", "unknown-type", "wrong-topic", "bad-time", "unknown-topic"
    ]
    path: str
    message: str
    remedy: str


class _Envelope(msgspec.Struct, tag_field="type", frozen=True, kw_only=True, gc=False):
    """CloudEvents context attributes. Extension attributes are allowed and ignored."""

    id: Key  # with ``source`` it identifies the event: what is published twice counts once
    source: Line  # who publishes: a URI reference, such as /shop/checkout
    specversion: Literal["1.0"]
    time: Time | None = None  # when it happened; if missing, the record's own time
    subject: Line | None = None  # allowed, not read: the record's key names the customer
    datacontenttype: Name | None = None  # allowed, not read: ``data`` is JSON


def _envelope(name: str, data: type[Data]) -> Any:
    """The envelope of one event type: `_Envelope` with its tag and its ``data``."""
    return msgspec.defstruct(
        f"{data.__name__}Event", [("data", data)], bases=(_Envelope,), tag=name, frozen=True, kw_only=True, gc=False
    )


ENVELOPES = {name: _envelope(name, event.data) for name, (_, event) in TYPES.items()}
_DECODE = {
    topic.name: (topic.code, msgspec.json.Decoder(reduce(or_, (ENVELOPES[e.name] for e in topic.events))).decode)
    for topic in EVENT_TOPICS
}


def decode(topic: str, key: bytes | None, value: bytes | None, headers: Headers, record_ms: int) -> Event | Rejection:
    """Decode one Kafka record, and clean its data (`schemas.cleaning`): what is folded. The arguments are those of `read`."""
    found = read(topic, key, value, headers, record_ms)
    if type(found) is Event:
        found.data, found.refused = clean(found.data, found.time_ms)
    return found


def read(topic: str, key: bytes | None, value: bytes | None, headers: Headers, record_ms: int) -> Event | Rejection:
    """Decode one Kafka record as it was published.

    ``record_ms`` is the record's timestamp in epoch milliseconds: the time of an event that carries none, and the bound on
    how far in the future an event may lie.
    """
    try:
        code, decode_json = _DECODE[topic]
    except KeyError:
        return Rejection(
            "unknown-topic", "topic", f"{topic!r} is not a topic of events", f"publish to one of {', '.join(_DECODE)}"
        )
    customer_id = customer_id_of(key)
    if isinstance(customer_id, Rejection):
        return customer_id
    if not value:
        return Rejection(
            "no-value", "value", "the record has no value", "publish a CloudEvents 1.0 JSON event; a tombstone means nothing here"
        )
    if len(value) > VALUE_BYTES_MAX:
        return Rejection(
            "too-large",
            "value",
            f"{len(value)} bytes, more than {VALUE_BYTES_MAX}",
            "send a reference instead of the content itself",
        )
    binary = bool(headers) and any(name == _BINARY for name, _ in headers)
    try:
        envelope = _decode_binary(topic, value, headers) if binary else decode_json(value)
    except (msgspec.DecodeError, RecursionError, ValueError, OverflowError) as error:
        found: Event | Rejection = _rejection(topic, error)
    else:
        found = _event(code, customer_id, envelope, record_ms)
    return _in_headers(found) if binary and isinstance(found, Rejection) else found


def _event(code: int, customer_id: str, envelope: Any, record_ms: int) -> Event | Rejection:
    if "\0" in envelope.source or "\0" in envelope.id:  # it stands between the two in the hash
        return Rejection("invalid", "$.source", "source or id holds a NUL character", "leave it out")
    time = envelope.time
    if time is None:
        time_ms, hour, weekday = record_ms, record_ms // HOUR_MS % 24, (record_ms // (24 * HOUR_MS) + THURSDAY) % 7
    else:
        time_ms, hour, weekday = round(time.timestamp() * 1000), time.hour, time.weekday()
    if time_ms < 0:
        found = "the event has no time, nor has the record" if time is None else f"{time.isoformat()} is before 1970"
        return Rejection("bad-time", "$.time", found, "check the publisher's clock and its unit of time")
    if time_ms >= TIME_MS_END:
        return Rejection("bad-time", "$.time", "it lies beyond the year 9998", "check the publisher's clock and its unit of time")
    if time_ms > record_ms + FUTURE_SKEW_MS:
        return Rejection(
            "bad-time",
            "$.time",
            f"{time_ms - record_ms} ms ahead of the record's own time",
            f"check the publisher's clock and offset: at most {FUTURE_SKEW_MS} ms ahead are accepted",
        )
    data = envelope.data
    placed_at = getattr(data, "placed_at", None) or getattr(data, "opened_at", None)
    if placed_at is not None and not 0 <= placed_at.timestamp() * 1000 <= time_ms + FUTURE_SKEW_MS:
        field = "placed_at" if hasattr(data, "placed_at") else "opened_at"
        return Rejection(
            "bad-time",
            f"$.data.{field}",
            f"{placed_at.isoformat()} is before 1970 or after the event",
            "repeat the time at which it began",
        )
    digest = blake2b(f"{envelope.source}\0{envelope.id}".encode(), digest_size=8).digest()
    return Event(customer_id, code, time_ms, hour, digest, envelope.id, data, weekday, envelope.source)


def customer_id_of(key: bytes | None) -> str | Rejection:
    """The identity in a record's key: 1 to 256 bytes of UTF-8 without control characters. Anything else printable is allowed."""
    remedy = "the key is the customer id, the anonymous id or the handle: 1 to 256 bytes of UTF-8, no control characters"
    if not key:
        return Rejection("bad-key", "key", "the record has no key", remedy)
    if len(key) > CUSTOMER_ID_BYTES_MAX:
        return Rejection("bad-key", "key", f"{len(key)} bytes, more than {CUSTOMER_ID_BYTES_MAX}", remedy)
    try:
        customer_id = key.decode()
    except UnicodeDecodeError:
        return Rejection("bad-key", "key", "not UTF-8", remedy)
    if CONTROL.search(customer_id):
        return Rejection("bad-key", "key", "holds a control character", remedy)
    return customer_id


_ATTRIBUTES = {f"ce_{name}": name for name in ("id", "source", "specversion", "type", "time", "subject")}
_HEADERS = {f"$.{name}": f"headers.{header}" for header, name in _ATTRIBUTES.items()}
_one_json_value = msgspec.json.Decoder(msgspec.Raw).decode


def _decode_binary(topic: str, value: bytes, headers: Headers) -> Any:
    """Binary content mode: attributes in ``ce_`` headers, the value is ``data`` alone. Joined, then decoded as structured."""
    attributes: dict[str, Any] = {}
    for name, raw in headers:
        if name in _ATTRIBUTES:
            try:
                attributes[_ATTRIBUTES[name]] = (raw or b"").decode()
            except UnicodeDecodeError as error:
                raise _BadHeader(_ATTRIBUTES[name]) from error
    # Joined unchecked, a value such as `{},"id":"x"` could write over the headers.
    return _DECODE[topic][1](msgspec.json.encode({**attributes, "data": _one_json_value(value)}))


class _BadHeader(ValueError):
    """The header of this attribute is not UTF-8."""


def _in_headers(found: Rejection) -> Rejection:
    """In binary mode the attributes stand in headers: say in which. `$.data` is the value."""
    header = _HEADERS.get(found.path)
    if header is None:
        return found
    return msgspec.structs.replace(found, path=header, remedy=found.remedy.replace(f"`{found.path}`", f"`{header}`"))


_PATH = re.compile(r"^(?P<message>.*?)(?: - at (?P<key>`key` in )?`(?P<path>[^`]+)`)?$", re.DOTALL)


_MISSING = re.compile(r"Object missing required field `([^`]+)`")


def _rejection(topic: str, error: Exception) -> Rejection:
    """Say what msgspec found, with its path; tell an unknown type from one that belongs to another topic."""
    text = str(error)
    if isinstance(error, _BadHeader):
        return Rejection("invalid", f"$.{error}", "not UTF-8", "encode the header as UTF-8")
    if isinstance(error, RecursionError):
        return Rejection("not-json", "$", "nested too deeply", "flatten the event: the contracts need four levels")
    if not isinstance(error, msgspec.ValidationError):
        return Rejection("not-json", "$", text[:300], "publish one JSON object a record, in UTF-8")
    match = _PATH.match(text)
    message, path = (match["message"], match["path"] or "$") if match else (text, "$")
    if match and match["key"]:
        message = f"a key: {message}"
    if missing := _MISSING.fullmatch(message):
        path = f"{path}.{missing[1]}"
    if path == "$.type" and not missing:
        return _type_rejection(topic, message)
    return Rejection("invalid", path, message[:300], _remedy(path, bool(missing)))


def _remedy(path: str, missing: bool) -> str:
    if path == "$":
        return "publish one CloudEvents 1.0 object: specversion, id, source, type, data"
    if path == "$.specversion":
        return 'say "specversion": "1.0"'
    if path.endswith(".currency"):
        return "name the currency by its ISO 4217 code of three letters, as in CNY"
    what = "add it; " if missing else ""
    return f"{what}docs/publishing.md, and the AsyncAPI document, say what `{path}` may hold"


def _type_rejection(topic: str, message: str) -> Rejection:
    found = re.search(r"'([^']*)'", message)
    name = found[1] if found else ""
    if name in TYPES:
        home = TYPES[name][0].name
        return Rejection(
            "wrong-topic", "$.type", f"{name!r} belongs to the topic {home!r}, not {topic!r}", f"publish it to {home!r}"
        )
    known = ", ".join(event.name for event in next(t for t in EVENT_TOPICS if t.name == topic).events)
    return Rejection("unknown-type", "$.type", message[:300], f"use one of: {known}")
