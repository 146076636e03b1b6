"""What was once published or stored goes on decoding, for ever.

Golden lines are added by ``python -m tests.golden.record`` (see there), and never edited or removed: when one of these tests
fails, it is the change that is wrong, not the line. docs/schema-evolution.md says what may change.
"""

from __future__ import annotations

from base64 import b64decode
from pathlib import Path
from typing import Any

import msgspec
import pytest

from portrait.evolve import Arrival, evolve
from portrait.models.churn import fresh
from portrait.state import FORMAT, decode, encode, facts
from schemas import event as codec
from schemas import examples
from schemas.registry import TYPES
from tests.corekit import HORIZON_DAYS, click
from tests.golden.record import plain

GOLDEN = Path(__file__).parents[1] / "golden"


def lines(name: str) -> list[dict[str, Any]]:
    return [msgspec.json.decode(line) for line in (GOLDEN / name).read_bytes().splitlines()]


EVENTS, STATES = lines("events.jsonl"), lines("states.jsonl")


def type_of(line: dict[str, Any]) -> str:
    return line["headers"].get("ce_type") or msgspec.json.decode(line["value"])["type"]


@pytest.mark.parametrize("line", EVENTS, ids=lambda line: f"{type_of(line)}-{'binary' if line['headers'] else 'structured'}")
def test_a_golden_event_decodes_as_it_did(line: dict[str, Any]) -> None:
    headers = [(name, value.encode()) for name, value in line["headers"].items()]
    record = line["topic"], line["key"].encode(), line["value"].encode(), headers, line["record_ms"]
    decoded = codec.read(*record)  # as it was published; what it is cleaned to may change as vocabularies grow
    assert isinstance(decoded, codec.Event), decoded
    assert isinstance(codec.decode(*record), codec.Event)
    known = plain(decoded)  # what is said of the envelope may grow
    assert {name: known[name] for name in line["decoded"]} == line["decoded"], (
        "a field that is added needs a default, which is not part of the decoded form"
    )


def test_every_type_has_golden_lines_in_both_modes_that_show_all_of_its_fields() -> None:
    for name, (_, declared) in TYPES.items():
        remedy = f"python -m tests.golden.record events {name} >> tests/golden/events.jsonl"
        own = [line for line in EVENTS if type_of(line) == name]
        assert {bool(line["headers"]) for line in own} == {True, False}, remedy
        shown = {field for line in own for field in line["decoded"]["data"]}
        at_default = {
            f.name for f in msgspec.structs.fields(declared.data) if examples.event(name)["data"].get(f.name) == f.default
        }
        assert set(declared.data.__struct_fields__) - shown <= at_default, remedy


def agrees(new: Any, old: Any) -> bool:
    """All that ``old`` holds is in ``new``: Structs are stored by position, and fields are only ever appended."""
    if isinstance(old, dict):
        return isinstance(new, dict) and all(key in new and agrees(new[key], value) for key, value in old.items())
    if isinstance(old, list):
        return isinstance(new, list) and len(new) >= len(old) and all(map(agrees, new, old))
    return new == old


@pytest.mark.parametrize("line", STATES, ids=lambda line: line["about"])
def test_a_golden_state_decodes_as_it_did_and_lives_on(line: dict[str, Any]) -> None:
    blob = b64decode(line["blob"])
    state = decode(blob)
    _, *known = plain(msgspec.to_builtins(state, str_keys=True))
    assert agrees(known, line["decoded"][1:])
    assert state.format == FORMAT, "in which it will be written"
    assert decode(encode(state)).version == state.version
    facts(decode(blob), state.moment_ms)
    clicks = state.parts.behaviour.clicks
    later = msgspec.structs.replace(click(0), time_ms=state.moment_ms + 1)
    change = evolve(state, "C1", [Arrival(0, 0, later)], later.time_ms, fresh(HORIZON_DAYS))
    assert change is not None
    assert change.state.parts.behaviour.clicks == clicks + 1


def test_there_is_a_golden_state_of_this_format() -> None:
    assert FORMAT in {line["decoded"][0] for line in STATES}
