"""``python -m bench.complaints.train --zh FILE --en FILE``: learn the weights of `language.complaints`, and write them there.

From the half `dev`, training.csv and written.tsv; never from the half `test`. Multinomial logistic regression, L2 (C = 5), by
L-BFGS from zero: the same files give the same weights, but for the last digit. What pieces have to do with each other is learned
from the unlabelled texts, and folded into the weights of pieces, so the reader need not know.
"""

from __future__ import annotations

import argparse
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.sparse import csr_matrix, hstack

from bench.complaints.data import Labelled, half, read, training, unlabelled
from language import complaints
from language.complaints import CATEGORIES, CONCEPT, concepts, grams, packed, weigh
from language.text import Language, normalise
from language.tone import tone_of

C = 5.0
#: 0: each text weighs the same; 1: each category does.
BALANCE = 0.5
#: A piece must be in so many texts.
LEAST = 3
#: Weights are kept in hundredths; features whose weights are all smaller are left out.
SCALE, SMALLEST = 100, 12
STEPS_MAX = 60
#: Pieces in so many unlabelled texts, in so many directions, weighing so much beside a text's pieces. English texts are too few.
KIN_LEAST, KIN_DIRECTIONS = 15, 100
KIN: dict[Language, float] = {"zh": 1.5, "en": 0.0}
#: What a concept counts in learning: less in Chinese, where one is seen twice, alone and behind the kind of goods.
COUNTS: dict[Language, float] = {"zh": 0.25, "en": 0.5}
LANGUAGES: tuple[Language, ...] = ("zh", "en")


class Features(NamedTuple):
    """What is seen in one text."""

    grams: set[str]
    concepts: list[str]


def seen(text: str, language: Language) -> Features:
    text = normalise(text)
    return Features(grams(text, language), list(concepts(text, language)))


class Kin(NamedTuple):
    """What unlabelled texts say of pieces: those that stand beside the same others point the same way."""

    at: dict[str, int]
    directions: Any  # a row for each piece, so that a text's share times the sum of its rows is of the size of KIN


def kin(texts: Sequence[str], language: Language) -> Kin:
    """Latent semantic analysis (Deerwester et al. 1990) of those texts that sound displeased.

    By a randomised range finder (Halko, Martinsson and Tropp 2011), seeded.
    """
    if not KIN[language]:
        return Kin({}, np.zeros((0, KIN_DIRECTIONS)))
    displeased = [text for text in map(normalise, texts) if tone_of(text, language) < 0]
    found = [grams(text, language) for text in displeased]
    counts = Counter(gram for each in found for gram in each)
    at = {
        gram: place for place, gram in enumerate(sorted(gram for gram, n in counts.items() if n >= KIN_LEAST and gram[0] != "<"))
    }
    rarity = np.array([1 + math.log((1 + len(found)) / (1 + counts[gram])) for gram in at])
    x = _matrix([Features(each, []) for each in found], at, rarity)
    basis = np.random.default_rng(0).normal(size=(len(at), KIN_DIRECTIONS + 12))
    for _ in range(3):
        basis, _ = np.linalg.qr(x.T @ (x @ basis))
    seen_along = x @ basis
    turn, strength, _ = np.linalg.svd(seen_along.T @ seen_along)
    # Singular values are the root of `strength`; dividing by their root evens the directions out.
    directions = rarity[:, None] * (basis @ turn / strength**0.25)[:, :KIN_DIRECTIONS]
    along = _matrix([Features(each, []) for each in found], at, np.ones(len(at))) @ directions
    return Kin(at, directions * (KIN[language] / (along.std() * math.sqrt(KIN_DIRECTIONS))))


def fit(texts: Sequence[Features], categories: Sequence[str], kin: Kin, language: Language) -> dict[str, tuple[int, ...]]:
    """Feature -> weights, as `language.complaints` reads them."""
    counts = Counter(gram for each in texts for gram in each.grams)
    rarity = {gram: 1 + math.log((1 + len(texts)) / (1 + n)) for gram, n in counts.items() if n >= LEAST}
    names = ["", *sorted(rarity), *sorted({f"@{concept}" for each in texts for concept in each.concepts})]
    # Rare pieces are told more by; a quarter keeps pieces and concepts in the same range.
    scales = np.array([1.0, *(rarity[name] / 4 if name in rarity else COUNTS[language] for name in names[1:])])
    x = _matrix(texts, {name: at for at, name in enumerate(names)}, scales)
    along = _matrix(texts, kin.at, np.ones(len(kin.at))) @ kin.directions
    y = np.zeros((len(texts), len(CATEGORIES)))
    y[range(len(texts)), [CATEGORIES.index(category) for category in categories]] = 1
    w = _descend(hstack([x, csr_matrix(along)]).tocsr(), y)
    # The reader multiplies pieces by their share alone, and concepts by CONCEPT.
    scales[[name[:1] == "@" and name not in rarity for name in names]] /= CONCEPT
    read = dict(zip(names, w[: len(names)] * scales[:, None], strict=True))
    for gram, shift in zip(kin.at, kin.directions @ w[len(names) :], strict=True):
        read[gram] = read.get(gram, 0) + shift
    rounded = {name: tuple(np.rint(row * SCALE).astype(int).tolist()) for name, row in read.items()}
    return {name: rounded[name] for name in sorted(rounded) if not name or max(map(abs, rounded[name])) >= SMALLEST}


def _matrix(texts: Sequence[Features], at: dict[str, int], scales: Any) -> Any:
    rows, columns, values = [], [], []
    for row, each in enumerate(texts):
        share = 1 / math.sqrt(len(each.grams) or 1)
        for name, value in (
            ("", 1.0),
            *((gram, share) for gram in each.grams),
            *((f"@{concept}", 1.0) for concept in each.concepts),
        ):
            if name in at:
                rows.append(row)
                columns.append(at[name])
                values.append(value * scales[at[name]])
    return csr_matrix((values, (rows, columns)), shape=(len(texts), len(at)))


def _descend(x: Any, y: Any) -> Any:
    """Weights (features x categories). The bias, in row 0, is not held small."""
    even = y.sum(axis=0).clip(1) ** -BALANCE
    each = (y @ even) / (y @ even).mean() * C  # weight of a text
    shape = (x.shape[1], y.shape[1])

    def loss(flat: Any) -> Any:
        w = flat.reshape(shape)
        scores = x @ w
        scores -= scores.max(axis=1, keepdims=True)
        logs = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
        gradient = x.T @ ((np.exp(logs) - y) * each[:, None])
        gradient[1:] += w[1:]
        return -(logs * y * each[:, None]).sum() + 0.5 * (w[1:] ** 2).sum(), gradient.ravel()

    return minimize(loss, np.zeros(shape).ravel(), jac=True, method="L-BFGS-B", options={"maxiter": STEPS_MAX}).x.reshape(shape)


def learned_from(language: Language, texts: dict[str, str]) -> tuple[list[Labelled], list[Labelled]]:
    """(the half `dev`, the rest)."""
    return half("dev", language, texts), training(language, texts)


def across(language: Language, texts: dict[str, str], folds: int) -> tuple[list[Labelled], list[str]]:
    """The half `dev`, and what is told of each text by what was learned without it."""
    dev, rest = learned_from(language, texts)
    dev.sort(key=lambda each: each.category)  # so that taking turns spreads the categories over the folds
    features = [seen(each.text, language) for each in dev]
    always = [seen(each.text, language) for each in rest]
    related = kin(unlabelled(language, texts), language)
    found = [""] * len(dev)
    for fold in range(folds):
        learned = [at for at in range(len(dev)) if at % folds != fold]
        categories = [each.category for each in (*(dev[at] for at in learned), *rest)]
        weights = fit([features[at] for at in learned] + always, categories, related, language)
        read_as = {name: packed(row) for name, row in weights.items()}
        for at in range(fold, len(dev), folds):
            found[at] = weigh(*features[at], read_as).category
    return dev, found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.complaints.train", description=__doc__)
    for language in LANGUAGES:
        parser.add_argument(f"--{language}", type=Path, metavar="FILE")
    given = parser.parse_args()
    texts = read(given.zh, given.en)
    for language in LANGUAGES:
        if getattr(given, language) is None:
            continue
        dev, rest = learned_from(language, texts)
        both = dev + rest
        features = [seen(each.text, language) for each in both]
        weights = fit(features, [each.category for each in both], kin(unlabelled(language, texts), language), language)
        path = Path(complaints.__file__).with_name(f"complaints_{language}.txt")
        path.write_text("".join(f"{name}\t{' '.join(map(str, row))}\n" for name, row in weights.items()), "utf-8")
        print(f"{path.name}: {len(weights)} features from {len(both)} texts, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
