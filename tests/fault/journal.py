"""The raw log of a run, over all its sittings. What a later sitting and the summary need to know is read from it."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

SHOWN_CHARACTERS = 300
Entry = dict[str, Any]


class Journal:
    """One JSON line an event: ``s`` is seconds since the start of the run, without those between two sittings."""

    def __init__(self, file: Path) -> None:
        self.entries: list[Entry] = []
        if file.exists():
            whole = file.read_text().rpartition("\n")[0]  # a last line without its end was torn
            self.entries = [json.loads(line) for line in whole.splitlines()]
            file.write_text("".join(_line(entry) for entry in self.entries))
        self._file = file.open("a")
        self._began_s = time.monotonic() - (self.entries[-1]["s"] if self.entries else 0.0)
        self._bar = ""

    @property
    def now_s(self) -> float:
        return round(time.monotonic() - self._began_s, 2)

    def tell(self, event: str, **details: Any) -> None:
        entry = {"s": self.now_s, "event": event, **details}
        self.entries.append(entry)
        self._file.write(_line(entry))
        self._file.flush()
        self._show(_line(entry).strip()[:SHOWN_CHARACTERS] + "\n")

    def of(self, event: str) -> list[Entry]:
        return [entry for entry in self.entries if entry["event"] == event]

    def progress(self, bar: str) -> None:
        """One line at the bottom, on a terminal only."""
        if sys.stderr.isatty():
            self._bar = bar
            self._show("")

    def _show(self, text: str) -> None:
        clear = "\r\x1b[K" if self._bar else ""
        sys.stderr.write(clear + text + self._bar)
        sys.stderr.flush()


def _line(entry: Entry) -> str:
    return json.dumps(entry, ensure_ascii=False) + "\n"
