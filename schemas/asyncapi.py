"""The AsyncAPI 3.0 document of all topics that applications write to or read from, generated from the declarations.

docs/asyncapi.json is its committed form; ``portrait schema asyncapi`` prints it.
"""

from __future__ import annotations

from typing import Any

import msgspec

from schemas import examples
from schemas.describe import components, summary
from schemas.event import CUSTOMER_ID_BYTES_MAX, ENVELOPES
from schemas.outputs import ActionEvent, DeadLetter, Expired, OperatorActionEvent
from schemas.registry import ACTIONS, DEAD_LETTERS, EVENT_TOPICS, EXPIRED, OPERATOR_ACTIONS
from schemas.topic import EventType, Topic

#: Of the contracts: the first number grows when a publisher or a reader has to change (docs/schema-evolution.md).
VERSION = "1.0.0"
CLOUDEVENT = "application/cloudevents+json"
_SCHEMA = "#/components/schemas/{name}"
_KAFKA = {"bindingVersion": "0.5.0"}

_ABOUT = """Events come in on seven topics as CloudEvents 1.0 JSON; profiles are kept in Redis; actions go out.

The record's key is the customer id (or the anonymous id, or the social handle, where the customer is not known).
Structured mode is described here. Binary mode carries the same attributes in the headers `ce_specversion`, `ce_id`, `ce_source`,
`ce_type`, `ce_time`, and `data` alone in the value. Unknown fields are ignored. What does not fit goes to `dead-letters`."""

#: Topic: (type, content type, the record's key, payload, example).
_OUTPUTS: dict[str, tuple[str, str, str, Any, Any]] = {
    ACTIONS: ("action.raised", CLOUDEVENT, "the customer id", ActionEvent, examples.ACTION),
    DEAD_LETTERS: (
        "dead-letter",
        "application/json",
        "where the bad record stood: topic/partition/offset",
        DeadLetter,
        examples.DEAD_LETTER,
    ),
    OPERATOR_ACTIONS: (
        "operator-action.raised",
        CLOUDEVENT,
        "the model",
        OperatorActionEvent,
        examples.OPERATOR_ACTION,
    ),
    EXPIRED: ("fragment-expired", "application/json", "the identity that has expired", Expired, examples.EXPIRED),
}


def document() -> dict[str, Any]:
    """The document as plain data, the same for the same declarations."""
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Portrait", "version": VERSION, "description": _ABOUT, "license": {"name": "Apache-2.0"}},
        "defaultContentType": CLOUDEVENT,
        "channels": {
            **{topic.name: _event_channel(topic) for topic in EVENT_TOPICS},
            **{name: _channel(name, payload.__doc__, [kind]) for name, (kind, _, _, payload, _) in _OUTPUTS.items()},
        },
        "operations": {
            **{f"receive-{topic.name}": _operation("receive", topic.name) for topic in EVENT_TOPICS},
            **{f"send-{name}": _operation("send", name) for name in _OUTPUTS},
        },
        "components": {
            "schemas": components([*ENVELOPES.values(), ActionEvent, DeadLetter, OperatorActionEvent, Expired], _SCHEMA)
            | {"CustomerId": _customer_id()},
            "messages": {
                **{event.name: _event_message(event) for topic in EVENT_TOPICS for event in topic.events},
                **{kind: _output_message(*given) for given in _OUTPUTS.values() for kind in given[:1]},
            },
        },
    }


def text() -> str:
    """The document as committed: indented JSON."""
    return msgspec.json.format(msgspec.json.encode(document()), indent=1).decode() + "\n"


def _customer_id() -> dict[str, Any]:
    words = f"1 to {CUSTOMER_ID_BYTES_MAX} bytes of UTF-8 without control characters"
    return {"type": "string", "minLength": 1, "maxLength": CUSTOMER_ID_BYTES_MAX, "description": words}


def _event_channel(topic: Topic) -> dict[str, Any]:
    return _channel(topic.name, topic.doc, [event.name for event in topic.events])


def _channel(name: str, doc: str | None, messages: list[str]) -> dict[str, Any]:
    return {
        "address": name,
        "description": summary(doc),
        "messages": {message: {"$ref": f"#/components/messages/{message}"} for message in messages},
        "bindings": {"kafka": {"topic": name, **_KAFKA}},
    }


def _operation(action: str, channel: str) -> dict[str, Any]:
    """``receive`` and ``send`` are what Portrait does: applications do the other."""
    return {"action": action, "channel": {"$ref": f"#/channels/{channel}"}}


def _event_message(event: EventType) -> dict[str, Any]:
    payload = ENVELOPES[event.name]
    return {
        "name": event.name,
        "title": event.data.__name__,
        "summary": summary(event.data.__doc__),
        "contentType": CLOUDEVENT,
        "payload": {"$ref": _SCHEMA.format(name=payload.__name__)},
        "bindings": {"kafka": {"key": {"$ref": _SCHEMA.format(name="CustomerId")}, **_KAFKA}},
        "examples": [{"name": "structured", "payload": examples.event(event.name)}],
    }


def _output_message(kind: str, content_type: str, key: str, payload: Any, example: Any) -> dict[str, Any]:
    return {
        "name": kind,
        "title": payload.__name__,
        "summary": summary(payload.__doc__),
        "contentType": content_type,
        "payload": {"$ref": _SCHEMA.format(name=payload.__name__)},
        "bindings": {"kafka": {"key": {"type": "string", "description": key}, **_KAFKA}},
        "examples": [{"name": "one", "payload": msgspec.to_builtins(example)}],
    }
