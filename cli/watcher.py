"""How `portrait rebuild` tells what it does: bars on a terminal, a line now and then elsewhere. On stderr."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from rich.progress import Progress, TaskID

from cli import output
from streams.mend import Mended
from streams.rebuild import Done, Watcher
from streams.refold import PLACES

LINE_S = 5.0


class _Told(Watcher):
    def __init__(self, found: Callable[[Mended], None] | None) -> None:
        self._found = found

    def begun(self, done: Done) -> None:
        if done.place:
            when = datetime.fromtimestamp(done.begun_ms / 1000, UTC).isoformat(" ", "minutes")
            output.err.print(f"going on at {_percent(done.place)} with what was begun on {when} (--again begins anew)")

    def waiting(self, why: str) -> None:
        output.err.print(output.escape(f"waiting: {why}"), soft_wrap=True)

    def found(self, mended: Mended) -> None:
        if self._found:
            self._found(mended)


class _Lines(_Told):
    """At most one in LINE_S, and the last of each phase."""

    _next_s = 0.0

    def reading(self, records: int, total: int) -> None:
        self._tell(f"{records:,} of {total:,} records read", records >= total)

    def writing(self, profiles: int, total: int, place: int) -> None:
        self._tell(f"{profiles:,} of {total:,} profiles done in this pass; {_percent(place)} of all", profiles >= total)

    def _tell(self, line: str, last: bool) -> None:
        if last or time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + LINE_S
            output.err.print(line)


class _Bars(_Told):
    def __init__(self, found: Callable[[Mended], None] | None, bars: Progress) -> None:
        super().__init__(found)
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def reading(self, records: int, total: int) -> None:
        self._show("records read", records, total)

    def writing(self, profiles: int, total: int, place: int) -> None:
        self._show(f"profiles done, {_percent(place)} of all", profiles, total, "profiles")

    def _show(self, words: str, done: int, total: int, name: str = "records") -> None:
        if name not in self._tasks:
            self._tasks[name] = self._bars.add_task(words, total=total)
        self._bars.update(self._tasks[name], description=words, completed=done, total=total)


@contextmanager
def watching(found: Callable[[Mended], None] | None) -> Iterator[Watcher]:
    """``found`` hears of every customer."""
    if not output.err.is_terminal:
        yield _Lines(found)
        return
    with output.progress() as bars:
        yield _Bars(found, bars)


def _percent(place: int) -> str:
    return f"{100 * place / PLACES:.0f} %"
