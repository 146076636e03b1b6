"""`evolve`: what is new is folded once, time only goes forward, and effects wait until they are published."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from portrait.evolve import Arrival, due_ms, evolve, published
from portrait.models.churn import fresh
from portrait.settle import GRACE_DAYS, PENDING_MAX, Policy, history_day
from portrait.state import RING_EVENTS, BrokenState, NewerFormat, State, decode, encode, facts, mark_of
from portrait.structures import DAY_MS, NEVER
from schemas.outputs import History
from schemas.registry import ACTIONS, LESSONS
from tests.corekit import DAY0, HORIZON_DAYS, Customer, at, click, complaint, event, order

# Once each


def test_an_offset_at_or_below_the_watermark_is_skipped() -> None:
    customer = Customer()
    first, second = customer.arrival(click(0)), customer.arrival(click(1))
    customer.evolve([first, second], at(1))
    before = encode(customer.known)
    assert customer.evolve([first, second], at(1)) is None, "nothing to write"
    assert encode(customer.known) == before


def test_what_was_read_again_is_told_from_what_is_new() -> None:
    customer = Customer()
    old, new = customer.arrival(click(0)), customer.arrival(click(1))
    customer.evolve([old], at(0))
    change = customer.evolve([old, new], at(1))
    assert change is not None
    assert (change.folded, change.repeated, change.duplicates) == (1, 1, 0)


def test_each_partition_has_its_own_watermark() -> None:
    customer = Customer()
    event = click(0)
    customer.evolve([Arrival(mark_of(1, 0), 100, event)], at(0))
    change = customer.evolve([Arrival(mark_of(1, 1), 5, click(0))], at(0))
    assert change is not None
    assert change.folded == 1


def test_the_same_event_published_twice_counts_once_but_moves_the_watermark() -> None:
    customer = Customer()
    customer.sees(click(0, id="retried"))
    change = customer.sees(click(0, id="retried"))
    assert (change.folded, change.duplicates) == (0, 1)
    assert customer.known.events == 1
    assert customer.known.marks[mark_of(1, 0)] == 1


def test_a_duplicate_is_known_among_the_last_sixteen_of_its_topic_whatever_comes_on_others() -> None:
    customer = Customer()
    customer.sees(click(0, id="retried"))
    for i in range(RING_EVENTS - 1):
        customer.sees(click(0.1), order(0.1 + i / 1000))
    assert customer.sees(click(0, id="retried")).duplicates == 1
    customer.sees(click(0.2))
    assert customer.sees(click(0, id="retried"), now=0.2).folded == 1, "beyond the stated horizon it counts again"


def test_two_of_the_same_in_one_batch_count_once() -> None:
    change = Customer().sees(click(0, id="x"), click(0, id="x"))
    assert (change.folded, change.duplicates) == (1, 1)


def test_the_audit_is_the_number_and_sum_of_the_events_in_any_order() -> None:
    events = [click(0), order(1), complaint(2)]
    customer = Customer()
    customer.sees(*events)
    total = sum(int.from_bytes(e.hash, "little") for e in events) % 2**64
    assert (customer.known.events, customer.known.audit) == (3, total)


# Time


def test_nothing_comes_of_nothing() -> None:
    assert evolve(None, "C1", [], at(0), fresh(HORIZON_DAYS)) is None


def test_a_tick_before_anything_is_due_writes_nothing() -> None:
    customer = Customer()
    customer.sees(order(0))
    due = due_ms(customer.known)
    assert due is not None
    assert customer.evolve([], due - 1) is None
    assert customer.evolve([], due) is not None


def test_the_moment_of_a_state_never_runs_backwards() -> None:
    customer = Customer()
    customer.sees(click(10))
    customer.sees(click(3), now=5)
    assert customer.known.moment_ms == at(10)


def test_windows_leave_on_time_though_nothing_arrives() -> None:
    customer = Customer()
    customer.sees(click(0))
    seen = {}
    for _ in range(20):
        due = due_ms(customer.known)
        if due is None:
            break
        customer.evolve([], due)
        clicks = msgspec.json.decode(customer.fields["behaviour"])["clicks"]
        seen[due // DAY_MS - DAY0] = tuple(clicks[:3])
    assert seen == {7: (0, 1, 1), 30: (0, 0, 1), 90: (0, 0, 0)}, "and then nothing is due any more"


@given(st.permutations(["click", "order", "later order", "complaint", "answer", "cancellation"]), st.booleans())
def test_facts_do_not_depend_on_the_order_of_arrival(names: list[str], at_once: bool) -> None:
    events = {
        "click": click(1, id="a"),
        "order": order(2, id="b"),
        "later order": order(40, id="c"),
        "complaint": complaint(41, "K1"),
        "answer": event("complaint.resolved", 44, id="e", complaint_id="K1", opened_at=_iso(41), satisfaction=2),
        "cancellation": event(
            "order.cancelled", 3, id="f", order_id="O2", placed_at=_iso(2), currency="CNY", amount_minor=10_000
        ),
    }
    events["complaint"] = msgspec.structs.replace(events["complaint"], hash=b"complain")
    arrived, sorted_ = Customer(), Customer()
    groups = [[events[name] for name in names]] if at_once else [[events[name]] for name in names]
    for group in groups:
        arrived.sees(*group, now=50)
    for one in sorted(events.values(), key=lambda e: e.time_ms):
        sorted_.sees(one)
    assert facts(arrived.known, at(60)) == facts(sorted_.known, at(60))


def _iso(day: float) -> str:
    from tests.corekit import rfc3339

    return rfc3339(at(day))


def test_a_replay_of_years_at_once_settles_every_day_as_it_would_have_live() -> None:
    days = [0, 10, 25, 140, 150, 400]
    live, replayed = Customer(), Customer()
    for day in days:
        live.waits_until(day - 0.5) if live.state else None
        live.sees(order(day))
    replayed.sees(*[order(day) for day in days])
    assert replayed.known.stages == live.known.stages
    assert replayed.known.risk == live.known.risk


# What readers see


@given(
    st.lists(
        st.tuples(st.sampled_from(["click", "order", "complaint", "tick"]), st.floats(0, 3)),
        min_size=1,
        max_size=15,
    )
)
def test_the_fields_that_changed_add_up_to_the_whole_view(steps: list[tuple[str, float]]) -> None:
    customer, day = Customer(), 0.0
    customer.sees(click(0))
    make = {"click": click, "order": order, "complaint": lambda d: complaint(d, f"K{d}")}
    for kind, wait in steps:
        day += wait
        if kind == "tick":
            customer.waits_until(day)
        else:
            customer.sees(make[kind](day))
    held = {k: msgspec.json.decode(v) for k, v in customer.fields.items() if k not in ("version", "stage")}
    assert customer.fields["stage"] == customer.known.stage.encode()
    customer.known.shown_day = 0  # as if nothing had been shown yet
    customer.known.wake_ms = customer.known.moment_ms
    customer.evolve([], customer.known.moment_ms)
    whole = {k: msgspec.json.decode(v) for k, v in customer.fields.items() if k not in ("version", "stage")}
    for shown in (held, whole):
        shown.get("risk", {}).pop("reasons", None)  # their numbers may be as of the last score that moved
    assert held == whole


def test_every_change_has_a_greater_version() -> None:
    customer = Customer()
    versions = [int(customer.sees(click(day)).fields["version"] or 0) for day in range(3)]
    assert versions == [1, 2, 3]


def test_external_ids_are_announced_when_they_come_and_go() -> None:
    customer = Customer()
    change = customer.sees(event("external-id.assigned", 0, system="crm", external_id="7"))
    assert (change.external, change.external_removed) == ([("crm", "7")], [])
    change = customer.sees(event("external-id.assigned", 1, system="crm", external_id="8"))
    assert (change.external, change.external_removed) == ([("crm", "8")], [("crm", "7")])


# Effects


def complaining(policy: Policy | None = None) -> Customer:
    customer = Customer(policy=policy)
    for day in range(8):
        customer.sees(order(day))
    customer.sees(complaint(9))
    return customer


def test_effects_stay_in_the_state_until_they_are_published_and_make_it_due_now() -> None:
    customer = complaining()
    (effect,) = customer.known.effects
    assert effect.topic == ACTIONS
    assert due_ms(customer.known) == 0
    customer.sees(click(9.1))
    assert decode(encode(customer.known)).effects == [effect], "over another event and over the store"
    published(customer.known)
    assert customer.known.effects == []
    assert (due_ms(customer.known) or 0) > customer.known.moment_ms


def test_a_state_with_effects_is_written_again_by_a_tick() -> None:
    customer = complaining()
    assert customer.waits_until(9) is not None


def test_nothing_is_caused_while_events_are_applied_again() -> None:
    customer = complaining(Policy(effects=False, silence_ms=at(400)))
    customer.waits_until(400)
    assert customer.known.effects == []
    assert customer.stage == "churned", "the state moves all the same"


def test_what_silence_brings_later_than_it_did_before_has_its_effects() -> None:
    customer = complaining(Policy(effects=False, silence_ms=at(10)))
    customer.waits_until(9)
    assert customer.known.effects == []
    customer.waits_until(400)
    assert customer.known.effects


# Labels

MATURE_DAYS = HORIZON_DAYS + GRACE_DAYS + 1


def test_a_label_waits_until_its_horizon_and_the_grace_have_passed() -> None:
    customer = Customer()
    customer.sees(order(0))
    customer.waits_until(MATURE_DAYS - 0.01)
    assert customer.lessons() == []
    customer.waits_until(MATURE_DAYS)
    (lesson,) = [lesson for lesson in customer.lessons() if lesson.scored_at_ms == at(0)]
    assert lesson.churned
    assert lesson.horizon_days == HORIZON_DAYS


@pytest.mark.parametrize(("returns", "churned"), [(1, False), (HORIZON_DAYS, False), (HORIZON_DAYS + 1, True)])
def test_who_returns_is_not_released_any_sooner(returns: int, churned: bool) -> None:
    """Released at once, the freshest labels would all be of one class, which ruins a model that learns online."""
    customer = Customer()
    customer.sees(order(0))
    customer.sees(order(returns))
    assert [lesson for lesson in customer.lessons() if lesson.scored_at_ms == at(0)] == []
    customer.waits_until(MATURE_DAYS)
    (lesson,) = [lesson for lesson in customer.lessons() if lesson.scored_at_ms == at(0)]
    assert lesson.churned == churned


def test_an_order_that_comes_in_during_the_grace_still_counts() -> None:
    customer = Customer()
    customer.sees(order(0))
    customer.sees(order(HORIZON_DAYS - 1), now=HORIZON_DAYS + GRACE_DAYS)
    customer.waits_until(MATURE_DAYS)
    assert [lesson.churned for lesson in customer.lessons() if lesson.scored_at_ms == at(0)] == [False]


def test_a_lesson_holds_the_features_as_they_stood_when_it_was_scored() -> None:
    customer = Customer()
    customer.sees(order(0))
    features = customer.known.pending[0].features
    customer.sees(*[click(10 + i / 10) for i in range(10)], complaint(12))
    customer.waits_until(MATURE_DAYS)
    lesson = next(lesson for lesson in customer.lessons() if lesson.scored_at_ms == at(0))
    assert list(lesson.features.values()) == features


@given(st.lists(st.integers(0, 400), min_size=1, max_size=40))
def test_only_so_many_examples_wait_and_each_is_labelled_once(days: list[int]) -> None:
    customer = Customer()
    for day in sorted(days):
        customer.sees(order(day, id=str(day)))
        customer.flush()
        assert len(customer.known.pending) <= PENDING_MAX
    customer.waits_until(1000)
    ids = [lesson.id for lesson in customer.lessons()]
    assert len(ids) == len(set(ids))


def test_no_lesson_names_its_customer() -> None:
    customer = Customer()
    customer.sees(order(0))
    customer.waits_until(MATURE_DAYS)
    assert b"C1" not in msgspec.json.encode(customer.lessons())


# The stored form


def test_a_state_comes_back_from_the_store_as_it_was() -> None:
    customer = complaining()
    assert encode(decode(encode(customer.known))) == encode(customer.known)


def test_a_state_of_a_newer_format_is_refused_with_a_remedy() -> None:
    newer = msgspec.msgpack.encode([99, "a field of another type"])
    with pytest.raises(NewerFormat, match="upgrade"):
        decode(newer)
    with pytest.raises(NewerFormat, match="upgrade"):
        decode(encode(State(format=99)))


@pytest.mark.parametrize("blob", [b"", b"\xc1", b"\x93\x01", b"not msgpack at all", msgspec.msgpack.encode({"a": 1})])
def test_a_broken_state_is_told_with_a_remedy(blob: bytes) -> None:
    with pytest.raises(BrokenState, match="rebuild"):
        decode(blob)


def test_an_empty_state_is_never_due() -> None:
    assert due_ms(State()) is None or (due_ms(State()) or 0) >= NEVER


def test_what_time_brings_is_told_though_the_events_are_folded_again_in_silence() -> None:
    """Their own effects were had before. What silence brings between them and the clock was not."""
    teacher = next(f"T{n}" for n in range(100) if history_day(f"T{n}", DAY0) < DAY0 + 40)
    quiet = Policy(effects=False, silence_ms=at(5))
    change = evolve(None, teacher, [Arrival(0, 0, order(0))], at(40), fresh(HORIZON_DAYS), quiet)
    assert change is not None
    told = [msgspec.json.decode(effect.value, type=History) for effect in change.state.effects if effect.topic == LESSONS]
    assert [history.purchase_days for history in told] == [1] * len(told) != []
