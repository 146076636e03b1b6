"""Attributes as systems name and fill them, in English and Chinese: what they mean, and one form for each value.

What can't be right (an age of 200, a telephone number of three digits, a sex of "unknown") is None, and counts as not said.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import lru_cache
from re import compile as pattern

from schemas.names import one_line, region, squeezed
from schemas.vocabulary import NOTHING_SAID, table

#: Texts whose reading is remembered: vocabularies are small, and the same few come with every customer.
REMEMBERED = 4096
#: As `schemas.customers.AttributesChanged` has it; of what makes a person so much is kept.
TEXT_LENGTH_MAX, VALUE_LENGTH_MAX = 256, 48
AGE_MAX = 120

#: Our name of an attribute: the names that it goes by, without case, blanks and hyphens as underscores.
_NAMES = table(
    {
        "age": "年龄",
        "birthday": "birth_date,birthdate,date_of_birth,dob,birth_year,year_of_birth,born,生日,出生日期,出生年月,出生年份,出生年",
        "gender": "sex,性别",
        "city": "town,region,district,location,城市,所在城市,地区,所在地,居住地,常住地",
        "province": "state,county,省,省份,所在省份",
        "occupation": "job,profession,job_title,职业,工作,职位",
        "income": "income_band,income_level,salary,收入,收入水平,收入等级,月收入,年收入,薪资",
        "education": "education_level,degree,学历,教育程度,教育,文化程度",
        "children": "kids,number_of_children,has_children,孩子,子女,子女数,子女数量,有无子女,孩子数量",
        "marriage": "marital,marital_status,married,婚姻,婚姻状况,婚否,婚姻状态",
        "life_stage": "lifestage,stage_of_life,人生阶段,生命阶段",
        "phone": "mobile,telephone,tel,phone_number,mobile_number,cellphone,手机,手机号,手机号码,电话,电话号码,联系电话",
        "email": "mail,e_mail,email_address,邮箱,电子邮箱,电子邮件,邮箱地址",
        "language": "lang,locale,preferred_language,语言",
        "name": "full_name,fullname,姓名,客户姓名",
    }
)

#: Those that we know.
ATTRIBUTES = frozenset(_NAMES.values())
#: For attributes of few values: our word, and the words that stand for it.
_WORDS = {
    "gender": table({"male": "m,man,男,男性,男士,先生", "female": "f,woman,女,女性,女士,小姐", "other": "nonbinary,其他"}),
    "income": table({"low": "低,较低,低收入", "middle": "medium,average,mid,中,中等,一般,中等收入", "high": "高,较高,高收入"}),
    "education": table(
        {
            "school": "primary,secondary,highschool,小学,初中,高中,中专,职高,中学",
            "college": "associate,vocational,大专,专科,高职",
            "bachelor": "bachelors,undergraduate,university,本科,学士,大学,大学本科",
            "master": "masters,graduate,postgraduate,硕士,研究生,硕士研究生",
            "doctor": "doctorate,phd,博士,博士研究生",
        }
    ),
    "children": table(
        {"yes": "true,y,有,是,一个,两个,三个,一孩,二孩,三孩,已育", "no": "none,false,n,0,无,没有,否,未育"},
    ),
    "marriage": table(
        {
            "married": "yes,true,y,1,已婚,是",
            "newly": "newlywed,newlymarried,justmarried,新婚",
            "single": "unmarried,divorced,widowed,no,false,n,0,未婚,单身,离异,丧偶,否",
        }
    ),
    "life_stage": table(
        {
            "student": "学生,在校学生,大学生",
            "first_job": "firstjob,graduate,newgraduate,youngprofessional,初入职场,职场新人,应届毕业生,应届生",
            "newly_married": "newlymarried,newlywed,newlyweds,新婚",
            "parent": "parents,mother,father,newparent,父母,宝妈,宝爸,为人父母,有孩家庭,育儿",
            "retired": "retirement,退休",
        }
    ),
    "language": table({"zh": "chinese,mandarin,cn,中文,汉语,普通话", "en": "english,英文,英语"}),
}
#: Of these a word that we don't know is a value all the same.
_OPEN = frozenset(("occupation", "income", "education", "language"))
#: Words that say nothing of a person, beside those that say nothing anywhere.
_NOT_TOLD = NOTHING_SAID | {"na", "none", "secret", "无", "其它", "保密"}

_BORN = pattern(r"((?:19|20)\d\d)(?:\D{0,2}(\d{1,2})(?:\D(\d{1,2})\D?|(\d\d)?)?)?$")
_AGE = pattern(r"(\d{1,3})\s*(?:岁|周岁|years?(?: old)?|y)?$")
_COUNT = pattern(r"([1-9]\d?)\s*(?:个|孩|children|child|kids?)?$")
_EMAIL = pattern(r"[^@\s,;<>]{1,64}@[^@\s,;<>.]+(?:\.[^@\s,;<>.]+)*\.[^@\s,;<>.\d]{2,}$")
#: Of China, without its own prefix: a mobile number, a landline with its area.
_MOBILE, _LANDLINE = pattern(r"1[3-9]\d{9}$"), pattern(r"0[1-9]\d{1,2}[2-8]\d{6,7}$")
_ABROAD = pattern(r"[1-9]\d{6,14}$")  # E.164: at most fifteen digits


@lru_cache(REMEMBERED)
def attribute_of(name: str) -> str:
    """Our name of an attribute; one that is not ours in the same form: without case, underscores for blanks and hyphens."""
    found = one_line(name).replace(" ", "_").replace("-", "_") or name
    return _NAMES.get(found, found)


def value_of(attribute: str, text: str, told_ms: int) -> str | None:
    """The value in our form, as it was told at that time (it may lie in a year to come). None: it says nothing, or can't be."""
    value = read(attribute, text)
    if attribute == "birthday" and value is not None and value > f"{datetime.fromtimestamp(told_ms / 1000, UTC):%Y-%m-%d}":
        return None
    return value


@lru_cache(REMEMBERED)
def read(attribute: str, text: str) -> str | None:
    """The value in our form: a birthday as YYYY, YYYY-MM or YYYY-MM-DD, yes or no for children, +8613800138000, ..."""
    text = one_line(text, TEXT_LENGTH_MAX, fold=False)
    plain = squeezed(text.casefold()).replace("'", "")
    words = _WORDS.get(attribute, {})
    if plain in words or text in words:
        return words.get(plain) or words[text]
    if not plain or text.casefold() in NOTHING_SAID or (attribute in _NAMES and plain in _NOT_TOLD):
        return None
    if attribute in _READ:
        return _READ[attribute](text)
    return None if words and attribute not in _OPEN else text[:VALUE_LENGTH_MAX] if attribute in _OPEN else text


def _age(text: str) -> str | None:
    found = _AGE.match(text.casefold())
    return str(int(found[1])) if found and int(found[1]) <= AGE_MAX else None


def _birthday(text: str) -> str | None:
    found = _BORN.match(text.rstrip("日号月年"))
    if found is None:
        return None
    year, month, day = found[1], found[2], found[3] or found[4]
    try:
        whole = f"{date(int(year), int(month or 1), int(day or 1)):%Y-%m-%d}"
    except ValueError:
        return None
    return whole if day else whole[:7] if month else whole[:4]


def _children(text: str) -> str | None:
    return "yes" if _COUNT.match(text.casefold()) else None


def phone(text: str) -> str | None:
    """E.164, as +8613800138000. Without a country's prefix it is one of China: a mobile number, or a landline with its area."""
    digits = "".join(c for c in text if c not in " -().·/")
    abroad = digits.startswith(("+", "00"))
    digits = digits.removeprefix("+").removeprefix("00") if abroad else digits
    if not (digits.isascii() and digits.isdigit()):
        return None
    if abroad and not digits.startswith("86"):
        return f"+{digits}" if _ABROAD.match(digits) else None
    home = digits.removeprefix("86") if abroad or len(digits) == len("86") + 11 else digits
    if _MOBILE.match(home):
        return f"+86{home}"
    area = f"0{home}" if abroad and not home.startswith("0") else home
    return f"+86{area[1:]}" if _LANDLINE.match(area) else None


def _email(text: str) -> str | None:
    """Without case: hardly any server tells boxes apart by it, and people do not."""
    text = text.casefold()
    return text if _EMAIL.match(text) else None


_READ = {
    "age": _age,
    "birthday": _birthday,
    "children": _children,
    "phone": phone,
    "email": _email,
    "city": region,
    "province": region,
}
