"""docs/extending.md word by word: its files and lines go into a copy of the packages, and what it shows comes out.

A fence ```` ```python PATH ```` is a new file. With a place after the path (``before CLASS``; for ```` ```line ````: ``imports``,
the name of a tuple, ``in CLASS``) its lines go there. ```` ```python try ```` runs, and prints what the ```` ```text ```` after
it shows.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "extending.md"
SECTIONS = ("A derived dimension", "A feature")


def fences(section: str) -> list[tuple[str, str]]:
    text = PAGE.read_text().split(f"\n## {section}\n")[1].split("\n## ")[0]
    return re.findall(r"^```([^\n]*)\n(.*?)^```$", text, re.M | re.S)


def put(text: str, place: str, lines: str) -> str:
    """``lines`` at their place in a module's ``text``."""
    if place == "imports":
        at = text.index("\nfrom portrait.") + 1
    elif place.startswith("before "):
        at, lines = text.index(f"\nclass {place.removeprefix('before ')}(") + 1, lines + "\n\n"
    elif place.startswith("in "):
        begin = text.index(f"\nclass {place.removeprefix('in ')}(") + 1
        at = text.index("\n\n\n", begin) + 1
    else:
        begin = re.search(rf"^{place}\b.* = \($", text, re.M)
        assert begin is not None, place
        at = text.index("\n)\n", begin.end()) + 1
    return text[:at] + lines + text[at:]


def follow(section: str, tree: Path) -> list[tuple[str, str]]:
    """Do as the section says, in ``tree``: (what was printed, what the page shows)."""
    found: list[tuple[str, str]] = []
    for kind, text in fences(section):
        language, _, what = kind.partition(" ")
        path, _, place = what.partition(" ")
        if what == "try":
            found.append((run(text, tree), ""))
        elif language == "text":
            found[-1] = (found[-1][0], text)
        else:
            target = tree / path
            assert target.exists() == bool(place), path
            target.write_text(put(target.read_text(), place, text) if place else text)
    return found


def run(code: str, tree: Path) -> str:
    environ = {**os.environ, "PYTHONPATH": str(tree), "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run([sys.executable, "-c", code], cwd=tree, env=environ, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for package in ("portrait", "language", "schemas"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "tests").mkdir()
    shutil.copy(ROOT / "tests" / "corekit.py", tmp_path / "tests")
    return tmp_path


@pytest.mark.parametrize("section", SECTIONS)
def test_who_follows_the_page_gets_the_field_that_it_shows(section: str, tree: Path) -> None:
    ((printed, shown),) = follow(section, tree)
    assert printed == shown
    assert shown


def test_without_the_line_in_the_registry_there_is_no_such_field(tree: Path) -> None:
    kind, text = fences(SECTIONS[0])[0]
    (tree / kind.split()[1]).write_text(text)
    (code,) = (text for kind, text in fences(SECTIONS[0]) if kind == "python try")
    with pytest.raises(AssertionError, match="KeyError: 'gifts'"):
        run(code, tree)
