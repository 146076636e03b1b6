"""Whom to believe where systems tell different things of a customer: the written order of trust, declared here alone.

Of an attribute the word of the most trusted kind of system stands, and of its words the latest. So a customer's own correction
is never undone by a nightly export, and a partner's guess never replaces what the CRM knows.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

REMEMBERED = 4096


class Grade(NamedTuple):
    """Systems that are believed alike. ``systems``: by name; ``beginnings``: by how their names begin."""

    name: str
    systems: tuple[str, ...] = ()
    beginnings: tuple[str, ...] = ()


#: The most trusted first. Systems that are named nowhere are the company's own: they stand with registration.
ORDER = (
    Grade("customer", ("self", "customer", "customer-portal", "preference-center", "客户本人", "本人"), ("self:", "customer:")),
    Grade("crm", ("crm", "mdm", "客户关系管理"), ("crm:", "crm-")),
    Grade("own"),
    Grade("partner", ("partner", "third-party", "合作伙伴", "第三方"), ("partner:", "third:")),
    Grade("inferred", ("inferred", "model", "enrichment", "推断", "模型"), ("inferred:", "model:")),
)
OWN = next(place for place, grade in enumerate(ORDER) if not grade.systems)


def grade_of(system: str) -> str:
    """What the order of trust calls systems of this kind."""
    return ORDER[len(ORDER) - trust(system)].name


@lru_cache(REMEMBERED)
def trust(system: str) -> int:
    """How far a system's word is trusted: the greater the further, at least 1."""
    for place, grade in enumerate(ORDER):
        if system in grade.systems or system.startswith(grade.beginnings):
            return len(ORDER) - place
    return len(ORDER) - OWN
