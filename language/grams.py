"""The grams that models of texts are linear in. Distinct ones: a word that is repeated says no more."""

from __future__ import annotations

from itertools import repeat
from operator import add

from language.text import pieces, words

#: Within so many pieces after one of NEGATIONS, unless a clause ends before, a word is negated.
REACH = 3
NEGATED = "~"
#: Before a word in Latin letters inside a Chinese text: it is a gram as a whole.
WHOLE = "_"
_NEGATIONS = """
    not no never none nobody nothing neither nor cannot can't don't doesn't didn't won't wouldn't isn't aren't wasn't weren't
    couldn't shouldn't hasn't haven't hadn't ain't without hardly barely rarely dont doesnt didnt cant wont isnt wasnt couldnt
"""
NEGATIONS = frozenset(_NEGATIONS.split())
CLAUSE_ENDS = frozenset([*".,;!?:", "but", "however", "though"])


def chinese_grams(text: str) -> set[str]:
    """The distinct grams of a normalised text: characters, pairs of them, and whole words in Latin letters."""
    grams = set(text)
    grams.update(map(add, text, text[1:]))
    if latin := words(text):
        grams.update(map(add, repeat(WHOLE), latin))
    return grams


def english_grams(text: str) -> set[str]:
    """The distinct grams of a normalised text: its pieces, those that are negated with a mark, and pairs of them."""
    marked, reach = [], 0
    for piece in pieces(text):
        if piece in CLAUSE_ENDS:
            reach = 0
        marked.append(NEGATED + piece if reach > 0 else piece)
        reach = REACH + 1 if piece in NEGATIONS else reach - 1
    grams = set(marked)
    grams.update(map(add, map(add, marked, repeat(" ")), marked[1:]))
    return grams
