"""``python -m bench.sentiment``: the tone of texts as the product tells it, against what people said of them, beside SnowNLP
(Chinese) or VADER (English) on the same texts. The last line is JSON. See docs/language.md."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import msgspec
import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.stats import pearsonr
from sklearn.metrics import roc_auc_score

from bench.sentiment_data import chinese_rows, english_rows
from language.understand import understand

#: Shorter texts say nothing of the time that 100 characters take.
LEAST_CHARS = 20
SEED = 1
SHOWN = {
    "accuracy": "accuracy",
    "auc": "AUC",
    "r": "r",
    "us_per_text": "us a text",
    "us_per_100_chars": "us per 100 characters",
    "us_per_100_chars_p95": "95 %",
}
#: A score of a text, and from which one on it is positive.
Judge = tuple[Callable[[str], float], float]


def main() -> None:
    given = _arguments(sys.argv[1:])
    console = Console(stderr=True, highlight=False)
    if given.learning:
        from bench.sentiment_learning import learning

        print(msgspec.json.encode(learning(given.file, console)).decode())
        return
    try:
        texts, real = _read(given)
    except (OSError, ValueError) as error:
        console.print(f"{given.file} can't be read: {error}")
        sys.exit(2)
    figures = {"lang": given.lang, "texts": len(texts), **measure((_product, 0.0), texts, real)}
    if not given.no_peers:
        chosen = _sample(len(texts), given.peer_texts)
        name, judge = _snownlp() if given.lang == "zh" else _vader()
        figures["peers"] = {name: {"texts": len(chosen), **measure(judge, [texts[i] for i in chosen], real[chosen])}}
    _print(console, figures)
    print(msgspec.json.encode(figures).decode())


def _arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.sentiment", description=__doc__)
    parser.add_argument("--lang", choices=["zh", "en"], required=True)
    parser.add_argument(
        "--file", type=Path, required=True, help="zh: CSV of category, positive, text; en: id, rating, text with tabs"
    )
    parser.add_argument("--no-peers", action="store_true", help="only the product")
    parser.add_argument(
        "--peer-texts", type=int, metavar="N", help="let the peer read a sample: SnowNLP takes milliseconds a text"
    )
    parser.add_argument(
        "--learning", action="store_true", help="zh: how much better it gets by the ratings of a trade that it has not seen"
    )
    parsed = parser.parse_args(arguments)
    if parsed.learning and parsed.lang != "zh":
        parser.error("--learning needs the categories of --lang zh")
    return parsed


def _read(given: argparse.Namespace) -> tuple[list[str], np.ndarray]:
    """Texts, and 0 or 1 (zh) or a rating around 0 (en)."""
    rows: list[tuple[str, Any, str]] = list(chinese_rows(given.file) if given.lang == "zh" else english_rows(given.file))
    if len(rows) < 2:
        raise ValueError("it holds fewer than two texts")
    return [text for _, _, text in rows], np.array([real for _, real, _ in rows], dtype=float)


def _sample(n: int, at_most: int | None) -> np.ndarray:
    if at_most is None or at_most >= n:
        return np.arange(n)
    return np.sort(np.random.default_rng(SEED).choice(n, at_most, replace=False))


def _product(text: str) -> float:
    return understand.__wrapped__(text).tone  # as a worker calls it, but nothing remembered


def _snownlp() -> tuple[str, Judge]:
    from snownlp import SnowNLP

    return "snownlp", (lambda text: float(SnowNLP(text).sentiments) if text.strip() else 0.5, 0.5)


def _vader() -> tuple[str, Judge]:
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    analyzer = SentimentIntensityAnalyzer()
    return "vader", (lambda text: float(analyzer.polarity_scores(text)["compound"]), 0.0)


def measure(judge: Judge, texts: Sequence[str], real: np.ndarray) -> dict[str, Any]:
    """How good the scores are, and what they cost. ``real`` above 0 is positive; a rating of 0 is in neither class."""
    score, threshold = judge
    told, us = np.zeros(len(texts)), np.zeros(len(texts))
    score(texts[0])  # what is loaded at the first call
    for i, text in enumerate(texts):
        begun = perf_counter_ns()
        told[i] = score(text)
        us[i] = (perf_counter_ns() - begun) / 1000
    classes = (real > 0) if set(np.unique(real)) <= {0.0, 1.0} else np.sign(real)
    clear = classes != 0 if classes.dtype != bool else np.ones(len(real), dtype=bool)
    positive = classes[clear] > 0
    lengths = np.array([len(text) for text in texts])
    long = lengths >= LEAST_CHARS
    per_100 = us[long] / lengths[long] * 100 if long.any() else us
    both = len(np.unique(positive)) == 2
    return {
        "accuracy": round(float(((told[clear] > threshold) == positive).mean()), 4),
        "auc": round(float(roc_auc_score(positive, told[clear])), 4) if both else None,
        "r": round(float(pearsonr(told, real)[0]), 4) if np.ptp(told) and np.ptp(real) else None,
        "us_per_text": round(float(np.median(us)), 1),
        "us_per_100_chars": round(float(np.median(per_100)), 1),
        "us_per_100_chars_p95": round(float(np.percentile(per_100, 95)), 1),
    }


def _print(console: Console, figures: dict[str, Any]) -> None:
    table = Table("", *SHOWN.values())
    for name, row in (("portrait", figures), *figures.get("peers", {}).items()):
        table.add_row(name, *(str(row[key]) for key in SHOWN))
    console.print(table)


if __name__ == "__main__":
    main()
