"""What a complaint is about: one of nine categories (bench/complaints/GUIDE.md), in Chinese and English, and how sure that is.

A linear model over short pieces of the text and over hand-written concepts (concepts.txt), which know denials and what is
named first. Weights: multinomial logistic regression, learned by `python -m bench.complaints.train`; they lie beside this file.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from math import exp, sqrt
from operator import add
from typing import Literal, NamedTuple

from language import patterns
from language.text import Language, pieces

Category = Literal["quality", "function", "mismatch", "delivery", "service", "price", "environment", "content", "other"]
CATEGORIES: tuple[Category, ...] = (
    "quality", "function", "mismatch", "delivery", "service", "price", "environment", "content", "other",
)  # fmt: skip
#: Runs of so many characters, at most, are learned; of English so many words.
CHARS, WORDS = 3, 2
#: A concept weighs so much, beside pieces that share a weight of one.
CONCEPT = 0.5
#: How far before a concept a denial may end.
REACH = 12
_CONCEPTS = patterns.read("concepts.txt")
#: What a clause says that praises, and what stands right before a concept that is denied.
_PRAISES, _DENIED = _CONCEPTS["clauses"]["praises"], _CONCEPTS["clauses"]["denied"]
#: Concepts of which it matters that they are denied.
_DENIABLE = frozenset(_CONCEPTS["clauses"]["deniable"].pattern.split("|"))
#: Concepts that say how a text speaks, not of what: neither first nor praised.
_MANNERS = frozenset(_CONCEPTS["clauses"]["manners"].pattern.split("|"))
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_CLAUSE = re.compile(r"[^,.;!?。、…~]+(?:[,.;!?。、…~]+|$)|[,.;!?。、…~]+")
_ENDINGS = re.compile(r"(?<=[a-z]{3})(?:ing|ed|es|s|ly)$")


class Complaint(NamedTuple):
    """``sure``: 0 to 1, the model's probability."""

    category: Category
    sure: float


def grams(text: str, language: Language) -> set[str]:
    """The pieces of a normalised text that the model knows about: runs of characters, and stems of words and their pairs."""
    found: set[str] = set()
    before = ""
    for piece in pieces(text):
        if _HAN.match(piece):
            for length in range(1, CHARS + 1):
                found.update(piece[at : at + length] for at in range(len(piece) - length + 1))
            before = ""
        elif piece[0].isalnum():
            word = "0" if piece[0].isdigit() else _ENDINGS.sub("", piece)
            found.add(word)
            if before and language == "en":
                found.add(f"{before} {word}")
            before = word
        else:
            before = ""
    return found


def praised(text: str) -> list[tuple[int, int]]:
    """Where the clauses that praise begin and end."""
    spans = (match.span() for match in _CLAUSE.finditer(text))
    return [(begin, end) for begin, end in spans if _PRAISES.search(text, begin, end)]


def concepts(text: str, language: Language) -> Iterator[str]:
    """Names of the concepts in a normalised text: "!" before one that is denied, "+" before one that is only praised, "^" before
    the one named first, "^2" before the next."""
    spans = praised(text)
    order: list[tuple[int, str]] = []
    for name, pattern in _CONCEPTS["en" if language == "en" else "zh"].items():
        mark = ""
        for match in pattern.finditer(text):
            at = match.start()
            if any(begin <= at < end for begin, end in spans) and name not in _MANNERS:
                mark = "+"
            elif name in _DENIABLE and _DENIED.search(text, max(0, at - REACH), at):
                mark = "!"
            else:
                yield name
                if name not in _MANNERS:
                    order.append((at, name))
                mark = ""
                break
        if mark:
            yield mark + name
    for place, (_, name) in zip(("^", "^2"), sorted(order), strict=False):
        yield place + name


@cache
def shipped(language: Language) -> Mapping[str, Sequence[int]]:
    """Feature -> hundredths for each category, frozen. The feature "" is the bias."""
    lines = files("language").joinpath(f"complaints_{language}.txt").read_text("utf-8").splitlines()
    rows = (line.split("\t") for line in lines)
    return {feature: tuple(map(int, numbers.split())) for feature, numbers in rows}


#: What is in force in this process instead of the shipped weights (`language.force`).
in_force: dict[Language, Mapping[str, Sequence[int]]] = {}


def complaint(text: str, language: Language) -> Complaint | None:
    """The category of a normalised text, as if it were a complaint; None where the language is not understood."""
    if not language:
        return None
    model: Language = "en" if language == "en" else "zh"
    return weigh(grams(text, model), concepts(text, model), in_force.get(model) or shipped(model))


def weigh(grams: Collection[str], concepts: Iterable[str], weights: Mapping[str, Sequence[int]]) -> Complaint:
    """The category for which what is seen in a text weighs most."""
    scores = scored(grams, concepts, weights)
    best = max(range(len(scores)), key=scores.__getitem__)
    total = sum(exp((score - scores[best]) / 100) for score in scores)
    return Complaint(CATEGORIES[best], 1 / total)


def scored(grams: Collection[str], concepts: Iterable[str], weights: Mapping[str, Sequence[int]]) -> list[float]:
    """What each category weighs, in hundredths."""
    # Whole numbers are added up first: sums of floats would depend on the order of a set.
    pieces_weigh, concepts_weigh = [0] * len(CATEGORIES), [0] * len(CATEGORIES)
    for gram in grams:
        if (row := weights.get(gram)) is not None:
            pieces_weigh = list(map(add, pieces_weigh, row))
    for concept in concepts:
        if (row := weights.get(f"@{concept}")) is not None:
            concepts_weigh = list(map(add, concepts_weigh, row))
    share = 1 / sqrt(len(grams) or 1)
    return [
        bias + share * by_pieces + CONCEPT * by_concepts
        for bias, by_pieces, by_concepts in zip(weights[""], pieces_weigh, concepts_weigh, strict=True)
    ]
