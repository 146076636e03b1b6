"""Who the customer is: what systems tell, in whatever words, and what is only inferred."""

from __future__ import annotations

from typing import Any

import pytest

from portrait.dimensions.person import DIMENSION, Person
from schemas.event import Event
from schemas.profile import Trait
from tests.corekit import at, concluded, event


def crm(day: float, system: str = "crm", **attributes: str) -> Event:
    return event("attributes.changed", day, attributes=attributes, system=system)


def person(*events: Event, day: float = 10) -> Person:
    view = concluded(DIMENSION, *events, day=day)
    assert isinstance(view, Person)
    return view


def told(value: str) -> Trait:
    return Trait(value=value, sure=1.0)


def look(day: float, **data: Any) -> Event:
    return event("item.viewed", day, sku=f"S{day}", **data)


@pytest.mark.parametrize(
    ("name", "value", "member", "expected"),
    [
        ("gender", "M", "gender", "male"),
        ("性别", "女", "gender", "female"),
        ("Sex", "Female ", "gender", "female"),
        ("birth_year", "1990", "age", "25-34"),  # day 0 is 2024-10-04
        ("生日", "１９９９年１０月５日", "age", "25-34"),
        ("birthday", "2006-10-20", "age", "0-17"),
        ("dob", "19581231", "age", "65+"),
        ("年龄", "42岁", "age", "35-44"),
        ("city", "上海", "region", "上海"),
        ("省份", "广东省", "region", "广东"),
        ("job", "nurse", "occupation", "nurse"),
        ("收入", "中等", "income", "middle"),
        ("income", "20k-30k", "income", "20k-30k"),
        ("学历", "硕士研究生", "education", "master"),
        ("education", "Bachelor", "education", "bachelor"),
        ("children", "2", "family", "children"),
        ("孩子", "两个", "life_stage", "parent"),
        ("婚姻", "已婚", "family", "couple"),
        ("marital_status", "single", "family", "single"),
        ("婚姻状况", "新婚", "life_stage", "newly_married"),
        ("职业", "退休", "life_stage", "retired"),
        ("occupation", "student", "life_stage", "student"),
        ("life_stage", "first job", "life_stage", "first_job"),
    ],
)
def test_attributes_are_read_in_both_languages(name: str, value: str, member: str, expected: str) -> None:
    assert getattr(person(crm(0, **{name: value}), day=1), member) == told(expected)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("gender", "unknown"),
        ("性别", "保密"),
        ("age", "200"),
        ("birthday", "1990-13-40"),
        ("birth_year", "soon"),
        ("name", "王芳"),
    ],
)
def test_what_can_not_be_read_is_not_said(name: str, value: str) -> None:
    assert concluded(DIMENSION, crm(0, **{name: value}), day=1) is None


def test_nobody_says_anything_about_who_only_clicks() -> None:
    assert concluded(DIMENSION, look(0), look(1), day=2) is None


def test_the_customers_own_correction_wins_and_says_so() -> None:
    view = person(crm(0, gender="男", city="北京"), crm(5, "self", 性别="女"), crm(6, gender="男"))
    assert view.gender == told("female")
    assert view.region == told("北京")
    assert [(each.by, each.since_ms, each.what) for each in view.told_by] == [
        ("self", at(5), ["gender"]),
        ("crm", at(0), ["region"]),
    ]


def test_who_is_trusted_more_is_believed_and_of_their_words_the_latest() -> None:
    assert person(crm(0, gender="F"), crm(5, "会员中心", 性别="男")).gender == told("female")
    assert person(crm(0, "partner:x", age="30"), crm(1, "checkout", birthday="1960")).age == told("55-64")
    assert person(crm(0, gender="F"), crm(2, gender="M")).gender == told("male")


def test_what_is_taken_back_or_unreadable_leaves_what_others_said() -> None:
    assert person(crm(0, gender="M"), crm(3, "shop", sex="?")).gender == told("male")
    assert concluded(DIMENSION, crm(0, gender="M"), crm(3, gender=""), day=4) is None


def test_the_age_band_follows_the_calendar() -> None:
    birthday = crm(0, birthday="1999-10-14")  # day 10
    assert person(birthday, day=9).age == told("18-24")
    assert person(birthday, day=10).age == told("25-34")
    assert person(crm(0, age="25"), day=0).age == told("25-34")
    assert person(crm(0, age="24"), day=300).age == told("18-24")
    assert person(crm(0, age="24"), day=400).age == told("25-34")


def test_a_region_that_is_only_seen_is_inferred_and_one_that_is_told_wins() -> None:
    seen = [look(day, region="杭州") for day in range(7)]
    assert person(*seen).region == Trait(value="杭州", sure=0.7, of=5)
    assert person(*seen, crm(8, city="上海")).region == told("上海")


def test_a_parent_shows_by_what_is_bought_or_looked_at() -> None:
    line = {"sku": "A", "quantity": 1, "unit_price_minor": 100, "category": "母婴用品"}
    bought = event("order.placed", 1, order_id="O", currency="CNY", amount_minor=200, lines=[line, line | {"sku": "B"}])
    view = person(bought)
    assert (view.life_stage, view.family) == (Trait(value="parent", sure=0.4, of=2), Trait(value="children", sure=0.4, of=2))
    looks = [look(day, category="Baby Toys") for day in range(6)]
    assert person(*looks).life_stage == Trait(value="parent", sure=0.65, of=5)
    assert concluded(DIMENSION, *looks[:4], day=9) is None
    assert person(*looks, crm(8, life_stage="retired")).life_stage == told("retired")


@pytest.mark.parametrize(
    "said",
    [
        {"children": "0"},
        {"孩子": "无", "婚姻": "单身"},
        {"birthday": "2015-03-01"},
        {"age": "16", "occupation": "student"},
    ],
)
def test_who_is_told_to_have_no_children_or_is_a_child_is_no_parent_whatever_they_look_at(said: dict[str, str]) -> None:
    looks = [look(day, category="Baby Toys") for day in range(9)]
    assert person(*looks).family == Trait(value="children", sure=0.75, of=5)
    view = person(*looks, crm(3, gender="F", **said))
    assert view.family is None or view.family == told("single")
    assert view.life_stage is None or view.life_stage == told("student")


def test_a_student_shows_by_where_they_are() -> None:
    seen = [look(day, place="campus") for day in range(3)]
    assert person(*seen).life_stage == Trait(value="student", sure=0.5, of=2)
    assert concluded(DIMENSION, *seen[:2], day=9) is None


def test_age_hints_at_the_stage_of_life_and_is_not_sure_of_it() -> None:
    assert person(crm(0, age="70")).life_stage == Trait(value="retired", sure=0.25, of=1)
    assert person(crm(0, age="23", job="clerk")).life_stage == Trait(value="first_job", sure=0.25, of=1)
    assert person(crm(0, age="23")).life_stage is None
    assert person(crm(0, age="40", job="clerk")).life_stage is None
