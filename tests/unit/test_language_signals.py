"""Urgency, leaving and wishes, in Chinese and English, with what takes them back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from language.signals import TOPICS, WISHES_MAX
from language.text import CHARS_MAX
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
        ("The charger was smoking on the desk", 3),
        ("She ended up in hospital after the meal", 3),
        ("手机电池爆炸了", 3),
        ("See you in court, my lawyer will call", 2),
        ("你们不处理我就找媒体曝光", 2),
        ("麻烦马上处理", 1),
        ("颜值爆炸，太好看了", 0),
        ("续航炸了，爱了", 0),
        ("续航炸了，结果充电宝也炸了", 3),
        ("asked for a non-smoking room and got it", 0),
        ("the shoe is on fire! love the color", 0),
        ("bought it for my mom in hospital, she loves it", 0),
        ("给住院的妈妈买的，很满意", 0),
        ("多媒体音箱很好用", 0),
        ("相机曝光准确", 0),
        ("tennis court shoes", 0),
        ("马上又买了一双", 0),
        ("客服很好，立刻就处理了", 0),
        ("They replied right away", 0),
        ("买了好几次了，都很好", 0),
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
        ("这个牌子再也不用了", True),
        ("再也不用你们家的东西", True),
        ("最后一次买你们家的东西", True),
        ("Never buying from you again. I'm taking my business to Ace", True),
        ("I'm taking my business to Ace", True),
        ("Never ordering here again", True),
        ("I switched to Ace last month", True),
        ("I will not buy anything else from you", True),
        ("再也不用担心没电了，太棒了！", False),
        ("再也不用跑超市了", False),
        ("以后不去别家买了，就认你们", False),
        ("再也不买别的牌子了", False),
        ("最后一次买是去年，这次又来了", False),
        ("I will never buy anywhere else", False),
        ("I won't shop anywhere else", False),
        ("I switched to this brand and love it", False),
        ("再也不用担心没电了，不过客服太差，再也不买了", True),
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
        ("要是有蓝色就好了", ("colour",)),
        ("希望增加粉色", ("colour",)),
        ("wish it came in blue", ("colour",)),
        ("would be nice if it came in red", ("colour",)),
        ("求补货", ("choice",)),
        ("什么时候补货", ("choice",)),
        ("希望早点降价", ("price",)),
        ("希望不要再降价了", ()),
        ("希望是个特色", ()),
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


class Counted:
    """A topic that is nowhere, and how many characters were looked at for it."""

    def __init__(self) -> None:
        self.chars = 0

    def search(self, text: str, begin: int, end: int) -> None:
        self.chars += end - begin


@pytest.mark.parametrize("text", ["希望" * 5000, "希望," * 5000, "I wish it. " * 1000, "要是,就好" * 1000])
def test_each_clause_is_looked_at_once_however_many_wishes_there_are(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = Counted()
    monkeypatch.setitem(TOPICS, "price", counted)
    assert understand_asked.__wrapped__(text).wishes == ()
    assert 0 < counted.chars <= CHARS_MAX


def test_of_many_wishes_the_first_are_looked_at() -> None:
    before = "希望好, " * (WISHES_MAX - 1)
    assert understand_asked(before + "盼, 好, 盼换电池").wishes == ()
    assert understand_asked(before + "盼换电池").wishes == ("battery",)
