"""Comparing states with the log, as `portrait verify` does: what is told, and that a state may be ahead of the positions."""

from __future__ import annotations

from collections.abc import Container, Sequence
from random import Random

import pytest

from cli.audit import Audit, Difference, Report, differences
from portrait.evolve import Arrival, evolve
from portrait.identity.links import Link, Links
from portrait.models import churn
from portrait.state import State, encode, mark_of
from profile_store.contract import TP
from schemas.event import Event, decode
from schemas.registry import BY_NAME
from tests.property.lives import END_MS, Author, LogRecord

SCORER = churn.fresh(60)
TP0: TP = ("clicks", 0)


def log_of(*keys: str) -> list[LogRecord]:
    """A click of each of these customers, in one partition."""
    author = Author(Random(1), words=5, days=100)
    clicks = []
    while len(clicks) < len(keys):
        sent = author.write()
        if sent.topic == "clicks":
            clicks.append(sent.value)
    return [LogRecord(*TP0, offset, END_MS, key.encode(), clicks[offset]) for offset, key in enumerate(keys)]


def state_of(records: Sequence[LogRecord], key: str) -> State:
    arrivals = []
    for record in records:
        event = decode(record.topic, record.key, record.value, (), record.timestamp)
        if isinstance(event, Event) and event.customer_id == key:
            arrivals.append(Arrival(mark_of(BY_NAME[record.topic].code, record.partition), record.offset, event))
    change = evolve(None, key, arrivals, END_MS, SCORER)
    assert change is not None
    return change.state


def audited(
    records: Sequence[LogRecord],
    states: dict[str, State],
    position: int,
    *,
    full: Sequence[str] = (),
    held: Container[str] = frozenset(),
    held_is_complete: bool = True,
) -> Report:
    audit = Audit({TP0: position}, full=full, rng=Random(1))
    for key, state in states.items():
        audit.take_state(key, encode(state))
    audit.begin_log(frozenset(), held, held_is_complete=held_is_complete)
    for record in records[: audit.ends()[TP0]]:
        audit.take_record(record)
    return audit.report(END_MS)


def test_all_agree() -> None:
    records = log_of("A", "B", "A")
    report = audited(records, {key: state_of(records, key) for key in "AB"}, 3, full=["A"])
    assert report.fine
    assert (report.customers, report.events, report.agree) == (2, 3, 2)
    assert report.full[0].differences == []


def test_a_state_that_is_ahead_of_the_positions_is_compared_as_of_its_own_marks() -> None:
    records = log_of("A", "B", "A", "B", "A")
    states = {"A": state_of(records, "A"), "B": state_of(records[:3], "B")}
    for position in (2, 3):
        report = audited(records, states, position, full=["A"])
        assert report.fine
        assert report.events == 4  # B's second event lies beyond both its mark and the position


def test_what_lies_before_the_position_must_be_there() -> None:
    records = log_of("A", "A", "B")
    report = audited(records, {"A": state_of(records[:1], "A"), "B": state_of(records, "B")}, 3)
    assert not report.fine
    assert (report.agree, report.differ, report.lost, report.ids["lost"]) == (1, 1, 1, ["A"])


def test_an_event_that_was_counted_twice_is_told() -> None:
    records = log_of("A", "A")
    twice = state_of([records[0], records[1], records[0]._replace(offset=2)], "A")  # its id is in the ring: no
    assert audited(records, {"A": twice}, 2).fine
    twice.events += 1
    assert audited(records, {"A": twice}, 2).double == 1


def test_a_loss_and_a_duplicate_do_not_cancel_out() -> None:
    records = log_of("A", "A")
    state = state_of(records, "A")
    state.audit += 1
    report = audited(records, {"A": state}, 2)
    assert (report.lost, report.double, report.differ) == (1, 1, 1)


def test_customers_without_a_state_and_states_without_a_customer() -> None:
    records = log_of("A", "B", "B")
    report = audited(records, {"A": state_of(records, "A"), "X": state_of(records, "A")}, 3)
    assert (report.customers, report.agree, report.missing, report.extra, report.lost) == (3, 1, 1, 1, 2)
    assert (report.ids["missing"], report.ids["extra"]) == (["B"], ["X"])


def test_a_wrong_fact_is_found_in_full_though_the_sums_agree() -> None:
    records = log_of("A", "A")
    state = state_of(records, "A")
    state.parts.behaviour.clicks = 7
    report = audited(records, {"A": state}, 2, full=["A"])
    assert (report.agree, report.fine) == (1, False)
    assert report.full[0].differences == [Difference("behaviour.clicks", 7, 2)]


def test_of_somebody_unknown_there_is_nothing_to_agree_upon() -> None:
    report = audited([], {}, 0, full=["nobody"])
    assert not report.full[0].known
    assert not report.fine


def test_a_bad_record_must_be_among_the_dead_letters_unless_those_have_expired() -> None:
    records = log_of("A")
    records.append(records[0]._replace(offset=1, value=b"{"))
    states = {"A": state_of(records, "A")}
    report = audited(records, states, 2)
    assert (report.dead_letters, report.dead_letters_missing, report.fine) == (1, 1, False)
    assert audited(records, states, 2, held={"clicks/0/1"}).fine
    assert audited(records, states, 2, held_is_complete=False).fine


def test_a_dead_letter_that_could_be_folded_today_is_not_expected_in_the_state() -> None:
    records = log_of("A", "A")
    report = audited(records, {"A": state_of(records[:1], "A")}, 2, held={"clicks/0/1"})
    assert report.fine
    assert report.dead_letters == 1


def test_a_state_that_was_read_twice_counts_as_of_the_second_time() -> None:
    records = log_of("A", "A", "A")
    audit = Audit({TP0: 1}, rng=Random(1), sample=1)
    for n in (1, 3):
        audit.take_state("A", encode(state_of(records[:n], "A")))
    audit.begin_log(frozenset(), frozenset(), held_is_complete=True)
    for record in records[: audit.ends()[TP0]]:
        audit.take_record(record)
    report = audit.report(END_MS)
    assert report.fine
    assert (report.customers, report.events, len(report.full)) == (1, 3, 1)


@pytest.mark.parametrize("wanted", [[], ["C0"]])
def test_a_sample_has_its_size_and_any_customer_may_be_in_it(wanted: list[str]) -> None:
    records = log_of("A")
    blob = encode(state_of(records, "A"))
    drawn = set()
    for seed in range(60):
        audit = Audit({}, full=wanted, sample=2, rng=Random(seed))
        for n in range(6):
            audit.take_state(f"C{n}", blob)
        chosen = {checked.id for checked in audit.report(END_MS).full}
        assert set(wanted) <= chosen
        assert 2 <= len(chosen) <= 2 + len(wanted)
        drawn |= chosen
    assert drawn == {f"C{n}" for n in range(6)}


def test_differences_name_the_path() -> None:
    stored = {"a": {"x": 1, "y": [1]}, "b": 1}
    assert list(differences(stored, {"a": {"x": 2, "y": [1]}, "c": 3})) == [
        Difference("a.x", 1, 2),
        Difference("b", 1, None),
        Difference("c", None, 3),
    ]


def test_an_identity_of_which_only_links_are_known_is_nobody_yet_and_missing_once_it_has_events() -> None:
    records = log_of("A", "B")
    ghost = State(links=Links({"A": Link(1, 1, True)}))
    report = audited(records[:1], {"A": state_of(records, "A"), "B": ghost}, 1)
    assert report.fine and report.customers == 1
    report = audited(records, {"A": state_of(records, "A"), "B": ghost}, 2)
    assert (report.missing, report.lost, report.ids["missing"]) == (1, 1, ["B"])
