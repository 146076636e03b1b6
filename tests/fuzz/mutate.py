"""Changes to a case that keep most of it meaningful, so that they get past the first check. All drawn from a `random.Random`."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random
from typing import Any

from msgspec.structs import replace

from schemas import examples
from schemas.registry import BY_NAME, TYPES
from tests.fuzz.case import PARTITIONS, Case, Sent
from tests.fuzz.odd import CONTENTS, KEYS, TIMESTAMPS, VALUES, at_path, paths, with_value, without

#: Changes bytes; a coverage-guided fuzzer brings its own, which learns.
Raw = Callable[[bytes], bytes]
RECORDS_MAX = 60
ATTRIBUTES = ("id", "source", "specversion", "type", "time", "subject", "datacontenttype")
_NAMES = list(TYPES)


def mutated(case: Case, rng: Random, raw: Raw) -> Case:
    """``case`` with a few things changed."""
    sent = list(case.sent) or [_example(rng)]
    for _ in range(rng.choice((1, 1, 2, 3, 5))):
        if rng.random() < 0.3:
            rng.choice(_OF_LISTS)(sent, rng)
        else:
            at = rng.randrange(len(sent))
            sent[at] = rng.choice(_OF_ONE)(sent[at], rng, raw)
    clock = case.stream_clock != (rng.random() < 0.05)
    return Case(sent[:RECORDS_MAX], clock, rng.randint(1, 3) if rng.random() < 0.05 else case.shards)


def bytes_changed(rng: Random, content: bytes) -> bytes:
    """The simplest `Raw`: a few bytes replaced, doubled, inserted or cut."""
    changed = bytearray(content or b"\x00")
    for _ in range(rng.randint(1, 4)):
        at, length = rng.randrange(len(changed) + 1), rng.randint(0, 8)
        changed[at : at + rng.choice((0, length))] = rng.choice((rng.randbytes(length), changed[:length], b""))
    return bytes(changed)


# Of the list of records


def _insert(sent: list[Sent], rng: Random) -> None:
    sent.insert(rng.randint(0, len(sent)), replace(_example(rng), key=rng.choice(sent).key))


def _repeat(sent: list[Sent], rng: Random) -> None:
    """As a producer's retry: at once or later, perhaps many times."""
    again = rng.choice(sent)
    for _ in range(rng.choice((1, 1, 2, 20))):
        sent.insert(rng.randint(0, len(sent)), again)


def _drop(sent: list[Sent], rng: Random) -> None:
    if len(sent) > 1:
        del sent[rng.randrange(len(sent))]


def _shuffle(sent: list[Sent], rng: Random) -> None:
    rng.shuffle(sent)


_OF_LISTS = (_insert, _insert, _repeat, _drop, _shuffle)


def _example(rng: Random) -> Sent:
    name = rng.choice(_NAMES)
    return Sent(TYPES[name][0].name, b"C1", json.dumps(examples.event(name) | {"id": f"e{rng.randrange(10**6)}"}).encode())


# Of one record


def _raw_value(one: Sent, rng: Random, raw: Raw) -> Sent:
    return replace(one, value=raw(one.value or b""))


def _raw_rest(one: Sent, rng: Random, raw: Raw) -> Sent:
    if one.headers and rng.random() < 0.7:
        return replace(
            one, headers=[(name, raw(content or b"") if rng.random() < 0.3 else content) for name, content in one.headers]
        )
    return replace(one, key=raw(one.key or b""))


def _key(one: Sent, rng: Random, raw: Raw) -> Sent:
    return replace(one, key=rng.choice(KEYS))


def _arrival(one: Sent, rng: Random, raw: Raw) -> Sent:
    match rng.randrange(4):
        case 0:
            return replace(one, timestamp=rng.choice(TIMESTAMPS))
        case 1:
            return replace(one, partition=rng.randrange(PARTITIONS))
        case 2:
            return replace(one, ends_batch=not one.ends_batch)
        case _:
            return replace(one, topic=rng.choice((*BY_NAME, "lessons", "")))


def _headers(one: Sent, rng: Random, raw: Raw) -> Sent:
    headers = list(one.headers)
    if headers and rng.random() < 0.4:
        del headers[rng.randrange(len(headers))]
    else:
        name = rng.choice([*(f"ce_{name}" for name in ATTRIBUTES), "ce_data", "CE_ID", "portrait-replay-of", "", "x" * 2000])
        headers.insert(rng.randint(0, len(headers)), (name, rng.choice(CONTENTS)))
    return replace(one, headers=headers)


def _to_binary_mode(one: Sent, rng: Random, raw: Raw) -> Sent:
    event = _parsed(one)
    if not isinstance(event, dict) or "data" not in event:
        return _value(one, rng, raw)
    headers: list[tuple[str, bytes | None]] = [
        (f"ce_{name}", _text(event[name]).encode(errors="replace")) for name in ATTRIBUTES if name in event
    ]
    return replace(one, headers=headers, value=_json(event["data"]))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _value(one: Sent, rng: Random, raw: Raw) -> Sent:
    """Something in the JSON is odd, missing, too much, or elsewhere."""
    event = _parsed(one)
    if event is None:
        return replace(_example(rng), key=one.key)
    places = paths(event)
    path = rng.choice(places)
    match rng.randrange(5):
        case 0 if path:
            return replace(one, value=_json(without(event, path)))
        case 1:
            return replace(one, value=_json(with_value(event, path, at_path(event, rng.choice(places)))))
        case 2:
            return replace(one, value=_twice(_json(event), rng))
        case 3:
            return replace(one, value=_json(with_value(event, path, _near(at_path(event, path), rng))))
        case _:
            return replace(one, value=_json(with_value(event, path, rng.choice(VALUES))))


def _near(value: Any, rng: Random) -> Any:
    """Of the same kind, but another."""
    match value:
        case bool():
            return not value
        case int():
            return value + rng.choice((-1, 1, -value, 10**6, 10**12))
        case dict():
            return value | {rng.choice(("unknown", "", "~", "id", "x" * 65)): rng.choice(VALUES)}
        case list():
            return value * rng.choice((2, 100, 501)) or [rng.choice(VALUES)]
        case str():
            try:
                return (datetime.fromisoformat(value) + timedelta(days=rng.choice((-4000, -91, -60, -1, 1, 30)))).isoformat()
            except (ValueError, OverflowError):
                return rng.choice((value[:-1], value + "x", value * 3, value.upper(), f"{value}{rng.randrange(40)}"))
    return rng.choice(VALUES)


def _twice(text: bytes, rng: Random) -> bytes:
    """A name that is given twice, with another value."""
    marks = [at for at, byte in enumerate(text) if byte in b"{,"]
    name = rng.choice((*ATTRIBUTES, "data", "amount_minor", "page"))
    at = rng.choice(marks) + 1 if marks else 0
    return text[:at] + f'"{name}":{json.dumps(rng.choice(VALUES))},'.encode() + text[at:]


_OF_ONE = (_value, _value, _value, _value, _raw_value, _raw_value, _raw_rest, _key, _arrival, _arrival, _headers, _to_binary_mode)


def _parsed(one: Sent) -> Any:
    try:
        return json.loads(one.value or b"")
    except (ValueError, RecursionError):
        return None


def _json(value: Any) -> bytes:
    """As some publishers write it: NaN, Infinity and lone surrogates too."""
    try:
        return json.dumps(value).encode()
    except RecursionError:
        return b"[" * 2000
