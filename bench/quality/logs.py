"""Purchase logs of several formats as one: who bought on which day, for how much.

As in the literature on customer bases, all orders of one customer on one UTC day are one purchase. Cancellations and lines
that are not positive are left out.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NamedTuple

EPOCH = date(1970, 1, 1).toordinal()


class Purchase(NamedTuple):
    """``day``: UTC days since 1970; ``amount_minor``: of all of that day's orders, in hundredths."""

    customer: str
    day: int
    amount_minor: int


def read(path: Path, format_: str) -> list[Purchase]:
    """The purchases of a log, ordered by day and customer. Raises ValueError for what does not fit the format, with its line."""
    with _open(path) as file:
        rows = READERS[format_](file)
        amounts: defaultdict[tuple[int, str], float] = defaultdict(float)
        for customer, day, amount in rows:
            amounts[day, customer] += amount
    if not amounts:
        raise ValueError(f"{path}: no purchases in it; is it of the format {format_}?")
    return [Purchase(customer, day, max(1, round(amount * 100))) for (day, customer), amount in sorted(amounts.items())]


def last_known(purchases: Sequence[Purchase], horizon_days: int, start: int) -> int:
    """The last day of which the log tells what came within the horizon. Ends the command, and says why, if that is before
    ``start``."""
    first, last = purchases[0].day, purchases[-1].day
    if last - horizon_days < start:
        raise SystemExit(
            f"the log has {last - first} days: too few for a horizon of {horizon_days} and a start on day {start - first}; "
            "give a shorter --horizon or a longer log"
        )
    return last - horizon_days


def _open(path: Path) -> io.TextIOBase:
    if path.suffix == ".gz":
        return io.TextIOWrapper(gzip.open(path), encoding="utf-8", newline="")
    return path.open(encoding="utf-8-sig", newline="")


Row = tuple[str, int, float]


def _cdnow(file: Iterable[str]) -> Iterator[Row]:
    """``CDNOW_master.txt``: customer, YYYYMMDD, CDs, dollars, between blanks."""
    for number, line in enumerate(file, 1):
        if (fields := line.split()) and not (number == 1 and not fields[0].isdigit()):  # a line of heads, or none
            try:
                customer, day, _, amount = fields
                yield customer, _day(datetime.strptime(day, "%Y%m%d")), float(amount)
            except ValueError as error:
                raise ValueError(f"line {number}: {error}; expected: customer YYYYMMDD quantity amount") from error


def _online_retail(file: Iterable[str]) -> Iterator[Row]:
    """UCI Online Retail as CSV with its heads."""
    for row in _table(file, ("InvoiceNo", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID")):
        quantity, price = float(row["Quantity"] or 0), float(row["UnitPrice"] or 0)
        if row["CustomerID"] and not row["InvoiceNo"].startswith("C") and quantity > 0 and price > 0:
            yield row["CustomerID"].removesuffix(".0"), _day(_moment(row["InvoiceDate"])), quantity * price


def _csv(file: Iterable[str]) -> Iterator[Row]:
    """CSV with the heads ``customer``, ``time`` (ISO 8601) and ``amount``."""
    for number, row in enumerate(_table(file, ("customer", "time", "amount")), 2):
        try:
            if row["customer"] and float(row["amount"]) > 0:
                yield row["customer"], _day(_moment(row["time"])), float(row["amount"])
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from error


READERS = {"cdnow": _cdnow, "online-retail": _online_retail, "csv": _csv}


def _table(file: Iterable[str], wanted: tuple[str, ...]) -> Iterator[Mapping[str, str]]:
    table = csv.DictReader(file)
    if missing := set(wanted) - set(table.fieldnames or ()):
        raise ValueError(f"the first line lacks the heads {', '.join(sorted(missing))}; it has {table.fieldnames}")
    return table


def _moment(text: str) -> datetime:
    """ISO 8601, or the American way of the original spreadsheet. Without an offset: UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = datetime.strptime(text, "%m/%d/%Y %H:%M")
    return moment if moment.tzinfo is None else moment.astimezone(UTC)


def _day(moment: datetime) -> int:
    return moment.date().toordinal() - EPOCH
