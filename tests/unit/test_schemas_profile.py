"""The profile's contract holds for all that the core shows: its Structs know every field, and its JSON Schema says the same."""

from __future__ import annotations

from functools import reduce
from operator import or_
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest
from typer.testing import CliRunner

from cli import main
from cli.schema import whole_profile
from portrait.dimensions.registry import DIMENSIONS
from portrait.features.base import unseen
from portrait.features.registry import FEATURES
from portrait.lifecycle import STAGES
from profile_store.keys import FORMAT as STORE_FORMAT
from schemas import examples, profile
from schemas.describe import json_schema
from schemas.event import Event, decode
from schemas.profile import Profile, StageName, View, parse
from schemas.registry import TYPES
from tests.corekit import Customer, at, order
from tests.corekit import event as made_event

#: Dimensions that are derived declare their contract themselves.
DERIVED = {dimension.name: dimension.contract for dimension in DIMENSIONS}


def strict(kind: Any) -> Any:
    """``kind``, with every View in it refusing unknown members: what the core shows must be in the contract."""
    if isinstance(kind, type) and issubclass(kind, View):
        hints = get_type_hints(kind)
        names = zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True)
        fields = [(name, strict(hints[name]), msgspec.field(name=shown, default=None)) for name, shown in names]
        as_array = kind.__struct_config__.array_like
        return msgspec.defstruct(f"Strict{kind.__name__}", fields, kw_only=True, forbid_unknown_fields=True, array_like=as_array)
    if get_origin(kind) in (None, Literal):
        return kind
    args = tuple(strict(arg) for arg in get_args(kind))
    return reduce(or_, args) if get_origin(kind) in (Union, UnionType) else get_origin(kind)[args]


def rich_customer() -> Customer:
    """A customer of whom every example event is known, with a history, and everything told twice over."""
    customer = Customer()
    for day in (0, 20, 40, 60):
        customer.sees(order(day))
    customer.waits_until(400)
    decoded = []
    for name in TYPES:
        made = examples.event(name)
        event = decode(TYPES[name][0].name, b"C1", msgspec.json.encode(made), (), at(3000))
        assert isinstance(event, Event), event
        decoded.append(event)
    customer.sees(*sorted(decoded, key=lambda e: e.time_ms))
    customer.sees(made_event("attributes.changed", customer.now_day, attributes={"city": "北京"}, system="partner:x"))
    written = "快递太慢，再也不买了，希望快递快一点"
    customer.sees(made_event("complaint.opened", customer.now_day, complaint_id="K-written", text=written))
    return customer


def shown() -> dict[str, bytes]:
    return rich_customer().fields


def test_every_field_that_the_core_shows_is_in_the_contract_to_the_last_member() -> None:
    hints = {**get_type_hints(Profile), **DERIVED}
    for name, value in shown().items():
        assert name in hints, f"{name}: declare it in schemas/profile.py"
        if name != "stage":
            msgspec.json.decode(value, type=strict(hints[name]))


def test_the_check_would_find_a_member_that_the_contract_does_not_know() -> None:
    with pytest.raises(msgspec.ValidationError, match="unknown field `moon`"):
        msgspec.json.decode(b'{"orders": [1, 1, 1, 1], "moon": 2}', type=strict(profile.Consumption))
    with pytest.raises(msgspec.ValidationError, match="unknown field `moon`"):
        msgspec.json.decode(b'{"orders": [], "last_order": {"moon": 2}}', type=strict(profile.Consumption))
    with pytest.raises(msgspec.ValidationError, match="at most length 4"):
        msgspec.json.decode(b'{"orders": [1, 1, 1, 1, 1]}', type=strict(profile.Consumption))


def test_every_field_of_the_contract_is_shown_by_a_customer_of_whom_all_is_known() -> None:
    fields = shown()
    assert set(fields) - set(DERIVED) == set(Profile.__struct_fields__)
    for name, value in fields.items():
        view = getattr(parse({name: value}), name, None)  # derived dimensions have a test of their own
        if isinstance(view, View):
            given = set(msgspec.json.decode(value))
            declared = set(view.__struct_encode_fields__)
            missing = declared - given - MAY_BE_MISSING.get(name, set())
            assert not missing, f"{name}: {missing} are in the contract, and not shown"


#: Shown only while they hold.
MAY_BE_MISSING = {
    "needs": {"open"},
    "social": {"rivals_90d"},
    "risk": {"sure", "levers"},
    "value": {"expected_next_ms", "high_value", "rising_value", "why"},
}


def test_a_reader_gets_typed_values() -> None:
    read = parse(shown())
    assert read.stage == "won_back"
    assert read.lifecycle is not None
    assert read.lifecycle.before[0].stage == "churned"
    assert read.consumption is not None
    assert read.consumption.spend_minor["CNY"].total == 4 * 10_000 + 84_900 - 84_900 - 20_000
    assert read.basic is not None
    assert read.basic.attributes["city"] == "上海"
    assert read.risk is not None
    assert 0 <= (read.churn_risk or -1) <= 1


def test_a_reader_may_ask_for_some_fields_and_ignores_what_is_newer() -> None:
    read = parse({"stage": "new", "motivation": b'{"a": 1}', "needs": b'{"complaints": [0, 0, 0, 1, 0, 0, 2]}'})
    assert read.stage == "new"
    assert read.needs is not None
    assert read.needs.complaints.total == 1
    assert read.risk is None


def test_what_the_format_does_not_allow_is_named() -> None:
    with pytest.raises(msgspec.ValidationError, match=r"\$\.complaints\[3\]"):
        parse({"needs": b'{"complaints": [0, 0, 0, "many"]}'})
    with pytest.raises(msgspec.ValidationError, match="bankrupt"):
        parse({"stage": b"bankrupt"})


def test_the_contract_names_the_stages_and_features_of_the_core() -> None:
    assert get_args(StageName) == STAGES
    assert {feature.name for feature in FEATURES if feature.view is not unseen} <= set(Profile.__struct_fields__)


def test_the_store_writes_the_format_of_this_contract() -> None:
    assert profile.FORMAT == STORE_FORMAT


def test_the_json_schema_is_whole_and_describes_fields() -> None:
    schema = json_schema(Profile)
    text = msgspec.json.encode(schema).decode()
    for name in set(_refs(schema)):
        assert name.removeprefix("#/definitions/") in schema["definitions"]
    assert "delivered after the promised time" in text
    assert "Currency" not in schema["definitions"], "only what is used"


def _refs(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if "$ref" in value else []
        return own + [ref for item in value.values() for ref in _refs(item)]
    return [ref for item in value for ref in _refs(item)] if isinstance(value, list) else []


def test_every_view_shown_fits_the_json_schema() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    whole = {name: value.decode() if name == "stage" else msgspec.json.decode(value) for name, value in shown().items()}
    assert DERIVED.keys() & whole.keys() > {"brand", "use", "person"}
    validator = jsonschema.Draft7Validator(json_schema(whole_profile()))
    validator.validate(whole)
    validator.validate({"behaviour": {"clicks": [1, 1, 1, 1, 7]}}), "a newer version's"
    with pytest.raises(jsonschema.ValidationError):
        validator.validate({"brand": {"level": "loyal", "why": {"code": "brand.keeps"}}})


def test_the_json_schema_that_is_printed_has_the_derived_dimensions_and_names_the_places_of_arrays() -> None:
    result = CliRunner().invoke(main.app, ["schema", "profile"])
    definitions = msgspec.json.decode(result.stdout)["definitions"]
    assert definitions["Profile"]["properties"].keys() == {*Profile.__struct_fields__, *DERIVED}
    assert definitions.keys() >= {contract.__name__ for contract in DERIVED.values()}
    assert [place["title"] for place in definitions["Spend"]["items"]] == ["week", "month", "quarter", "total", "average_order"]
