"""What goes wrong for a customer: complaints, open and resolved; from ``complaints``.

The latest complaints are kept one by one, by (time of opening, id). Every event repeats the opening, so they can arrive in
any order; one that is older than all that are kept only counts in the totals.
"""

from __future__ import annotations

from typing import Any

from msgspec import field

from language.understand import understand_asked, understand_complaint
from portrait.features.base import Feature, Part
from portrait.merging import days, merging, tallies, total
from portrait.structures import DAY_MS, Days, Tally, add_day, expire_days, greatest, tally, tops, windows
from schemas.complaints import ComplaintOpened, ComplaintResolved, ComplaintUpdated
from schemas.event import Event

CASES_MAX, CATEGORIES_MAX, PRODUCTS_MAX, SHOWN = 8, 8, 6, 3
SEVERITIES = ("low", "medium", "high", "critical")
#: Of the urgency of texts, the greatest: danger to people, or several reasons not to wait (docs/language.md).
URGENT = 3


class Case(Part, array_like=True, gc=False, order=True):
    """A complaint. The severity is the greatest seen, the category that of the latest event that names one; what is understood
    of its texts is the category that is surest."""

    opened_ms: int
    id: str
    severity: int = 0
    category_ms: int = 0
    category: str = ""
    product: str = ""
    resolved_ms: int = 0  # 0: open
    stars: int = 0  # satisfaction with the latest resolution; 0: not said
    sure: int = 0  # of what is understood, in percent
    understood: str = ""  # category
    urgency: int = 0  # the greatest of its texts


class Needs(Part, array_like=True, gc=False):
    days: Days = field(default_factory=dict)  # complaints opened
    opened: int = 0
    resolved: int = 0
    stars_sum: int = 0
    stars_count: int = 0
    categories: Tally | None = None
    products: Tally | None = None
    cases: list[Case] = field(default_factory=list)  # ascending

    @property
    def open(self) -> int:
        return sum(1 for case in self.cases if not case.resolved_ms)

    @property
    def urgent(self) -> bool:
        """Whether the texts of an open complaint are most urgent, however severe its publisher calls it."""
        return any(not case.resolved_ms and case.urgency >= URGENT for case in self.cases)


def case_of(part: Needs, opened_ms: int, complaint_id: str) -> Case:
    """The case, made if it is new. One that is too old to be kept is made as well, and falls away."""
    for case in part.cases:
        if case.opened_ms == opened_ms and case.id == complaint_id:
            return case
    case = Case(opened_ms, complaint_id)
    part.cases = greatest([*part.cases, case], CASES_MAX)
    return case


def describe(case: Case, ms: int, category: str | None, severity: str | None) -> None:
    if severity is not None:
        case.severity = max(case.severity, SEVERITIES.index(severity))
    if category is not None and (ms, category) > (case.category_ms, case.category):
        case.category_ms, case.category = ms, category


def read(case: Case, category: str | None, text: str | None) -> None:
    if not text:
        return
    case.urgency = max(case.urgency, understand_asked(text).urgency)
    found = understand_complaint(text) if category is None else None  # what is told need not be guessed
    if found is not None and found.category != "other":
        case.sure, case.understood = max((case.sure, case.understood), (round(100 * found.sure), found.category))


def opened(part: Needs, event: Event, today: int) -> None:
    data: ComplaintOpened = event.data
    part.opened += 1
    add_day(part.days, event.time_ms // DAY_MS, today)
    part.categories = tally(part.categories, data.category, CATEGORIES_MAX)
    part.products = tally(part.products, data.product, PRODUCTS_MAX)
    case = case_of(part, event.time_ms, data.complaint_id)
    describe(case, event.time_ms, data.category, data.severity)
    read(case, data.category, data.text)
    case.product = max(case.product, data.product or "")


def _opened_ms(data: ComplaintUpdated | ComplaintResolved) -> int:
    return round(data.opened_at.timestamp() * 1000)


def updated(part: Needs, event: Event, today: int) -> None:
    data: ComplaintUpdated = event.data
    case = case_of(part, _opened_ms(data), data.complaint_id)
    describe(case, event.time_ms, data.category, data.severity)
    read(case, data.category, data.text)


def resolved(part: Needs, event: Event, today: int) -> None:
    data: ComplaintResolved = event.data
    part.resolved += 1
    if data.satisfaction is not None:
        part.stars_sum += data.satisfaction
        part.stars_count += 1
    case = case_of(part, _opened_ms(data), data.complaint_id)
    describe(case, event.time_ms, data.category, None)
    case.resolved_ms, case.stars = max((case.resolved_ms, case.stars), (event.time_ms, data.satisfaction or 0))


def view(part: Needs, today: int) -> tuple[dict[str, Any] | None, int]:
    week, month, quarter, due = windows(part.days, today)
    if not (part.opened or part.resolved or part.cases):
        return None, due
    shown: dict[str, Any] = {"complaints": (week, month, quarter, part.opened, part.resolved, part.open)}
    if part.stars_count:
        shown["satisfaction"] = round(part.stars_sum / part.stars_count, 2)
    if waiting := [_shown(case) for case in reversed(part.cases) if not case.resolved_ms]:
        shown["open"] = waiting[:SHOWN]
    shown |= tops(part, ("categories", "products"), SHOWN)
    return shown, due


def _shown(case: Case) -> dict[str, Any]:
    shown: dict[str, Any] = {"id": case.id, "opened_at_ms": case.opened_ms, "severity": SEVERITIES[case.severity]}
    if case.category:
        shown["category"] = case.category
    elif case.understood:
        shown |= {"category": case.understood, "understood": True, "sure": case.sure / 100}
    if case.urgency:
        shown["urgency"] = case.urgency
    if case.product:
        shown["product"] = case.product
    return shown


def newest(part: Needs) -> int:
    return max((max(case.opened_ms, case.category_ms, case.resolved_ms) for case in part.cases), default=0)


def expire(part: Needs, today: int) -> None:
    expire_days(part.days, today)


def merge_cases(a: list[Case], b: list[Case]) -> list[Case]:
    known: dict[tuple[int, str], Case] = {}
    for case in (*a, *b):
        name = case.opened_ms, case.id
        other = known.get(name, case)
        category = max((case.category_ms, case.category), (other.category_ms, other.category))
        resolution = max((case.resolved_ms, case.stars), (other.resolved_ms, other.stars))
        severity, product = max(case.severity, other.severity), max(case.product, other.product)
        sure, understood = max((case.sure, case.understood), (other.sure, other.understood))
        urgency = max(case.urgency, other.urgency)
        known[name] = Case(*name, severity, *category, product, *resolution, sure, understood, urgency)
    return greatest(known.values(), CASES_MAX)


FEATURE = Feature(
    name="needs",
    part=Needs,
    folds={ComplaintOpened: opened, ComplaintUpdated: updated, ComplaintResolved: resolved},
    merge=merging(
        Needs,
        days=days,
        opened=total,
        resolved=total,
        stars_sum=total,
        stars_count=total,
        categories=tallies(CATEGORIES_MAX),
        products=tallies(PRODUCTS_MAX),
        cases=merge_cases,
    ),
    view=view,
    expire=expire,
    newest=newest,
)
