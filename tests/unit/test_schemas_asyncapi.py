"""docs/asyncapi.json is what the declarations say, keeps AsyncAPI 3's rules, and its examples really decode."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from schemas import examples
from schemas.asyncapi import document, text
from schemas.describe import comments
from schemas.event import ENVELOPES, Event, decode
from schemas.orders import OrderCancelled
from schemas.outputs import ActionEvent, DeadLetter, OperatorActionEvent
from schemas.registry import ACTIONS, DEAD_LETTERS, EVENT_TOPICS, OPERATOR_ACTIONS, TYPES
from schemas.types import Data

COMMITTED = Path(__file__).parents[2] / "docs" / "asyncapi.json"
DOCUMENT = document()
FAR_FUTURE_MS = 4_000_000_000_000


def resolve(ref: str) -> Any:
    assert ref.startswith("#/"), "nothing outside the document"
    found: Any = DOCUMENT
    for step in ref[2:].split("/"):
        found = found[step.replace("~1", "/").replace("~0", "~")]
    return found


def refs(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for item in value.values():
            yield from refs(item)
    elif isinstance(value, list):
        for item in value:
            yield from refs(item)


def test_the_committed_document_is_what_the_declarations_say() -> None:
    assert COMMITTED.read_text() == text(), "run: portrait schema asyncapi > docs/asyncapi.json"


def test_every_reference_leads_somewhere() -> None:
    for ref in set(refs(DOCUMENT)):
        assert resolve(ref) is not None


def test_a_reference_stands_alone_for_its_neighbours_would_be_ignored() -> None:
    def visit(value: Any) -> None:
        if isinstance(value, dict):
            assert "$ref" not in value or set(value) == {"$ref"}, value
            for item in value.values():
                visit(item)
        elif isinstance(value, list):
            for item in value:
                visit(item)

    visit(DOCUMENT)


def test_the_document_has_the_parts_that_asyncapi_3_requires_and_no_others() -> None:
    root = {"asyncapi", "id", "info", "servers", "defaultContentType", "channels", "operations", "components"}
    assert {"asyncapi", "info"} <= set(DOCUMENT) <= root
    assert re.fullmatch(r"3\.0\.\d+", DOCUMENT["asyncapi"])
    assert {"title", "version"} <= set(DOCUMENT["info"])
    for part in ("channels", "operations"):
        assert all(re.fullmatch(r"[\w.\-]+", name) for name in DOCUMENT[part])
    for kind, parts in DOCUMENT["components"].items():
        assert kind in {"schemas", "messages"}
        assert all(re.fullmatch(r"[\w.\-]+", name) for name in parts)


def test_operations_name_what_portrait_does_on_channels_that_exist() -> None:
    actions = {operation["channel"]["$ref"].split("/")[-1]: operation["action"] for operation in DOCUMENT["operations"].values()}
    assert set(actions) == set(DOCUMENT["channels"])
    assert {name for name, action in actions.items() if action == "receive"} == {topic.name for topic in EVENT_TOPICS}
    assert set(actions.values()) == {"receive", "send"}


def test_every_topic_is_a_channel_with_a_message_for_each_of_its_types() -> None:
    for topic in EVENT_TOPICS:
        channel = DOCUMENT["channels"][topic.name]
        assert channel["address"] == channel["bindings"]["kafka"]["topic"] == topic.name
        assert list(channel["messages"]) == [event.name for event in topic.events]
    assert {ACTIONS, DEAD_LETTERS, OPERATOR_ACTIONS} < set(DOCUMENT["channels"])


@pytest.mark.parametrize("name", TYPES)
def test_every_example_decodes_in_both_modes_and_shows_every_field(name: str) -> None:
    topic, declared = TYPES[name]
    example = DOCUMENT["components"]["messages"][name]["examples"][0]["payload"]
    event = decode(topic.name, b"C1", msgspec.json.encode(example), (), FAR_FUTURE_MS)
    assert isinstance(event, Event), event
    assert type(event.data) is declared.data
    assert set(example["data"]) == set(declared.data.__struct_fields__)
    headers = [(f"ce_{key}", value.encode()) for key, value in example.items() if key != "data"]
    assert decode(topic.name, b"C1", msgspec.json.encode(example["data"]), headers, FAR_FUTURE_MS) == event


@pytest.mark.parametrize("name", TYPES)
def test_every_example_fits_its_json_schema(name: str) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = {"$ref": f"#/components/schemas/{ENVELOPES[name].__name__}", "components": DOCUMENT["components"]}
    validator = jsonschema.Draft7Validator(schema)
    validator.validate(examples.event(name))
    wrong = examples.event(name)
    del wrong["data"]
    assert not validator.is_valid(wrong)


@pytest.mark.parametrize(
    ("kind", "struct"),
    [("action.raised", ActionEvent), ("dead-letter", DeadLetter), ("operator-action.raised", OperatorActionEvent)],
)
def test_the_examples_of_outputs_decode_and_fit(kind: str, struct: Any) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    example = DOCUMENT["components"]["messages"][kind]["examples"][0]["payload"]
    msgspec.convert(example, struct, strict=True)
    schema = {"$ref": f"#/components/schemas/{struct.__name__}", "components": DOCUMENT["components"]}
    jsonschema.Draft7Validator(schema).validate(example)


def test_every_type_says_what_it_is() -> None:
    for name, (_, declared) in TYPES.items():
        assert vars(declared.data).get("__doc__"), f"{name}: one line about it, as the docstring of {declared.data.__name__}"


def test_the_comment_beside_a_field_is_its_description() -> None:
    assert comments(OrderCancelled) == comments(Data) | {
        "amount_minor": "the part that is called off",
        "whole": "false: a part of the order stands",
    }
    schema = DOCUMENT["components"]["schemas"]["OrderCancelled"]["properties"]
    assert schema["amount_minor"]["description"] == "the part that is called off; integer minor units of the currency"
