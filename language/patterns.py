"""Regular expressions from a text file: `[section]`, a name on a line of its own, and under it alternatives, indented."""

from __future__ import annotations

import re
from importlib.resources import files

Patterns = dict[str, re.Pattern[str]]


def read(name: str) -> dict[str, Patterns]:
    """The file's sections, in its order: patterns by name. Raises re.error for what is none."""
    sections: dict[str, dict[str, list[str]]] = {}
    section: dict[str, list[str]] = {}
    alternatives: list[str] = []
    for line in files("language").joinpath(name).read_text("utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            section = sections[line.strip("[]")] = {}
        elif line.startswith(" "):
            alternatives.append(line.strip())
        else:
            alternatives = section[line] = []
    return {
        name: {concept: re.compile("|".join(lines)) for concept, lines in concepts.items()} for name, concepts in sections.items()
    }
