"""``python -m bench.stages``: does the lifecycle stage say what it should? How many of each stage buy again within the
horizon, and how often the stage changes. On any log of purchases; the last line is JSON. See docs/churn.md."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from bench.figures import known, rounded
from bench.quality.drive import Drive, Moments, labels
from bench.quality.logs import READERS, Purchase, last_known, read

#: From most to least likely to buy again; a prospect has bought nothing and is in no log of purchases.
ORDER = ("mature", "growing", "won_back", "new", "declining", "dormant", "churned")
YEAR_DAYS = 365.25


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
    returned = 1 - labels(moments, purchases, horizon)
    timer = ~moments.purchase
    rates = {
        stage: float(returned[timer & (moments.stages == stage)].mean())
        for stage in ORDER
        if (timer & (moments.stages == stage)).any()
    }
    down = [rates[stage] for stage in ("mature", "growing", "new") if stage in rates]
    silent = [rates[stage] for stage in ("declining", "dormant", "churned") if stage in rates]
    changes = _changes(moments)
    why = {"changes_per_customer_year": "nobody has two moments"} if np.isnan(changes) else {}
    if not rates:
        why["return_rate"] = "no timer was due: give a smaller --grid or a longer log"
    return {
        "horizon_days": horizon, "grid_days": grid, "customers": len(np.unique(moments.customers)),
        "return_rate": {stage: rounded(rate) for stage, rate in rates.items()},
        "moments": {stage: int((timer & (moments.stages == stage)).sum()) for stage in rates},
        "monotone_with_purchases": down == sorted(down, reverse=True),
        "monotone_with_silence": silent == sorted(silent, reverse=True),
        "changes_per_customer_year": rounded(changes), "unknown": why,
    }  # fmt: skip


def _changes(moments: Moments) -> float:
    """Stage changes from one moment of a customer to the next, per customer and year; nan where nobody has two."""
    order = np.lexsort((moments.days, moments.customers))
    customers, days, stages = moments.customers[order], moments.days[order], moments.stages[order]
    same = customers[1:] == customers[:-1]
    changes = int((same & (stages[1:] != stages[:-1])).sum())
    return changes / (float((days[1:] - days[:-1])[same].sum()) / YEAR_DAYS) if same.any() else float("nan")


def _print(figures: dict[str, Any]) -> None:
    table = Table("stage", "moments", "buy again within the horizon", box=None)
    for stage, rate in figures["return_rate"].items():
        table.add_row(stage, f"{figures['moments'][stage]:,}", f"{rate:.1%}")
    Console(highlight=False).print(table, "")


if __name__ == "__main__":
    main()
