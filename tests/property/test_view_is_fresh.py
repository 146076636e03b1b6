"""What readers have seen piece by piece is what a view made afresh from the state would show: nothing goes out of date."""

from __future__ import annotations

from random import Random
from unittest import mock

import msgspec
from hypothesis import given

from portrait import show
from portrait.dimensions.base import Facts
from portrait.dimensions.registry import DIMENSIONS
from portrait.evolve import due_ms, evolve, published
from portrait.features.registry import FEATURES
from portrait.lifecycle import reason_of, stage_at
from portrait.models import churn
from portrait.state import State
from portrait.structures import DAY_MS
from portrait.tags import held
from portrait.tags.base import STANDING, SURE_LEAST
from portrait.tags.registry import TAGS
from portrait.tags.standing import standing_of
from tests.property.lives import END_MS, arrive
from tests.property.test_facts_order import ID, START_MS, arrivals, lives, randoms, sizes, stored, write

OLD, NEW = churn.fresh(60), msgspec.structs.replace(churn.fresh(60), version="1.9", bias=0.7)


def afresh(state: State) -> dict[str, object]:
    """The features and the lifecycle of a state, as they are on the day that it is shown for: its moment's, once it has one."""
    today = state.shown_day
    assert not state.moment_ms or today == state.moment_ms // DAY_MS
    shown: dict[str, object] = {}
    for feature in FEATURES:
        part = getattr(state.parts, feature.name)
        view = None if part is None else feature.view(part, today)[0]
        if view is not None:
            shown[feature.name] = view
    for dimension in DIMENSIONS:
        derived = dimension.derive(Facts(state.parts, state.stage, today, state.moment_ms, state.rhythm))[0]
        if derived is not None:
            shown[dimension.name] = msgspec.to_builtins(derived)
    shown["tags"] = tags_afresh(state, today)
    stage = stage_at(state.rhythm, today, state.parts.activity.first_ms // DAY_MS)
    shown["stage"] = stage.name
    shown["why"] = msgspec.to_builtins(reason_of(stage, state.rhythm))
    shown["since_ms"] = stage.since_day * DAY_MS
    shown["risk"] = None if state.risk is None else round(state.risk, 4)
    shown["buys"] = None if state.risk is None else round(1 - state.risk, 2)
    shown["expected_orders"] = None if state.value is None else state.value.orders
    return shown


def tags_afresh(state: State, today: int) -> dict[str, float]:
    """Each tag, looked at by itself; the heaviest TAGS_MAX."""
    facts = Facts(state.parts, state.stage, today, state.moment_ms, state.rhythm)
    said = {dimension.name: dimension.derive(facts)[0] for dimension in DIMENSIONS} | {STANDING: standing_of(state)}
    signs = [(tag, tag.rule.look(said[tag.of])) for tag in TAGS if said[tag.of] is not None]
    found = [(-tag.weight, -sign.sure, tag.number, tag.id) for tag, sign in signs if sign is not None and sign.sure >= SURE_LEAST]
    return {name: -minus_sure for _, minus_sure, _, name in sorted(found)[: held.TAGS_MAX]}


def as_readers_have_it(fields: dict[str, bytes | None]) -> dict[str, object]:
    named = [each.name for each in (*FEATURES, *DIMENSIONS)]
    seen: dict[str, object] = {name: msgspec.json.decode(fields[name] or b"") for name in named if fields.get(name)}
    seen["tags"] = msgspec.json.decode(fields.get("tags") or b"{}")
    lifecycle = msgspec.json.decode(fields["lifecycle"] or b"")
    seen |= {"stage": (fields["stage"] or b"").decode(), "why": lifecycle["why"], "since_ms": lifecycle["since_ms"]}
    risk = fields.get("risk")
    seen["risk"] = msgspec.json.decode(risk)["churn"] if risk else None
    value = msgspec.json.decode(fields.get("value") or b"{}")
    seen |= {name: value.get(name) for name in ("buys", "expected_orders")}
    assert lifecycle["stage"] == seen["stage"]
    if risk:
        assert float(fields["churn_risk"] or b"") == seen["risk"], "the scalar and the explained score are one"
    return seen


@lives
@given(rng=randoms, size=sizes)
def test_what_readers_saw_piece_by_piece_is_what_the_state_shows(rng: Random, size: tuple[int, int, int]) -> None:
    shows_what_the_state_holds(rng, size)


@lives
@given(rng=randoms, size=sizes)
def test_so_it_is_where_there_is_no_room_for_all_tags(rng: Random, size: tuple[int, int, int]) -> None:
    with mock.patch.object(held, "TAGS_MAX", 3), mock.patch.object(show, "TAGS_MAX", 3):
        shows_what_the_state_holds(rng, size)


def shows_what_the_state_holds(rng: Random, size: tuple[int, int, int]) -> None:
    state, fields, clock_ms = None, dict[str, bytes | None](), 0
    index: set[str] = set()
    rest = arrivals(arrive(rng, write(rng, size), duplicates=3))
    while rest:
        n = rng.randint(1, 6)
        batch, rest = rest[:n], rest[n:]
        clock_ms = max(clock_ms, rng.randint(START_MS, END_MS) if rng.random() < 0.4 else 0, state.moment_ms if state else 0)
        for work in (batch, ()) if rng.random() < 0.5 else (batch,):
            change = evolve(state, ID, work, clock_ms, rng.choice((OLD, NEW)))
            if change is not None:
                fields.update(change.fields)
                state = change.state
                index = (index - set(change.tags_lost)) | set(change.tags_got)
                assert index == set(held.ids(state.tags))
                if rng.random() < 0.7:
                    published(state)
                state = stored(state) if rng.random() < 0.5 else state
    assert state is not None
    clock_ms = max(clock_ms, state.moment_ms, END_MS) + 100 * DAY_MS  # all windows end: derived dimensions catch up by then
    while (due := due_ms(state)) is not None and due <= clock_ms:  # what is due by itself may be shown later, by its tick
        change = evolve(state, ID, (), max(due, clock_ms), OLD)
        assert change is not None
        fields.update(change.fields)
        index = (index - set(change.tags_lost)) | set(change.tags_got)
        published(state)
    assert index == set(msgspec.json.decode(fields.get("tags") or b"{}"))
    assert as_readers_have_it(fields) == msgspec.json.decode(msgspec.json.encode(afresh(state)))
