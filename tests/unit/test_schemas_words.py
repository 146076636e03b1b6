"""Reasons of a closed list are a code and numbers; their words are whole in both languages."""

from __future__ import annotations

import re

import msgspec
import pytest

from portrait.dimensions.use import SUGGESTIONS
from schemas.words import WORDS, Why

json = msgspec.json


@pytest.mark.parametrize("code", WORDS)
def test_words_are_whole_in_both_languages(code: str) -> None:
    numbers = re.findall(r"\{(\d)\}", WORDS[code][0])
    assert sorted(numbers) == sorted(re.findall(r"\{(\d)\}", WORDS[code][1])) == [*map(str, range(len(numbers)))]
    why = Why(code, (41, 42)[: len(numbers)])
    for words in (why.en, why.zh):
        assert words != code
        assert not re.search(r"[{}]", words)
        assert re.findall(r"4[12]", words) == [*map(str, why.numbers)]
    assert WORDS[code][0].isascii()
    assert re.search(r"[\u4e00-\u9fff]", WORDS[code][1])


def test_a_reason_is_an_array_of_its_code_and_its_numbers() -> None:
    why = Why("stage.silent", (45, 30))
    assert json.encode(why) == b'["stage.silent",[45,30]]'
    assert json.decode(json.encode(why), type=Why) == why
    assert why.reason().zh == why.zh == "连续 45 天未下单后进入该阶段，预期约每 30 天一次。"


@pytest.mark.parametrize("why", [Why("stage.silent", (14, 1)), Why("journey.speaks", (1,))])
def test_no_plural_follows_a_number_that_can_be_one(why: Why) -> None:
    assert not re.search(r"\b1 \w+s\b", why.en)


def test_what_a_newer_version_says_is_told_by_its_code() -> None:
    assert Why("stage.sold", (3,)).en == "stage.sold"
    assert Why("stage.silent", (3,)).zh == "stage.silent"


def test_every_suggestion_has_its_words() -> None:
    assert {suggestion.reason.code for suggestion in SUGGESTIONS} == {code for code in WORDS if code.startswith("use.")}
