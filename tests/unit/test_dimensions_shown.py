"""Derived dimensions live: each member of each contract is shown to somebody in a simulated year, and no view is long."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest

from cli.population import DAY_MS
from cli.simulate import parcel_of, population_of
from portrait.dimensions.registry import DIMENSIONS
from portrait.evolve import Arrival, evolve, published
from portrait.models.churn import fresh
from portrait.state import mark_of
from schemas.event import Event, decode
from schemas.profile import View

END_MS = 1_767_225_600_000
CUSTOMERS, DAYS, STEP_DAYS = 150, 300, 20
BYTES_MAX = 700
Member = tuple[type[msgspec.Struct], str]
#: Members that nobody in this year shows, and why.
NOBODY: dict[Member, str] = {}

json = msgspec.json.decode
CONTRACTS = {dimension.name: dimension.contract for dimension in DIMENSIONS}


def views_in(kind: Any) -> Iterator[type[msgspec.Struct]]:
    """The views that a type of value may hold."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        yield kind
    for arg in get_args(kind):
        yield from views_in(arg)


def declared(contract: type[msgspec.Struct]) -> set[Member]:
    """The members of it and of all that it holds."""
    found = {(contract, name) for name in contract.__struct_encode_fields__}
    for kind in get_type_hints(contract).values():
        for view in views_in(kind):
            found |= declared(view)
    return found


def given(kind: Any, value: Any) -> set[Member]:
    """The members that a value, as a reader decodes it, really has."""
    if get_origin(kind) in (Union, UnionType):
        kind = next(arg for arg in get_args(kind) if arg is not type(None))
    found: set[Member] = set()
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        hints = get_type_hints(kind)
        for name, shown in zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True):
            if shown in value:
                found |= {(kind, shown)} | given(hints[name], value[shown])
    elif isinstance(value, list | dict) and get_args(kind):
        for each in value.values() if isinstance(value, dict) else value:
            found |= given(get_args(kind)[-1], each)
    return found


@pytest.fixture(scope="module")
def year() -> dict[str, list[bytes]]:
    """All views of each derived dimension that readers get to see."""
    events: dict[str, list[Event]] = defaultdict(list)
    for emitted in population_of(customers=CUSTOMERS, days=DAYS, seed=7, end_ms=END_MS).history():
        parcel = parcel_of(emitted)
        event = decode(parcel.topic, parcel.key, parcel.value, (), parcel.time_ms)
        assert isinstance(event, Event)
        events[event.customer_id].append(event)
    seen: dict[str, list[bytes]] = {name: [] for name in CONTRACTS}
    for customer_id, life in events.items():
        for fields in _shown(customer_id, life):
            for name in CONTRACTS.keys() & fields.keys():
                if (value := fields[name]) is not None:
                    seen[name].append(value)
    return seen


def _shown(customer_id: str, life: list[Event]) -> Iterator[dict[str, bytes | None]]:
    """What is shown, some weeks of events at a time."""
    state, scorer, offset = None, fresh(60), 0
    for until_ms in range(END_MS - DAYS * DAY_MS, END_MS + STEP_DAYS * DAY_MS, STEP_DAYS * DAY_MS):
        batch = []
        while offset < len(life) and life[offset].time_ms < until_ms:
            batch.append(Arrival(mark_of(life[offset].topic_code, 0), offset, life[offset]))
            offset += 1
        change = evolve(state, customer_id, batch, until_ms, scorer)
        if change is not None:
            published(change.state)
            state = change.state
            yield change.fields


@pytest.fixture(scope="module")
def shown(year: dict[str, list[bytes]]) -> set[Member]:
    """By anybody, in any dimension: traits are common to all."""
    return {member for name, values in year.items() for value in set(values) for member in given(CONTRACTS[name], json(value))}


@pytest.mark.parametrize("name", CONTRACTS)
def test_every_member_is_shown_by_somebody(name: str, shown: set[Member]) -> None:
    missing = declared(CONTRACTS[name]) - shown
    assert missing - NOBODY.keys() == set(), "in the contract, and shown to nobody: let the population bring it about"


def test_what_is_said_to_be_shown_by_nobody_is(shown: set[Member]) -> None:
    assert not shown & NOBODY.keys()


@pytest.mark.parametrize("name", CONTRACTS)
def test_every_view_is_small(name: str, year: dict[str, list[bytes]]) -> None:
    assert max(map(len, year[name])) < BYTES_MAX


class Inner(View, frozen=True, kw_only=True):
    a: int = 0
    b: int = 0


class Outer(View, frozen=True, kw_only=True):
    many: dict[str, Inner] = {}
    one: Inner | None = None


def test_a_member_that_nobody_shows_would_be_found() -> None:
    assert declared(Outer) == {(Outer, "many"), (Outer, "one"), (Inner, "a"), (Inner, "b")}
    assert given(Outer, {"many": {"x": {"a": 1}}}) == {(Outer, "many"), (Inner, "a")}
    assert given(Outer, {"one": {"b": 1}}) == {(Outer, "one"), (Inner, "b")}
