"""Texts with a judgement: shop reviews in Chinese, sentences of reviews in English."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import IO


def _open(path: Path) -> IO[str]:
    """Raises OSError if it is not there."""
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", newline="")
    return path.open(encoding="utf-8", newline="")


def chinese_rows(path: Path) -> Iterator[tuple[str, int, str]]:
    """(category, positive, text) of a CSV with these columns. Raises ValueError, naming the line, for anything else."""
    with _open(path) as file:
        reader = csv.DictReader(file)
        for row in reader:
            try:
                yield row["category"], int(row["positive"]), row["text"]
            except (KeyError, TypeError, ValueError) as error:
                raise ValueError(f"{path}, line {reader.line_num}: columns are category, positive (0 or 1), text") from error


def english_rows(path: Path) -> Iterator[tuple[str, float, str]]:
    """(id, rating, text) of lines with tabs, without a header. Raises ValueError, naming the line, for anything else."""
    with _open(path) as file:
        for number, line in enumerate(file, 1):
            try:
                name, rating, text = line.rstrip("\r\n").split("\t", 2)
                yield name, float(rating), text
            except ValueError as error:
                if number == 1 and line.startswith("id\t"):
                    continue  # a header
                raise ValueError(f"{path}, line {number}: id, rating and text, with tabs between") from error
