"""``python -m bench.churn``: churn risk of the product's own code on any log of purchases, beside gradient boosting refitted
every week and MBG/NBD refitted every month, on the same moments. The last line is JSON. See docs/churn.md."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from bench.figures import known, rounded, text
from bench.quality import peers, scores
from bench.quality.drive import Drive, Moments, labels
from bench.quality.logs import READERS, Purchase, last_known, read
from portrait.models import start as starts
from portrait.structures import DAY_MS

SEED = 1
#: Days after the horizon by which a label is known: events may come in late.
LABELLED_DAYS = 3


def main() -> None:
    given = _arguments(sys.argv[1:])
    console = Console(stderr=True, highlight=False)
    try:
        purchases = read(given.log, given.format)
    except (OSError, ValueError) as error:
        console.print(f"{given.log} can't be read: {error}")
        sys.exit(2)
    try:
        given.start = starts.read(given.start.read_bytes()) if given.start else None
    except (OSError, ValueError) as error:
        console.print(f"--start: {error}")
        sys.exit(2)
    with Progress(TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=console, transient=True) as bar:
        figures = known(compare(purchases, given, lambda title, total: _step(bar, title, total)))
    _print(figures)
    print(msgspec.json.encode(figures).decode())


def _arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.churn", description=__doc__)
    parser.add_argument("--log", type=Path, required=True, help="a file, .gz or not")
    parser.add_argument("--format", choices=sorted(READERS), required=True, help="csv: with the heads customer, time, amount")
    parser.add_argument("--horizon", type=int, default=90, metavar="DAYS", help="churn: nothing bought within so many days")
    parser.add_argument(
        "--grid", type=int, default=28, metavar="DAYS", help="a timer every so many days a customer, beside each purchase"
    )
    parser.add_argument(
        "--test-from", type=int, metavar="DAY", help="first day of the test, from the log's first; by default its middle"
    )
    parser.add_argument(
        "--no-truncation", action="store_true", help="leave out the second run, which proves that nothing looks ahead"
    )
    parser.add_argument("--start", type=Path, metavar="FILE", help="begin with another shop's weights (portrait model export)")
    parser.add_argument("--export", type=Path, metavar="FILE", help="write what was learned, for another shop to start from")
    return parser.parse_args(arguments)


def _step(bar: Progress, title: str, total: int) -> Callable[[], None]:
    task = bar.add_task(title, total=total)
    return lambda: bar.advance(task)


def compare(
    purchases: list[Purchase], given: argparse.Namespace, step: Callable[[str, int], Callable[[], None]]
) -> dict[str, Any]:
    first, last = purchases[0].day, purchases[-1].day
    start = first + (given.test_from if given.test_from is not None else (last - first + 1) // 2)
    until = last_known(purchases, given.horizon, start + 1)
    drive = Drive(given.horizon, given.grid, given.start)
    moments = drive.run(purchases, until, step("the product", until - first + 1))
    y = labels(moments, purchases, given.horizon)
    tested = moments.days >= start
    if not tested.any():
        raise SystemExit(f"nobody is scored from day {start - first} to {until - first}: give a smaller --grid or a longer log")
    found = {"portrait": moments.risks}
    x = np.hstack([peers.features(moments, purchases), moments.features])  # the peer sees all that the product sees, and more
    for name, settings in peers.HGB.items():
        each = step(name, (until - start) // peers.HGB_EVERY_DAYS + 1)
        found[name] = peers.hgb(x, y, moments.days, given.horizon, start, settings, each)
    found["mbg_monthly"] = peers.mbg(
        moments, purchases, given.horizon, start, step("mbg_monthly", (until - start) // peers.MBG_EVERY_DAYS + 1)
    )
    figures = _figures(y[tested], {name: risks[tested] for name, risks in found.items()}, moments, tested)
    figures["by_age"] = by_age(y, moments, start, given.horizon)
    if given.export:
        try:
            learned = starts.export(drive.learner.snapshot({}, until * DAY_MS))
            given.export.write_bytes(msgspec.json.format(msgspec.json.encode(learned)))
        except (OSError, ValueError) as error:
            raise SystemExit(f"--export: {error}") from error
    costs = drive.costs()
    figures |= {
        "format": given.format, "horizon_days": given.horizon, "grid_days": given.grid,
        "customers": len(drive.states), "purchase_days": len(purchases), "test_days": [start - first, until - first],
        "lessons": drive.learner.lessons, "learn_us": rounded(costs.learn_us), "predict_us": rounded(costs.predict_us),
        "state_bytes": rounded(costs.state_bytes),
    }  # fmt: skip
    if not given.no_truncation:
        figures["truncation"] = _truncation(purchases, given, moments, (start + until) // 2, step)
    return figures


def _figures(y: np.ndarray, found: dict[str, np.ndarray], moments: Moments, tested: np.ndarray) -> dict[str, Any]:
    days, customers = moments.days[tested], moments.customers[tested]
    ours = found["portrait"]
    figures: dict[str, Any] = {"moments": len(y), "base_rate": rounded(float(y.mean()))}
    of_ours = scores.all_of(y, ours, days)
    figures |= {name: round(value, 5) for name, value in of_ours.items()}
    figures["unknown"] = scores.unknown(of_ours, y)
    for name, risks in found.items():
        if name != "portrait":
            figures[name] = {metric: round(value, 5) for metric, value in scores.all_of(y, risks, days).items()}
            for metric in ("auc", "log_loss"):
                gain = scores.paired(scores.METRICS[metric], y, ours, risks, customers, SEED)
                figures[name][f"our_{metric}_less_theirs"] = [round(value, 5) for value in gain]
    return figures


def by_age(y: np.ndarray, moments: Moments, start: int, horizon_days: int) -> list[dict[str, Any]]:
    """Portrait's own scores while the shop is young, by its age in days: before any label is known, as long again, until the test
    begins, and the test."""
    first, rows = int(moments.days.min()), []
    known_after = horizon_days + LABELLED_DAYS
    edges = sorted({0, *(edge for edge in (known_after, 2 * known_after) if edge < start - first), start - first})
    for low, high in zip(edges, [*edges[1:], int(moments.days.max()) - first + 1], strict=True):
        of = (moments.days - first >= low) & (moments.days - first < high)
        if of.any():
            risks, happened = moments.risks[of], y[of]
            figures = {"auc": scores.auc(happened, risks), "log_loss": scores.log_loss(happened, risks)}
            figures["bias"] = float(risks.mean() - happened.mean())
            rows.append({"days": [low, high], "moments": int(of.sum())} | {name: rounded(v) for name, v in figures.items()})
    return rows


def _truncation(
    purchases: list[Purchase], given: argparse.Namespace, whole: Moments, cut: int, step: Callable[[str, int], Callable[[], None]]
) -> dict[str, Any]:
    """Everything after a day deleted: each earlier score must be the same, to the last bit."""
    first = purchases[0].day
    drive = Drive(given.horizon, given.grid, given.start)
    moments = drive.run([p for p in purchases if p.day <= cut], cut, step("the product, without the future", cut - first + 1))
    before = whole.days <= cut
    same = len(moments.risks) == int(before.sum()) and bool(np.array_equal(moments.risks, whole.risks[before]))
    return {"cut_day": cut - first, "moments": len(moments.risks), "identical": same}


def _print(figures: dict[str, Any]) -> None:
    table = Table(
        "model", "AUC", "PR-AUC returns", "log-loss", "Brier", "ECE", "ECE, 3 worst months", "our AUC less theirs", box=None
    )
    names = ["auc", "pr_auc_returns", "log_loss", "brier", "ece", "ece_worst_months"]
    table.add_row("Portrait", *(text(figures[name], ".4f") for name in names), "")
    for peer in (*peers.HGB, "mbg_monthly"):
        gain, low, high = (text(value, "+.4f") for value in figures[peer]["our_auc_less_theirs"])
        table.add_row(peer, *(text(figures[peer][name], ".4f") for name in names), f"{gain} ({low} to {high})")
    Console(highlight=False, width=130).print(
        table, *(f"{name}: {why}" for name, why in figures["unknown"].items()), "", sep="\n"
    )


if __name__ == "__main__":
    main()
