"""Derived dimensions live: each member of each contract is shown to somebody in a simulated year, and no view is long."""

from __future__ import annotations

import io
import re
from collections import defaultdict
from collections.abc import Iterator
from types import UnionType
from typing import Any, NamedTuple, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest
from rich.cells import cell_len
from rich.console import Console

from cli import terms
from cli.population import DAY_MS
from cli.present import Lang
from cli.sheet import Sheet
from cli.simulate import parcel_of, population_of
from cli.traits import AT_LEAST, line_of
from portrait.dimensions.registry import DIMENSIONS
from portrait.evolve import Arrival, evolve, published
from portrait.models.churn import fresh
from portrait.state import mark_of
from schemas import examples
from schemas.describe import comments
from schemas.event import Event, decode
from schemas.outputs import Sure
from schemas.profile import Profile, Risk, Trait, Value, View, parse

END_MS = 1_767_225_600_000
CUSTOMERS, DAYS, STEP_DAYS = 150, 300, 20
BYTES_MAX = 700
#: A terminal that shows a whole person.
LINES, COLUMNS = 50, 120
Member = tuple[type[msgspec.Struct], str]
#: Members that nobody in this year shows, and why.
NOBODY: dict[Member, str] = {
    (Risk, "sure"): "the model of this year has learned nothing, so no outcome of a score is known",
    (Value, "high_value"): "nor who spends more than others",
    **{(Sure, name): "as above" for name in ("of", "low", "high")},
}

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
        if isinstance(value, list):  # an array of its members
            value = dict(zip(kind.__struct_encode_fields__, value, strict=True))
        for name, shown in zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True):
            if shown in value:
                found |= {(kind, shown)} | given(hints[name], value[shown])
    elif isinstance(value, list | dict) and get_args(kind):
        for each in value.values() if isinstance(value, dict) else value:
            found |= given(get_args(kind)[-1], each)
    return found


class Year(NamedTuple):
    seen: dict[str, list[bytes]]  # all views of each derived dimension that readers get to see
    last: dict[str, dict[str, bytes]]  # customer -> the profile at the end


@pytest.fixture(scope="module")
def everything() -> Year:
    events: dict[str, list[Event]] = defaultdict(list)
    for emitted in population_of(customers=CUSTOMERS, days=DAYS, seed=7, end_ms=END_MS).history():
        parcel = parcel_of(emitted)
        event = decode(parcel.topic, parcel.key, parcel.value, (), parcel.time_ms)
        assert isinstance(event, Event)
        events[event.customer_id].append(event)
    seen: dict[str, list[bytes]] = {name: [] for name in CONTRACTS}
    last: dict[str, dict[str, bytes]] = {}
    for customer_id, life in events.items():
        profile: dict[str, bytes | None] = {}
        for fields in _shown(customer_id, life):
            profile |= fields
            for name in CONTRACTS.keys() & fields.keys():
                if (value := fields[name]) is not None:
                    seen[name].append(value)
        last[customer_id] = {name: value for name, value in profile.items() if value is not None}
    return Year(seen, last)


@pytest.fixture(scope="module")
def year(everything: Year) -> dict[str, list[bytes]]:
    return everything.seen


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


def test_every_member_of_the_features_is_shown_by_somebody_too(everything: Year) -> None:
    views = {name: view for name, hint in get_type_hints(Profile).items() for view in views_in(hint)}
    seen = {
        member
        for fields in everything.last.values()
        for name in views.keys() & fields.keys()
        for member in given(views[name], json(fields[name]))
    }
    missing = {member for view in views.values() for member in declared(view) if member[0] is not Trait} - seen
    assert missing - NOBODY.keys() == set(), "in the contract, and shown to nobody: let the population bring it about"


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_whole_person_fits_on_a_screen(lang: Lang, everything: Year) -> None:
    """Fifty lines of 120 columns, with three actions due, whoever of the year it is."""
    due = [msgspec.structs.replace(examples.ACTION.data, id=str(n), expires_at_ms=END_MS + 10**9) for n in range(3)]
    for customer_id, fields in everything.last.items():
        dims = {name: json(value) for name, value in fields.items() if name != "stage"}
        sheet = Sheet(customer_id, parse(fields), due, lang=lang, now_ms=END_MS, dims=dims)
        console = Console(width=COLUMNS, file=io.StringIO(), color_system=None)
        console.print(sheet.render())
        shown = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
        assert len(shown) <= LINES, customer_id
        assert max(map(cell_len, shown)) <= COLUMNS


def test_every_derived_dimension_has_a_line_and_every_member_its_words(year: dict[str, list[bytes]]) -> None:
    for name, contract in CONTRACTS.items():
        assert any(line_of(name, json(value), "zh") for value in year[name][:200]), name
        assert set(contract.__struct_fields__) <= terms.MEMBERS.keys(), "give them words in cli/terms.py"


def test_what_is_known_only_from_below_says_so() -> None:
    members = {member for each in CONTRACTS.values() for _, member in declared(each)}
    assert members >= AT_LEAST
    carts = line_of("decisions", {"carts": 5, "looks_per_order": 10}, "en")
    assert carts == f"{terms.member('looks_per_order', 'en')} 10 · {terms.member('carts', 'en')} 5+"
    assert line_of("experience", {"breaks": {"refusal": 1, "unsolved": 2}}, "en").endswith("1, unsolved 2+")


def test_the_head_says_of_when_the_profile_is(everything: Year) -> None:
    fields = next(iter(everything.last.values()))
    then_ms = int(fields["updated_at_ms"])
    for hours, said in ((0, "as of just now"), (3, "as of 3 hours ago")):
        console = Console(width=COLUMNS, file=io.StringIO(), color_system=None)
        console.print(Sheet("C1", parse(fields), [], lang="en", now_ms=then_ms + hours * 3_600_000).render())
        assert said in console.file.getvalue().splitlines()[0]  # type: ignore[attr-defined]


def test_every_fixed_value_that_somebody_shows_has_its_words(year: dict[str, list[bytes]]) -> None:
    """Fixed: what the comment beside a member of a contract lists; the others are names that publishers give."""
    for name, contract in CONTRACTS.items():
        for member, words in comments(contract).items():
            fixed = set(re.findall(r"[a-z_]{3,}", words))
            for value in set(year[name]):
                for told in _values(json(value).get(member)):
                    assert told not in fixed or told in terms.VALUES_ZH, (name, member, told)


def _values(held: Any) -> Iterator[str]:
    """Of a trait, or of a list of them."""
    if isinstance(held, list):
        for each in held:
            yield from _values(each)
    elif isinstance(held, str):
        yield held


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
