"""The benchmark of tones: files are read, or refused by line, figures are what they say, and words by hand fill the gaps."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from bench.sentiment import measure
from bench.sentiment_data import chinese_rows, english_rows
from bench.sentiment_train import pairs, quantised, with_words


def test_files_are_read_compressed_or_not(tmp_path: Path) -> None:
    (plain := tmp_path / "r.csv").write_text('category,positive,text\n酒店,1,"好,很好"\n', encoding="utf-8")
    with gzip.open(packed := tmp_path / "r.tsv.gz", "wt", encoding="utf-8") as file:
        file.write("1_1\t-0.5\tnot good\n")
    assert list(chinese_rows(plain)) == [("酒店", 1, "好,很好")]
    assert list(english_rows(packed)) == [("1_1", -0.5, "not good")]


def test_what_is_not_such_a_file_is_refused_by_line(tmp_path: Path) -> None:
    path = tmp_path / "odd"
    path.write_text("category,positive,text\n酒店,1,好\n酒店,yes,好\n", encoding="utf-8")
    with pytest.raises(ValueError, match="line 3"):
        list(chinese_rows(path))
    with pytest.raises(ValueError, match="line 1"):
        list(english_rows(path))


def test_figures() -> None:
    texts, real = ["a" * 40, "b" * 40, "c" * 40, "d" * 40], np.array([1.0, 0.0, 1.0, 0.0])
    scores = {"a": 3.0, "b": -2.0, "c": 1.0, "d": 0.5}
    found = measure((lambda text: scores[text[0]], 0.0), texts, real)
    assert (found["accuracy"], found["auc"]) == (0.75, 1.0)
    assert found["r"] == pytest.approx(np.corrcoef(list(scores.values()), real)[0, 1], abs=1e-4)
    rated = measure((lambda text: scores[text[0]], 0.0), texts, np.array([2.5, -1.0, 0.0, -0.5]))
    assert (rated["accuracy"], rated["auc"]) == (0.6667, 1.0), "a rating of 0 is in neither class"


def test_words_by_hand_fill_what_reviews_leave_open() -> None:
    assert with_words({"好": 9.0, "踩雷": -0.1}, {"好": 1, "踩雷": -2}) == {"好": 9.0, "踩雷": -5.0}
    assert pairs([("智商税", -2), ("给力", 2)], {"智商": 3.0}) == {"商税": -2.0, "给力": 2}
    weights = quantised({"好": 2.0, "差": -1.0, "的": 0.001})
    assert weights.by_gram == {"好": 127, "差": -64} and weights.scale == pytest.approx(2 / 127, rel=0.01)
