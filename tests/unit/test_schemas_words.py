"""Reasons are a code and numbers; their words are whole in both languages."""

from __future__ import annotations

import re

import msgspec
import pytest

from portrait.dimensions.use import SUGGESTIONS
from schemas.words import WORDS, Lever, Why

json = msgspec.json


@pytest.mark.parametrize("said", WORDS)
def test_words_are_whole_in_both_languages(said: str) -> None:
    numbers = {place for text in WORDS[said] for place in re.findall(r"\{(\d)", text)}
    assert numbers == set(re.findall(r"\{(\d)", WORDS[said][1])), "both tell the same numbers"
    for n in (0, 1, 2):
        why = Why(said, (n,) * len(numbers))
        for words in (why.en, why.zh) if not said.startswith("lever.") else ():
            assert words != said
            assert not re.search(r"[{}|#]", words)
    assert WORDS[said][0].isascii()
    assert re.search(r"[\u4e00-\u9fff]", WORDS[said][1])


def test_a_reason_is_an_array_of_its_code_and_its_numbers() -> None:
    why = Why("risk.silence.up:once", (1,))
    assert json.encode(why) == b'["risk.silence.up:once",[1]]'
    assert json.decode(json.encode(why), type=Why) == why
    assert (why.code, why.en) == ("risk.silence.up", "Bought once, 1 day ago.")
    assert Why("risk.silence.up:once", (3,)).en == "Bought once, 3 days ago."
    assert why.reason().zh == "仅购买过一次，距今 1 天。"


def test_a_lever_has_the_score_too() -> None:
    lever = Lever("lever.resolve", (2,), 0.407)
    assert json.encode(lever) == b'["lever.resolve",[2],0.407]'
    assert json.decode(json.encode(lever), type=Lever) == lever
    assert lever.en == "Resolving the 2 open complaints to their satisfaction would bring it to 41 %."
    assert "the open complaint to" in Lever("lever.resolve", (1,), 0.4).en


def test_what_a_newer_version_says_is_told_by_its_code() -> None:
    assert Why("stage.sold", (3,)).en == "stage.sold"
    assert Why("stage.silent", (3,)).zh == "stage.silent"


def test_every_suggestion_has_its_words() -> None:
    assert {suggestion.reason.said for suggestion in SUGGESTIONS} == {said for said in WORDS if said.startswith("use.")}
