"""The names of identities: one form for one address, a hash for what is personal, and no way from one kind into another."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import oracle.identities
from schemas.identity import KINDS, BadIdentity, Identity, identity_of, is_blocked, kind_of, kind_told, linked_of

SECRET = b"a key of the shop"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("email:Lin.Xiao@Example.CN", "email:lin.xiao@example.cn"),
        ("email:ｌｉｎ@ｓｈｏｐ．ｃｎ", "email:lin@shop.cn"),
        ("email:lin@商店.cn", "email:lin@xn--6qq986b3xl.cn".replace("xn--6qq986b3xl", "商店".encode("idna").decode())),
        ("email:lin@shop.cn.", "email: lin@shop.cn "),
        ("email:l\u200bin@shop.cn", "email:lin@shop.cn"),
        ("phone:+86 138-0013-8001", "phone:13800138001"),
        ("phone:008613800138001", "phone:１３８００１３８００１"),
        ("phone:010-8531 0000", "phone:+861085310000"),
        ("phone:+44 20 7946 0018", "phone:00442079460018"),
        ("social:Weibo:@Lin", "social:weibo:lin"),
        ("external:CRM:0042", "external:crm:0042"),
        ("device: a1b2 ", "device:a1b2"),
        ("EMAIL:Lin@Shop.cn", "email:lin@shop.cn"),
        ("email：Lin@shop.cn", "email:lin@shop.cn"),
        (" Ｅmail\u200b：lin@shop.cn", "email:lin@shop.cn"),
        ("Phone﹕13800138001", "phone:13800138001"),
        ("Device:A1", "device:A1"),
    ],
)
def test_one_address_has_one_name(one: str, other: str) -> None:
    assert identity_of(one, SECRET) == identity_of(other, SECRET)


def test_what_is_personal_is_a_hash_under_the_key() -> None:
    email, phone = identity_of("email:lin@shop.cn", SECRET), identity_of("phone:13800138001", SECRET)
    assert email.kind == "email" and "lin" not in email.id and "@" not in email.id
    assert "138" not in phone.id.removeprefix("phone:~")[:3] or phone.id != identity_of("phone:13800138001", b"other").id
    assert identity_of("email:lin@shop.cn", b"another key").id != email.id
    with pytest.raises(BadIdentity, match="no key"):
        identity_of("email:lin@shop.cn", b"")


@pytest.mark.parametrize(
    "key",
    ["email:lin", "email:@shop.cn", "email:a@b@c.cn", "phone:12", "phone:138x0013", "social:weibo", "social::lin", "device:",
     "email:~0123456789abcdef0123456789abcdeF", "phone:~00", "external:crm:", "email:lin@" + "x" * 70 + ".cn"],
)  # fmt: skip
def test_what_cant_be_what_it_says_is_told_without_repeating_it(key: str) -> None:
    with pytest.raises(BadIdentity) as told:
        identity_of(key, SECRET)
    assert key.partition(":")[2] not in str(told.value) or not key.partition(":")[2]


@pytest.mark.parametrize("key", ["C-1024", "C:1", "customer:C1", "{0}:x", "1", "Ｃ1", "С1", "emails:x"])
def test_customer_ids_are_the_same_byte_for_byte_only(key: str) -> None:
    assert identity_of(key, b"") == Identity("customer", key)


@settings(deadline=None)
@given(st.text(max_size=40), st.sampled_from(KINDS[1:]))
def test_no_value_reaches_into_another_kind(value: str, kind: str) -> None:
    """Nor are names normalised any further: a name is its own name."""
    try:
        found = identity_of(f"{kind}:{value}", SECRET)
    except BadIdentity:
        return
    assert found.kind == kind == kind_of(found.id)
    assert identity_of(found.id, SECRET) == found


@pytest.mark.parametrize(
    "key",
    ["email:test@test.com", "email:Test@shop.cn", "phone:00000000", "phone:13333333333".replace("13", "33"), "phone:12345678",
     "device:00000000-0000-0000-0000-000000000000", "device:null", "anonymous:undefined", "social:weibo:unknown", "null"],
)  # fmt: skip
def test_values_that_stand_for_nobody_are_blocked_and_need_no_hash(key: str) -> None:
    name = identity_of(key, b"").id
    assert is_blocked(name) and oracle.identities._nobody(name)


@pytest.mark.parametrize(
    ("word", "kind", "value"),
    [*((word, "email", "lin@shop.cn") for word in ("e-mail", "E-Mail", "mail", "mailto", "邮箱")),
     *((word, "phone", "13800138001") for word in ("tel", "Mobile", "msisdn", "手机号"))],
)  # fmt: skip
def test_other_words_for_addresses_and_numbers_hash_them_too(word: str, kind: str, value: str) -> None:
    asked = identity_of(f"{kind}:{value}", SECRET)
    assert kind_told(word) == oracle.identities._meant(word) == kind
    assert identity_of(f"{word}:{value}", SECRET) == linked_of(value, word, SECRET) == asked
    with pytest.raises(BadIdentity):
        linked_of(value, word, b"")


@pytest.mark.parametrize("key", ["social:weibo:@@Lin", "social:weibo:@ lin", "social:weibo： @@ lin", "social：Weibo:lin"])
def test_a_handle_is_the_same_with_any_number_of_signs(key: str) -> None:
    assert identity_of(key, b"").id == "social:weibo:lin"


def test_a_scope_ends_at_the_first_colon_of_any_width() -> None:
    assert identity_of("external:a：b:c", b"").id == "external:a:b:c" == identity_of("external:a:b:c", b"").id
    with pytest.raises(BadIdentity):
        identity_of("external:a⩴:c", b"")


@pytest.mark.parametrize("text", ["(+86) 138 0013 8001", "+86 (0)138-0013-8001", "0086 13800138001", "＋86 13800138001"])
def test_usual_spellings_of_a_number_are_one(text: str) -> None:
    assert identity_of(f"phone:{text}", SECRET) == identity_of("phone:13800138001", SECRET)


@pytest.mark.parametrize("key", ["phone:00000000", "phone:3333 333", "phone:0012345678", "email:Test@test.com", "device:null"])
def test_a_name_is_its_own_name_also_of_nobody(key: str) -> None:
    name = identity_of(key, b"").id
    assert identity_of(name, b"").id == identity_of(name, SECRET, "44").id == name


@pytest.mark.parametrize("country", ["86", "1", "44", "354"])
@pytest.mark.parametrize(
    "number", ["000000", "0", "1111111", "12345678", "0123456789", "+000000000000", "+86 11111111111", "+1 555 555 5555",
               "+44 0000000000", "+354 1234567", "00491234567890", "+7 9999999999", "9" * 40]
)  # fmt: skip
def test_made_up_numbers_of_any_country_are_nobodys(number: str, country: str) -> None:
    name = identity_of(f"phone:{number}", b"", country).id
    assert is_blocked(name) and oracle.identities._nobody(name)
    assert identity_of(name, b"", "49").id == name


@pytest.mark.parametrize("number", ["+86 18888888888", "+354 3456789", "+49 30 1111111", "+1 212 555 5555", "+44 20 7946 0018"])
def test_numbers_that_may_be_somebodys_are_hashed(number: str) -> None:
    for country in ("86", "1", "49"):
        name = identity_of(f"phone:{number}", SECRET, country).id
        assert name.startswith("phone:~") and not is_blocked(name) and not oracle.identities._nobody(name)


@settings(deadline=None)
@given(st.text("+0123456789 ", max_size=20), st.sampled_from(["86", "1", "44", "354"]))
def test_the_oracle_knows_the_same_numbers_to_be_nobodys(number: str, country: str) -> None:
    try:
        name = identity_of(f"phone:{number}", SECRET, country).id
    except BadIdentity:
        return
    assert is_blocked(name) == oracle.identities._nobody(name) == (not name.startswith("phone:~"))


@pytest.mark.parametrize(
    "key", ["email:lin@shop.cn", "phone:13800138001", "device:a1b2", "C1", "1", "1111", "social:weibo:lin", "email:nan@shop.cn"]
)
def test_values_of_somebody_are_not(key: str) -> None:
    name = identity_of(key, SECRET).id
    assert not is_blocked(name) and not oracle.identities._nobody(name)


def test_a_link_names_a_key_or_the_address_itself() -> None:
    assert linked_of("lin@shop.cn", "email", SECRET) == identity_of("email:lin@shop.cn", SECRET)
    assert linked_of("email:lin@shop.cn", "email", SECRET) == identity_of("email:lin@shop.cn", SECRET)
    assert linked_of("cookie-5f2", "Anonymous", SECRET) == Identity("anonymous", "cookie-5f2")
    assert linked_of("M-17", "member", SECRET) == Identity("customer", "M-17")
    assert linked_of("EMAIL：Lin@Shop.cn", "Ｅmail ", SECRET) == identity_of("email:lin@shop.cn", SECRET)
    assert linked_of("C2", "customer", SECRET) == Identity("customer", "C2")
    assert linked_of("device:d1", "anonymous", SECRET) == Identity("device", "device:d1"), "its form shows what it is"
    assert kind_told("Device") == kind_told(" ｄevice") == "device"


@pytest.mark.parametrize("word", ["member", "user", "account", "cookie", ""])
def test_a_word_for_a_kind_that_nobody_knows_says_that_it_is_a_customer(word: str) -> None:
    """Who guesses wrong so leaves a proposal to decide; who guessed a trace would make two customers one."""
    assert kind_told(word) == "customer"
