"""Regular expressions from a text file: `[section]`, a name on a line of its own, and under it alternatives, indented.

Most of them match nothing in most texts, and to find that out takes most of the time. So `Index` knows each branch by characters
without which it matches nothing, and tells sooner which are worth a look.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from itertools import chain

Patterns = dict[str, re.Pattern[str]]

#: What an expression is made of: classes, escapes, openings of groups, quantifiers, and characters.
_TOKEN = re.compile(r"\[\^?\]?(?:\\.|[^\]\\])*\]|\\.|\(\?(?:<?[=!]|:)|[?*+]\??|\{[^}]*\}|.", re.DOTALL)
_QUANTIFIERS = ("?", "*", "+", "{")
_LITERAL = re.compile(r"[^.^$()\[\]|\\]|\\[^\w\s]")


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


class Index:
    """Patterns by what stands in whatever they match. ``length``: of the pieces of a text that are looked up."""

    def __init__(self, patterns: Patterns, length: int) -> None:
        self._length = length
        self._patterns = tuple(patterns.items())
        self._by_piece: dict[str, list[tuple[int, str]]] = {}  # branches: the pattern's number, and the expression
        self._by_less: dict[str, list[tuple[int, str]]] = {}  # by what is shorter than a piece
        self._always: list[tuple[int, str]] = []
        for number, pattern in enumerate(patterns.values()):
            for branch, needed in branches(pattern.pattern):
                for each in needed:
                    into = self._by_piece if len(each) >= length else self._by_less
                    (into.setdefault(each[:length], []) if each else self._always).append((number, branch))

    def likely(self, text: str) -> Iterator[tuple[str, re.Pattern[str]]]:
        """All that match somewhere in the text, and some that don't, in their order; of several branches that one which may."""
        pieces = {text[at : at + self._length] for at in range(len(text) - self._length + 1)}
        seen = [*map(self._by_piece.__getitem__, self._by_piece.keys() & pieces), self._always]
        seen += [those for less, those in self._by_less.items() if less in text]
        found: dict[int, str | None] = {}
        for number, branch in chain.from_iterable(seen):
            found[number] = branch if found.get(number, branch) == branch else None
        for number in sorted(found):
            name, pattern = self._patterns[number]
            only = found[number]
            yield name, pattern if only is None else _compiled(only)


@cache
def _compiled(branch: str) -> re.Pattern[str]:
    return re.compile(branch)


def branches(expression: str) -> Iterator[tuple[str, list[str]]]:
    """Each branch of an expression, and texts of which one stands in whatever it matches; among these "" if that can't be told.

    The expression must be valid, without flags, named groups and references."""
    tokens = _TOKEN.findall(expression)[::-1]
    while True:
        before = tokens[::-1]
        needed = _branch(tokens)
        yield "".join(before[: len(before) - len(tokens)]), needed
        if not tokens:
            return
        tokens.pop()


def _alternatives(tokens: list[str]) -> list[str]:
    """What the branches of a group need. ``tokens``: the next one last; what is read is taken off."""
    found = _branch(tokens)
    while tokens.pop() == "|":
        found += _branch(tokens)
    return found


def _branch(tokens: list[str]) -> list[str]:
    """Of what stands one after the other, the longest: a run of characters, or what a group needs."""
    best, run = [""], ""
    while tokens and tokens[-1] not in ("|", ")"):
        token = tokens.pop()
        inner = _alternatives(tokens) if token[0] == "(" else []
        how_often = tokens.pop() if tokens and tokens[-1][0] in _QUANTIFIERS else ""
        there = how_often[:1] in ("", "+")
        if there and _LITERAL.fullmatch(token):
            run += token[-1]
            if not how_often:
                continue
        best, run = _longer(best, [run]), ""
        if there and token in ("(", "(?:"):
            best = _longer(best, inner)
    return _longer(best, [run])


def _longer(one: list[str], other: list[str]) -> list[str]:
    return max(one, other, key=lambda texts: (min(map(len, texts)), -len(texts)))
