"""One form for every text, its language, its pieces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from language.text import CHARS_MAX, normalise, pieces
from language.understand import understand


@pytest.mark.parametrize(
    ("text", "read_as"),
    [
        ("ＡＢＣ１２３，好！", "abc123,好!"),
        ("質量太差了，退貨還要自己付郵費", "质量太差了,退货还要自己付邮费"),
        ("  Really\t\nGOOD ", "really good"),
        ("好好好好好好!!!!!!", "好好好!!!"),
        ("Don’t “buy” 「它」", 'don\'t "buy" "它"'),
        ("👍🏽 ❤️ 👩‍👧", "👍 ❤ 👩👧"),
        ("\ufeff\u200b开头", "开头"),
        ("", ""),
    ],
)
def test_one_form(text: str, read_as: str) -> None:
    assert normalise(text) == read_as


def test_a_long_text_is_read_at_both_ends() -> None:
    read = normalise("头" + "中间" * 5000 + "尾")
    assert len(read) <= CHARS_MAX
    assert read[0] == "头" and read[-1] == "尾"


@given(st.text(max_size=3 * CHARS_MAX) | st.text("aAＡßİ!！ 　裏好👍\ud800\x00", max_size=200))
def test_any_text_has_one_form(text: str) -> None:
    once = normalise(text)
    assert len(once) <= CHARS_MAX
    assert normalise(once) == once
    assert "".join(pieces(once)) == once.replace(" ", "") or any(char.isspace() for char in once.replace(" ", ""))
    assert understand(text).language in ("zh", "en", "mixed", "")


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("房间很小，但是前台服务态度很好", "zh"),
        ("iPhone 的屏幕很清楚, 值得买", "zh"),
        ("房間很小", "zh"),
        ("Great phone, battery lasts two days", "en"),
        ("great", "en"),
        ("快递 so slow, 客服 attitude 也 bad, never again", "mixed"),
        ("Этот телефон очень хороший", ""),
        ("la calidad es muy mala y el envio tarde", ""),
        ("Très déçu par la qualité", ""),
        ("とても良い商品でした", ""),
        ("👍👍👍", ""),
        ("12345", ""),
        ("", ""),
    ],
)
def test_language(text: str, language: str) -> None:
    assert understand(text).language == language


def test_pieces() -> None:
    assert pieces("don't buy, 质量差 5.5 👍") == ["don't", "buy", ",", "质量差", "5.5", "👍"]
