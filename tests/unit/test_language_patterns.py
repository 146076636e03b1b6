"""Patterns are known by what stands in whatever they match: none that matches is ever passed over."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from language import patterns
from language.patterns import Index, branches

CONCEPTS = patterns.read("concepts.txt")
EVERY = [(section, name) for section in ("zh", "en") for name in CONCEPTS[section]]
INDEXES = {length: {section: Index(CONCEPTS[section], length) for section in ("zh", "en")} for length in (1, 2, 4)}


@pytest.mark.parametrize(
    ("expression", "needed"),
    [
        ("abc|de", [("abc", ["abc"]), ("de", ["de"])]),
        ("colou?r", [("colou?r", ["colo"])]),
        ("fr(ee|o)z(e|ing)", [("fr(ee|o)z(e|ing)", ["fr"])]),
        ("x(after|within) y", [("x(after|within) y", ["after", "within"])]),
        ("(no |any )?help", [("(no |any )?help", ["help"])]),
        (r"crap+ed\b|\$ ?\d+", [(r"crap+ed\b", ["crap"]), (r"\$ ?\d+", ["$"])]),
        ("质量.{0,6}(差|不好)", [("质量.{0,6}(差|不好)", ["质量"])]),
        ("[mlx(|]号|(?<!不)好(?!吗)", [("[mlx(|]号", ["号"]), ("(?<!不)好(?!吗)", ["好"])]),
        (r"^\s*\S+", [(r"^\s*\S+", [""])]),
        ("(a|)", [("(a|)", [""])]),
    ],
)
def test_what_must_stand_in_what_a_branch_matches(expression: str, needed: list[tuple[str, list[str]]]) -> None:
    assert list(branches(expression)) == needed


@given(st.data(), st.sampled_from(EVERY), st.text(max_size=20))
@settings(max_examples=300)
def test_what_matches_is_likely(data: st.DataObject, concept: tuple[str, str], around: str) -> None:
    section, name = concept
    matching = data.draw(st.from_regex(CONCEPTS[section][name]))
    text = around + matching + around
    matches = {name: list(_spans(pattern, text)) for name, pattern in CONCEPTS[section].items() if pattern.search(text)}
    for length, indexes in INDEXES.items():
        likely = {name: list(_spans(pattern, text)) for name, pattern in indexes[section].likely(text)}
        assert {name: spans for name, spans in likely.items() if spans} == matches, length


def test_likely_ones_come_in_their_order_and_are_few() -> None:
    names = list(CONCEPTS["zh"])
    found = [name for name, _ in INDEXES[2]["zh"].likely("快递太慢，等了十天还没收到")]
    assert found == sorted(found, key=names.index)
    assert {"courier", "late"} <= set(found)
    assert len(found) < len(names) / 4


def _spans(pattern: re.Pattern[str], text: str) -> list[tuple[int, int]]:
    return [match.span() for match in pattern.finditer(text)]
