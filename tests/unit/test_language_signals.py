"""Urgency, leaving and wishes, in Chinese and English, with what takes them back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from language.signals import TOPICS
from language.understand import understand_asked


@pytest.mark.parametrize(
    ("text", "urgency"),
    [
        ("充电的时候冒烟了，差点着火", 3),
        ("The charger caught fire last night", 3),
        ("喝完上吐下泻，住院了", 3),
        ("没有冒烟，也没有漏电，就是声音大", 0),
        ("Nobody was hurt and it was not on fire, just warm", 0),
        ("再不处理我就打12315投诉", 2),
        ("I will report this to consumer protection", 2),
        ("第三次投诉了，一直没人处理，不处理就起诉", 3),
        ("请尽快处理，孩子明天要用", 1),
        ("I need a replacement by Friday", 1),
        ("打了五次电话还是没人管", 1),
        ("I have called three times and still no answer", 1),
        ("颜色不太喜欢", 0),
        ("The colour is a bit dull", 0),
        ("", 0),
    ],
)
def test_how_urgent_it_is(text: str, urgency: int) -> None:
    assert understand_asked(text).urgency == urgency


@pytest.mark.parametrize(
    ("text", "leaves"),
    [
        ("太失望了，再也不买了", True),
        ("以后不会再来你们家了", True),
        ("这是我第一次也是最后一次在这里购物", True),
        ("I will never buy from you again", True),
        ("We are switching to another shop", True),
        ("Please close it, I'm cancelling my subscription", True),
        ("以后还会再来买的", False),
        ("不会换一家的，一直在这里买", False),
        ("I am not switching to another shop", False),
        ("下次还在这里买", False),
        ("Never had a problem, will buy again", False),
    ],
)
def test_who_leaves_says_so(text: str, leaves: bool) -> None:
    assert understand_asked(text).leaving is leaves


@pytest.mark.parametrize(
    ("text", "wishes"),
    [
        ("希望电池能再大一点", ("battery", "size")),
        ("要是包装结实一点就好了", ("packaging", "quality")),
        ("如果价格再便宜点就更好了", ("price",)),
        ("希望改进，客服回复太慢", ("service",)),
        ("I wish it had a better battery", ("battery",)),
        ("It would be nice if shipping were faster", ("delivery",)),
        ("電池希望能耐用", ("battery", "quality")),
        ("电池很耐用", ()),
        ("希望大家都好", ()),
        ("The battery died after a week", ()),
    ],
)
def test_what_is_wished_for(text: str, wishes: tuple[str, ...]) -> None:
    assert understand_asked(text).wishes == wishes


@given(st.text(max_size=400))
def test_any_text_has_an_answer_out_of_a_closed_list(text: str) -> None:
    meaning = understand_asked(text)
    assert meaning.urgency in (0, 1, 2, 3)
    assert set(meaning.wishes) <= set(TOPICS)
    assert understand_asked.__wrapped__(text) == meaning
