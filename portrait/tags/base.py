"""What a tag (标签) is: a yes about a customer, on which somebody acts, with how sure it is and what it rests on.

A tag rests on what one derived dimension says, or on the standing (stage, risk, value), and on nothing else: what is "often" or
"new" is decided there once. So it changes when that changes, ages as that ages, and its evidence stands in the profile itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from portrait.dimensions.base import sure
from schemas.profile import Trait

#: What is less sure is no ground to act on.
SURE_LEAST = 0.25
#: How sure a tag is, is kept in these steps.
SURE_STEPS = 20
#: What comes with Portrait. A company's own tags name the team that answers for them.
OWNER = "portrait"
#: A tag with this as its ``of`` rests on `portrait.tags.standing.Standing`.
STANDING = "standing"


class Words(NamedTuple):
    """In both languages of agents."""

    en: str
    zh: str


class Sign(NamedTuple):
    """What speaks for a tag: a member of a dimension, and what it says."""

    sure: float  # 0 to 1, in steps of .05
    member: str
    value: str
    of: int = 0  # observations: at least so many; 0: none to count
    told: bool = False  # the customer or a system said so


class Rule(NamedTuple):
    """``look``: from what the dimension says (its contract) to the sign that the tag holds; None: it doesn't.

    Where it is all that ``member`` says one of ``values``, these tell so: `portrait.tags.held` then looks many tags up at once.
    """

    look: Callable[[Any], Sign | None]
    words: Words
    member: str = ""
    values: tuple[str, ...] = ()


class Lasts(NamedTuple):
    """How long a tag holds if nothing happens. ``days``: exactly so long after what it rests on; None: that can't be told so."""

    words: Words
    days: int | None = None


class Tag(NamedTuple):
    """One line in a file of this package declares one of these. Its number and its id are never given to another tag."""

    number: int  # by which states know it: 1 to 9999; a company's own begin above
    id: str
    of: str  # the derived dimension that it rests on, or STANDING
    name: Words
    rule: Rule
    lasts: Lasts
    meaning: Words
    weight: int = 1  # 2: it asks for somebody to act. The lightest go first where a customer has too many
    owner: str = OWNER


# How long


def after(days: int) -> Lasts:
    return Lasts(Words(f"{days} days after the last of it", f"最近一次发生后 {days} 天"), days)


HABIT = Lasts(Words("until other habits outweigh it", "直至被其他习惯取代"))
SAID = Lasts(Words("until something else is said", "直至有新的说法"))
BIRTHDAY = Lasts(Words("until the birthday that ends it", "直至相应的生日"))
KEPT = Lasts(Words("it stays: nothing tells that it was met", "一直保留：尚无事件表明已满足"))
OPEN = Lasts(Words("until it is solved", "直至解决"))
STAGE = Lasts(Words("while the stage lasts: silence ends it at `lifecycle.next_if_silent_ms`", "随生命周期阶段"))
SCORE = Lasts(Words("until a score says otherwise: at each event, and in silence at least every four weeks", "随下一次评分"))
WINDOW = Lasts(Words("while it lies in the last 90 days", "在最近 90 天内"))
INTEREST = Lasts(Words("four to eight weeks after the last of it", "最近一次兴趣后四至八周"))


# Rules


def says(member: str, *values: str) -> Rule:
    """The trait ``member`` has one of these values."""
    wanted = frozenset(values)

    def look(said: Any) -> Sign | None:
        trait: Trait | None = getattr(said, member)
        if trait is None or trait.value not in wanted:
            return None
        return Sign(trait.sure, member, trait.value, trait.of, trait.told)

    return Rule(look, Words(f"`{member}` is {' or '.join(values)}", f"`{member}` 为 {' 或 '.join(values)}"), member, values)


def among(member: str, value: str) -> Rule:
    """One of the traits in ``member`` has this value."""

    def look(said: Any) -> Sign | None:
        for trait in getattr(said, member):
            if trait.value == value:
                return Sign(trait.sure, member, value, trait.of, trait.told)
        return None

    return Rule(look, Words(f"{value} is among `{member}`", f"`{member}` 含 {value}"), member, (value,))


def has(member: str, *values: str) -> Rule:
    """The list ``member`` holds one of these."""

    def look(said: Any) -> Sign | None:
        found = getattr(said, member)
        return next((Sign(1.0, member, value) for value in values if value in found), None)

    return Rule(look, Words(f"`{member}` holds {' or '.join(values)}", f"`{member}` 含 {' 或 '.join(values)}"), member, values)


def counts(member: str, name: str) -> Rule:
    """``name`` was counted in ``member``."""

    def look(said: Any) -> Sign | None:
        n = getattr(said, member).get(name, 0)
        return Sign(1.0, member, name, n) if n else None

    return Rule(look, Words(f"`{member}` counts {name}", f"`{member}` 记有 {name}"), member, (name,))


def from_on(member: str, least: float, of: str) -> Rule:
    """The number ``member`` is at least that. ``of``: the member (a number or a trait) that tells what it rests on."""
    return _number(member, of, lambda n: n >= least, Words(f"`{member}` is {least:g} or more", f"`{member}` 不低于 {least:g}"))


def up_to(member: str, most: float, of: str) -> Rule:
    """The number ``member`` is at most that. ``of`` as above."""
    return _number(member, of, lambda n: n <= most, Words(f"`{member}` is {most:g} or less", f"`{member}` 不高于 {most:g}"))


def _number(member: str, of: str, holds: Callable[[float], bool], words: Words) -> Rule:
    """A number says of itself that it holds: it is as sure as there are observations."""

    def look(said: Any) -> Sign | None:
        n = getattr(said, member)
        if n is None or not holds(n):
            return None
        seen: Trait | int | None = getattr(said, of)
        seen = seen.of if isinstance(seen, Trait) else seen or 0
        return Sign(sure(seen, seen), member, f"{n:g}", seen)

    return Rule(look, words)


def is_one_of(member: str, *values: str) -> Rule:
    """The text ``member`` is one of these."""
    wanted = frozenset(values)

    def look(said: Any) -> Sign | None:
        value = getattr(said, member)
        return Sign(1.0, member, value) if value in wanted else None

    return Rule(look, Words(f"`{member}` is {' or '.join(values)}", f"`{member}` 为 {' 或 '.join(values)}"), member, values)


def retired() -> Rule:
    """Of a tag that is no longer given: its number and id stay taken, and whoever has it loses it."""
    return Rule(lambda said: None, Words("no longer given", "已停用"))
