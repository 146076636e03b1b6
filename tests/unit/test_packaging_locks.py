"""The locks are exact, hashed, name no index, and agree with pyproject.toml."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCKS = ("requirements.lock", "requirements-dev.lock")


def entries(lock: str) -> dict[str, tuple[Requirement, list[str]]]:
    """Each requirement of a lock with its hashes, by name."""
    text = (ROOT / lock).read_text().replace("\\\n", " ")
    found = {}
    for line in text.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            requirement, *hashes = re.split(r"\s+--hash=", line.strip())
            parsed = Requirement(requirement)
            found[canonicalize_name(parsed.name)] = (parsed, hashes)
    return found


@pytest.mark.parametrize("lock", LOCKS)
def test_every_entry_is_exact_and_hashed(lock: str) -> None:
    for name, (requirement, hashes) in entries(lock).items():
        assert re.fullmatch(r"==[^*,]+", str(requirement.specifier)), name
        assert hashes and all(re.fullmatch(r"sha256:[0-9a-f]{64}", h) for h in hashes), name


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_index(lock: str) -> None:
    assert not re.search(r"://|--(extra-)?index|--find-links|@ ", (ROOT / lock).read_text())


def test_tests_run_on_what_production_runs() -> None:
    production, development = entries("requirements.lock"), entries("requirements-dev.lock")
    assert production.items() <= development.items()


@pytest.mark.parametrize(
    ("lock", "wanted"),
    [
        ("requirements.lock", PROJECT["dependencies"]),
        ("requirements-dev.lock", [r for extra in PROJECT["optional-dependencies"].values() for r in extra]),
    ],
)
def test_the_lock_satisfies_the_project(lock: str, wanted: list[str]) -> None:
    locked = entries(lock)
    for requirement in map(Requirement, wanted):
        version = str(locked[canonicalize_name(requirement.name)][0].specifier).removeprefix("==")
        assert requirement.specifier.contains(version), requirement


def test_production_needs_no_embedded_server_and_no_test_tool() -> None:
    unwanted = {
        canonicalize_name(Requirement(r).name) for extra in ("embedded", "dev") for r in PROJECT["optional-dependencies"][extra]
    }
    assert not unwanted & set(entries("requirements.lock"))
