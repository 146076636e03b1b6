"""The texts of the two review files, and what is labelled of them. The half `test` is only ever handed to who measures."""

from __future__ import annotations

import csv
import gzip
import hashlib
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent


class Labelled(NamedTuple):
    """A text and its category."""

    text: str
    category: str


def read(zh: Path | None, en: Path | None) -> dict[str, str]:
    """Text by id (GUIDE.md)."""
    texts: dict[str, str] = {}
    if zh is not None:
        with gzip.open(zh, "rt", encoding="utf-8", newline="") as file:
            texts |= {f"zh{number}": row["text"] for number, row in enumerate(csv.DictReader(file))}
    if en is not None:
        with gzip.open(en, "rt", encoding="utf-8", newline="\n") as file:
            texts |= {f"en{id}": text for id, _, text in (line.rstrip("\n").split("\t") for line in file)}
    return texts


def half(name: str, language: str, texts: dict[str, str]) -> list[Labelled]:
    """The frozen labels of one half. Raises ValueError for a text that is not the one that was labelled."""
    found = []
    for row in _rows("labels.csv"):
        if row["half"] == name and row["lang"] == language:
            text = texts[row["id"]]
            if not _sha256(text).startswith(row["sha256"]):
                raise ValueError(f"{row['id']}: another text than the one that was labelled; take the file that GUIDE.md names")
            found.append(Labelled(text, row["label"]))
    return found


def training(language: str, texts: dict[str, str]) -> list[Labelled]:
    """What is learned from besides the half `dev`: further reviews, labelled once, and sentences written for it.

    Raises ValueError if any of them were of the half `test`.
    """
    frozen = [row for row in _rows("labels.csv") if row["half"] == "test"]
    ids, hashes = {row["id"] for row in frozen}, {row["sha256"] for row in frozen}
    rows = [row for row in _rows("training.csv") if row["id"].startswith(language)]
    found = [Labelled(texts[row["id"]], row["label"]) for row in rows]
    if any(row["id"] in ids for row in rows) or any(_sha256(each.text)[:12] in hashes for each in found):
        raise ValueError("training.csv names a text of the half `test`")
    if language == "en":
        lines = (HERE / "written.tsv").read_text("utf-8").splitlines()
        found += [Labelled(text, category) for category, text in (line.split("\t") for line in lines)]
    return found


def unlabelled(language: str, texts: dict[str, str]) -> list[str]:
    """The texts of a language but for those of the half `test`."""
    frozen = {texts[row["id"]] for row in _rows("labels.csv") if row["half"] == "test" and row["lang"] == language}
    return [text for id, text in texts.items() if id.startswith(language) and text not in frozen]


def _rows(name: str) -> list[dict[str, str]]:
    with (HERE / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
