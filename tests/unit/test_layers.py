"""The core is pure: it imports nothing impure, and calls no clock, randomness or I/O by another way either.

Which package may import which is import-linter's contract in pyproject.toml (`lint-imports`).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Set
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE = sorted(path for package in ("portrait", "language") for path in (ROOT / package).rglob("*.py"))

#: Standard modules and libraries that the core may import. Anything else must be argued for here.
ALLOWED = {
    "__future__", "array", "base64", "bisect", "collections", "dataclasses", "datetime", "enum", "functools", "hashlib", "heapq",
    "itertools", "math", "operator", "re", "struct", "types", "typing", "zlib",
    "unicodedata",  # tables: full-width digits and letters are read as plain ones
    "msgspec", "river", "zstandard",
    "schemas", "language", "portrait",
}  # fmt: skip
#: What `language` reads once, when it is imported, is part of the package.
SHIPPED = {"importlib"}
IMPURE_CALLS = {"open", "print", "input", "exec", "eval", "__import__", "breakpoint", "hash", "id"}
IMPURE_METHODS = {"now", "utcnow", "today", "fromtimestamp"}


def impurities(source: str, allowed: Set[str] = ALLOWED) -> Iterator[str]:
    """What in a module of the core reaches outside."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        else:
            names = []
        yield from (f"line {node.lineno}: imports {name}" for name in names if name.split(".")[0] not in allowed)
        if isinstance(node, ast.Call):
            yield from _impure_call(node)


def _impure_call(node: ast.Call) -> Iterator[str]:
    called = node.func
    if isinstance(called, ast.Name) and called.id in IMPURE_CALLS:
        yield f"line {node.lineno}: calls {called.id}()"
    if isinstance(called, ast.Attribute) and called.attr in IMPURE_METHODS:
        # A time zone makes fromtimestamp independent of the machine.
        zoned = called.attr == "fromtimestamp" and (len(node.args) > 1 or any(k.arg == "tz" for k in node.keywords))
        if not zoned:
            yield f"line {node.lineno}: calls .{called.attr}()"


@pytest.mark.parametrize("path", CORE, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_core_is_pure(path: Path) -> None:
    allowed = ALLOWED | SHIPPED if path.is_relative_to(ROOT / "language") else ALLOWED
    assert list(impurities(path.read_text(), allowed)) == []


@pytest.mark.parametrize(
    "source",
    [
        "import os",
        "import time as t",
        "from random import random",
        "def f():\n    import asyncio",
        "from datetime import datetime\ndatetime.now()",
        "from datetime import date\ndate.today()",
        "from datetime import datetime\ndatetime.fromtimestamp(1)",
        "open('x')",
        "hash('differs between processes')",
    ],
)
def test_the_check_finds(source: str) -> None:
    assert list(impurities(source))


def test_the_check_lets_pass() -> None:
    fine = "import math\nfrom datetime import UTC, datetime\nfrom river import drift\ndatetime.fromtimestamp(1, UTC)"
    assert list(impurities(fine)) == []
