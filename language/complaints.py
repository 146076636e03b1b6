"""What a complaint is about: one of nine categories (bench/complaints/GUIDE.md), in Chinese and English, and how sure that is.

A linear model over short pieces of the text and over hand-written concepts (concepts.txt), which know denials and what is
named first. Weights: multinomial logistic regression, learned by `python -m bench.complaints.train`; they lie beside this file.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache, lru_cache
from importlib.resources import files
from itertools import repeat
from math import exp, sqrt
from operator import add
from typing import Literal, NamedTuple

from language import patterns
from language.text import Language, pieces

Category = Literal["quality", "function", "mismatch", "delivery", "service", "price", "environment", "content", "other"]
CATEGORIES: tuple[Category, ...] = (
    "quality", "function", "mismatch", "delivery", "service", "price", "environment", "content", "other",
)  # fmt: skip
#: What stands in so many first characters of a Chinese text is known as its beginning, too.
FIRST = 12
#: Where so few characters are left, the praise is what a text says.
LITTLE = 3
#: A concept weighs so much, beside pieces that share a weight of one.
CONCEPT = 0.5
#: How far before a concept a denial may end.
REACH = 12
_CONCEPTS = patterns.read("concepts.txt")
_INDEXES: Mapping[Language, patterns.Index] = {
    "zh": patterns.Index(_CONCEPTS["zh"], length=2),
    "en": patterns.Index(_CONCEPTS["en"], length=4),
}
#: What a clause says that praises, and what stands right before a concept that is denied.
_PRAISES, _DENIED = _CONCEPTS["clauses"]["praises"], _CONCEPTS["clauses"]["denied"]
#: Concepts of which it matters that they are denied.
_DENIABLE = frozenset(_CONCEPTS["clauses"]["deniable"].pattern.split("|"))
#: Concepts that say how a text speaks, not of what: neither first nor praised.
_MANNERS = frozenset(_CONCEPTS["clauses"]["manners"].pattern.split("|"))
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_CLAUSE = re.compile(r"[^,.;!?。、…~]+(?:[,.;!?。、…~]+|$)|[,.;!?。、…~]+")
_ENDINGS = re.compile(r"(?<=[a-z]{3})(?:ing|ed|es|s|ly)$")


#: Feature -> what it weighs for each category, in hundredths, in one number (`packed`). The feature "" is the bias.
Weights = Mapping[str, int]
#: Bits that each weight takes of that number: of texts of `language.text.CHARS_MAX` they never add up to more.
LANE = 32
_HALF = 1 << LANE - 1
_HALVES = sum(_HALF << LANE * place for place in range(len(CATEGORIES)))


class Complaint(NamedTuple):
    """``sure``: 0 to 1, the model's probability."""

    category: Category
    sure: float


def grams(text: str, language: Language) -> set[str]:
    """The pieces of a normalised text that the model knows about.

    English: stems of words and their pairs. Chinese: runs of characters of what is not only praise, and those it begins with.
    """
    if language == "en":
        return _pieces(text, in_pairs=True)
    text = blamed(text)
    found = _pieces(text, in_pairs=False)
    found.update([f"<{piece}" for piece in _pieces(text[:FIRST], in_pairs=False)])
    return found


def _pieces(text: str, *, in_pairs: bool) -> set[str]:
    found: set[str] = set()
    before = ""
    for piece in pieces(text):
        if _HAN.match(piece):
            pairs = list(map(add, piece, piece[1:]))
            found.update(piece, pairs, map(add, pairs, piece[2:]))
            before = ""
        elif piece[0].isalnum():
            word = "0" if piece[0].isdigit() else _ENDINGS.sub("", piece)
            found.add(word)
            if before and in_pairs:
                found.add(f"{before} {word}")
            before = word
        else:
            before = ""
    return found


def blamed(text: str) -> str:
    """A normalised text without the clauses that praise; all of it where hardly anything else is said."""
    begin, kept = 0, []
    for at, end in praised(text):
        kept.append(text[begin:at])
        begin = end
    rest = "".join((*kept, text[begin:]))
    return rest if len(rest.strip()) > LITTLE else text


# What is read and what is named ask for the same text, one after the other.
@lru_cache(maxsize=8)
def praised(text: str) -> tuple[tuple[int, int], ...]:
    """Where the clauses that praise begin and end."""
    spans = (match.span() for match in _CLAUSE.finditer(text))
    return tuple((begin, end) for begin, end in spans if _PRAISES.search(text, begin, end))


def concepts(text: str, language: Language) -> Iterator[str]:
    """Names of the concepts in a normalised text: "!" before one that is denied, "+" before one that is only praised, "^" before
    the one named first, "^2" before the next. Chinese ones also behind the kind of goods: a small fruit is not a small room."""
    found = list(_named(text, language))
    yield from found
    if language != "en" and (kind := goods(text)):
        yield kind
        yield from map(add, repeat(f"{kind}:"), found)


def goods(text: str) -> str:
    """The kind of goods or place that most words of a normalised Chinese text are about; empty: it names none."""
    named = {kind: len(pattern.findall(text)) for kind, pattern in _CONCEPTS["goods"].items()}
    kind = max(named, key=named.__getitem__)
    return kind if named[kind] else ""


def _named(text: str, language: Language) -> Iterator[str]:
    spans = praised(text)
    order: list[tuple[int, str]] = []
    for name, pattern in _INDEXES["en" if language == "en" else "zh"].likely(text):
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


def packed(numbers: Iterable[int]) -> int:
    """One number of a weight for each category: such numbers are added up as one, and `unpacked` gives the sums."""
    return sum(number << LANE * place for place, number in enumerate(numbers))


def unpacked(total: int) -> list[int]:
    total += _HALVES
    return [(total >> LANE * place & 2 * _HALF - 1) - _HALF for place in range(len(CATEGORIES))]


@cache
def shipped(language: Language) -> Weights:
    """The frozen weights."""
    lines = files("language").joinpath(f"complaints_{language}.txt").read_text("utf-8").splitlines()
    rows = (line.split("\t") for line in lines)
    return {feature: packed(map(int, numbers.split())) for feature, numbers in rows}


#: What is in force in this process instead of the shipped weights (`language.force`).
in_force: dict[Language, Weights] = {}


def complaint(text: str, language: Language) -> Complaint | None:
    """The category of a normalised text, as if it were a complaint; None where the language is not understood."""
    if not language:
        return None
    model: Language = "en" if language == "en" else "zh"
    return weigh(grams(text, model), concepts(text, model), in_force.get(model) or shipped(model))


def weigh(grams: Collection[str], concepts: Iterable[str], weights: Weights) -> Complaint:
    """The category for which what is seen in a text weighs most."""
    scores = scored(grams, concepts, weights)
    best = max(range(len(scores)), key=scores.__getitem__)
    total = sum(exp((score - scores[best]) / 100) for score in scores)
    return Complaint(CATEGORIES[best], 1 / total)


def scored(grams: Collection[str], concepts: Iterable[str], weights: Weights) -> list[float]:
    """What each category weighs, in hundredths."""
    # Whole numbers are added up first: sums of floats would depend on the order of a set.
    pieces_weigh = _added_up(grams, weights)
    concepts_weigh = _added_up(map(add, repeat("@"), concepts), weights)
    share = 1 / sqrt(len(grams) or 1)
    return [
        bias + share * by_pieces + CONCEPT * by_concepts
        for bias, by_pieces, by_concepts in zip(unpacked(weights[""]), pieces_weigh, concepts_weigh, strict=True)
    ]


def _added_up(features: Iterable[str], weights: Weights) -> list[int]:
    return unpacked(sum(filter(None, map(weights.get, features))))
