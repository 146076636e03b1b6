"""Where a customer is heading: interests and activity that rise or fall, changes of life that show in them.

Interests are compared by their share of four weeks, so that weeks which have only begun count as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from portrait.dimensions.base import Dimension, Facts, at_least, sure, trait
from portrait.features.interests import PERIOD_DAYS
from portrait.structures import DAY_MS, MORE, NEVER, WINDOW_DAYS
from schemas.profile import Trait, View

#: So much must be known of both times, and so often must an interest have been seen in the one that it is greater in.
LEAST_SEEN, LEAST_OF_ONE = 5, 3
#: Its share has doubled, or halved.
TIMES = 2.0
#: Activity of 30 days against that of 60 days before, day for day.
RECENT_DAYS, MUCH_MORE, MUCH_LESS, LEAST_EVENTS = 30, 1.5, 0.5, 6
SHOWN = 2
#: A change of life, and the words in the names of categories and topics that tell of it.
LIFE = {
    "baby": ("baby", "maternity", "nursery", "parenting", "nappies", "母婴", "婴儿", "孕", "育儿"),
    "home": ("furniture", "moving", "renovation", "家具", "装修", "搬家", "家装"),
    "wedding": ("wedding", "bridal", "结婚", "婚礼", "婚庆", "婚纱"),
    "pet": ("pet", "宠物", "猫粮", "狗粮"),
    "study": ("exam", "textbook", "school supplies", "考研", "考试", "留学", "教材"),
    "car": ("car accessories", "car care", "汽车用品", "车载", "新车"),
}
NAMES_REMEMBERED = 4096


class Outlook(View, frozen=True, kw_only=True):
    """What is rising and what is falling with the customer, and which change of life shows."""

    rising: list[Trait] = []  # interests whose share of four weeks has doubled against the eight before; at most two
    falling: list[Trait] = []  # those whose share has halved; at most two
    activity: Trait | None = None  # the last 30 days against the 60 before: falling, steady, or rising, but not of who is leaving
    changes: list[Trait] = []  # baby, home, wedding, pet, study, car: an interest of that kind that is new to them


def derive(facts: Facts) -> tuple[View | None, int]:
    interests, activity = facts.parts.interests, facts.parts.activity
    moving, due_day = _activity(activity, facts.today) if activity is not None else (None, NEVER)
    if moving is not None and moving.value == "rising":
        leaving, ends = _leaving(facts)
        moving, due_day = (None if leaving else moving), min(due_day, ends)
    periods = interests.periods if interests is not None else {}
    latest = max(periods, default=0)
    rising: list[Trait] = []
    falling: list[Trait] = []
    changes: list[Trait] = []
    if periods and facts.today < (latest + 2) * PERIOD_DAYS:
        due_day = min(due_day, (latest + 2) * PERIOD_DAYS)  # then it is no outlook any more
        if len(periods) > 1:  # or there is nothing to compare with
            recent, earlier = periods[latest], _added(periods, latest)
            rising, falling = _risen(recent, earlier), _risen(earlier, recent)
            changes = _changes(recent, earlier, _bought(facts))
    if moving is None and not (rising or falling or changes):
        return None, due_day
    return Outlook(rising=rising, falling=falling, activity=moving, changes=changes), due_day


def _leaving(facts: Facts) -> tuple[bool, int]:
    """Whether their silence or their words tell so, and until when the words do: much that they do may then be anger."""
    concerns = facts.parts.concerns
    recent = [day for day in concerns.leaving if facts.today - day < WINDOW_DAYS] if concerns is not None else []
    return bool(recent) or facts.stage == "declining", max(recent) + WINDOW_DAYS if recent else NEVER


def _added(periods: Mapping[int, Mapping[str, int]], latest: int) -> dict[str, int]:
    """The periods before the latest one, together."""
    total: dict[str, int] = {}
    for period, counts in periods.items():
        if period != latest:
            for name, n in counts.items():
                total[name] = total.get(name, 0) + n
    return total


def _risen(recent: Mapping[str, int], earlier: Mapping[str, int]) -> list[Trait]:
    """What has at least TIMES the share in ``recent`` that it has in ``earlier``, the most frequent first."""
    now, before = sum(recent.values()), sum(earlier.values())
    if now < LEAST_SEEN or before < LEAST_SEEN:
        return []
    found = []
    for name, n in recent.items():
        if n >= LEAST_OF_ONE and name != MORE:
            expected = earlier.get(name, 0) * now / before
            if n >= TIMES * expected:
                found.append((-n, name, expected))
    return [trait(name, -n, expected - n) for n, name, expected in sorted(found)[:SHOWN]]


def _bought(facts: Facts) -> Mapping[str, int]:
    bought = facts.parts.consumption
    return (bought.categories if bought is not None else None) or {}


def _changes(recent: Mapping[str, int], earlier: Mapping[str, int], bought: Mapping[str, int]) -> list[Trait]:
    """Kinds of LIFE that were seen lately, not in the periods before, and not bought more often than lately."""
    if sum(earlier.values()) < LEAST_SEEN:
        return []  # of who is new to us, everything is
    seen = _kinds(recent)
    if not seen:
        return []
    known, owned = _kinds(earlier), _kinds(bought)
    new = sorted((-n, kind) for kind, n in seen.items() if n >= LEAST_OF_ONE and kind not in known and owned.get(kind, 0) <= n)
    return [Trait(value=kind, sure=sure(-n, sum(recent.values())), of=at_least(-n)) for n, kind in new[:SHOWN]]


def _kinds(counts: Mapping[str, int]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name, n in counts.items():
        if kind := _kind(name):
            found[kind] = found.get(kind, 0) + n
    return found


@lru_cache(NAMES_REMEMBERED)
def _kind(name: str) -> str:
    """What in LIFE a category or topic tells of; empty: nothing."""
    folded = name.casefold()
    return next((kind for kind, words in LIFE.items() if any(_tells(word, folded) for word in words)), "")


def _tells(word: str, name: str) -> bool:
    """Chinese words stand anywhere in a name, English ones by themselves: no ``pet`` in ``carpets``."""
    return f" {word} " in f" {name.replace('-', ' ')} " if word.isascii() else word in name


def _activity(activity: Any, today: int) -> tuple[Trait | None, int]:
    first_day = activity.first_ms // DAY_MS
    if today - first_day < WINDOW_DAYS:
        return None, first_day + WINDOW_DAYS
    days = activity.days  # on which day the sums change is the feature's to watch
    month = sum([n for day, n in days.items() if today - day < RECENT_DAYS])
    usual = sum([n for day, n in days.items() if RECENT_DAYS <= today - day < WINDOW_DAYS]) / 2
    both = month + usual
    if both < LEAST_EVENTS:
        return None, NEVER
    if month >= MUCH_MORE * usual:
        return trait("rising", month, both), NEVER
    if month <= MUCH_LESS * usual:
        return trait("falling", usual, both), NEVER
    return trait("steady", 2 * min(month, usual), both), NEVER


DIMENSION = Dimension(
    name="outlook",
    contract=Outlook,
    reads=("interests", "activity", "consumption", "concerns"),
    derive=derive,
    events=("item.viewed", "cart.changed", "content.engaged", "order.placed", "every event of the customer's own"),
    zh="趋势展望",
)
