"""A text in the one form that all analyses read: its width, case and script unified, its language told, its pieces cut.

Everything here is a function of the text alone: no dictionary of the system, no locale, no randomness.
"""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Literal

Language = Literal["zh", "en", "mixed", ""]

#: A longer text is read at its beginning and its end, where reviews say what they come to; so time is bounded.
CHARS_MAX = 2000

#: Below and above these shares of English words a text is Chinese, or English, and names in the other script don't matter.
CHINESE, ENGLISH = 0.2, 0.8
#: A Latin text of so many words without one of COMMON is in some other language.
FOREIGN_WORDS = 8
_COMMON = """
    a an and are as at be been but by can did do does for from good had has have he her his i if in is it its just like me
    more my no not of off on one only or our out so than that the their them there they this to too up very was we were what
    when which will with would you your don't it's i'm
"""
COMMON = frozenset(_COMMON.split())


def _table() -> dict[int, str | None]:
    """Code point -> what it is read as."""
    table: dict[int, str | None] = {0xFEE0 + code: chr(code) for code in range(0x21, 0x7F)}  # full width
    pairs = files("language").joinpath("traditional.txt").read_text("utf-8").split()
    table |= {ord(pair[0]): pair[1] for pair in pairs}
    table |= dict.fromkeys((*range(0x20), 0x7F, 0x85, 0xA0, 0x2028, 0x2029, 0x3000), " ")
    table |= dict.fromkeys((0x2018, 0x2019, 0xFF40, 0xB4, 0x60), "'")
    table |= dict.fromkeys((0x201C, 0x201D, 0x300C, 0x300D, 0x300E, 0x300F), '"')
    # Joiners, marks of direction, and what only tells an emoji's colour or skin.
    table |= dict.fromkeys((*range(0x200B, 0x2010), *range(0xFE00, 0xFE10), *range(0x1F3FB, 0x1F400), 0xFEFF))
    return table


_TABLE = _table()
#: Marks that stand in most Chinese texts: replaced one by one, which takes a fifth of the time of a table; the rest is rare.
_MARKS = tuple((mark, _TABLE.pop(ord(mark)) or "") for mark in "，！？：；（）")
_RARE = re.compile(f"[{re.escape(''.join(map(chr, _TABLE)))}]")
_RUN, _FOUR = re.compile(r"(.)\1{3,}"), re.compile(r"(.)(?=\1\1\1)")
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+")
_KANA = re.compile("[\u3041-\u30fa]+")
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?")
_PIECE = re.compile(r"[a-z0-9]+(?:['.-][a-z0-9]+)*|[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+|[^\W_]+|[^\w\s]|_")


def normalise(text: str) -> str:
    """Small letters, half width, simplified characters, single blanks, no character more than three times in a row; emoji stay.

    At most CHARS_MAX characters. What is normalised stays as it is when it is normalised again.
    """
    if len(text) > CHARS_MAX:
        text = f"{text[: CHARS_MAX // 2]} {text[1 - CHARS_MAX // 2 :]}"
    text = text.lower()
    if not text.isascii():
        for mark, plain in _MARKS:
            text = text.replace(mark, plain)
    if _RARE.search(text):
        text = text.translate(_TABLE)
    text = " ".join(text.split())
    if _FOUR.search(text):  # looking is half of the work
        text = _RUN.sub(r"\1\1\1", text)
    return text[:CHARS_MAX]  # a few capitals are longer in small letters


def language_of(text: str) -> Language:
    """The language of a normalised text; empty where it is none of ours, or nothing is said in words."""
    latin, kana = words(text), _KANA.search(text)
    if not (latin or kana):  # most Chinese texts
        return "zh" if _HAN.search(text) else ""
    han = _length_of(_HAN, text)
    if kana and 5 * _length_of(_KANA, text) > han:
        return ""
    share = len(latin) / (len(latin) + han / 2) if latin else 0.0  # a Chinese word has about two characters
    if share < CHINESE:
        return "zh"
    if not _latin_is_english(text, latin):
        return ""
    return "en" if share > ENGLISH else "mixed"


def _length_of(runs: re.Pattern[str], text: str) -> int:
    return len(text) - len(runs.sub("", text))


def _latin_is_english(text: str, latin: list[str]) -> bool:
    if len(latin) >= FOREIGN_WORDS and COMMON.isdisjoint(latin):
        return False
    letters = sum(map(len, latin))
    others = sum(1 for char in text if "\u00c0" <= char < "\u2000")  # accents, Greek, Cyrillic, Arabic, Thai, ...
    return others * 10 <= letters


def words(text: str) -> list[str]:
    """The words in Latin letters of a normalised text."""
    return _WORD.findall(text)


def pieces(text: str) -> list[str]:
    """A normalised text cut into English words and numbers, runs of Chinese characters, and single signs and emoji."""
    return _PIECE.findall(text)
