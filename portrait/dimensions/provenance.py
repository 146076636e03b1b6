"""Where what is known comes from: which sources, how much, how fresh, and whose word it is.

Whose word it is follows from a written rule. A source whose name begins with ``partner:`` or ``third:`` says so itself (with
or without a slash before it). Of the others, a source whose topic of the greatest code is that of social mentions reports what
was seen elsewhere: third party. All else is our own.
"""

from __future__ import annotations

from functools import lru_cache

from portrait.dimensions.base import Dimension, Facts, at_least, trait
from portrait.structures import DAY_MS, MORE, NEVER
from schemas.profile import Trait, View
from schemas.social import TOPIC as SOCIAL

#: Beginnings of a source's name that say whose word it is.
PARTIES = {"partner:": "second", "third:": "third"}
#: How far each is trusted, and the least mean, over all events, of each grade.
TRUST = {"first": 1.0, "second": 0.7, "third": 0.4}
GRADES = ((0.85, "high"), (0.6, "medium"), (0.0, "low"))
#: Days since a source's latest event, up to which it is so fresh.
FRESHNESS = ((7, "week"), (30, "month"), (90, "quarter"))
OLD = "older"
NAMES_REMEMBERED = 1024
#: Of six sources at the most; which of equal ones is told first by its name.
SHOWN = 4


class Source(View, frozen=True, kw_only=True):
    """One publisher of events about the customer."""

    party: str = "first"  # first: ourselves; second: a partner; third: anybody else
    events: int = 0  # at least so many
    fresh: str = ""  # week, month, quarter or older: when its latest event was


class Provenance(View, frozen=True, kw_only=True):
    """Who told us what is known, and how far it can be trusted."""

    sources: dict[str, Source] = {}  # by the name that events give; those with most events, at most four
    fresh: str = ""  # week, month, quarter or older: the latest event of any source
    mostly: Trait | None = None  # first, second or third: whose word most events are
    reliable: Trait | None = None  # high, medium or low: events of the first party count 1, of the second .7, of the third .4


def derive(facts: Facts) -> tuple[View | None, int]:
    sources = facts.parts.sources
    if sources is None:
        return None, NEVER
    by_party: dict[str, int] = {}
    latest = total = 0
    rows: list[tuple[int, str, str, int]] = []
    for name, (n, topic, ms) in sources.by_name.items():
        if name != MORE:
            whose = party(name, topic)
            by_party[whose] = by_party.get(whose, 0) + n
            total += n
            if ms > latest:
                latest = ms
            rows.append((-n, name, whose, ms))
    if len(rows) > 1:
        rows.sort()
    shown: dict[str, Source] = {}
    fresh, due_day = freshness(latest, facts.today)
    for minus_n, name, whose, ms in rows[:SHOWN]:
        told, leaves = freshness(ms, facts.today) if ms != latest else (fresh, due_day)
        shown[name] = _source(whose, at_least(-minus_n), told)
        if leaves < due_day:
            due_day = leaves
    mostly = max(by_party, key=lambda name: (by_party[name], TRUST[name])) if len(by_party) > 1 else next(iter(by_party))
    view = Provenance(
        sources=shown, fresh=fresh, mostly=trait(mostly, by_party[mostly], total), reliable=_reliable(by_party, total)
    )
    return view, due_day


@lru_cache(None)
def _source(party: str, events: int, fresh: str) -> Source:
    """There are but a hundred of them."""
    return Source(party=party, events=events, fresh=fresh)


@lru_cache(NAMES_REMEMBERED)
def party(name: str, topic: int) -> str:
    """Whose word a source's is; ``topic``: the greatest code of the topics that it publishes to."""
    given = name.lstrip("/")
    for beginning, whose in PARTIES.items():
        if given.startswith(beginning):
            return whose
    return "third" if topic == SOCIAL.code else "first"


def freshness(latest_ms: int, today: int) -> tuple[str, int]:
    """How long ago, in words, and the day on which that changes."""
    day = latest_ms // DAY_MS
    for days, word in FRESHNESS:
        if today - day < days:
            return word, day + days
    return OLD, NEVER


def _reliable(by_party: dict[str, int], total: int) -> Trait:
    trust = sum([TRUST[name] * n for name, n in by_party.items()])
    return trait(next(grade for least, grade in GRADES if trust >= least * total), trust, total)


DIMENSION = Dimension(
    name="provenance",
    contract=Provenance,
    reads=("sources", "activity"),  # activity's windows tell when it is time to look again
    derive=derive,
    events=("every event",),
    zh="数据来源",
)
