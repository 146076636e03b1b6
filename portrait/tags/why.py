"""Why a customer has a tag, on demand: what it rests on, and when it lapses if nothing happens. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from portrait.dimensions.base import Dimension
from portrait.dimensions.registry import DIMENSIONS
from portrait.evolve import due_ms, evolve, published
from portrait.models.churn import Scorer
from portrait.state import State, decode, encode
from portrait.structures import DAY_MS
from portrait.tags.base import SCORE, Sign, Tag
from portrait.tags.registry import BY_NUMBER
from portrait.tags.standing import standing_of

#: So far ahead is looked: what lasts longer does not lapse by itself as far as anybody needs to know.
AHEAD_DAYS = 3 * 365

_DIMENSIONS: Mapping[str, Dimension] = {dimension.name: dimension for dimension in DIMENSIONS}


class NotAsItWas(Exception):
    """The field on which a tag rests doesn't fit the contract that this version knows."""


def dimension_of(tag: Tag) -> Dimension | None:
    """The derived dimension on which it rests; None: the standing."""
    return _DIMENSIONS.get(tag.of)


def evidence(tag: Tag, said: Any, state: State | None) -> Sign | None:
    """What speaks for the tag; None: nothing does. Raises NotAsItWas.

    ``said``: the field on which it rests (`Tag.of`) as readers have it, plain data; None: it is absent. A tag of the standing
    has no field of its own: it is looked up in ``state``.
    """
    dimension = _DIMENSIONS.get(tag.of)
    if dimension is None:
        return tag.rule.look(standing_of(state)) if state is not None else None
    if said is None:
        return None
    try:
        return tag.rule.look(msgspec.convert(said, dimension.contract))
    except msgspec.ValidationError as error:
        raise NotAsItWas(f"`{tag.of}` does not fit the contract that I know ({error}): upgrade") from error


def lapses(customer_id: str, state: State, scorer: Scorer) -> dict[str, int]:
    """Tag -> the start (epoch ms) of the UTC day on which it goes if nothing happens: a copy of the state lives through it.

    Left out is what does not go within AHEAD_DAYS, and what rests on a score, which nobody knows ahead. ``scorer``: any, since
    it makes no difference to the others.
    """
    life = decode(encode(state))
    waiting = {number for number in life.tags if number in BY_NUMBER and BY_NUMBER[number].lasts is not SCORE}
    until_ms = life.moment_ms + AHEAD_DAYS * DAY_MS
    found: dict[str, int] = {}
    while waiting:
        published(life)
        due = due_ms(life)
        if due is None or due > until_ms:
            break
        evolve(life, customer_id, (), max(due, life.moment_ms), scorer)
        for number in waiting - life.tags.keys():
            found[BY_NUMBER[number].id] = life.moment_ms // DAY_MS * DAY_MS
        waiting &= life.tags.keys()
    return found
