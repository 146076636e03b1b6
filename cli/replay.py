"""``portrait replay``: a data set's events, as they happened, into Kafka or a file.

A further format is a module with ``read`` and ``REASONS`` like `cli.retail`, and a line in `FORMATS`.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec
import typer
from rich.table import Table

from cli import output, retail
from cli.outlet import outlet, pour, progress, speed_of
from cli.parcel import Contents


class Format(NamedTuple):
    """How a data set is read (see `cli.retail.read`), and why lines of it are left out: reason to explanation."""

    read: Callable[..., Contents]
    reasons: dict[str, str]


FORMATS = {
    "online-retail": Format(retail.read, retail.REASONS),
}


def command(
    data_set: Annotated[str, typer.Argument(metavar="FORMAT", help=f"One of: {', '.join(FORMATS)}.")],
    file: Annotated[Path, typer.Argument(help="The file; .gz is unpacked.")],
    speed: Annotated[str, typer.Option(help="max, or how many times faster than it happened: 100000x.")] = "max",
    limit: Annotated[int | None, typer.Option(min=1, help="Read so many lines only.")] = None,
    out: Annotated[str | None, typer.Option(help="JSON lines to this file (-: standard output), instead of Kafka.")] = None,
    rejects: Annotated[Path | None, typer.Option(help="What was left out, and why: JSON lines to this file.")] = None,
    json: Annotated[bool, typer.Option("--json", help="The summary as JSON.")] = False,
) -> None:
    """Publish a data set's events in stream time: each record carries the time at which it happened.

    \b
    portrait replay online-retail online_retail.csv.gz
    portrait replay online-retail online_retail.csv.gz --limit 1000 --out - --rejects left-out.jsonl

    Workers should run with PORTRAIT_CLOCK=stream, or by their clock all these customers left long ago. Lines that can't be used
    are counted by reason. The ids of the events are the data set's own, so a second replay changes nothing.

    Exit codes: 0 done, 2 usage or not such a file, 3 Kafka can't be reached.
    """
    settings = output.settings()
    if data_set not in FORMATS:
        output.fail(f"{data_set} is no format: one of {', '.join(FORMATS)}", output.USAGE)
    try:
        rate = speed_of(speed)
        contents, reasons = _read(FORMATS[data_set], file, limit, rejects)

        async def run() -> None:
            first_ms, last_ms = (contents.parcels[0].time_ms, contents.parcels[-1].time_ms) if contents.parcels else (0, 0)
            with progress("days replayed", first_ms, last_ms) as sent:
                async with outlet(out, settings) as publish:
                    await pour(contents.parcels, publish, speed=rate, now_ms=lambda: time.time_ns() // 1_000_000, sent=sent)

        output.run(run())
    except (OSError, EOFError, ValueError) as error:
        output.fail(str(error), output.USAGE)
    _tell(contents, reasons, FORMATS[data_set], as_json=json, quiet=out == "-")


def _read(format_: Format, file: Path, limit: int | None, rejects: Path | None) -> tuple[Contents, Counter[str]]:
    """The data set, and its lines that can't be used, by reason; they are also written to ``rejects``."""
    reasons: Counter[str] = Counter()
    with ExitStack() as stack:
        left_out = stack.enter_context(rejects.open("wb")) if rejects else None
        bar = stack.enter_context(output.progress())
        task = bar.add_task("lines read", total=limit)

        def reject(line: int, reason: str) -> None:
            reasons[reason] += 1
            if left_out is not None:
                left_out.write(msgspec.json.encode({"line": line, "reason": reason}) + b"\n")

        return format_.read(file, reject, limit, lambda lines: bar.update(task, completed=lines)), reasons


def _tell(contents: Contents, reasons: Counter[str], format_: Format, *, as_json: bool, quiet: bool) -> None:
    """Lines read = lines in events + lines left out. ``quiet``: standard output is taken."""
    if as_json and not quiet:
        counts = {"events": len(contents.parcels), "types": contents.types, "lines": contents.lines}
        output.write_json({**counts, "lines_used": contents.lines_used, "left_out": reasons})
        return
    table = Table("", "count", "")
    table.add_row("lines read", f"{contents.lines:,}", "")
    table.add_row("lines in events", f"{contents.lines_used:,}", "")
    for reason, count in reasons.most_common():
        table.add_row(f"left out: {reason}", f"{count:,}", format_.reasons[reason])
    for type_, count in sorted(contents.types.items()):
        table.add_row(type_, f"{count:,}", "")
    output.err.print(table)
