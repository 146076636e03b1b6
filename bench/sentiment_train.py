"""Train the two models of tone that are shipped: `python -m bench.sentiment_train zh|en F`. Seeded.

Chinese: online_shopping_10_cats (category, positive, text). Grams that stand in the reviews of few kinds of goods speak of
goods, not of tone, and are left out: so the model holds in trades that it has not seen. Logistic regression by averaged
stochastic gradient descent (Bottou 2012), rarer grams scaled up as by inverse document frequency; then the log-odds are
calibrated on a fifth held out (Platt 1999).

English: VADER's Amazon snippets (id, rating, text), rated -4 to 4 by twenty people each (Hutto and Gilbert 2014). Ridge
regression on grams and on sums of the valences of VADER's lexicon, which are then folded into the weights of its words.

`--check` tells as well how good models trained the same way are on what they have not seen.
"""

from __future__ import annotations

import argparse
import json
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse, stats
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import KFold

from bench.sentiment_data import chinese_rows, english_rows
from bench.sentiment_words import CHINESE, CHINESE_LATIN, EMOJI, ENGLISH, NEUTRAL, strengths
from language.grams import NEGATED, WHOLE, chinese_grams, english_grams
from language.text import normalise, pieces
from language.weights import LARGEST, Weights, pack

SEED = 20261128
VERSION = "1"
#: A Chinese gram stands in so many reviews, and at least twice in so many of the categories.
LEAST_REVIEWS, LEAST_CATEGORIES = 6, 3
ALPHA, EPOCHS = 2e-6, 8
#: English.
LEAST_SENTENCES, RIDGE = 2, 15.0
#: Log-odds of one more point of rating.
ODDS_EACH_POINT = 1.5
#: Weight of a word of `bench.sentiment_words`, for each point of its strength.
WORD_WEIGHT = 2.5
#: A pair of characters with a smaller weight tells nothing by itself.
UNKNOWN = 0.5
#: A text of `bench.sentiment_words.NEUTRAL` counts as so many reviews.
NEUTRAL_WEIGHT = 5.0
PACKAGE = Path(__file__).parents[1] / "language"

Grams = Callable[[str], set[str]]


def counted(texts: Sequence[str], grams: Grams, least: int) -> tuple[sparse.csr_matrix, list[str], np.ndarray]:
    """1 for each gram of a text that stands in at least ``least`` texts; the grams; how many distinct ones each text has."""
    numbers: defaultdict[str, int] = defaultdict(count().__next__)
    found, sizes = array("i"), []
    for text in texts:
        distinct = sorted(grams(text))  # a set has another order in each process
        found.extend(map(numbers.__getitem__, distinct))
        sizes.append(len(distinct))
    columns, ends = np.frombuffer(found, dtype=np.int32), np.cumsum([0, *sizes])
    frequent = np.bincount(columns, minlength=len(numbers)) >= least
    all_ = sparse.csr_matrix((np.ones(len(columns)), columns, ends), shape=(len(texts), len(numbers)))
    names = [name for name, keep in zip(numbers, frequent, strict=True) if keep]
    return all_[:, frequent].tocsr(), names, np.maximum(np.array(sizes, dtype=float), 1)


class Chinese:
    """The reviews as a matrix."""

    def __init__(self, rows: Sequence[tuple[str, int, str]]) -> None:
        self.category = np.array([category for category, _, _ in rows])
        self.positive = np.array([positive for _, positive, _ in rows])
        found, grams, sizes = counted([normalise(text) for _, _, text in rows], chinese_grams, LEAST_REVIEWS)
        spread = sum((found[self.category == name].sum(axis=0) >= 2).astype(int) for name in np.unique(self.category))
        latin = np.array([any("a" <= char <= "z" for char in gram) and not gram.startswith(WHOLE) for gram in grams])
        kept = (np.asarray(spread).ravel() >= LEAST_CATEGORIES) & ~latin
        self.grams = [gram for gram, keep in zip(grams, kept, strict=True) if keep]
        found = found[:, kept]
        rarity = np.log(len(rows) / np.asarray(found.sum(axis=0)).ravel())
        self.gain = rarity / rarity.mean()
        self.x = (sparse.diags(1 / np.sqrt(sizes)) @ found @ sparse.diags(self.gain)).tocsr()

    def fit(self, rows: np.ndarray) -> SGDClassifier:
        """From these rows, and from texts that are neither, each as one of either kind."""
        neither = self.of([normalise(text) for text in NEUTRAL])
        x = sparse.vstack([self.x[rows], neither, neither]).tocsr()
        n = neither.shape[0]
        real = np.concatenate([self.positive[rows], np.zeros(n), np.ones(n)])
        weight = np.concatenate([np.ones(len(real) - 2 * n), np.full(2 * n, NEUTRAL_WEIGHT)])
        # Without an intercept: a text of which nothing is known is neither.
        model = SGDClassifier(
            loss="log_loss", alpha=ALPHA, fit_intercept=False, average=True, max_iter=EPOCHS, tol=None, random_state=SEED
        )
        return model.fit(x, real, sample_weight=weight)

    def of(self, texts: Sequence[str]) -> sparse.csr_matrix:
        """Normalised texts as rows like those of ``x``."""
        index = {gram: i for i, gram in enumerate(self.grams)}
        found = sparse.lil_matrix((len(texts), len(index)))
        for row, text in enumerate(texts):
            grams = chinese_grams(text)
            for gram in grams & index.keys():
                found[row, index[gram]] = self.gain[index[gram]] / np.sqrt(len(grams))
        return found.tocsr()

    def weights(self, without: str = "") -> Weights:
        """From all reviews but those of a category."""
        used = self.category != without
        held_out = fifth(len(self.positive)) & used
        odds = self.fit(used & ~held_out).decision_function(self.x[held_out])
        platt = LogisticRegression(C=1e6, fit_intercept=False).fit(odds[:, None], self.positive[held_out])
        model = self.fit(used)
        numbers = dict(zip(self.grams, model.coef_[0] * self.gain * float(platt.coef_[0, 0]), strict=True))
        words = pairs(strengths(CHINESE), numbers) | dict(strengths(EMOJI, characters=True))
        words |= {WHOLE + word: strength for word, strength in strengths(CHINESE_LATIN)}
        return quantised(with_words(numbers, words))


def fifth(n: int) -> np.ndarray:
    return np.random.default_rng(SEED).random(n) < 0.2


def pairs(words: Iterable[tuple[str, int]], known: Mapping[str, float]) -> dict[str, float]:
    """Words of three characters and more by those of their pairs that reviews don't know."""
    found: dict[str, float] = {}
    for word, strength in words:
        if len(word) < 3:
            found[word] = strength
            continue
        new = [word[i : i + 2] for i in range(len(word) - 1) if abs(known.get(word[i : i + 2], 0.0)) < UNKNOWN]
        found |= {pair: max(strength / len(new), found.get(pair, 0.0), key=abs) for pair in new}
    return found


def with_words(numbers: Mapping[str, float], words: Mapping[str, float]) -> dict[str, float]:
    """A word by hand counts where the reviews say less, or nothing."""
    found = dict(numbers)
    for word, strength in words.items():
        by_hand = WORD_WEIGHT * strength
        if abs(found.get(word, 0.0)) < abs(by_hand):
            found[word] = by_hand
    return found


def quantised(numbers: Mapping[str, float]) -> Weights:
    scale = float(np.quantile(np.abs(list(numbers.values())), 0.999)) / LARGEST
    whole = {gram: int(np.clip(round(number / scale), -LARGEST, LARGEST)) for gram, number in numbers.items()}
    return Weights(VERSION, scale, {gram: number for gram, number in whole.items() if number})


class English:
    """The sentences as a matrix; the last columns are sums of the lexicon's valences."""

    def __init__(self, rows: Sequence[tuple[str, float, str]]) -> None:
        self.rating = np.array([rating for _, rating, _ in rows])
        texts = [normalise(text) for _, _, text in rows]
        self.lexicon = lexicon()
        found, self.grams, sizes = counted(texts, english_grams, LEAST_SENTENCES)
        sums = sparse.csr_matrix([self._sums(english_grams(text)) for text in texts])
        self.x = (sparse.diags(4 / np.sqrt(sizes)) @ sparse.hstack([found, sums])).tocsr()

    def _sums(self, grams: set[str]) -> list[float]:
        """Valences, halved: pleasant, unpleasant, and the same where they are negated."""
        sums = [0.0] * 4
        for gram in sorted(grams):  # a set has another order in each process, and so has a sum
            negated = gram.startswith(NEGATED)
            valence = self.lexicon.get(gram.removeprefix(NEGATED), 0.0)
            sums[2 * negated + (valence < 0)] += valence / 2
        return sums

    def fit(self, rows: np.ndarray) -> Ridge:
        return Ridge(alpha=RIDGE, solver="sparse_cg", tol=1e-4).fit(self.x[rows], self.rating[rows])

    def weights(self) -> Weights:
        coefficients = self.fit(np.arange(len(self.rating))).coef_
        learned, (good, bad, not_good, not_bad) = coefficients[:-4], coefficients[-4:]
        numbers = dict(zip(self.grams, learned, strict=True))
        for word, valence in self.lexicon.items():
            plain, negated = (good, not_good) if valence > 0 else (bad, not_bad)
            numbers[word] = numbers.get(word, 0.0) + plain * valence / 2
            numbers[NEGATED + word] = numbers.get(NEGATED + word, 0.0) + negated * valence / 2
        numbers = {gram: 4 * ODDS_EACH_POINT * number for gram, number in numbers.items()}
        return quantised(with_words(numbers, dict(strengths(ENGLISH)) | dict(strengths(EMOJI, characters=True))))


def lexicon() -> dict[str, float]:
    """VADER's words of one piece, and emoticons of two, as grams, with their valences."""
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    found: dict[str, float] = {}
    for word, valence in SentimentIntensityAnalyzer().lexicon.items():
        if len(cut := pieces(normalise(word))) <= 2 and " " not in word:
            found[" ".join(cut)] = valence
    return found


def check_chinese(data: Chinese) -> dict[str, Any]:
    def judged(unseen: np.ndarray) -> list[float]:
        odds, real = data.fit(~unseen).decision_function(data.x[unseen]), data.positive[unseen]
        return [round(float(((odds > 0) == real).mean()), 4), round(float(roc_auc_score(real, odds)), 4)]

    others = {str(name): judged(data.category == name) for name in np.unique(data.category)}
    mean = [round(float(value), 4) for value in np.mean(list(others.values()), axis=0)]
    return {"held_out_fifth": judged(fifth(len(data.positive))), "other_trades": others, "other_trades_mean": mean}


def check_english(data: English) -> dict[str, Any]:
    told = np.zeros(len(data.rating))
    for rows, unseen in KFold(10, shuffle=True, random_state=SEED).split(told):
        told[unseen] = data.fit(rows).predict(data.x[unseen])
    return {"r_cross_validated": round(float(stats.pearsonr(told, data.rating)[0]), 4)}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.sentiment_train", description=__doc__)
    parser.add_argument("lang", choices=["zh", "en"])
    parser.add_argument("file", type=Path, help="zh: CSV; en: lines with tabs; .gz or not")
    parser.add_argument("--check", action="store_true", help="also: how good on what was not seen?")
    parser.add_argument(
        "--out", type=Path, default=PACKAGE, metavar="DIR", help="where tone_LANG.bin goes: by default into the package"
    )
    given = parser.parse_args()
    data = Chinese(list(chinese_rows(given.file))) if given.lang == "zh" else English(list(english_rows(given.file)))
    weights = data.weights()
    packed = pack(weights)
    (given.out / f"tone_{given.lang}.bin").write_bytes(packed)
    told: dict[str, Any] = {"grams": len(weights.by_gram), "bytes": len(packed), "scale": weights.scale}
    if given.check:
        told |= check_chinese(data) if isinstance(data, Chinese) else check_english(data)
    print(json.dumps(told, ensure_ascii=False))


if __name__ == "__main__":
    main()
