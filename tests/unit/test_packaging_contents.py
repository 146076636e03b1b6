"""What an installation holds: every package of ours with its data, nothing else; and the commands by their names."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from fnmatch import fnmatch
from importlib import import_module
from pathlib import Path

import pytest
from setuptools import find_packages

ROOT = Path(__file__).parents[2]
CONFIG = tomllib.loads((ROOT / "pyproject.toml").read_text())
SETUPTOOLS = CONFIG["tool"]["setuptools"]
NOT_INSTALLED = {"tests", "docs"}


def test_every_directory_with_modules_is_included() -> None:
    packages = set(find_packages(str(ROOT), include=SETUPTOOLS["packages"]["find"]["include"]))
    here = {
        str(directory.relative_to(ROOT)).replace(os.sep, ".")
        for path in ROOT.glob("[a-z]*/**/*.py")
        if (directory := path.parent).relative_to(ROOT).parts[0] not in NOT_INSTALLED
        and not {"build", "dist"} & set(directory.relative_to(ROOT).parts)
    }
    assert packages == here


@pytest.mark.parametrize("pattern", ["[a-z]*/**/*.lua", "language/**/*.txt", "language/**/*.bin"])
def test_data_that_modules_read_is_included(pattern: str) -> None:
    found = list(ROOT.glob(pattern))
    assert found
    for path in found:
        package = ".".join(path.parent.relative_to(ROOT).parts)
        assert any(fnmatch(path.name, known) for known in SETUPTOOLS["package-data"].get(package, [])), path


def test_the_entry_point_can_be_called() -> None:
    module, function = CONFIG["project"]["scripts"]["portrait"].split(":")
    assert callable(getattr(import_module(module), function))


def test_make_alone_teaches_the_commands() -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    said = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, env=clean, check=True
    ).stdout
    for target in ("venv", "run", "test", "bench"):
        assert f"make {target} " in said


def test_ci_runs_the_readmes_test_command() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    lines = script.read_text().splitlines()
    assert lines[0] == "#!/usr/bin/env bash"
    assert "set -euo pipefail" in lines
    assert lines[-1] == "make test"


def test_the_make_target_of_ci_checks_everything() -> None:
    recipe = re.search(r"^test:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert recipe
    for tool in ("ruff check", "mypy", "lint-imports", "pytest"):
        assert tool in recipe[1]
