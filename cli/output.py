"""What every verb shares: where words and data go, exit codes, settings, and how a problem is told.

Data go to stdout (JSON with ``--json``), words and progress to stderr, so that a verb can stand in a pipe.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Coroutine
from typing import Any, NoReturn, TypeVar

import msgspec
import orjson
from rich.console import Console
from rich.markup import escape as escape_markup
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from streams.settings import Settings, SettingsError, load

T = TypeVar("T")

OK = 0
FAILED = 1  # the answer is no: a check failed, lines were refused
USAGE = 2  # arguments or settings can't be used
UNREACHABLE = 3  # Kafka or Redis
INTERRUPTED = 130  # Ctrl-C

#: For people, on stdout; and for what must not get into a pipe. An id such as ``a:tv:b`` is none of Rich's pictures.
out = Console(highlight=False, emoji=False)
err = Console(stderr=True, highlight=False, emoji=False)


def settings() -> Settings:
    """From PORTRAIT_*; ends the process with USAGE if they can't be used."""
    try:
        return load(os.environ)
    except SettingsError as error:
        fail(str(error), USAGE)


def fail(message: str, code: int = FAILED) -> NoReturn:
    """Say what is wrong, on stderr, and end with ``code``."""
    err.print(f"[red]portrait:[/red] {escape(message)}", soft_wrap=True)
    raise SystemExit(code)


def escape(text: str) -> str:
    """``text`` as itself for Rich: brackets are no markup, and no control character reaches the terminal."""
    return escape_markup("".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text))


def write_json(value: Any) -> None:
    """One JSON document, on one line of stdout. Structs, datetimes and bytes (base64) as msgspec has them."""
    sys.stdout.buffer.write(orjson.dumps(msgspec.to_builtins(value, str_keys=True), option=orjson.OPT_APPEND_NEWLINE))
    sys.stdout.buffer.flush()


def progress() -> Progress:
    """A bar on stderr, gone when it is done; nothing where stderr is no terminal."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=err,
        transient=True,
        disable=not err.is_terminal,
    )


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a verb's coroutine. Kafka or Redis away: a line on stderr and UNREACHABLE."""
    from profile_store.contract import StoreError
    from streams.kafka import KafkaProblem
    from streams.tasks import ending_for_sure

    # The client's own lines about lost connections say less than ours.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        return asyncio.run(ending_for_sure(main))
    except (KafkaProblem, StoreError) as problem:
        fail(str(problem), UNREACHABLE)
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
