"""Prints golden lines, to be appended to the files beside this one. Never edit or remove a line there.

python -m tests.golden.record events item.viewed >> tests/golden/events.jsonl     a new type, or new fields of one
python -m tests.golden.record state "what is new about it" >> tests/golden/states.jsonl     new fields of the state
"""

from __future__ import annotations

import sys
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import msgspec

from portrait.state import State, encode
from schemas import examples
from schemas.event import Event, decode, read
from schemas.registry import TYPES
from tests.corekit import Customer, click, complaint, event, order

RECORD_MS = 1_790_000_000_000


def plain(value: Any) -> Any:
    """As JSON has it; bytes as base64."""
    return msgspec.json.decode(msgspec.json.encode(value))


def event_lines(name: str) -> Iterator[dict[str, Any]]:
    """The example in structured and in binary mode, and the least that is valid: required fields alone, no time."""
    topic, declared = TYPES[name]
    full = examples.event(name)
    required = {field.name for field in msgspec.structs.fields(declared.data) if field.required}
    least = {k: v for k, v in full.items() if k != "time"} | {"data": {k: v for k, v in full["data"].items() if k in required}}
    headers = {f"ce_{key}": value for key, value in full.items() if key != "data"}
    yield line(topic.name, full, {})
    yield line(topic.name, full["data"], headers)
    yield line(topic.name, least, {})


def line(topic: str, value: Any, headers: dict[str, str]) -> dict[str, Any]:
    text = msgspec.json.encode(value).decode()
    decoded = read(topic, b"C-1024", text.encode(), [(k, v.encode()) for k, v in headers.items()], RECORD_MS)
    if not isinstance(decoded, Event):
        raise ValueError(decoded)
    return {
        "topic": topic,
        "key": "C-1024",
        "headers": headers,
        "record_ms": RECORD_MS,
        "value": text,
        "decoded": plain(decoded),
    }


def rich_state() -> State:
    """A customer with a history, of whom every type of event is known, with effects and examples waiting."""
    customer = Customer()
    customer.sees(*[order(day, id=f"o{day}", coupon="C" * (day % 2) or None) for day in range(0, 90, 10)])
    customer.waits_until(400)
    customer.flush()
    known = [decode(TYPES[name][0].name, b"C1", msgspec.json.encode(examples.event(name)), (), RECORD_MS) for name in TYPES]
    customer.sees(*sorted((e for e in known if isinstance(e, Event)), key=lambda e: e.time_ms))
    day = customer.now_day
    customer.sees(*[event("item.viewed", day + i / 100, id=f"i{i}", sku=f"S{i}") for i in range(12)])  # a tally overflows
    customer.sees(*[click(day - n, id=f"d{n}") for n in range(60)])  # so many active days that they are packed
    customer.sees(event("attributes.changed", day + 0.5, id="p", attributes={"city": "北京", "age": "300"}, system="partner:x"))
    written = "快递太慢，等了十天，再也不买了，希望快递快一点"
    customer.sees(complaint(day + 1, "K-open", severity="critical", text=written), click(day + 1, id="c"), now=day + 1.5)
    if not (customer.known.effects and customer.known.pending and customer.known.cooldowns):
        raise ValueError("this state is not rich")
    return customer.known


def state_line(about: str) -> dict[str, Any]:
    state = rich_state()
    return {
        "about": about,
        "blob": b64encode(encode(state)).decode(),
        "decoded": plain(msgspec.to_builtins(state, str_keys=True)),
    }


def main(what: str, *names: str) -> None:
    lines = [state_line(*names)] if what == "state" else [made for name in names or TYPES for made in event_lines(name)]
    for made in lines:
        sys.stdout.buffer.write(msgspec.json.encode(made) + b"\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
