"""What a derived dimension is: a field of the profile that follows from the facts of several features and the day alone.

It stores nothing, so it is bounded as the facts are, the same for every order of arrival, and right again after fragments were
merged or separated. What it concludes says how sure it is and how much it rests on; without evidence it says nothing.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from portrait.lifecycle import Rhythm
from portrait.structures import MORE, NEVER
from schemas.profile import Trait, View

#: Whoever knows nothing expects so many observations against any conclusion: it takes a few to be sure of something.
DOUBT = 3
#: Evidence is told as "at least so many", in steps, so that a view does not change at every click.
STEPS = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
#: Most customers have few observations, and of few values: so many traits are remembered. None is ever changed.
REMEMBERED = 8192


class Facts(NamedTuple):
    """What a dimension may read."""

    parts: Any  # `portrait.features.registry.Parts`; never to be changed
    stage: str
    today: int  # UTC day
    moment_ms: int
    rhythm: Rhythm = Rhythm()  # of the purchase days


#: The dimension as of the day (None: no evidence), and the next day on which it changes by itself; NEVER: only with its features.
Derive = Callable[[Facts], tuple[View | None, int]]


class Dimension(NamedTuple):
    """One file declares one of these, and `portrait.dimensions.registry` names it."""

    name: str  # field of the profile
    contract: type[View]  # what the field holds; its docstring and comments are the documentation
    reads: tuple[str, ...]  # features whose change may change it
    derive: Derive
    events: tuple[str, ...]  # types of events that feed it, for the documentation
    zh: str  # what agents call it


def at_least(n: int) -> int:
    """The greatest of STEPS that ``n`` reaches; 0 for none."""
    return STEPS[bisect_right(STEPS, n) - 1]


def sure(for_it: float, of: float) -> float:
    """The share of the observations that speak for it, DOUBT of them added against it; 0 to 1, in steps of .05."""
    twentieths = round(for_it / (of + DOUBT) * 20) if of > 0 else 0
    return twentieths / 20 if twentieths != 20 else 1  # in JSON shorter than 1.0, in every second trait of who is well known


def leaning(counts: Mapping[str, int] | None, least: int = 2) -> Trait | None:
    """The most counted key, if it was seen at least ``least`` times; of equal ones the first by name. None: no evidence.

    Of counts that have overflown, one that was seen more often than any uncounted key can have been."""
    if not counts:
        return None
    best, most, total = "", max(least, counts.get(MORE, 0)) - 1, 0
    for key, n in counts.items():
        total += n
        if (n > most or (n == most and key < best)) and key != MORE:
            best, most = key, n
    return trait(best, most, total) if best else None


def ranked(counts: Mapping[str, int], n: int) -> list[str]:
    """The ``n`` most counted keys, most first, of equal ones the first by name; as above where counts have overflown."""
    if len(counts) < 2:
        return [key for key in counts if key != MORE][:n]
    more = counts.get(MORE, 0)
    return [key for _, key in sorted([(-count, key) for key, count in counts.items() if key != MORE and count >= more])[:n]]


@lru_cache(REMEMBERED)
def trait(value: str, for_it: float, of: float) -> Trait:
    """An inferred one."""
    return Trait(value=value, sure=sure(for_it, of), of=at_least(int(of)) or 1)


def steady(view: View | None, due_day: int = NEVER) -> tuple[View | None, int]:
    """A view that changes only with its features."""
    return view, due_day
