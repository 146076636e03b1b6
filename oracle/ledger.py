"""What the events of a customer amount to so far: all that stages, scores and rules ask for (docs/refold.md).

One event after the other, for a refold asks at thousands of moments: days are kept one by one in sorted lists, and counted anew.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import Counter

from language.understand import understand
from oracle.orders import CALENDAR_DAYS, CURRENCIES_MAX, is_late
from oracle.service import CASES_MAX, is_unhappy
from oracle.stage import Spans, Stage, gap_of, prospect, silent, spans_of, walked
from oracle.tools import day_of, ms_of
from oracle.visits import COMPANY
from oracle.voice import text_of
from schemas.clicks import Touch
from schemas.complaints import ComplaintOpened, ComplaintResolved, ComplaintUpdated
from schemas.contacts import ContactRefused
from schemas.event import Event
from schemas.orders import OrderCancelled, OrderDelivered, OrderPlaced, OrderRefunded
from schemas.social import Mention

UNRESOLVED = (0, 0)
HALF_LIVES_DAYS = (21.0, 60.0, 180.0)


class Rhythm:
    """What follows from the purchase days. ``decayed``: how many there were, each halved with every half-life until the last."""

    def __init__(self, days: list[int]) -> None:
        self.walked: Stage = walked(days)
        self.spans: Spans = spans_of(days, len(days))
        self.gap_days = gap_of(days, len(days))
        self.decayed = [sum(0.5 ** ((days[-1] - day) / half) for day in days) for half in HALF_LIVES_DAYS]


class Ledger:
    """``bought``: the purchase days, ascending; the other lists hold the day of each event, ascending."""

    def __init__(self) -> None:
        self.events = self.first_ms = self.last_own_ms = 0
        self.placed = self.spent_minor = 0
        self._money: dict[str, tuple[int, int]] = {}  # of the first few currencies: orders placed, net spend
        self.bought: list[int] = []
        self.clicked: list[int] = []
        self.complained: list[int] = []
        self.refused: list[int] = []
        self.unhappy: list[int] = []
        self.late: list[int] = []
        self.rivals: list[int] = []
        self._tones: Counter[int] = Counter()  # of what was written, added up by day
        self._cases: dict[tuple[int, str], tuple[int, int]] = {}  # (opened_ms, complaint id) -> the latest resolution, its stars
        self._rhythm: Rhythm | None = None

    def add(self, event: Event) -> None:
        ms, data = event.time_ms, event.data
        self.first_ms = min(self.first_ms, ms) if self.events else ms
        self.events += 1
        if not isinstance(data, COMPANY):
            self.last_own_ms = max(self.last_own_ms, ms)
        if text := text_of(event):
            self._tones[day_of(ms)] += understand(text).tone
        if isinstance(data, Touch):
            insort(self.clicked, day_of(ms))
        elif isinstance(data, OrderPlaced):
            self.placed += 1
            self._pay(data.currency, 1, data.amount_minor)
            self._buy(day_of(ms))
        elif isinstance(data, (OrderCancelled, OrderRefunded)):
            self._pay(data.currency, 0, -data.amount_minor)
        elif isinstance(data, ComplaintOpened):
            insort(self.complained, day_of(ms))
            self._cases.setdefault((ms, data.complaint_id), UNRESOLVED)
        elif isinstance(data, (ComplaintUpdated, ComplaintResolved)):
            name = ms_of(data.opened_at), data.complaint_id
            resolution = (ms, data.satisfaction or 0) if isinstance(data, ComplaintResolved) else UNRESOLVED
            self._cases[name] = max(self._cases.get(name, UNRESOLVED), resolution)
        elif isinstance(data, ContactRefused):
            insort(self.refused, day_of(ms))
        elif isinstance(data, OrderDelivered) and is_late(event):
            insort(self.late, day_of(ms))
        elif isinstance(data, Mention) and data.rivals:
            insort(self.rivals, day_of(ms))
        elif is_unhappy(event):
            insort(self.unhappy, day_of(ms))

    def _pay(self, currency: str, orders: int, amount_minor: int) -> None:
        self.spent_minor += amount_minor
        if currency in self._money or len(self._money) < CURRENCIES_MAX:
            placed, spent_minor = self._money.get(currency, (0, 0))
            self._money[currency] = placed + orders, spent_minor + amount_minor

    def mean_order_minor(self) -> float:
        """Net, in the currency of most orders."""
        orders, _, spent_minor = max((orders, name, spent) for name, (orders, spent) in self._money.items())
        return spent_minor / orders if orders else 0.0

    def _buy(self, day: int) -> None:
        at = bisect_left(self.bought, day)
        if self.bought[at : at + 1] != [day]:
            self.bought.insert(at, day)
            self.bought = [bought for bought in self.bought if bought > self.bought[-1] - CALENDAR_DAYS]
            self._rhythm = None

    @property
    def rhythm(self) -> Rhythm:
        """Of who has bought."""
        if self._rhythm is None:
            self._rhythm = Rhythm(self.bought)
        return self._rhythm

    def stage(self, today: int) -> Stage:
        if not self.bought:
            return prospect(day_of(self.first_ms))
        return silent(self.bought[-1], self.rhythm.spans, today) or self.rhythm.walked

    def next_stage_day(self, today: int) -> int | None:
        """The next day on which silence alone would change the stage."""
        if not self.bought:
            return None
        days = [self.bought[-1] + span for span in self.rhythm.spans]
        return next((day for day in days if day > today), None)

    def displeased(self, after_day: int) -> int:
        """On how many days after that day the tones come to -20 or less."""
        return sum(1 for day, tone in self._tones.items() if day > after_day and tone <= -20)

    def open_complaints(self) -> int:
        """Of the latest cases."""
        return sum(1 for resolved_ms, _ in self._latest_cases() if not resolved_ms)

    def resolutions(self, after_day: int) -> tuple[int, int]:
        """How many of the latest cases were resolved after that day with at least 4 stars, and with 1 or 2."""
        stars = [stars for resolved_ms, stars in self._latest_cases() if resolved_ms and day_of(resolved_ms) > after_day]
        return sum(1 for n in stars if n >= 4), sum(1 for n in stars if n in (1, 2))

    def _latest_cases(self) -> list[tuple[int, int]]:
        return [self._cases[name] for name in sorted(self._cases)[-CASES_MAX:]]


def count_after(days: list[int], day: int) -> int:
    """How many of these ascending days are later."""
    return len(days) - bisect_right(days, day)
