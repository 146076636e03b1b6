"""How a text sounds: one linear model for Chinese and one for English, both over grams of the text, both shipped and frozen.

Log-odds are the weights of a text's distinct grams, added up and divided by the root of their number: so a long text is no
surer than a short one that is as clear (such models over bigrams are hard to beat on short texts: Wang and Manning 2012).
Chinese grams are characters and pairs of them, which carry negation ("不好", "没用") and need no segmentation; English ones are
words and pairs of words, a mark on what is negated. Additions of whole numbers, a root, divisions: the same on every machine.
"""

from __future__ import annotations

from itertools import repeat
from math import sqrt

from language.grams import chinese_grams, english_grams
from language.text import Language
from language.weights import Weights, shipped

CHINESE, ENGLISH = shipped("tone_zh"), shipped("tone_en")


def log_odds(weights: Weights, grams: set[str]) -> float:
    """Above 0: it sounds pleased. 0: the model knows nothing of it."""
    if not grams:
        return 0.0
    return weights.scale * sum(map(weights.by_gram.get, grams, repeat(0))) / sqrt(len(grams))


def tone_of(text: str, language: Language) -> int:
    """How a normalised text sounds: -100 (furious) to 100 (delighted); 0: neither, or nothing is understood."""
    if language == "zh":
        odds = log_odds(CHINESE, chinese_grams(text))
    elif language == "en":
        odds = log_odds(ENGLISH, english_grams(text))
    elif language == "mixed":  # two witnesses
        odds = log_odds(CHINESE, chinese_grams(text)) + log_odds(ENGLISH, english_grams(text))
    else:
        odds = log_odds(CHINESE, {char for char in text if char > "\u2000" and not char.isalnum()})
    return round(100 * odds / sqrt(4 + odds * odds))  # about 2p - 1 of the probability p, without the library's exp
