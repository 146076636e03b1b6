"""Which tags a customer has: kept in the state as number -> how sure, in steps of a twentieth. Pure.

Tags are made anew where what they rest on has changed, and only there: the price of an event that changes no conclusion is nil.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

from portrait.tags.base import SURE_LEAST, SURE_STEPS, Sign, Tag
from portrait.tags.registry import OF_STANDING, RESTING_ON, TAGS
from schemas.profile import Trait

#: So many are kept of a customer, and stored; the lightest are left out, of equal ones the least sure.
TAGS_MAX = 64
_LEAST = round(SURE_LEAST * SURE_STEPS)
_IDS = {tag.number: tag.id for tag in TAGS}
_MINUS_WEIGHT = {tag.number: -tag.weight for tag in TAGS}
_NONE: frozenset[int] = frozenset()
#: By steps, as it is told: 1 takes two bytes less than 1.0.
_SURE = [steps / SURE_STEPS for steps in range(SURE_STEPS)] + [1]

Held = dict[int, int]


class Looks(NamedTuple):
    """Tags that rest on one thing, arranged so that a glance at each of its members tells which of them hold."""

    numbers: frozenset[int]
    by_member: tuple[tuple[str, Mapping[str, tuple[int, ...]]], ...]  # member -> what it says -> the tags that hold then
    others: tuple[tuple[int, Callable[[Any], Sign | None]], ...]


def arranged(tags: Sequence[Tag]) -> Looks:
    by_member: dict[str, dict[str, tuple[int, ...]]] = {}
    for tag in tags:
        for value in tag.rule.values:
            held = by_member.setdefault(tag.rule.member, {})
            held[value] = (*held.get(value, ()), tag.number)
    others = tuple((tag.number, tag.rule.look) for tag in tags if not tag.rule.values)
    return Looks(frozenset(tag.number for tag in tags), tuple(by_member.items()), others)


def looked_at(held: Held, looks: Looks, said: Any) -> Held:
    """``held`` after these tags were looked at anew; ``said``: what they rest on, None: nothing. Itself, if nothing changed."""
    found = found_in(looks, said) if said is not None else {}
    rested = looks.numbers.intersection(held) if held else _NONE
    if not found and not rested:
        return held  # most dimensions give most customers no tag
    return _instead(held, rested, found)


def looked_at_all(held: Held, dimensions: Collection[int], found: Held) -> Held:
    """``held`` after the tags of these derived dimensions were looked at anew; ``found``: those that hold. Itself, as above."""
    rested = [number for number in held if _RESTS_ON.get(number) in dimensions] if held else _NONE
    if not found and not rested:
        return held
    return _instead(held, rested, found)


def _instead(held: Held, rested: Collection[int], found: Held) -> Held:
    """``held`` with what was found in place of what rested on the same."""
    if len(rested) == len(found) and all(held.get(number) == steps for number, steps in found.items()):
        return held
    changed = {number: steps for number, steps in held.items() if number not in rested}
    changed.update(found)
    return changed


def found_in(looks: Looks, said: Any) -> Held:
    """The tags that hold by what is said, with how sure each is; not those that are no ground to act on."""
    found: Held = {}
    for member, holding in looks.by_member:
        told = getattr(said, member)
        if told:
            for value, sure in _values(told):
                for number in holding.get(value, ()):
                    found.setdefault(number, int(sure * SURE_STEPS + 0.5))
    for number, look in looks.others:
        sign = look(said)
        if sign is not None:
            found[number] = int(sign.sure * SURE_STEPS + 0.5)
    return {number: steps for number, steps in found.items() if steps >= _LEAST} if found else found


def _values(told: Any) -> Sequence[tuple[str, float]]:
    """What a member says, each with how sure it is: a trait, a text, a list of either, or counts."""
    kind = type(told)
    if kind is Trait:
        return ((told.value, told.sure),)
    if kind is str:
        return ((told, 1.0),)
    if kind is dict:
        return [(name, 1.0) for name, n in told.items() if n]
    return [(each, 1.0) if type(each) is str else (each.value, each.sure) for each in told]


#: For each derived dimension, by its number; and for the standing.
LOOKS: tuple[Looks, ...] = tuple(arranged(tags) for tags in RESTING_ON)
#: Tag -> the number of the derived dimension that it rests on.
_RESTS_ON = {number: dimension for dimension, looks in enumerate(LOOKS) for number in looks.numbers}
STANDING_LOOKS = arranged(OF_STANDING)


def heaviest(held: Held) -> Held:
    """At most TAGS_MAX of them, the heaviest and surest first. Numbers that nobody here knows (a newer worker's) come last."""
    return {number: -minus_steps for _, minus_steps, number in _ordered(held)[:TAGS_MAX]}


def _ordered(held: Held) -> list[tuple[int, int, int]]:
    """(- weight, - steps, number) of each, sorted."""
    return sorted([(_MINUS_WEIGHT.get(number, 0), -steps, number) for number, steps in held.items()])


def told(held: Held) -> dict[str, float]:
    """The field ``tags`` of the profile: id -> how sure, 0 to 1; the heaviest and surest first."""
    return {_IDS[number]: _SURE[-minus_steps] for _, minus_steps, number in _ordered(held) if number in _IDS}


def moved(before: Mapping[int, int], now: Mapping[int, int]) -> tuple[list[str], list[str]]:
    """The ids of tags that a customer has got, and of those that they have lost."""
    return _ids(now.keys() - before.keys()), _ids(before.keys() - now.keys())


def ids(held: Mapping[int, int]) -> list[str]:
    """In the order of their numbers."""
    return _ids(set(held))


def _ids(numbers: set[int]) -> list[str]:
    return [_IDS[number] for number in sorted(numbers) if number in _IDS]
