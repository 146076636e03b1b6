"""``python -m bench.causes``: what scores on all events know that scores on purchases alone do not, where the truth is known.

The simulator's customers leave for a cause (service, price, a rival, a need that fades). One run of the product's own code over
all of their events; two models learn from the same lessons, one of them with every feature but those of buying left out. Both
score the same moments. An alarm is a score above a threshold that gives both models as many false alarms among those who do not
leave; how early it comes is counted against the day on which the customer really left. The last line is JSON. See docs/churn.md.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import msgspec
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from bench.figures import known, rounded, text
from bench.quality import scores
from bench.quality.drive import Drive
from cli.population import Population, Truth
from portrait.evolve import Arrival
from portrait.models import churn
from portrait.models.churn import FEATURES
from portrait.models.learner import Learner
from portrait.state import mark_of
from portrait.structures import DAY_MS
from schemas.event import Event, decode
from schemas.orders import OrderPlaced
from schemas.outputs import History, Lesson
from schemas.registry import BY_NAME

Array = np.ndarray
NAN = float("nan")
START_MS = 20_000 * DAY_MS
#: The features of buying are those before this one; the spend belongs to them too.
BUYING = FEATURES.index("visits7")
FALSE_ALARMS = (0.05, 0.1, 0.2)
#: An alarm counts for a leaving if it comes so many days before it at most, or within the horizon after it.
EARLY_DAYS = 45
SEED = 1


class Lived(Drive):
    """`Drive` over all events, with a second learner for which nothing but purchases ever happened."""

    def __init__(self, horizon_days: int, grid_days: int) -> None:
        super().__init__(horizon_days, grid_days)
        self.other = Learner(horizon_days)
        self.other_scorer = self.other.scorer()
        self.found: list[tuple[str, int, float, float]] = []  # customer, day, risk on all events, risk on purchases alone
        self.orders: defaultdict[str, list[int]] = defaultdict(list)

    def live(self, events: Sequence[tuple[str, Arrival]], day: int) -> None:
        """One day, its events in the order of their times."""
        clock_ms = (day + 1) * DAY_MS - 1
        lessons: list[bytes] = []
        by_customer: defaultdict[str, list[Arrival]] = defaultdict(list)
        for customer, arrival in events:
            by_customer[customer].append(arrival)
            if isinstance(arrival.event.data, OrderPlaced):
                self.orders[customer].append(day)
        for customer, arrivals in by_customer.items():
            self._evolve(customer, arrivals, clock_ms, lessons)
        for due_day in [d for d in self._due if d <= day]:
            for customer in sorted(self._due.pop(due_day)):
                self._evolve(customer, (), clock_ms, lessons)
        for customer in self._phases[day % self.grid_days]:
            state = self.states[customer]
            x = churn.features(state.parts, state.rhythm, day, self.scorer)
            if x is not None:
                self.found.append((customer, day, self.scorer.risk(x), self.other_scorer.risk(_buying_alone(x))))
        for value in lessons:
            self._teach(msgspec.json.decode(value, type=History | Lesson))
        self.scorer, self.other_scorer = self.learner.scorer(), self.other.scorer()

    def _teach(self, lesson: History | Lesson) -> None:
        if isinstance(lesson, History):
            self.learner.learn_history(lesson)
            self.other.learn_history(lesson)
        else:
            self.learner.learn(lesson)
            alone = dict(zip(FEATURES, _buying_alone(list(lesson.features.values())), strict=True))
            self.other.learn(msgspec.structs.replace(lesson, features=alone))


def _buying_alone(x: Sequence[float]) -> list[float]:
    return [*x[:BUYING], *([0.0] * (len(FEATURES) - BUYING))]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.causes", description=__doc__)
    parser.add_argument("--customers", type=int, default=1500)
    parser.add_argument("--days", type=int, default=540, help="length of the history; the second half of it is the test")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--horizon", type=int, default=60, metavar="DAYS")
    parser.add_argument("--grid", type=int, default=3, metavar="DAYS", help="each customer is scored every so many days")
    given = parser.parse_args()
    console = Console(stderr=True, highlight=False)
    with Progress(TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=console, transient=True) as bar:
        task = bar.add_task("days lived", total=given.days)
        figures = compare(given, lambda: bar.advance(task))
    figures = known(figures)
    _print(figures)
    sys.stdout.write(msgspec.json.encode(figures).decode() + "\n")


def compare(given: argparse.Namespace, step: Callable[[], None]) -> dict[str, Any]:
    if given.days - given.days // 2 <= given.horizon:
        raise SystemExit(f"{given.days} days are too few for a horizon of {given.horizon}: the second half is the test")
    lived, truth = _live(given, step)
    first = START_MS // DAY_MS
    test_from, until = first + given.days // 2, first + given.days - given.horizon
    rows = [row for row in lived.found if test_from <= row[1] < until]
    customers, days = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    everything, alone = np.array([row[2] for row in rows]), np.array([row[3] for row in rows])
    orders = {customer: np.array(sorted(bought)) for customer, bought in lived.orders.items()}
    y = np.array([_churned(orders.get(c), d, given.horizon) for c, d in zip(customers, days, strict=True)])
    figures: dict[str, Any] = {
        "customers": given.customers, "days": given.days, "seed": given.seed, "horizon_days": given.horizon,
        "moments": len(y), "base_rate": rounded(float(y.mean())), "lessons": lived.learner.labels,
    }  # fmt: skip
    for name, risks in (("all_events", everything), ("purchases_alone", alone)):
        of = scores.all_of(y, risks, days)
        figures[name] = {metric: round(float(value), 5) for metric, value in of.items()}
        figures["unknown"] = scores.unknown(of, y)  # the same for both
    for metric in ("auc", "log_loss"):
        gain = scores.paired(scores.METRICS[metric], y, everything, alone, customers, SEED)
        figures[f"{metric}_gain"] = [round(float(value), 5) for value in gain]
    figures["alarms"] = _alarms(customers, days, everything, alone, truth, given.horizon, (test_from, until))
    figures["weights"] = {name: round(float(lived.learner.model.weights.get(name, 0.0)), 3) for name in FEATURES[BUYING:]}
    return figures


def _live(given: argparse.Namespace, step: Callable[[], None]) -> tuple[Lived, dict[str, Truth]]:
    end_ms = START_MS + given.days * DAY_MS
    population = Population(Random(given.seed), customers=given.customers, start_ms=START_MS, end_ms=end_ms)
    lived, day, today = Lived(given.horizon, given.grid), START_MS // DAY_MS, list[tuple[str, Arrival]]()
    for offset, emitted in enumerate(population.history()):
        while emitted.time_ms // DAY_MS > day:
            lived.live(today, day)
            step()
            today, day = [], day + 1
        event = decode(emitted.topic, emitted.key.encode(), msgspec.json.encode(emitted.event), (), emitted.time_ms)
        if not isinstance(event, Event):
            raise ValueError(f"the product refuses an event of the simulator: {event.message}")
        today.append((emitted.key, Arrival(mark_of(BY_NAME[emitted.topic].code, 0), offset, event)))
    return lived, {row.customer_id: row for row in population.truth()}


def _churned(orders: Array | None, day: int, horizon_days: int) -> int:
    if orders is None:
        return 1
    at = np.searchsorted(orders, day, side="right")
    return int(not (at < len(orders) and orders[at] <= day + horizon_days))


def _alarms(
    customers: Array,
    days: Array,
    everything: Array,
    alone: Array,
    truth: dict[str, Truth],
    horizon_days: int,
    test: tuple[int, int],
) -> list[dict[str, Any]]:
    """For each share of false alarms: who was caught before leaving, by cause, and how much earlier."""
    left = {c: row.churned_at_ms // DAY_MS for c, row in truth.items() if row.churned_at_ms is not None}
    tested = {c: day for c, day in left.items() if test[0] + EARLY_DAYS <= day < test[1] - horizon_days}
    if not tested:
        return []  # so few customers, or days, that nobody left in the time of the test
    stays = np.array([c not in left for c in customers])
    found = []
    for share in FALSE_ALARMS:
        row: dict[str, Any] = {"false_alarms": share, "left": len(tested)}
        first: dict[str, dict[str, int]] = {}
        for name, risks in (("all_events", everything), ("purchases_alone", alone)):
            threshold = float(np.quantile(risks[stays], 1 - share))
            first[name] = _first(customers, days, risks > threshold, tested, horizon_days)
            before = [c for c, day in first[name].items() if day <= tested[c]]
            row[name] = {
                "caught_before_leaving": rounded(len(before) / len(tested)),
                "caught": rounded(len(first[name]) / len(tested)),
            }
        both = [c for c in first["all_events"] if c in first["purchases_alone"]]
        earlier = np.array([first["purchases_alone"][c] - first["all_events"][c] for c in both])
        row["days_earlier"] = {
            "mean": rounded(_mean(earlier)), "median": float(np.median(earlier)) if both else NAN, "customers": len(both),
            "interval": [rounded(v) for v in _interval(earlier)],
            "by_cause": {
                cause: rounded(float(np.mean(of)))
                for cause in ("service", "price", "rival", "need")
                if len(of := [n for c, n in zip(both, earlier, strict=True) if truth[c].cause == cause])
            },
        }  # fmt: skip
        found.append(row)
    return found


def _first(customers: Array, days: Array, alarm: Array, left: dict[str, int], horizon_days: int) -> dict[str, int]:
    """The day of the first alarm that counts, of each who left."""
    first: dict[str, int] = {}
    for customer, day in zip(customers[alarm], days[alarm], strict=True):
        gone = left.get(customer)
        if gone is not None and gone - EARLY_DAYS <= day <= gone + horizon_days and day < first.get(customer, day + 1):
            first[customer] = int(day)
    return first


def _mean(values: Array) -> float:
    return float(values.mean()) if len(values) else NAN


def _interval(values: Array) -> tuple[float, float]:
    if not len(values):
        return NAN, NAN
    rng = np.random.default_rng(SEED)
    means = [values[rng.integers(0, len(values), len(values))].mean() for _ in range(1000)]
    return float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


def _print(figures: dict[str, Any]) -> None:
    table = Table(
        "scores on",
        "AUC",
        "log-loss",
        "ECE",
        *(f"caught before, {a['false_alarms']:.0%} false" for a in figures["alarms"]),
        box=None,
    )
    for name in ("all_events", "purchases_alone"):
        row = figures[name]
        caught = (f"{alarms[name]['caught_before_leaving']:.1%}" for alarms in figures["alarms"])
        table.add_row(name.replace("_", " "), *(text(row[metric], ".4f") for metric in ("auc", "log_loss", "ece")), *caught)
    days = ", ".join(text(a["days_earlier"]["mean"], "+.1f") for a in figures["alarms"])
    Console(highlight=False, width=130).print(table, f"days earlier, mean: {days}", "")


if __name__ == "__main__":
    main()
