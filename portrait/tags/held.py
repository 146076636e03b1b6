"""Which tags a customer has: kept in the state as number -> how sure, in steps of a twentieth. Pure.

Tags are made anew where what they rest on has changed, and only there: the price of an event that changes no conclusion is nil.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from portrait.tags.base import SURE_LEAST, SURE_STEPS, Tag
from portrait.tags.registry import BY_NUMBER

#: So many are kept of a customer, and stored; the lightest are left out, of equal ones the least sure.
TAGS_MAX = 64
_LEAST = round(SURE_LEAST * SURE_STEPS)

Held = dict[int, int]


def looked_at(held: Held, tags: Sequence[Tag], said: Any) -> Held:
    """``held`` after these tags were looked at anew; ``said``: what they rest on, None: nothing. Itself, if nothing changed."""
    changed: Held | None = None
    for tag in tags:
        sign = tag.rule.look(said) if said is not None else None
        steps = round(sign.sure * SURE_STEPS) if sign is not None else 0
        if steps < _LEAST:
            steps = 0
        if steps != held.get(tag.number, 0):
            changed = dict(held) if changed is None else changed
            if steps:
                changed[tag.number] = steps
            else:
                del changed[tag.number]
    return held if changed is None else changed


def heaviest(held: Held) -> Held:
    """At most TAGS_MAX of them, the heaviest and surest first. Numbers that nobody here knows (a newer worker's) come last."""
    return dict(sorted(held.items(), key=_weighty)[:TAGS_MAX])


def _weighty(item: tuple[int, int]) -> tuple[int, int, int]:
    number, steps = item
    tag = BY_NUMBER.get(number)
    return (-tag.weight if tag is not None else 0), -steps, number


def told(held: Held) -> dict[str, float]:
    """The field ``tags`` of the profile: id -> how sure, 0 to 1; the heaviest and surest first."""
    return {BY_NUMBER[n].id: steps / SURE_STEPS for n, steps in sorted(held.items(), key=_weighty) if n in BY_NUMBER}


def moved(before: Mapping[int, int], now: Mapping[int, int]) -> tuple[list[str], list[str]]:
    """The ids of tags that a customer has got, and of those that they have lost."""
    return _ids(now.keys() - before.keys()), _ids(before.keys() - now.keys())


def ids(held: Mapping[int, int]) -> list[str]:
    """In the order of their numbers."""
    return _ids(set(held))


def _ids(numbers: set[int]) -> list[str]:
    return [BY_NUMBER[n].id for n in sorted(numbers) if n in BY_NUMBER]
