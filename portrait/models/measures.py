"""How well risks were predicted, label by label: log-loss, Brier score, AUC, ECE, and week by week. Plain data, bounded.

All of it is progressive: a risk is judged as it was told at the time, before its label was known. AUC and ECE come from fading
histograms of the log-odds, of those who left and those who came back.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from math import exp, log, sqrt
from typing import NamedTuple

import msgspec

from portrait.structures import DAY_MS, NEVER
from schemas.outputs import Sure

WEEK_MS = 7 * DAY_MS
#: Memory of the running means, in labels; and of the histograms, which need more for the same certainty.
FADE_LABELS = 1000
FADE_BINS = 5000
#: Of the log-odds, from -Z_MAX to Z_MAX: the prior's range. What lies beyond is in the first or the last.
BINS, Z_MAX = 60, 6.0
P_LEAST = 1e-6
ECE_GROUPS = 20
#: Of the risks, 0 to 0.1 and so on: to say how sure one is.
TENTHS = 10
#: Of the normal distribution, for an interval of 95 %.
Z_95 = 1.959964
UNSURE = Sure(0, 0.0, 1.0)
WEEKS_KEPT = 53
#: Labels of one week of scoring come in over some days; then its histogram is folded into one number.
WEEKS_OPEN = 4
_GROWTH = 1 / (1 - 1 / FADE_BINS)
_UNIT_MAX = 1e9


class Bins(msgspec.Struct):
    """Counts by log-odds."""

    left: list[float] = msgspec.field(default_factory=lambda: [0.0] * BINS)
    stayed: list[float] = msgspec.field(default_factory=lambda: [0.0] * BINS)


class Week(msgspec.Struct):
    """Of the risks that were told in one week."""

    labels: int = 0
    left: int = 0
    loss: float = 0.0  # sums
    brier: float = 0.0
    auc: float | None = None  # once its histogram is closed; still None: one class only


class Group(NamedTuple):
    """Neighbouring bins: ``weight`` of their labels, the mean ``risk`` that was told, the ``share`` that left."""

    weight: float
    risk: float
    share: float


class Measures(msgspec.Struct):
    """Change it by `learn` alone."""

    labels: int = 0
    log_loss: float = 0.0
    brier: float = 0.0
    base_rate: float = 0.0
    bins: Bins = msgspec.field(default_factory=Bins)
    told: list[float] = msgspec.field(default_factory=lambda: [0.0] * BINS)  # sums of the risks in each bin
    tenths: Bins = msgspec.field(default_factory=lambda: Bins([0.0] * TENTHS, [0.0] * TENTHS))
    unit: float = 1.0  # what a label counts now: it grows, instead of all bins fading
    weeks: dict[int, Week] = {}  # since 1970
    open: dict[int, Bins] = {}

    def learn(self, risk: float, churned: bool, at_ms: int, now_ms: int = NEVER) -> float:
        """A label: ``risk`` as it was told at ``at_ms``. Returns its loss. What was told after ``now_ms`` was so by a clock that
        ran ahead: it counts, but for no week."""
        p = clipped(risk)
        loss = -log(p if churned else 1 - p)
        square = (p - churned) ** 2
        self.labels += 1
        rate = max(1 / self.labels, 1 / FADE_LABELS)
        self.log_loss += rate * (loss - self.log_loss)
        self.brier += rate * (square - self.brier)
        self.base_rate += rate * (churned - self.base_rate)
        at = bin_of(p)
        side = self.bins.left if churned else self.bins.stayed
        side[at] += self.unit
        self.told[at] += self.unit * p
        (self.tenths.left if churned else self.tenths.stayed)[tenth_of(p)] += self.unit
        self.unit *= _GROWTH
        if self.unit > _UNIT_MAX:
            self._rescale()
        self._in_week(at_ms // WEEK_MS, now_ms // WEEK_MS, at, churned, loss, square)
        return loss

    def _rescale(self) -> None:
        for counts in (self.bins.left, self.bins.stayed, self.told, self.tenths.left, self.tenths.stayed):
            counts[:] = [count / self.unit for count in counts]
        self.unit = 1.0

    def _in_week(self, number: int, this_week: int, at: int, churned: bool, loss: float, square: float) -> None:
        if number > this_week:
            return
        week = self.weeks.get(number)
        if week is None:
            if len(self.weeks) == WEEKS_KEPT and number < self._by_age(this_week)[0] <= this_week:
                return
            week = self._begin_week(number, this_week)
        week.labels += 1
        week.left += churned
        week.loss += loss
        week.brier += square
        bins = self.open.get(number)
        if bins is not None:
            (bins.left if churned else bins.stayed)[at] += 1.0

    def _begin_week(self, number: int, this_week: int) -> Week:
        self.weeks[number] = Week()
        self.open[number] = Bins()
        for late in [week for week in self._by_age(this_week) if week in self.open][:-WEEKS_OPEN]:
            self.weeks[late].auc = auc(self.open.pop(late))
        for old in self._by_age(this_week)[:-WEEKS_KEPT]:
            del self.weeks[old]
        return self.weeks.get(number, Week())

    def _by_age(self, this_week: int) -> list[int]:
        """Weeks, the first to go first: those that are yet to come, from when this clock itself ran ahead; then the oldest."""
        return sorted(self.weeks, key=lambda week: (week <= this_week, week))

    def auc(self) -> float | None:
        return auc(self.bins)

    def ece(self) -> float:
        """Expected calibration error, over about ECE_GROUPS groups of like size."""
        groups = self.calibration(ECE_GROUPS)
        total = sum(group.weight for group in groups)
        return sum(group.weight * abs(group.risk - group.share) for group in groups) / total if total else 0.0

    def calibration(self, groups: int) -> list[Group]:
        """Bins joined to about so many groups of like weight, from the lowest risk to the highest."""
        rows = list(zip(self.bins.left, self.bins.stayed, self.told, strict=True))
        least = sum(left + stayed for left, stayed, _ in rows) / groups
        found: list[Group] = []
        left = stayed = told = 0.0
        for more_left, more_stayed, more_told in rows:
            left, stayed, told = left + more_left, stayed + more_stayed, told + more_told
            if (weight := left + stayed) >= least > 0:
                found.append(Group(weight / self.unit, told / weight, left / weight))
                left = stayed = told = 0.0
        if (weight := left + stayed) > 0:
            found.append(Group(weight / self.unit, told / weight, left / weight))
        return found

    def sure(self) -> list[Sure]:
        """By tenths of the risk that was told: of how many labels, and which share left."""
        pairs = zip(self.tenths.left, self.tenths.stayed, strict=True)
        return [interval(left / self.unit, (left + stayed) / self.unit) for left, stayed in pairs]

    def by_week(self) -> list[tuple[int, Week]]:
        """(week's beginning in ms, its measures), in order; of open weeks the AUC as far as it is known."""
        rows = []
        for number, week in sorted(self.weeks.items()):
            known = auc(self.open[number]) if number in self.open else week.auc
            rows.append((number * WEEK_MS, msgspec.structs.replace(week, auc=known)))
        return rows

    def plain(self) -> dict[str, float]:
        """What is not known is left out."""
        found = {
            "labels": float(self.labels),
            "log_loss": self.log_loss,
            "brier": self.brier,
            "base_rate": self.base_rate,
            "ece": self.ece(),
        }
        ranked = self.auc()
        return found if ranked is None else found | {"auc": ranked}


def clipped(risk: float) -> float:
    return min(max(risk, P_LEAST), 1 - P_LEAST)


def bin_of(p: float) -> int:
    return min(max(int((log(p / (1 - p)) + Z_MAX) * (BINS / (2 * Z_MAX))), 0), BINS - 1)


def tenth_of(p: float) -> int:
    return min(int(p * TENTHS), TENTHS - 1)


def interval(left: float, labels: float) -> Sure:
    """Of the share that leaves (Wilson 1927, "Probable inference, the law of succession, and statistical inference")."""
    if labels < 0.5:
        return UNSURE
    share, square = left / labels, Z_95 * Z_95
    middle = (share + square / (2 * labels)) / (1 + square / labels)
    reach = Z_95 / (1 + square / labels) * sqrt(share * (1 - share) / labels + square / (4 * labels * labels))
    return Sure(round(labels), round(max(middle - reach, 0.0), 3), round(min(middle + reach, 1.0), 3))


def edge(number: int) -> float:
    """The risk at which a bin begins; ``edge(BINS)``: at which the last one ends."""
    return 1 / (1 + exp(Z_MAX - number * 2 * Z_MAX / BINS))


def auc(bins: Bins) -> float | None:
    """The chance that someone who left had a higher risk than someone who stayed; within a bin, one half. None: one class."""
    left, stayed = sum(bins.left), sum(bins.stayed)
    if not left or not stayed:
        return None
    below: Sequence[float] = [0.0, *accumulate(bins.stayed)]
    return sum(n * (below[i] + bins.stayed[i] / 2) for i, n in enumerate(bins.left)) / (left * stayed)
