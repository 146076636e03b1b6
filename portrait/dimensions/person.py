"""Who the customer is: what systems have told of them, and, where nobody has, what their ways suggest.

What is told always wins over what is inferred. Facts keep the word of the most trusted system, and of its words the latest
(`schemas.trust`), so a correction replaces what it corrects; of several attributes that mean the same the same order decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from typing import Any

from portrait.dimensions.attributes import AGE_MAX, REMEMBERED, band_of, born_of_age, stage_of_work
from portrait.dimensions.base import Dimension, Facts, leaning, trait
from portrait.dimensions.hints import ON_BABY, hits
from portrait.structures import NEVER, Register
from schemas.attributes import attribute_of, value_of
from schemas.profile import Trait, View
from schemas.trust import trust

#: Days from 0001-01-01, which is day 1, to 1970-01-01, which is our day 0.
EPOCH = date(1970, 1, 1).toordinal()
#: So many articles for babies and children bought, or so many looked at, before somebody is taken for a parent.
BOUGHT_LEAST, LOOKED_LEAST = 2, 5
CAMPUS_LEAST = 3
CAMPUS = frozenset(("campus", "school", "university", "dormitory", "校园", "学校", "大学", "宿舍"))
#: The age from which most have retired, and the age until which somebody who works has probably begun to.
RETIRED_AGE, BEGINNER_AGE = 65, 24
#: Nobody younger is taken for a parent, or sold anything.
ADULT_AGE = 18


class Told(View, frozen=True, kw_only=True):
    """Where the traits that are told come from."""

    by: str  # system: crm, ...
    since_ms: int  # when it said the latest of it
    what: list[str]  # members of the person


class Person(View, frozen=True, kw_only=True):
    """Who the customer is. ``told`` in a trait: a system said so; otherwise it is inferred from what they do."""

    age: Trait | None = None  # 0-17, 18-24, 25-34, 35-44, 45-54, 55-64, 65+; follows the calendar
    gender: Trait | None = None  # female, male, other
    region: Trait | None = None  # as it was named
    occupation: Trait | None = None  # as it was named
    income: Trait | None = None  # low, middle, high; or as it was named
    education: Trait | None = None  # school, college, bachelor, master, doctor; or as it was named
    family: Trait | None = None  # children, couple, single
    life_stage: Trait | None = None  # student, first_job, newly_married, parent, retired
    told_by: list[Told] = []  # latest first


#: Attributes that make a person.
MEANINGS = frozenset(
    ("age", "birthday", "gender", "city", "province", "occupation", "income", "education", "children", "marriage", "life_stage")
)
AGE = frozenset(("age", "birthday"))
#: Members that are told as they stand, by what they mean in an attribute; of two for one member the first.
MEMBERS = (
    ("gender", "gender"),
    ("city", "region"),
    ("province", "region"),
    ("occupation", "occupation"),
    ("income", "income"),
    ("education", "education"),
    ("life_stage", "life_stage"),
)


def derive(facts: Facts) -> tuple[View | None, int]:
    found: dict[str, Trait] = {}
    if facts.parts.basic is None:
        _infer(facts.parts, -1, found)
        return (Person(**found, told_by=[]) if found else None), NEVER
    known = _known(facts.parts.basic)
    used: dict[str, Register] = {}

    def tell(member: str, value: str, register: Register) -> None:
        found[member] = told(value)
        used[member] = register

    for meaning, member in MEMBERS:
        if (register := known.get(meaning)) is not None and member not in found:
            tell(member, register.value, register)
    years, due = -1, NEVER
    if (born := known.get("birthday")) is not None:
        years, band, due = _age(born.value, facts.today)
        if band:
            tell("age", band, born)
    if (family := _family(known)) is not None:
        tell("family", *family)
    if "life_stage" not in found and (stage := _life_stage(known)) is not None:
        tell("life_stage", *stage)
    children = known.get("children")
    _infer(facts.parts, years, found, childless=children is not None and children.value == "no")
    return (Person(**found, told_by=_provenance(used)) if found else None), due


@lru_cache(REMEMBERED)
def told(value: str) -> Trait:
    return Trait(value=value, sure=1.0)


def is_minor(basic: Any, today: int) -> tuple[bool, int]:
    """Whether somebody was told to be under age, and the day on which they come of age. ``basic``: the feature's part."""
    born = _known(basic, AGE).get("birthday")
    if born is None:
        return False, NEVER
    years, _, due_day = _age(born.value, today)
    return (True, due_day) if 0 <= years < ADULT_AGE else (False, NEVER)


def _known(basic: Any, meanings: frozenset[str] = MEANINGS) -> dict[str, Register]:
    """What the attributes that we can read say, in our words: the latest for each of these meanings."""
    known: dict[str, Register] = {}
    for name, register in (basic.attributes or {}).items():
        meaning = attribute_of(name)
        value = value_of(meaning, register.value, register.ms) if meaning in meanings and register.value else None
        if value is None:
            continue
        if meaning == "age":
            meaning, value = "birthday", born_of_age(value, register.ms)
        old = known.get(meaning)
        if old is None or _weight(register, value) > _weight(old, old.value):
            known[meaning] = register if value == register.value else Register(register.ms, value, register.by)
    return known


def _weight(register: Register, value: str) -> tuple[int, int, str, str]:
    return trust(register.by), register.ms, value, register.by


def _age(born: str, today: int) -> tuple[int, str, int]:
    """The age in years, its band, and the day on which the next begins; -1 and no band for an age that nobody has."""
    year, month, day = int(born[:4]), int(born[5:7] or 1), int(born[8:] or 1)
    now = date.fromordinal(EPOCH + today)
    years = now.year - year - ((now.month, now.day) < (month, day))
    band = band_of(years)
    if band is None:
        return -1, "", NEVER
    name, ends = band
    if ends > AGE_MAX:
        return years, name, NEVER
    return years, name, date(year + ends, month, 1).toordinal() - EPOCH + day - 1  # 29 February: on 1 March


def _family(known: Mapping[str, Register]) -> tuple[str, Register] | None:
    children, marriage = known.get("children"), known.get("marriage")
    if children is not None and children.value == "yes":
        return "children", children
    if marriage is not None:
        return ("single" if marriage.value == "single" else "couple"), marriage
    return None


def _life_stage(known: Mapping[str, Register]) -> tuple[str, Register] | None:
    """What follows from what was told of work and family."""
    children, marriage, work = known.get("children"), known.get("marriage"), known.get("occupation")
    if work is not None and (stage := stage_of_work(work.value)) is not None:
        return stage, work
    if children is not None and children.value == "yes":
        return "parent", children
    if marriage is not None and marriage.value == "newly":
        return "newly_married", marriage
    return None


def _infer(parts: Any, years: int, found: dict[str, Trait], childless: bool = False) -> None:
    """What nobody told, as far as their ways support it. ``childless``: told to have no children."""
    behaviour, consumption, context = parts.behaviour, parts.consumption, parts.context
    if "region" not in found and behaviour is not None and (region := leaning(behaviour.regions, least=3)) is not None:
        found["region"] = region
    if "life_stage" in found and "family" in found:
        return
    bought = hits(consumption.categories, ON_BABY)[0] if consumption is not None else 0
    looked = hits(behaviour.categories, ON_BABY)[0] if behaviour is not None else 0
    parent = not (childless or 0 <= years < ADULT_AGE) and (bought >= BOUGHT_LEAST or looked >= LOOKED_LEAST)
    if parent and "family" not in found:
        found["family"] = trait("children", bought + looked, bought + looked)
    if "life_stage" in found:
        return
    campus = 0
    for place, n in ((context.places if context is not None else None) or {}).items():
        campus += n if place in CAMPUS else 0
    if parent:
        found["life_stage"] = trait("parent", bought + looked, bought + looked)
    elif campus >= CAMPUS_LEAST:
        found["life_stage"] = trait("student", campus, campus)
    elif years >= RETIRED_AGE:
        found["life_stage"] = trait("retired", 1, 1)
    elif 0 <= years <= BEGINNER_AGE and "occupation" in found:  # a student would have been told
        found["life_stage"] = trait("first_job", 1, 1)


def _provenance(used: Mapping[str, Register]) -> list[Told]:
    said: dict[str, list[str]] = {}
    latest_ms: dict[str, int] = {}
    for member, register in used.items():
        said.setdefault(register.by, []).append(member)
        latest_ms[register.by] = max(register.ms, latest_ms.get(register.by, 0))
    return [
        Told(by=by, since_ms=latest_ms[by], what=sorted(said[by])) for by in sorted(said, key=lambda by: (-latest_ms[by], by))
    ]


DIMENSION = Dimension(
    name="person",
    contract=Person,
    reads=("basic", "behaviour", "consumption", "context"),
    derive=derive,
    events=("attributes.changed", "clicks", "order.placed"),
    zh="基本属性",
)
