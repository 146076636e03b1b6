"""How a text sounds: one linear model for Chinese and one for English, both over grams of the text, both shipped and frozen;
what a shop has taught comes into force by an operator's decision alone (`language.force`).

Log-odds are the weights of a text's distinct grams, added up and divided by the root of their number: so a long text is no
surer than a short one that is as clear (such models over bigrams are hard to beat on short texts: Wang and Manning 2012).
Chinese grams are characters and pairs of them, which carry negation ("不好", "没用") and need no segmentation; English ones are
words and pairs of words, a mark on what is negated. Additions of whole numbers, a root, divisions: the same on every machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import repeat
from math import sqrt
from typing import Literal

from language.grams import chinese_grams, english_grams
from language.text import Language
from language.weights import Weights, shipped

Model = Literal["zh", "en"]
#: Frozen, as they were shipped; and those in force in this process (`language.force`).
SHIPPED: Mapping[Model, Weights] = {"zh": shipped("tone_zh"), "en": shipped("tone_en")}
in_force: dict[Model, Weights] = dict(SHIPPED)


def log_odds(weights: Weights, grams: set[str]) -> float:
    """Above 0: it sounds pleased. 0: the model knows nothing of it."""
    if not grams:
        return 0.0
    return weights.scale * sum(map(weights.by_gram.get, grams, repeat(0))) / sqrt(len(grams))


def witnesses(text: str, language: Language) -> list[tuple[Model, set[str]]]:
    """The models that speak of a normalised text, each with the grams that it looks at; their log-odds are added up."""
    if language == "zh":
        return [("zh", chinese_grams(text))]
    if language == "en":
        return [("en", english_grams(text))]
    if language == "mixed":
        return [("zh", chinese_grams(text)), ("en", english_grams(text))]
    return [("zh", {char for char in text if char > "\u2000" and not char.isalnum()})]


def tone_of(text: str, language: Language) -> int:
    """How a normalised text sounds: -100 (furious) to 100 (delighted); 0: neither, or nothing is understood."""
    odds = 0.0
    for model, grams in witnesses(text, language):
        odds += log_odds(in_force[model], grams)
    return round(100 * leaning(odds))


def leaning(odds: float) -> float:
    """About 2p - 1 of the probability p, without the library's exp."""
    return odds / sqrt(4 + odds * odds)
