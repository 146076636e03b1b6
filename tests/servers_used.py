"""Which servers the run used, told at its end: also by the processes of `pytest -n`, which can't write to the terminal."""

from __future__ import annotations

from typing import Any

import pytest

USED: set[str] = set()


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["servers"] = sorted(USED)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    USED.update(getattr(node, "workeroutput", {}).get("servers", ()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in sorted(USED):
        terminalreporter.write_line(line)
