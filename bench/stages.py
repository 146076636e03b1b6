"""``python -m bench.stages``: does the lifecycle stage say what it should? How many of each stage buy again within the
horizon, whether these rates fall from stage to stage, and how often the stage changes. On any log of purchases; the last line is
JSON. See docs/churn.md."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from bench.figures import known, rounded
from bench.quality.drive import Drive, Moments, labels
from bench.quality.logs import READERS, Purchase, last_known, read
from portrait.models.measures import Z_95, interval

#: From most to least likely to buy again; a prospect has bought nothing and is in no log of purchases.
ORDER = ("mature", "growing", "won_back", "new", "declining", "dormant", "churned")
YEAR_DAYS = 365.25
#: A stage's rate by fewer customers is told, and not judged.
CUSTOMERS_LEAST = 30


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.stages", description=__doc__)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--format", choices=sorted(READERS), required=True)
    parser.add_argument("--horizon", type=int, default=90, metavar="DAYS")
    parser.add_argument("--grid", type=int, default=28, metavar="DAYS")
    given = parser.parse_args()
    console = Console(stderr=True, highlight=False)
    try:
        purchases = read(given.log, given.format)
    except (OSError, ValueError) as error:
        console.print(f"{given.log} can't be read: {error}")
        sys.exit(2)
    until = last_known(purchases, given.horizon, purchases[0].day)
    with Progress(TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=console, transient=True) as bar:
        task = bar.add_task("the product", total=until - purchases[0].day + 1)
        drive = Drive(given.horizon, given.grid)
        moments = drive.run(purchases, until, lambda: bar.advance(task))
    figures = known(of(moments, purchases, given.horizon, given.grid))
    _print(figures)
    print(msgspec.json.encode(figures).decode())


def of(moments: Moments, purchases: list[Purchase], horizon: int, grid: int) -> dict[str, Any]:
    """Return rates are of the timer's moments: a purchase's own moment would flatter the stage that it leads to."""
    changes = _changes(moments)
    why = {"changes_per_customer_year": "nobody has two moments"} if np.isnan(changes) else {}
    rates = _rates(moments, 1 - labels(moments, purchases, horizon))
    if not rates:
        why["return_rate"] = "no timer was due: give a smaller --grid or a longer log"
    judged = {stage: rate for stage, rate in rates.items() if rate.customers >= CUSTOMERS_LEAST}
    if len(judged) < 2:
        why["monotone"] = f"it needs two stages of {CUSTOMERS_LEAST} customers each"
    return {
        "horizon_days": horizon, "grid_days": grid, "customers": len(np.unique(moments.customers)),
        "return_rate": {stage: rounded(rate.rate) for stage, rate in rates.items()},
        "interval": {stage: list(rate.interval) for stage, rate in rates.items()},
        "moments": {stage: rate.moments for stage, rate in rates.items()},
        "customers_seen": {stage: rate.customers for stage, rate in rates.items()},
        "too_few_to_judge": [stage for stage in rates if stage not in judged],
        **_order(judged), "changes_per_customer_year": rounded(changes), "unknown": why,
    }  # fmt: skip


class Rate(NamedTuple):
    """Of one stage. ``interval``: 95 %, of customers, for one's moments resemble each other. ``pulls``: by how much each
    customer of the log pulls the rate."""

    rate: float
    interval: tuple[float, float]
    moments: int
    customers: int
    pulls: np.ndarray


def _rates(moments: Moments, returned: np.ndarray) -> dict[str, Rate]:
    """Of the stages that occur, in ORDER."""
    _, customer = np.unique(moments.customers, return_inverse=True)
    found = {}
    for stage in ORDER:
        of = ~moments.purchase & (moments.stages == stage)
        n, seen = int(of.sum()), len(np.unique(customer[of]))
        if n:
            rate = float(returned[of].mean())
            pulls = np.bincount(customer[of], returned[of] - rate, minlength=customer.max() + 1) / n
            worth = min(rate * (1 - rate) / float(pulls @ pulls), n) if pulls.any() else seen  # so many independent moments
            wilson = interval(rate * worth, worth)
            found[stage] = Rate(rate, (wilson.low, wilson.high), n, seen, pulls)
    return found


def _order(judged: Mapping[str, Rate]) -> dict[str, Any]:
    """Whether the rates fall: from each stage to the next, and where any stage's is surely above that of an earlier one."""
    steps = [(a, b, _falls(judged[a], judged[b])) for a, b in pairwise(judged)]
    return {
        "steps": [{"from": a, "to": b, "falls_by": falls} for a, b, falls in steps],
        "monotone": all(falls[0] >= 0 for _, _, falls in steps) if steps else None,
        "contradicted": [[a, b] for a, b in combinations(judged, 2) if _falls(judged[a], judged[b])[2] < 0],
    }


def _falls(a: Rate, b: Rate) -> list[float]:
    """[difference, low, high] of 95 %, by the customers, who may have been in both stages."""
    pulls = a.pulls - b.pulls
    reach = Z_95 * float(pulls @ pulls) ** 0.5
    return [round(a.rate - b.rate + by, 4) for by in (0.0, -reach, reach)]


def _changes(moments: Moments) -> float:
    """Stage changes from one moment of a customer to the next, per customer and year; nan where nobody has two."""
    order = np.lexsort((moments.days, moments.customers))
    customers, days, stages = moments.customers[order], moments.days[order], moments.stages[order]
    same = customers[1:] == customers[:-1]
    changes = int((same & (stages[1:] != stages[:-1])).sum())
    return changes / (float((days[1:] - days[:-1])[same].sum()) / YEAR_DAYS) if same.any() else float("nan")


def _print(figures: dict[str, Any]) -> None:
    table = Table("stage", "moments", "customers", "buy again within the horizon", "95 %", "", box=None)
    for stage, rate in figures["return_rate"].items():
        low, high = figures["interval"][stage]
        few = "too few to judge" if stage in figures["too_few_to_judge"] else ""
        counts = (f"{figures[name][stage]:,}" for name in ("moments", "customers_seen"))
        table.add_row(stage, *counts, f"{rate:.1%}", f"{low:.1%} to {high:.1%}", few)
    notes = [f"{later} buys again surely more often than {earlier}" for earlier, later in figures["contradicted"]]
    Console(highlight=False, width=130).print(table, *notes, "", sep="\n")


if __name__ == "__main__":
    main()
