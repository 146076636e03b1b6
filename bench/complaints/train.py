"""``python -m bench.complaints.train --zh FILE --en FILE``: learn the weights of `language.complaints`, and write them there.

From the half `dev`, training.csv and written.tsv; never from the half `test`. Multinomial logistic regression, categories weighed
as if each had as many texts, L2 (C = 5), by L-BFGS from zero: the same files give the same weights, but for the last digit.
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
from scipy.sparse import csr_matrix

from bench.complaints.data import Labelled, half, read, training
from language import complaints
from language.complaints import CATEGORIES, CONCEPT, concepts, grams, weigh
from language.text import Language, normalise

C = 5.0
#: 0: each text weighs the same; 1: each category does.
BALANCE = 0.5
#: A piece must be in so many texts.
LEAST = 3
#: Weights are kept in hundredths; features whose weights are all smaller are left out.
SCALE, SMALLEST = 100, 6
STEPS_MAX = 60
LANGUAGES: tuple[Language, ...] = ("zh", "en")


class Features(NamedTuple):
    """What is seen in one text."""

    grams: set[str]
    concepts: list[str]


def seen(text: str, language: Language) -> Features:
    text = normalise(text)
    return Features(grams(text, language), list(concepts(text, language)))


def fit(texts: Sequence[Features], categories: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Feature -> weights, as `language.complaints` reads them."""
    counts = Counter(gram for each in texts for gram in each.grams)
    rarity = {gram: 1 + math.log((1 + len(texts)) / (1 + n)) for gram, n in counts.items() if n >= LEAST}
    names = ["", *sorted(rarity), *sorted({f"@{concept}" for each in texts for concept in each.concepts})]
    # Rare pieces are told more by; a quarter keeps pieces and concepts in the same range.
    scales = np.array([1.0, *(rarity[name] / 4 if name in rarity else CONCEPT for name in names[1:])])
    x = _matrix(texts, {name: at for at, name in enumerate(names)}, scales)
    y = np.zeros((len(texts), len(CATEGORIES)))
    y[range(len(texts)), [CATEGORIES.index(category) for category in categories]] = 1
    w = _descend(x, y)
    # The reader multiplies pieces by their share alone, and concepts by CONCEPT.
    scales[[not name or (name[0] == "@" and name[1:] != "") for name in names]] = 1.0
    rounded = np.rint(w * scales[:, None] * SCALE).astype(int)
    rows = zip(names, map(tuple, rounded.tolist()), strict=True)
    return {name: row for name, row in rows if not name or max(map(abs, row)) >= SMALLEST}


def _matrix(texts: Sequence[Features], at: dict[str, int], scales: Any) -> Any:
    rows, columns, values = [], [], []
    for row, each in enumerate(texts):
        share = 1 / math.sqrt(len(each.grams) or 1)
        for column, value in (
            (0, 1.0),
            *((at[gram], share * scales[at[gram]]) for gram in each.grams if gram in at),
            *((at[f"@{concept}"], CONCEPT) for concept in each.concepts),
        ):
            rows.append(row)
            columns.append(column)
            values.append(value)
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
    found = [""] * len(dev)
    for fold in range(folds):
        learned = [at for at in range(len(dev)) if at % folds != fold]
        categories = [each.category for each in (*(dev[at] for at in learned), *rest)]
        weights = fit([features[at] for at in learned] + always, categories)
        for at in range(fold, len(dev), folds):
            found[at] = weigh(*features[at], weights).category
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
        weights = fit([seen(each.text, language) for each in both], [each.category for each in both])
        path = Path(complaints.__file__).with_name(f"complaints_{language}.txt")
        path.write_text("".join(f"{name}\t{' '.join(map(str, row))}\n" for name, row in weights.items()), "utf-8")
        print(f"{path.name}: {len(weights)} features from {len(both)} texts, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
