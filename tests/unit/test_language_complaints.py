"""What a complaint is about. How often it is told rightly: `python -m bench.complaints`."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from language.complaints import CATEGORIES, blamed, concepts, goods
from language.text import normalise
from language.understand import SURE_LEAST, understand_complaint


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("用了两天就坏了，开不了机", "quality"),
        ("穿了一次就开线了，质量太差", "quality"),
        ("系统太卡，反应迟钝，不支持蓝牙", "function"),
        ("发错货了，颜色和图片完全不一样", "mismatch"),
        ("是假货，和专柜的味道不一样", "mismatch"),
        ("快递太慢，等了十天还没收到", "delivery"),
        ("客服态度很差，退款一直不处理", "service"),
        ("刚买两天就降价一百，太贵了", "price"),
        ("房间很小，隔音太差，吵得睡不着", "environment"),
        ("內容空洞，看不下去，沒什麼意思", "content"),
        ("垃圾，差评", "other"),
        ("It stopped working after two weeks", "quality"),
        ("The software is confusing and the menu is slow", "function"),
        ("Customer service never answered my e-mails and the phone is always busy", "service"),
        ("My parcel still has not arrived, the courier lost it", "delivery"),
        ("Way overpriced, not worth the money", "price"),
        ("Our room was dirty, there were cockroaches and the walls are thin", "environment"),
        ("They sent the wrong colour, and two parts are missing from the box", "mismatch"),
        ("A boring novel with flat characters and a dull plot", "content"),
        ("The receptionist was rude and they refuse to refund me", "service"),
        ("Do not buy this", "other"),
    ],
)
def test_the_category_is_told(text: str, category: str) -> None:
    found = understand_complaint(text)
    assert found is not None
    assert found.category == category


def test_what_is_praised_or_denied_is_not_what_is_complained_of() -> None:
    said = list(concepts(normalise("物流很快，包装没有破损，但是屏幕有坏点"), "zh"))
    assert "+courier" in said and "courier" not in said
    assert "!crushed" in said and "crushed" not in said
    assert "unclear" in said
    said = list(concepts("it is not broken but too slow", "en"))
    assert "!broke" in said and "broke" not in said


def test_how_a_text_speaks_is_not_what_it_names_first() -> None:
    said = list(concepts("why does it break?", "en"))
    assert "asks" in said and "^broke" in said
    assert not {"^asks", "^2asks", "^brief", "^2brief"} & set(said)


def test_a_concept_is_known_behind_the_kind_of_goods_too() -> None:
    assert goods("苹果太小了") == "fruit"
    assert goods("房间太小了，酒店一般") == "hotel"
    assert goods("太小了") == ""
    assert "fruit:tiny" in set(concepts("苹果太小了", "zh"))


def test_praise_is_left_out_unless_nothing_else_is_said() -> None:
    assert blamed("物流很快,屏幕有坏点") == "屏幕有坏点"
    assert blamed("物流很快") == "物流很快"


def test_who_cannot_tell_says_other_or_nothing() -> None:
    assert understand_complaint("") is None
    assert understand_complaint("Это ужасно, совсем не работает и никто не отвечает") is None
    unsure = understand_complaint("嗯")
    assert unsure is not None
    assert unsure.category == "other" or unsure.sure >= SURE_LEAST


@given(st.text(max_size=300))
def test_any_text_has_a_category_of_ours_and_a_probability(text: str) -> None:
    found = understand_complaint(text)
    assert found is None or (found.category in CATEGORIES and 0 < found.sure <= 1)


def test_it_is_the_same_in_every_process() -> None:
    """Sets of strings come in another order in each."""
    code = "from language.understand import understand_complaint as u; print(u('快递太慢，客服不理人，退款也不给'))"
    told = set()
    for seed in ("1", "2", "3"):
        environ = {"PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"}
        told.add(subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, check=True).stdout)
    assert len(told) == 1
