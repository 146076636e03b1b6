"""``python -m bench.value``: how many orders and how much spend the product's own code expects within the horizon, on any log of
purchases, beside `lifetimes` refitted at the same days. The last line is JSON. See docs/value.md."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from bench.figures import known, rounded, text
from bench.quality import forecasts, scores
from bench.quality.drive import Drive
from bench.quality.logs import READERS, Purchase, last_known, read
from bench.quality.peers import histories
from portrait.models.value import Value

SEED = 1
NEVER_TIMED = 1_000_000  # no timer: only the days of the test are looked at
Array = np.ndarray


class Test(NamedTuple):
    """All customers on the evening of one day: what was expected by each, and what came. Spend in hundredths."""

    day: int
    customers: list[str]
    values: list[Value]
    came: dict[str, Array]  # orders, spend
    expected: dict[str, dict[str, Array]]  # name -> orders, spend


def main() -> None:
    given = _arguments(sys.argv[1:])
    console = Console(stderr=True, highlight=False)
    try:
        purchases = read(given.log, given.format)
    except (OSError, ValueError) as error:
        console.print(f"{given.log} can't be read: {error}")
        sys.exit(2)
    first, last = purchases[0].day, purchases[-1].day
    middle = (first + last + 1) // 2
    until = last_known(purchases, given.horizon, middle)
    days = sorted({int(day) for day in np.linspace(middle, until, given.splits)})
    with Progress(TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=console, transient=True) as bar:
        task = bar.add_task("the product", total=until - first + 1)
        drive = Drive(given.horizon, NEVER_TIMED)
        tests = run(drive, purchases, days, given.horizon, lambda: bar.advance(task))
    figures = _figures(tests, purchases, given.horizon) | {
        "format": given.format, "horizon_days": given.horizon, "test_days": [day - first for day in days],
        "value_us": rounded(drive.value_s * 1e6 / sum(len(test.customers) for test in tests)),
    }  # fmt: skip
    figures = known(figures)
    _print(figures)
    print(msgspec.json.encode(figures).decode())


def _arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.value", description=__doc__)
    parser.add_argument("--log", type=Path, required=True, help="a file, .gz or not")
    parser.add_argument("--format", choices=sorted(READERS), required=True, help="csv: with the heads customer, time, amount")
    parser.add_argument("--horizon", type=int, default=90, metavar="DAYS")
    parser.add_argument("--splits", type=int, default=5, metavar="N", help="test days, evenly from the log's middle on")
    return parser.parse_args(arguments)


def run(drive: Drive, purchases: list[Purchase], days: Sequence[int], horizon: int, each: Callable[[], None]) -> list[Test]:
    of = histories(purchases)
    day, tests = purchases[0].day - 1, []

    def evening() -> None:
        nonlocal day
        day += 1
        if day in days:
            tests.append(_test(drive.values(day), of, day, horizon))
        each()

    drive.run(purchases, max(days), evening)
    return tests


def _test(values: dict[str, Value], of: forecasts.Histories, day: int, horizon: int) -> Test:
    customers = sorted(values)
    ours = [values[customer] for customer in customers]
    orders, spend = np.array([v.orders for v in ours]), np.array([float(sum(v.spend_minor.values())) for v in ours])
    expected = {"portrait": {"orders": orders, "spend": spend}}
    for name, peer in forecasts.PEERS.items():
        expected[name] = dict(zip(("orders", "spend"), peer(of, customers, day, horizon), strict=True))
    came = dict(zip(("orders", "spend"), forecasts.within(of, customers, day, day + horizon), strict=True))
    return Test(day, customers, ours, came, expected)


def _figures(tests: list[Test], purchases: list[Purchase], horizon: int) -> dict[str, Any]:
    """Of all test days together."""
    kinds = ("orders", "spend")
    came = {kind: np.concatenate([test.came[kind] for test in tests]) for kind in kinds}
    expected = {
        name: {kind: np.concatenate([test.expected[name][kind] for test in tests]) for kind in kinds}
        for name in ("portrait", *forecasts.PEERS)
    }
    figures: dict[str, Any] = {"forecasts": len(came["orders"]), "orders_came": rounded(float(came["orders"].mean()))}
    for name, of in expected.items():
        figures[name] = {
            kind: {metric: rounded(score(came[kind], of[kind])) for metric, score in forecasts.METRICS[kind].items()}
            for kind in kinds
        }
    customers = np.concatenate([np.array(test.customers) for test in tests])
    for (peer, kind, metric), gain in _gains(came, expected, customers).items():
        figures[peer][kind][f"our_{metric}_less_theirs"] = [rounded(value) for value in gain]
    flags = _flags(tests, histories(purchases), horizon)
    return figures | {"next": _next(tests, purchases), "flags": flags, "unknown": _unknown(came["spend"], figures, flags)}


def _unknown(spend: Array, figures: dict[str, Any], flags: dict[str, float]) -> dict[str, str]:
    """figure -> why it is nan."""
    why = {}
    if any(np.isnan(figures[name]["spend"]["rank"]) for name in ("portrait", *forecasts.PEERS)):
        why["rank"] = "all spent alike, or are expected to"
    if not spend.any():
        nothing = "nobody who was known bought within the horizon"
        why |= dict.fromkeys(("bias", "rank", "capture", "high_share_of_spend"), nothing)
    if np.isnan(flags["others_spend_beats_their_past"]):
        why["others_spend_beats_their_past"] = "nobody had five purchase days and half a year"
    return why


def _gains(
    came: dict[str, Array], expected: dict[str, dict[str, Array]], customers: Array
) -> dict[tuple[str, str, str], list[float]]:
    """(peer, kind, metric) -> our metric less theirs, with its 95 % interval over customers; all from the same resamples."""
    compared = [(peer, kind, metric) for peer in forecasts.PEERS for kind in came for metric in forecasts.PAIRED[kind]]

    def less(rows: Array | slice) -> list[float]:
        found: dict[tuple[str, str, str], float] = {}
        for name in expected:
            for kind, metrics in forecasts.PAIRED.items():
                for metric in metrics:
                    score = forecasts.METRICS[kind][metric]
                    found[name, kind, metric] = score(came[kind][rows], expected[name][kind][rows])
        return [found["portrait", kind, metric] - found[peer, kind, metric] for peer, kind, metric in compared]

    drawn = np.array([less(rows) for rows in scores.resamples(customers, SEED)])
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    return {
        what: [whole, float(low[i]), float(high[i])]
        for i, (what, whole) in enumerate(zip(compared, less(slice(None)), strict=True))
    }


def _next(tests: list[Test], purchases: list[Purchase]) -> dict[str, float]:
    """Half of those with an expected day should have bought by then. Only where the log goes on for so long."""
    last, of = purchases[-1].day, histories(purchases)
    given, bought, returned = 0, [], []
    for test in tests:
        for customer, value in zip(test.customers, test.values, strict=True):
            day = value.next_day
            if day is None:
                returned.append(any(test.day < d for d in of[customer][0]))
            elif day <= last:
                given += 1
                bought.append(any(test.day < d <= day for d in of[customer][0]))
    return {
        "dated": given, "bought_by_the_day": rounded(float(np.mean(bought))) if bought else 0.0,
        "undated": len(returned), "undated_bought_later": rounded(float(np.mean(returned))) if returned else 0.0,
    }  # fmt: skip


def _flags(tests: list[Test], of: forecasts.Histories, horizon: int) -> dict[str, float]:
    high = np.concatenate([[value.high for value in test.values] for test in tests])
    rising = np.concatenate([[value.rising for value in test.values] for test in tests])
    spend = np.concatenate([test.came["spend"] for test in tests])
    beat = np.concatenate([_beat_their_past(test, of, horizon) for test in tests])
    past = beat[~rising & ~np.isnan(beat)]
    return {
        "high_share": rounded(float(high.mean())), "high_share_of_spend": rounded(forecasts.share(spend, high)),
        "rising_share": rounded(float(rising.mean())),
        "rising_spend_beats_their_past": rounded(float(np.nanmean(beat[rising]))) if rising.any() else 0.0,
        "others_spend_beats_their_past": rounded(float(past.mean())) if len(past) else float("nan"),
    }  # fmt: skip


def _beat_their_past(test: Test, of: forecasts.Histories, horizon: int) -> Array:
    """Whether spend a day within the horizon was more than from the first purchase until 90 days ago; nan for who could not rise:
    fewer than five purchase days or half a year."""
    beat = np.full(len(test.customers), np.nan)
    for i, customer in enumerate(test.customers):
        days, amounts = of[customer]
        seen = sum(day <= test.day for day in days)
        if seen >= 5 and test.day - days[0] >= 180:
            earlier = sum(amount for day, amount in zip(days, amounts, strict=True) if day <= test.day - 90)
            beat[i] = test.came["spend"][i] / horizon > earlier / (test.day - 90 - days[0])
    return beat


def _print(figures: dict[str, Any]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for kind, metrics in forecasts.METRICS.items():
        table = Table(f"{kind} within the horizon", *metrics, box=None)
        for name in ("portrait", *forecasts.PEERS):
            table.add_row(name, *(_text(kind, metric, figures[name][kind][metric]) for metric in metrics))
        console.print(table)
        for peer in forecasts.PEERS:
            gains = {metric: figures[peer][kind][f"our_{metric}_less_theirs"] for metric in forecasts.PAIRED[kind]}
            told = ", ".join(
                f"{metric} {texts[0]} ({texts[1]} to {texts[2]})"
                for metric, gain in gains.items()
                for texts in [[_text(kind, metric, value, "+") for value in gain]]
            )
            console.print(f"  Portrait less {peer}: {told}")
        console.print()


def _text(kind: str, metric: str, value: float | None, sign: str = "") -> str:
    """Money in whole units."""
    if value is not None and kind == "spend" and metric in ("mae", "rmse"):
        return f"{value / 100:{sign}.2f}"
    return text(value, f"{sign}.4f")


if __name__ == "__main__":
    main()
