"""What means the same gets one form, what can't be right is left out and told, and the event stays."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import attributes, cleaning, event, examples, names
from schemas.cleaning import LOOKED, PLAIN, REMEMBERED, clean
from schemas.customers import AttributesChanged
from schemas.registry import TYPES
from schemas.social import MentionPosted
from tests.corekit import at, order
from tests.corekit import event as made

NOW_MS = 1_790_000_000_000


@pytest.mark.parametrize("name", ["微信", "WeChat", "weixin", " ＷｅＣｈａｔ ", "Wei-Xin"])
def test_a_channel_has_one_name(name: str) -> None:
    assert made("app.opened", 0, channel=name).data.channel == "wechat"


@pytest.mark.parametrize("name", ["Xiaohongshu", "小红书", "RED", "xhs", "Little Red Book"])
def test_a_platform_has_one_name(name: str) -> None:
    assert made("mention.posted", 0, platform=name).data.platform == "xiaohongshu"


def test_names_in_traditional_characters_mean_the_same() -> None:
    assert made("mention.posted", 0, platform="小紅書").data.platform == "xiaohongshu"
    assert made("contact.sent", 0, message_id="M", channel="簡訊").data.channel == "sms"
    assert made("app.opened", 0, channel="公眾號", device="手機").data.device == "phone"
    assert order(0, payment_method="支付寶").data.payment_method == "alipay"
    refused = [made("consent.changed", 0, purpose=purpose, granted=False).data.purpose for purpose in ("行銷", "營銷")]
    assert refused == ["marketing", "marketing"], "else a refusal would count for nothing"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("上海市", "上海"), ("Shanghai", "上海"), ("广东省", "广东"), ("广东省深圳市", "深圳"), ("浙江 杭州", "杭州"),
        ("新疆维吾尔自治区", "新疆"), ("香港特别行政区", "香港"), ("Xi'an", "西安"), ("津市市", "津市"), ("LONDON", "London"),
        ("new  york", "New York"), ("United Kingdom", "UK"), ("沙市", "沙市"),
    ],
)  # fmt: skip
def test_a_place_has_one_name(given: str, expected: str) -> None:
    assert names.region(given) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("138 0013 8000", "+8613800138000"), ("+86 138-0013-8000", "+8613800138000"), ("008613800138000", "+8613800138000"),
        ("８６１３８００１３８０００", None), ("021-61234567", "+862161234567"), ("+86 021 6123 4567", "+862161234567"),
        ("+44 20 7946 0958", "+442079460958"), ("+1 (415) 555-2671", "+14155552671"), ("110", None), ("12345678901", None),
        ("+861234", None), ("call me", None), ("+0123456789", None), ("١٣٨٠٠١٣٨٠٠٠", None),
    ],
)  # fmt: skip
def test_a_telephone_number_is_e164_or_nothing(given: str, expected: str | None) -> None:
    assert attributes.phone(given) == expected


@pytest.mark.parametrize(
    ("name", "text", "attribute", "value"),
    [
        ("手机号", "１３８ ００１３ ８０００", "phone", "+8613800138000"),
        ("E-Mail", " Lin@Example.COM ", "email", "lin@example.com"),
        ("出生日期", "１９９９年１０月５日", "birthday", "1999-10-05"),
        ("birth_year", "1990", "birthday", "1990"),
        ("生日", "1990年6月", "birthday", "1990-06"),
        ("年龄", "42岁", "age", "42"),
        ("Sex", "F", "gender", "female"),
        ("城市", "上海市", "city", "上海"),
        ("locale", "中文", "language", "zh"),
        ("Member Level", "Gold", "member_level", "Gold"),
        ("nickname", "", "nickname", ""),
        ("gender", "", "gender", ""),
    ],
)
def test_an_attribute_has_one_name_and_form(name: str, text: str, attribute: str, value: str) -> None:
    found = made("attributes.changed", 0, attributes={name: text})
    assert (found.data.attributes, found.refused) == ({attribute: value}, ())


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("age", "300"),
        ("phone", "110"),
        ("email", "nobody"),
        ("生日", "1990-02-30"),
        ("birthday", "2099"),
        ("gender", "?"),
        ("pet", "null"),
    ],
)
def test_what_can_not_be_right_is_left_out_and_told_and_the_rest_stays(name: str, text: str) -> None:
    found = made("attributes.changed", 0, attributes={name: text, "job": "nurse"})
    assert found.data.attributes == {"occupation": "nurse"}
    assert found.refused == (attributes.attribute_of(name),)


def test_of_two_names_that_mean_the_same_the_greater_value_stands_in_whatever_order() -> None:
    for pairs in ({"city": "杭州", "所在城市": "上海"}, {"所在城市": "上海", "city": "杭州"}):
        assert made("attributes.changed", 0, attributes=pairs).data.attributes == {"city": "杭州"}


def test_a_name_that_says_nothing_is_absent_unless_there_is_no_event_without_it() -> None:
    viewed = made("item.viewed", 0, sku="A", region="Unknown", brand=" null ", channel="app")
    assert (viewed.data.region, viewed.data.brand, viewed.data.channel) == (None, None, "app")
    assert set(viewed.refused) == {"region", "brand"}
    posted = made("mention.posted", 0, platform="未知", topics=["n/a", "Marathon"])
    assert (posted.data.platform, posted.data.topics) == ("未知", ["marathon"])
    assert posted.refused == ("platform", "topics")


def test_lines_and_lists_are_cleaned_too() -> None:
    line = {"sku": "A", "quantity": 1, "unit_price_minor": 100, "category": "Running", "brand": "CLOUD step"}
    placed = order(0, lines=[line, line | {"brand": "-"}], payment_method="微信支付")
    assert [(found.category, found.brand) for found in placed.data.lines] == [("running", "Cloud Step"), ("running", None)]
    assert (placed.data.payment_method, placed.refused) == ("wechatpay", ("brand",))


def test_a_shop_that_is_not_named_stays_and_is_told() -> None:
    visited = made("store.visited", 0, store="N/A", channel="门店")
    assert (visited.data.store, visited.data.channel, visited.refused) == ("N/A", "store", ("store",))


def test_a_purpose_of_consent_is_the_same_in_both_languages() -> None:
    assert made("consent.changed", 0, purpose="营销", granted=False).data.purpose == "marketing"


def test_all_open_vocabularies_of_the_contracts_are_looked_at_or_are_said_not_to_be() -> None:
    """Names that stay as they came: they identify, or only whether they are there matters."""
    apart = {"version", "coupon", "product", "campaign", "handle", "account", "system", "kind", "key_kind", "external_id"}
    apart |= {"attributes", "by"}
    looked = {(kind, field) for kind, groups in LOOKED.items() for group in groups for field in group.fields}
    for _, declared in TYPES.values():
        for field in msgspec.structs.fields(declared.data):
            schema = msgspec.json.schema(field.type)
            lengths = [schema.get("maxLength"), *(each.get("maxLength") for each in schema.get("anyOf", []))]
            if 64 in lengths and field.name not in apart:
                assert (declared.data, field.name) in looked, (declared.name, field.name)


letters = st.text("省市区上海广东深圳 aAßİＡ１-_'＋+86", max_size=30)
texts = st.one_of(st.text(max_size=70), letters, st.sampled_from(list(names.PLACES)))


@given(texts, st.sampled_from([cleaning.route, cleaning.device, cleaning.payment, names.region, names.titled, names.plain]))
def test_a_clean_name_is_clean(text: str, of: Any) -> None:
    once = of(text)
    assert once is None or of(once) == once
    assert once is None or 0 < len(once) <= names.NAME_LENGTH_MAX


@given(st.dictionaries(st.one_of(texts, st.sampled_from(list(attributes._NAMES))), texts, min_size=1, max_size=4))
def test_clean_attributes_are_clean(given: dict[str, str]) -> None:
    once, _ = clean(AttributesChanged(attributes=given), NOW_MS)
    assert clean(once, NOW_MS) == (once, ())


@given(st.sampled_from(list(TYPES)), texts)
def test_a_clean_event_is_clean(name: str, text: str) -> None:
    example = examples.event(name)
    for field, value in example["data"].items():
        if isinstance(value, str) and field not in ("currency", "placed_at", "opened_at", "promised_at") and text.strip():
            example["data"][field] = text[:64]
    found = event.decode(TYPES[name][0].name, b"C1", msgspec.json.encode(example), (), NOW_MS)
    if isinstance(found, event.Event):
        again, _ = clean(found.data, found.time_ms)
        assert again == found.data


def test_a_vocabulary_without_end_is_not_remembered_without_end() -> None:
    for number in range(REMEMBERED + 100):
        PLAIN(f"n{number}")
    assert len(PLAIN.clean) <= REMEMBERED + 1
    assert PLAIN("n1") == "n1"


def test_what_is_clean_already_is_the_same_object() -> None:
    data = MentionPosted(platform="weibo", topics=["running"], brands=["Cloudstep"])
    for _ in range(2):
        cleaned, refused = clean(data, at(0))
    assert cleaned is data
    assert refused == ()
