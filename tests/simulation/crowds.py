"""Many identities that are linked at once: more than one person may have, than an identity keeps, or than may hang together."""

from __future__ import annotations

from itertools import pairwise

CROWDS = ("many", "large", "runaway", "shared")
Pair = tuple[str, str]


def pairs(crowd: str) -> list[Pair]:
    """What is linked, in order. A customer is called P here, so that nobody is taken for one of the usual ones."""
    if crowd == "many":  # persons of two, together more than may hang together
        return [(f"P{n}", f"device:p{n}") for n in range(150)]
    if crowd == "large":  # one who would have more identities than a person may
        return _chain(80)
    if crowd == "runaway":  # more than can be one person's, or a mistake: nobody is joined, until enough links are taken back
        return _chain(270)
    if crowd == "shared":  # more others than an identity keeps
        return [("device:till", f"anonymous:p{n}") for n in range(70)]
    return []


def _chain(n: int) -> list[Pair]:
    names = ["P0", *(f"anonymous:p{i}" for i in range(1, n))]
    return list(pairwise(names))
