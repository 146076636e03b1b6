"""Tags are declared whole, and once given a number and an id keep them: states and indexes know them by these."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from portrait.dimensions.habits import Habits
from portrait.dimensions.registry import DIMENSIONS
from portrait.tags import base
from portrait.tags.base import STANDING, Tag
from portrait.tags.registry import BY_ID, BY_NUMBER, OF_STANDING, RESTING_ON, TAGS
from schemas.profile import Trait

GOLDEN = Path(__file__).parents[1] / "golden" / "tags.txt"


def test_a_number_and_an_id_are_never_given_to_another_tag() -> None:
    """Append new ones to the file; never edit or remove a line there. What is no longer wanted gets the rule `retired()`."""
    given = [(tag.number, tag.id) for tag in TAGS]
    golden = [(int(number), name) for number, name in (line.split() for line in GOLDEN.read_text().splitlines())]
    assert set(given) == set(golden)
    assert len(BY_NUMBER) == len(BY_ID) == len(TAGS) == len(golden)


@pytest.mark.parametrize("tag", TAGS, ids=lambda tag: tag.id)
def test_a_tag_is_declared_whole(tag: Tag) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", tag.id)
    assert 0 < tag.number < 10_000
    assert tag.of == STANDING or tag.of in {dimension.name for dimension in DIMENSIONS}
    assert tag.weight in (1, 2)
    for words in (tag.name, tag.meaning, tag.rule.words, tag.lasts.words):
        assert words.en.isascii()
        assert re.search(r"[\u4e00-\u9fff]", words.zh)


def test_the_line_that_the_page_shows_declares_a_tag() -> None:
    page = (Path(__file__).parents[2] / "docs" / "tags.md").read_text()
    (line,) = re.findall(r"^```python tag\n(.*?)^```$", page, re.M | re.S)
    made = eval(line, vars(base))
    assert made.rule.look(Habits(pays_by=Trait(value="card", sure=0.5, of=5))) == base.Sign(0.5, "pays_by", "card", 5)
    test_a_tag_is_declared_whole(made)
    assert made.id not in BY_ID


def test_each_tag_rests_on_one_thing() -> None:
    assert sorted(tag for resting in (*RESTING_ON, OF_STANDING) for tag in resting) == list(TAGS)


def test_a_rule_may_not_say_anything_of_a_member_that_is_not_there() -> None:
    """A misspelt member would fail at a customer: so it must fail here, at what a dimension says when it says nothing."""
    for dimension, resting in zip(DIMENSIONS, RESTING_ON, strict=True):
        required = {"level": "aware", "why": None} if dimension.name == "brand" else {}
        nothing = dimension.contract(**required)
        for tag in resting:
            assert tag.rule.look(nothing) is None, tag.id
