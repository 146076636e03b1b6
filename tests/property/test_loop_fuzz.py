"""No input raises out of the loop, is lost or doubled, leaks, or stops a partition. ``make fuzz`` searches on."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portrait import evolve
from schemas.event import Event, decode
from streams import intake
from tests.fuzz.case import Case, Sent, pack, seeds, unpack
from tests.fuzz.judge import TARGETS, Broken, judge_decoder, judge_loop
from tests.fuzz.leak import growth, leaks
from tests.fuzz.mutate import bytes_changed, mutated

SEEDS = list(seeds())
randoms = st.randoms(use_true_random=False, note_method_calls=False)


def changed(case: Case, rng: Random, times: int) -> Case:
    for _ in range(times):
        case = mutated(case, rng, lambda content: bytes_changed(rng, content))
    return case


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("number", range(len(SEEDS)))
def test_seeds_break_nothing(target: str, number: int) -> None:
    TARGETS[target](SEEDS[number])


@given(st.sampled_from(SEEDS), randoms, st.integers(1, 6))
@settings(max_examples=300, deadline=None)
def test_a_changed_record_decodes_or_is_refused(case: Case, rng: Random, times: int) -> None:
    judge_decoder(changed(case, rng, times))


@given(st.sampled_from(SEEDS), randoms, st.integers(1, 6))
@settings(max_examples=100, deadline=None)
def test_changed_records_break_nothing_in_the_loop(case: Case, rng: Random, times: int) -> None:
    judge_loop(changed(case, rng, times))


def test_a_worker_does_not_grow() -> None:
    rng = Random(1)
    cases = [changed(case, rng, 2) for case in SEEDS[::2] if len(pack(case)) < 20_000]
    left, records = growth(cases, rounds=3)
    assert records > 400
    assert not leaks(left, records)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_case_and_a_case_survives_its_file(data: bytes) -> None:
    case = unpack(data)
    assert unpack(pack(case)) == case


# That it would notice

ORDER = SEEDS[[case.sent[0].topic for case in SEEDS].index("orders")]
POISON = Case([*ORDER.sent, Sent("orders", b"C1", b"not json")])


def test_a_record_that_is_lost_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "dead_letter", lambda record, rejection: None)
    monkeypatch.setattr("streams.loop.Loop._publish_dead", _nothing)
    with pytest.raises(Broken, match="dead letter"):
        judge_loop(POISON)


def test_a_record_that_counts_twice_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evolve, "holds", lambda ring, digest: False)
    twice = Case([*ORDER.sent, *ORDER.sent])
    with pytest.raises(Broken, match="once each"):
        judge_loop(twice)


def test_what_raises_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def fragile(*record: Any) -> Any:
        found = decode(*record)
        if not isinstance(found, Event):
            raise ValueError("poison")
        return found

    monkeypatch.setattr(intake, "decode", fragile)
    with pytest.raises(Broken, match="ended itself"):
        judge_loop(POISON)


def test_a_worker_that_grows_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[bytes] = []
    monkeypatch.setattr(intake, "mark_of", lambda code, partition: kept.append(bytes(1000)) or code << 20 | partition)
    assert leaks(*growth([ORDER], rounds=60))


async def _nothing(*_: Any) -> None:
    pass
