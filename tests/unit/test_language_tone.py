"""How texts sound, in the ways that people write: negation, slang, emoji, traditional characters, two languages in one text."""

from __future__ import annotations

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from language.grams import chinese_grams, english_grams
from language.text import CHARS_MAX
from language.understand import understand
from language.weights import Weights, pack, unpack

CLEAR = 20

PLEASED = [
    "房间干净，前台服务态度很好，下次还会来",
    "質量很好，物流很快，值得購買",
    "東西不錯，非常滿意",
    "性价比很高，五星好评！",
    "这个洗发水绝绝子，姐妹们可以冲",
    "客服小姐姐 yyds",
    "不贵，而且很好用",
    "没让我失望，很喜欢",
    "👍👍👍",
    "太好用了😍",
    "质量很好，really great, love it",
    "Great phone, love the battery, works perfectly",
    "I would highly recommend this camera",
    "not bad at all, really nice",
    "excellent quality 👍",
    "ＶＥＲＹ ＧＯＯＤ，ｌｏｖｅ　ｉｔ",
]
DISPLEASED = [
    "房间又脏又吵，服务态度恶劣，再也不会来了",
    "質量太差了，用了兩天就壞了，要求退貨",
    "客服態度很差，非常失望",
    "不好用，不值这个价，不推荐购买",
    "一点都不好，后悔买了",
    "踩雷了，智商税，大家避雷",
    "客服装死，售后踢皮球，真的无语",
    "垃圾 rubbish，emo 了",
    "😡😡 气死我了",
    "👎",
    "快递 so slow, 客服态度也很差, terrible, never again",
    "Terrible product, it broke after two days and support is useless",
    "I do not recommend this, it does not work",
    "not good, very disappointed",
    "waste of money 😡",
]


@pytest.mark.parametrize("text", PLEASED)
def test_pleased(text: str) -> None:
    assert understand(text).tone >= CLEAR


@pytest.mark.parametrize("text", DISPLEASED)
def test_displeased(text: str) -> None:
    assert understand(text).tone <= -CLEAR


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("很好用", "不好用"),
        ("喜欢", "不喜欢"),
        ("满意", "不满意"),
        ("推荐", "不推荐"),
        ("works well", "does not work well"),
        ("i am happy", "i am not happy"),
        ("the food is good", "the food is good 😡"),
        ("it came today :)", "it came today :("),
    ],
)
def test_negation_and_signs_turn_a_tone(one: str, other: str) -> None:
    assert understand(one).tone > understand(other).tone


@pytest.mark.parametrize("text", ["请问你们几点开门", "The parcel is in my office", "I bought two of them"])
def test_neither(text: str) -> None:
    assert abs(understand(text).tone) < 60, "not clear-cut"


@pytest.mark.parametrize("text", ["", "   ", "12345", "Этот телефон очень хороший", "とても良い商品でした", "1/2/2024"])
def test_nothing_understood_has_no_tone(text: str) -> None:
    assert understand(text).tone == 0


def test_script_and_width_make_no_difference() -> None:
    assert understand("質量太差，退貨！").tone == understand("质量太差,退货!").tone
    assert understand("ＧＯＯＤ").tone == understand("good").tone


@given(st.text(max_size=400) | st.text("好不很差坏!😡 goodntbadver", max_size=400))
def test_any_text_has_a_tone_in_range(text: str) -> None:
    meaning = understand(text)
    assert isinstance(meaning.tone, int) and -100 <= meaning.tone <= 100
    assert meaning == understand.__wrapped__(text)


@pytest.mark.parametrize("char", ["好", "a", "不 ", "\U0001f621", "\U0001d400 ", "a b "])
def test_time_is_bounded(char: str) -> None:
    begun = process_time()
    understand.__wrapped__(char * (10_000 // len(char)))  # the longest that a contract lets in
    assert process_time() - begun < 0.2, f"{CHARS_MAX} characters at the most are read: some milliseconds"


def test_grams() -> None:
    assert chinese_grams("不好 ok") >= {"不", "不好", "好 ", "_ok"}
    assert english_grams("not very good, ok") >= {"not", "~very", "~good", "ok", "not ~very"}


def test_a_model_that_is_not_whole_is_refused() -> None:
    packed = pack(Weights("1", 0.25, {"好": 127, "不好": -127}))
    assert unpack(packed) == Weights("1", 0.25, {"好": 127, "不好": -127})
    with pytest.raises(ValueError, match="not as it was shipped"):
        unpack(packed[:-1] + bytes([packed[-1] ^ 1]))
