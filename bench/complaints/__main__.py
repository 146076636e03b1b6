"""``python -m bench.complaints --zh FILE --en FILE``: how well complaint categories are told; the last line is JSON.

On the half `test`, which nothing was tuned on, with the weights that are shipped; with ``--dev`` on the half `dev` instead, by
four-fold cross-validation of what is learned. Files and labels: GUIDE.md.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from bench.complaints.data import Labelled, half, read
from language.complaints import CATEGORIES, complaint
from language.text import Language, language_of, normalise

LANGUAGES: tuple[Language, ...] = ("zh", "en")
#: A category with fewer texts says nothing by its F1; the mean over all that occur is given beside.
TEXTS_LEAST = 5
#: Shorter texts say nothing of the time that 100 characters take.
LEAST_CHARS = 20
FOLDS = 4


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.complaints", description=__doc__)
    for language in LANGUAGES:
        parser.add_argument(f"--{language}", type=Path, metavar="FILE")
    parser.add_argument("--dev", action="store_true", help="cross-validate on the half `dev`; needs the extra `bench`")
    given = parser.parse_args()
    texts = read(given.zh, given.en)
    figures: dict[str, Any] = {"half": "dev" if given.dev else "test"}
    for language in LANGUAGES:
        if getattr(given, language) is not None:
            figures[language] = _dev(language, texts) if given.dev else _test(language, texts)
            _show(language, figures[language])
    print(msgspec.json.encode(figures).decode())


def _test(language: Language, texts: dict[str, str]) -> dict[str, Any]:
    labelled = half("test", language, texts)
    found = [_understood(each.text) for each in labelled]  # loads the weights, and prepares what these texts need
    return {**measures(labelled, found), **_times([each.text for each in labelled])}


def _times(texts: Sequence[str]) -> dict[str, float]:
    """Microseconds of CPU; by length, of texts that say something of it."""
    us = []
    for text in texts:
        began_ns = time.thread_time_ns()
        _understood(text)
        us.append((time.thread_time_ns() - began_ns) / 1000)
    per_100 = [took / len(text) * 100 for took, text in zip(us, texts, strict=True) if len(text) >= LEAST_CHARS]
    return {
        "us_per_text": round(median(us), 1),
        "us_per_100_chars": round(median(per_100), 1),
        "us_per_100_chars_p95": round(quantiles(per_100, n=20)[-1], 1),
    }


def _understood(text: str) -> str:
    text = normalise(text)
    told = complaint(text, language_of(text))
    return told.category if told is not None else "other"


def _dev(language: Language, texts: dict[str, str]) -> dict[str, Any]:
    from bench.complaints.train import across  # scipy: in the extra `bench` alone

    labelled, found = across(language, texts, FOLDS)
    return measures(labelled, found)


def measures(labelled: Sequence[Labelled], found: Sequence[str]) -> dict[str, Any]:
    """F1 of each category that occurs, their means, and the share that is right."""
    told, said = Counter(each.category for each in labelled), Counter(found)
    right = Counter(each.category for each, category in zip(labelled, found, strict=True) if each.category == category)
    by_category = {
        category: {"f1": round(2 * right[category] / (told[category] + said[category]), 3), "texts": told[category]}
        for category in CATEGORIES
        if told[category]
    }
    return {
        "macro_f1": _mean(row["f1"] for row in by_category.values() if row["texts"] >= TEXTS_LEAST),
        "macro_f1_all": _mean(row["f1"] for row in by_category.values()),
        "accuracy": round(right.total() / len(labelled), 3),
        "texts": len(labelled),
        "categories": by_category,
    }


def _mean(values: Any) -> float:
    found = list(values)
    return round(sum(found) / len(found), 3)


def _show(language: str, figures: dict[str, Any]) -> None:
    table = Table("category", "F1", "texts", title=f"{language}: macro-F1 {figures['macro_f1']}", box=None)
    for category, row in figures["categories"].items():
        table.add_row(category, f"{row['f1']:.3f}", str(row["texts"]))
    Console(highlight=False).print(table)


if __name__ == "__main__":
    main()
