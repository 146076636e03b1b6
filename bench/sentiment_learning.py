"""``python -m bench.sentiment --lang zh --learning``: what ratings of a trade teach a model that has not seen that trade.

For each category a model is trained on the others, as the shipped one is. Reviews of the category come one by one, in a seeded
order, each judged before it is learned from (`language.learner`); after some, all those are judged that are never learned.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from math import fsum, sqrt
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from sklearn.metrics import roc_auc_score

from bench.sentiment_data import chinese_rows
from bench.sentiment_train import SEED, Chinese
from language.corrections import CROWDS
from language.learner import Learner
from language.lessons import Lesson
from language.text import language_of, normalise
from language.tone import SHIPPED, log_odds, witnesses
from language.weights import Weights

#: Judged after so many ratings.
AFTER = (0, 100, 300, 1000)
#: Fewer reviews than this are too few to learn from and to judge by.
REVIEWS_LEAST = 1000

Review = tuple[int, str]


def learning(file: Path, console: Console) -> dict[str, Any]:
    """By category: [accuracy, AUC] after so many ratings of it, and how the models did on each rating before it was learned."""
    rows = list(chinese_rows(file))
    data, found = Chinese(rows), dict[str, Any]()
    for name in sorted({category for category, _, _ in rows}):
        reviews = [(positive, text) for category, positive, text in rows if category == name]
        if len(reviews) >= REVIEWS_LEAST:
            found[name] = of_trade(data.weights(without=name), reviews)
            console.print(name, found[name])
    _print(console, found)
    return {"lang": "zh", "trades": found}


def of_trade(frozen: Weights, reviews: Sequence[Review]) -> dict[str, Any]:
    """At most half of the reviews are learned."""
    rng = random.Random(SEED)
    reviews = rng.sample(reviews, len(reviews))
    n = min(max(AFTER), len(reviews) // 2)
    learner, judged = Learner({**SHIPPED, "zh": frozen}), {}
    for at, (positive, text) in enumerate(reviews[:n]):
        if at in AFTER:
            judged[str(at)] = _judge(learner, reviews[n:])
        learner.learn(Lesson(at.to_bytes(8, "little"), rng.randrange(CROWDS), text, bool(positive)))
    judged[str(n)] = _judge(learner, reviews[n:])
    return {"unseen": len(reviews) - n, "after": judged, "one_by_one": learner.progress["tone zh"].whole.means()}


def _judge(learner: Learner, reviews: Sequence[Review]) -> list[float]:
    odds, real = [], [bool(positive) for positive, _ in reviews]
    for _, text in reviews:
        text, found = normalise(text), 0.0
        for model, grams in witnesses(text, language_of(text)):
            learned = fsum(learner.parts[f"tone_{model}"].of(gram)[0] for gram in grams)
            found += log_odds(learner.tones[model], grams) + learned / sqrt(len(grams) or 1)
        odds.append(found)
    right = sum((each > 0) == positive for each, positive in zip(odds, real, strict=True))
    return [round(right / len(real), 4), round(float(roc_auc_score(real, odds)), 4)]


def _print(console: Console, found: dict[str, Any]) -> None:
    table = Table("trade", "unseen", *(f"after {each:,}" for each in AFTER[:-1]), f"{AFTER[-1]:,}, or half")
    for name, figures in found.items():
        table.add_row(name, str(figures["unseen"]), *("{:.3f} / {:.3f}".format(*each) for each in figures["after"].values()))
    console.print(table)
