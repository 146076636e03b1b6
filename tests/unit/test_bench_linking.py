"""What the benchmark of links says, and when it holds a word for seen."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from bench import linking
from bench.events import events
from bench.linking import LINKED, UNLINKED, Pair, measure, pairs, words
from schemas.event import Rejection, decode
from schemas.identity import kind_of


class Readers:
    """Each pair is seen after so many looks; None: never."""

    def __init__(self, seen: dict[str, str | None], looks: int = 0) -> None:
        self.seen, self.looks = seen, looks

    def get_many(self, ids: list[str]) -> list[Any]:
        self.looks -= 1
        return [None if self.looks >= 0 or self.seen[name] is None else SimpleNamespace(id=self.seen[name]) for name in ids]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    found: list[Any] = []
    sender = SimpleNamespace(produce=lambda topic, value, key: found.append((topic, value, key)), poll=lambda _: 0)
    monkeypatch.setattr(linking, "producer", lambda *_, **__: sender)
    monkeypatch.setattr(linking, "LINKS_PER_S", 1000)
    return found


def test_each_customer_has_a_cookie_of_its_own_whatever_the_times_of_the_events() -> None:
    early, late = list(events(300)), list(events(300, start_ms=0, end_ms=1000))
    known = pairs(early, 100)
    assert known == pairs(late, 100)
    assert len({pair.cookie for pair in known}) == len({pair.customer for pair in known}) == 100
    assert {kind_of(pair.cookie) for pair in known} == {"anonymous"}
    with pytest.raises(ValueError, match="too few"):
        pairs(early, 1000)


@pytest.mark.parametrize("type_", [LINKED, UNLINKED])
def test_what_is_said_fits_the_contract(type_: str) -> None:
    (word,) = words([Pair("anonymous:x", "C1")], type_)
    decoded = decode(word.topic, word.key, word.value, (), time.time_ns() // 1_000_000)
    assert not isinstance(decoded, Rejection), decoded


def test_a_link_is_seen_when_the_cookie_leads_to_the_customer_and_its_end_when_it_no_longer_does(sent: list[Any]) -> None:
    pair = Pair("anonymous:x", "C1")
    for type_, shown in ((LINKED, "C1"), (UNLINKED, "anonymous:x")):
        (took_ms,) = measure("", Readers({pair.cookie: shown}, looks=3), [pair], type_)  # type: ignore[arg-type]
        assert took_ms >= 3 * 1000 * linking.LOOK_S
    assert [key for *_, key in sent] == [b"C1", b"C1"]


def test_a_word_that_is_never_seen_is_an_error_and_no_gap_in_the_figures(
    sent: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linking, "UNSEEN_S", 0.02)
    known = [Pair("anonymous:x", "C1"), Pair("anonymous:y", "C2")]
    for shown in (None, "anonymous:y"):
        readers = Readers({"anonymous:x": "C1", "anonymous:y": shown})
        with pytest.raises(RuntimeError, match=r"readers have not seen identity\.linked of anonymous:y"):
            measure("", readers, known, LINKED)  # type: ignore[arg-type]
