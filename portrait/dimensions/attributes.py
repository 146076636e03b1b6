"""Attributes as CRM systems name and fill them, in English and Chinese: what they mean, and one form for each value.

What can't be read (an age of 200, a sex of "unknown") is None, and counts as not said.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import lru_cache
from re import compile as pattern
from unicodedata import normalize

#: Texts whose reading is remembered: vocabularies are small, and the same few come with every customer.
REMEMBERED = 4096
VALUE_LENGTH_MAX = 48
#: Ages at which a band begins, and what it is called.
AGE_BANDS = ((0, "0-17"), (18, "18-24"), (25, "25-34"), (35, "35-44"), (45, "45-54"), (55, "55-64"), (65, "65+"))
AGE_MAX = 120

#: Meaning: the names that attributes of it go by, in small letters.
_NAMES = {
    "age": "age 年龄",
    "born": "birthday birth_date birthdate date_of_birth dob birth_year year_of_birth 生日 出生日期 出生年月 出生年份 出生年",
    "gender": "gender sex 性别",
    "city": "city town region district location 城市 所在城市 地区 所在地 居住地 常住地",
    "province": "province state county 省 省份 所在省份",
    "occupation": "occupation job profession job_title 职业 工作 职位",
    "income": "income income_band income_level salary 收入 收入水平 收入等级 月收入 年收入 薪资",
    "education": "education education_level degree 学历 教育程度 教育 文化程度",
    "children": "children kids number_of_children has_children 孩子 子女 子女数 子女数量 有无子女 孩子数量",
    "marriage": "marital marital_status married marriage 婚姻 婚姻状况 婚否 婚姻状态",
    "life_stage": "life_stage lifestage stage_of_life 人生阶段 生命阶段",
}
_MEANING = {name: meaning for meaning, names in _NAMES.items() for name in names.split()}

#: Meaning: our word, and the words that stand for it.
_WORDS = {
    "gender": {
        "male": "male m man 男 男性 男士 先生",
        "female": "female f woman 女 女性 女士 小姐",
        "other": "other nonbinary 其他",
    },
    "income": {
        "low": "low 低 较低 低收入",
        "middle": "middle medium average mid 中 中等 一般 中等收入",
        "high": "high 高 较高 高收入",
    },
    "education": {
        "school": "school primary secondary highschool 小学 初中 高中 中专 职高 中学",
        "college": "college associate vocational 大专 专科 高职",
        "bachelor": "bachelor bachelors undergraduate university 本科 学士 大学 大学本科",
        "master": "master masters graduate postgraduate 硕士 研究生 硕士研究生",
        "doctor": "doctor doctorate phd 博士 博士研究生",
    },
    "children": {"yes": "yes true y 有 是 一个 两个 三个 一孩 二孩 三孩 已育", "no": "no none false n 0 无 没有 否 未育"},
    "marriage": {
        "married": "married yes true y 1 已婚 是",
        "newly": "newlywed newlymarried justmarried 新婚",
        "single": "single unmarried divorced widowed no false n 0 未婚 单身 离异 丧偶 否",
    },
    "life_stage": {
        "student": "student 学生 在校学生 大学生",
        "first_job": "firstjob graduate newgraduate youngprofessional 初入职场 职场新人 应届毕业生 应届生",
        "newly_married": "newlymarried newlywed newlyweds 新婚",
        "parent": "parent parents mother father newparent 父母 宝妈 宝爸 为人父母 有孩家庭 育儿",
        "retired": "retired retirement 退休",
    },
    "work": {
        "student": "student pupil 学生 在校学生 大学生 研究生",
        "first_job": "intern trainee apprentice 实习生 应届生 应届毕业生 管培生",
        "retired": "retired retiree pensioner 退休 已退休 退休人员 离休",
    },
}
_WORD = {meaning: {word: ours for ours, words in table.items() for word in words.split()} for meaning, table in _WORDS.items()}
#: Of these a word that we don't know is a value all the same.
_OPEN = frozenset(("city", "province", "occupation", "income", "education"))
_NOTHING_SAID = frozenset(
    ("unknown", "n/a", "na", "none", "null", "undefined", "secret", "-", "?", "未知", "不详", "保密", "无", "其它")
)

_BORN = pattern(r"((?:19|20)\d\d)(?:\D{0,2}(\d{1,2})(?:\D(\d{1,2})\D?|(\d\d)?)?)?$")
_AGE = pattern(r"(\d{1,3})\s*(?:岁|周岁|years?(?: old)?|y)?$")
_COUNT = pattern(r"([1-9]\d?)\s*(?:个|孩|children|child|kids?)?$")


@lru_cache(REMEMBERED)
def meaning_of(name: str) -> str | None:
    """What an attribute of this name is about: a key of the table above. None: nothing that makes a person."""
    return _MEANING.get(normalize("NFKC", name).strip().casefold().replace(" ", "_").replace("-", "_"))


@lru_cache(REMEMBERED)
def value_of(meaning: str, text: str) -> str | None:
    """The value in our words: the date of a birth as YYYYMMDD, yes or no for children, ...; None if nothing is said by it."""
    text = normalize("NFKC", text).strip()
    plain = text.casefold().replace(" ", "").replace("_", "").replace("-", "").replace("'", "")
    if not plain or plain in _NOTHING_SAID:
        return "no" if meaning == "children" and plain in ("无", "none") else None
    if meaning == "age":
        found = _AGE.match(text.casefold())
        return found[1] if found and int(found[1]) <= AGE_MAX else None
    if meaning == "born":
        return _birth(text)
    ours = _WORD[meaning].get(plain) if meaning in _WORD else None
    if ours is None and meaning == "children" and _COUNT.match(text.casefold()):
        return "yes"
    return ours or (text[:VALUE_LENGTH_MAX] if meaning in _OPEN else None)


def _birth(text: str) -> str | None:
    found = _BORN.match(text.rstrip("日号年"))
    if found is None:
        return None
    year, month, day = int(found[1]), int(found[2] or 1), int(found[3] or found[4] or 1)
    try:
        return f"{date(year, month, day):%Y%m%d}"
    except ValueError:
        return None


@lru_cache(REMEMBERED)
def born_of_age(age: str, ms: int) -> str:
    """YYYYMMDD: the latest day on which somebody of that age was born."""
    told = datetime.fromtimestamp(ms / 1000, UTC)
    return f"{told.year - int(age):04}{told:%m%d}"


def stage_of_work(occupation: str) -> str | None:
    """The stage of life that an occupation says."""
    return _WORD["work"].get(occupation.casefold())


def band_of(years: int) -> tuple[str, int] | None:
    """The band of an age, and the age at which it ends. None for an age that nobody has."""
    if not 0 <= years <= AGE_MAX:
        return None
    name, ends = "", AGE_MAX + 1
    for begins, band in AGE_BANDS:
        if years < begins:
            ends = begins
            break
        name = band
    return name, ends
