"""The UCI Online Retail file (CC BY 4.0): invoice lines of a British shop, 2010 and 2011, as order events.

Comma-separated, perhaps gzipped. One invoice becomes one ``order.placed``, one cancellation (InvoiceNo begins with C) one
``order.cancelled``. Every line that is no part of an event is handed to ``reject`` with its number and a reason from `REASONS`.
"""

from __future__ import annotations

import csv
import gzip
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from cli.parcel import Contents, Parcel, event

SOURCE = "/online-retail"
LONDON = ZoneInfo("Europe/London")
COLUMNS = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")
#: Beside ISO 8601: as spreadsheets export it.
OTHER_DATE = "%m/%d/%Y %H:%M"
#: Bookkeeping, not goods: bad debt, carriage, commission, discount, postage, samples, fees, manual entries.
ADJUSTMENTS = re.compile(r"^(B|C2|CRUK|D|DOT|M|POST|S|AMAZONFEE|BANK CHARGES)$", re.IGNORECASE)
CUSTOMER = re.compile(r"^(\d{1,10})(?:\.0)?$")
INVOICE = re.compile(r"^C?\d{1,10}$")
#: Beyond these a line is a mistake; 500 such lines still fit the contract of an order.
QUANTITY_MAX, LINE_MINOR_MAX = 1_000_000, 10**10
LINES_MAX = 500

REASONS = {
    "malformed": "wrong number of columns, or a number, date or code that can't be read",
    "no-customer": "nobody is named",
    "adjustment-code": "bookkeeping, not goods",
    "no-price": "the unit price is zero or negative",
    "below-a-penny": "the unit price rounds to nothing",
    "wrong-sign": "a quantity of zero, negative in an invoice, or positive in a cancellation",
    "other-customer": "the invoice began under another customer",
    "too-many-lines": f"beyond the first {LINES_MAX} lines of one invoice",
}

Reject = Callable[[int, str], None]


class Line(NamedTuple):
    """A line that can be used. ``quantity`` is positive, in a cancellation too."""

    sku: str
    name: str
    quantity: int
    unit_minor: int


@dataclass(slots=True)
class Invoice:
    """``amount_minor`` and ``left`` (quantity by sku) shrink as parts of it are cancelled."""

    number: str
    customer_id: str
    at: datetime
    lines: list[Line] = field(default_factory=list)
    amount_minor: int = 0
    left: Counter[str] = field(default_factory=Counter)

    def add(self, line: Line) -> None:
        self.lines.append(line)
        self.amount_minor += line.quantity * line.unit_minor
        self.left[line.sku] += line.quantity

    @property
    def cancels(self) -> bool:
        return self.number.startswith("C")


def read(path: Path, reject: Reject, limit: int | None = None, seen: Callable[[int], None] = lambda lines: None) -> Contents:
    """The events of the file's first ``limit`` lines. ``seen`` hears now and then how many lines were read.

    Raises OSError, or ValueError when it is not such a file.
    """
    rejected = 0

    def count(line: int, reason: str) -> None:
        nonlocal rejected
        rejected += 1
        reject(line, reason)

    invoices, lines = _invoices(path, count, limit, seen)
    types = Counter("order.cancelled" if invoice.cancels else "order.placed" for invoice in invoices)
    return Contents(list(_events(invoices)), types, lines, lines - rejected)


def _invoices(path: Path, reject: Reject, limit: int | None, seen: Callable[[int], None]) -> tuple[list[Invoice], int]:
    """Invoices in time order, and the number of lines. An invoice whose lines carry two times has the earlier."""
    invoices: dict[str, Invoice] = {}
    lines = 0
    for lines, (number, row) in enumerate(_rows(path, limit), 1):
        if lines % 1000 == 0:
            seen(lines)
        parsed = _parse(row)
        if isinstance(parsed, str):
            reject(number, parsed)
            continue
        invoice_no, customer_id, at, line = parsed
        invoice = invoices.setdefault(invoice_no, Invoice(invoice_no, customer_id, at))
        if invoice.customer_id != customer_id:
            reject(number, "other-customer")
        elif len(invoice.lines) == LINES_MAX:
            reject(number, "too-many-lines")
        else:
            invoice.at = min(invoice.at, at)
            invoice.add(line)
    # At the same minute, the invoice comes before what cancels it.
    return sorted(invoices.values(), key=lambda invoice: (invoice.at, invoice.cancels, invoice.number)), lines


def _rows(path: Path, limit: int | None) -> Iterator[tuple[int, list[str]]]:
    """Each line after the header with its number in the file (the header is 1)."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8-sig", errors="replace", newline="") as file:
        rows = csv.reader(file)
        header = next(rows, [])
        if tuple(header) != COLUMNS:
            raise ValueError(f"{path.name} is not an Online Retail file: its first line should be {','.join(COLUMNS)}")
        for count, row in enumerate(rows, 1):
            if limit is not None and count > limit:
                return
            yield rows.line_num, row


def _parse(row: list[str]) -> tuple[str, str, datetime, Line] | str:
    """Invoice number, customer, moment and line; or the reason why not."""
    if len(row) != len(COLUMNS):
        return "malformed"
    invoice_no, sku, name, quantity_text, date, price_text, customer, _ = (cell.strip() for cell in row)
    if not customer:
        return "no-customer"
    try:
        quantity, price, at = int(quantity_text), Decimal(price_text), _moment(date)
    except (ValueError, InvalidOperation):
        return "malformed"
    known = CUSTOMER.match(customer)
    if not (known and INVOICE.match(invoice_no) and 0 < len(sku) <= 64 and price.is_finite()):
        return "malformed"
    if ADJUSTMENTS.match(sku):
        return "adjustment-code"
    if price <= 0:
        return "no-price"
    unit_minor = int((price * 100).quantize(Decimal(1), ROUND_HALF_UP))
    if unit_minor == 0:
        return "below-a-penny"
    if abs(quantity) > QUANTITY_MAX or abs(quantity) * unit_minor > LINE_MINOR_MAX:
        return "malformed"
    if quantity == 0 or (quantity < 0) != invoice_no.startswith("C"):
        return "wrong-sign"
    return invoice_no, known[1], at, Line(sku, name[:256], abs(quantity), unit_minor)


def _moment(text: str) -> datetime:
    """London's local time. Raises ValueError."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = datetime.strptime(text, OTHER_DATE)
    return moment.replace(tzinfo=LONDON)


def _events(invoices: list[Invoice]) -> Iterator[Parcel]:
    placed: defaultdict[str, list[Invoice]] = defaultdict(list)
    for invoice in invoices:
        if invoice.cancels:
            yield _cancelled(invoice, placed[invoice.customer_id])
        else:
            placed[invoice.customer_id].append(invoice)
            yield _placed(invoice)


def _placed(invoice: Invoice) -> Parcel:
    lines = [_line(line) for line in invoice.lines]
    data = {"order_id": invoice.number, "currency": "GBP", "amount_minor": invoice.amount_minor, "lines": lines}
    return event(SOURCE, invoice.number, "order.placed", invoice.at, invoice.customer_id, data)


def _line(line: Line) -> dict[str, object]:
    priced = {"sku": line.sku, "quantity": line.quantity, "unit_price_minor": line.unit_minor}
    return priced | ({"name": line.name} if line.name else {})


def _cancelled(cancellation: Invoice, placed: list[Invoice]) -> Parcel:
    """It calls off the customer's latest invoice that still holds all of it, or else at least its skus.

    Without one it stands for something from before the file begins: it repeats its own number and time.
    """
    latest = placed[::-1]
    order = next((invoice for invoice in latest if cancellation.left <= invoice.left), None) or next(
        (invoice for invoice in latest if cancellation.left.keys() <= {line.sku for line in invoice.lines}), None
    )
    whole = order is not None and order.amount_minor == cancellation.amount_minor
    if order is not None:
        order.left -= cancellation.left
        order.amount_minor -= cancellation.amount_minor
    data = {
        "order_id": order.number if order else cancellation.number,
        "placed_at": (order or cancellation).at.isoformat(),
        "currency": "GBP",
        "amount_minor": cancellation.amount_minor,
        "whole": whole,
    }
    return event(SOURCE, cancellation.number, "order.cancelled", cancellation.at, cancellation.customer_id, data)
