"""What follows from attributes that were told: the band of an age, a birthday from an age, a stage of life from work.

Their names and values come in one form already (`schemas.attributes`); states from before that are read through it again.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

from schemas.attributes import AGE_MAX as AGE_MAX
from schemas.attributes import REMEMBERED as REMEMBERED
from schemas.vocabulary import table

#: Ages at which a band begins, and what it is called.
AGE_BANDS = ((0, "0-17"), (18, "18-24"), (25, "25-34"), (35, "35-44"), (45, "45-54"), (55, "55-64"), (65, "65+"))
#: Work that says in which stage of life somebody is.
_WORK = table(
    {
        "student": "pupil,学生,在校学生,大学生,研究生",
        "first_job": "intern,trainee,apprentice,实习生,应届生,应届毕业生,管培生",
        "retired": "retiree,pensioner,退休,已退休,退休人员,离休",
    }
)


@lru_cache(REMEMBERED)
def born_of_age(age: str, ms: int) -> str:
    """YYYY-MM-DD: the latest day on which somebody of that age was born."""
    told = datetime.fromtimestamp(ms / 1000, UTC)
    return f"{told.year - int(age):04}-{told:%m-%d}"


def stage_of_work(occupation: str) -> str | None:
    """The stage of life that an occupation says."""
    return _WORK.get(occupation.casefold())


def band_of(years: int) -> tuple[str, int] | None:
    """The band of an age, and the age at which it ends. None for an age that nobody has."""
    if not 0 <= years <= AGE_MAX:
        return None
    name, ends = "", AGE_MAX + 1
    for begins, band in AGE_BANDS:
        if years < begins:
            ends = begins
            break
        name = band
    return name, ends
