"""Persons of several identities: whatever the order of events, links, and ends of links, and whatever writes are lost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from random import Random
from typing import Any
from unittest.mock import patch

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import oracle.facts
from portrait.evolve import Arrival, due_ms, published
from portrait.identity import graph
from portrait.identity.graph import resolve
from portrait.identity.person import Moment, evolve_persons, fold_links, merged, near
from portrait.settle import Policy
from portrait.state import State, decode, encode, facts
from schemas.event import Event
from schemas.event import decode as decode_event
from schemas.identity import Namer, others_of
from tests.property.lives import DAY_MS, END_MS, Author
from tests.property.test_facts_order import SCORER

EMAIL = "email:~" + 32 * "1"
NAMES = ["C1", "C2", "C3", "C4", "device:d1", "device:d2", EMAIL, "social:weibo:a"]
some = settings(max_examples=40, deadline=None, print_blob=True, suppress_health_check=list(HealthCheck))
randoms = st.randoms(use_true_random=False, note_method_calls=False)


def write(rng: Random, n: int, links: float) -> list[Event]:
    """Events of several identities, and what is said of their links."""
    author = Author(rng, words=3, days=rng.choice([2, 2, 100, 400]))
    names = rng.sample(NAMES, rng.choice([3, 5, len(NAMES)]))
    found = []
    for number in range(n):
        key, other = rng.sample(names, 2)
        topic, value = author.write()
        if rng.random() < links:
            on = rng.random() < 0.7
            data = {"other": other, "kind": "customer"} | ({"confidence": rng.choice([1, 0.9, 0.2])} if on else {})
            if rng.random() < 0.1:
                data["by"] = "lin"
            topic, value = (
                "customers",
                msgspec.json.encode(
                    {
                        "specversion": "1.0",
                        "id": f"l{number}",
                        "source": "/test",
                        "type": "identity.linked" if on else "identity.unlinked",
                        "time": msgspec.json.decode(value)["time"],
                        "data": data,
                    }
                ),
            )
        if rng.random() < links / 2:  # events about other things name their customer's others
            content = msgspec.json.decode(value)
            content["data"]["identities"] = [rng.choice(names), {"other": other, "confidence": rng.choice([1, 0.9, 0.2])}]
            value = msgspec.json.encode(content)
        event = decode_event(topic, key.encode(), value, (), END_MS)
        assert isinstance(event, Event) and isinstance(Namer().named(event), Event), event
        found.append(event)
    return found


def placed(events: Sequence[Event]) -> list[Arrival]:
    """In the order of the log: one partition for every identity, and its own offsets."""
    offsets: dict[str, int] = defaultdict(int)
    found = []
    for event in events:
        offsets[event.customer_id] += 1
        found.append(Arrival(hash(event.customer_id) % 1000 << 20, offsets[event.customer_id], event))
    return found


class Shop:
    """States and views as a store keeps them. Nothing is cached: what is not written is forgotten."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.states: dict[str, bytes] = {}
        self.views: dict[str, dict[str, bytes]] = defaultdict(dict)

    def load(self, name: str) -> State:
        return decode(self.states[name]) if name in self.states else State()

    def apply(
        self, arrivals: Sequence[Arrival], ticks: Sequence[str], clock_ms: int, made: float = 1.0, lost: Container[str] = ()
    ) -> None:
        by_name: dict[str, list[Arrival]] = {name: [] for name in ticks}
        for arrival in arrivals:
            event = arrival.event
            for name in (event.customer_id, *others_of(event)):
                by_name.setdefault(name, []).append(arrival)
        states = {name: self.load(name) for name in by_name}
        for name, state in states.items():
            fold_links(name, state, by_name[name])
        while missing := near(states, by_name)[1]:
            states |= {name: self.load(name) for name in missing}
        for name, change, _ in evolve_persons(states, by_name, Moment(clock_ms, SCORER, Policy())):
            assert change.state is states[name]
            if name in lost or self.rng.random() >= made:
                continue
            published(change.state)
            self.states[name] = encode(change.state)
            for field, value in change.fields.items():
                if value is None:
                    self.views[name].pop(field, None)
                else:
                    self.views[name][field] = value

    def stored(self) -> dict[str, State]:
        return {name: decode(blob) for name, blob in self.states.items()}


def live(rng: Random, shop: Shop, log: Sequence[Arrival], *, crashes: float = 0.0) -> None:
    rest, clock_ms = list(log), 0
    while rest:
        batch, rest = rest[: (n := rng.randint(1, 6))], rest[n:]
        clock_ms = max(clock_ms, rng.randint(END_MS - 400 * DAY_MS, END_MS) if rng.random() < 0.3 else 0)
        while rng.random() < crashes:  # only some of the writes are made, and the batch comes again
            shop.apply(batch, (), clock_ms, made=0.6)
        shop.apply(batch, rng.sample(NAMES, 1) if rng.random() < 0.3 else (), clock_ms)


def check(shop: Shop, events: Sequence[Event]) -> None:
    """Everything there is against the oracle, as of the end."""
    due = [name for name, state in shop.stored().items() if (due_ms(state) or END_MS + 1) <= END_MS]
    shop.apply((), sorted(due), END_MS)
    states = shop.stored()
    persons = resolve({name: state.links for name, state in states.items()})
    own: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        own[event.customer_id].append(event)
    assert own.keys() <= states.keys()
    for name, of_name in own.items():
        assert facts(decode(encode(states[name])), END_MS) == oracle.facts.facts(of_name, END_MS), "as if never merged"
    for name, state in states.items():
        assert state.person == ("" if persons.persons[name] == name else persons.persons[name])
    for name, members in persons.members().items():
        check_person(shop, states, name, members, [event for member in members for event in own[member]])


def check_person(shop: Shop, states: dict[str, State], name: str, members: list[str], events: list[Event]) -> None:
    state, view = states[name], shop.views[name]
    assert state.members == (members if len(members) > 1 else [])
    for member in members:
        if member != name:
            assert shop.views[member].keys() == {"goes_by", "version", "updated_at_ms"}
            assert shop.views[member]["goes_by"] == name.encode()
            assert (states[member].stage, states[member].risk, states[member].pending) == ("", None, [])
    if not events:
        assert not view or not state.events
        return
    expected = oracle.facts.facts(events, END_MS)
    assert facts(merged([decode(encode(states[member])) for member in members]), END_MS) == expected
    assert view["stage"].decode() == state.stage == msgspec.json.decode(expected)["stage"][0]
    assert msgspec.json.decode(view["activity"])["events"][3] == len(events)


@some
@given(randoms, st.integers(1, 40), st.sampled_from([0.1, 0.3, 0.6]))
def test_events_and_links_in_any_order_give_the_same_persons(rng: Random, n: int, links: float) -> None:
    events = write(rng, n, links)
    ends: list[Any] = []
    for _ in range(2):
        shop = Shop(rng)
        rng.shuffle(events)
        live(rng, shop, placed(events))
        check(shop, events)
        ends.append({name: (state.person, state.members, state.stage) for name, state in shop.stored().items()})
    assert ends[0] == ends[1]


def linked(key: str, other: str) -> Event:
    data = {"other": other, "kind": "device"}
    told = {"specversion": "1.0", "source": "/test", "type": "identity.linked", "time": "2024-01-01T00:00:00Z", "data": data}
    event = decode_event("customers", key.encode(), msgspec.json.encode({**told, "id": f"{key} {other}"}), (), END_MS)
    assert isinstance(event, Event)
    return event


@some
@given(st.integers(0, 2**32), st.sampled_from([(3, 12), (5, 12), (6, 24)]))
def test_nobody_stays_joined_in_a_cluster_that_runs_away_however_far_off(seed: int, most: tuple[int, int]) -> None:
    """Each cluster by itself can be persons, and all together can't. Nobody is looked at when that is seen, but who has to be."""
    rng, shop, clusters = Random(seed), Shop(Random(seed)), []
    with patch.multiple(graph, PERSON_MAX=most[0], RUNAWAY=most[1]):
        for cluster in range(rng.choice([2, 3, 4])):
            names = [f"device:{cluster}-{number:02}" for number in range(rng.randint(most[1] // 2, most[1]))]
            back = rng.choice([1, 2, 5])
            words = [linked(names[n], names[rng.randrange(max(0, n - back), n)]) for n in range(1, len(names))]
            shop.apply(placed(rng.sample(words, len(words))), (), END_MS)
            clusters.append(names)
        bridges = [linked(rng.choice(one), rng.choice(other)) for one, other in pairwise(clusters)]
        shop.apply(placed(bridges), (), END_MS)
        states = shop.stored()
        right = resolve({name: state.links for name, state in states.items()}).members()
    assert {name: state.members or [name] for name, state in states.items() if not state.person} == right


@some
@given(randoms, st.integers(1, 40), st.sampled_from([0.3, 0.6]))
def test_writes_that_were_lost_between_two_shards_heal(rng: Random, n: int, links: float) -> None:
    events = write(rng, n, links)
    shop = Shop(rng)
    live(rng, shop, placed(events), crashes=0.4)
    check(shop, events)


def told(key: str, type_: str, day: int, number: int, **data: Any) -> Arrival:
    topic = "orders" if type_.startswith("order") else "customers" if type_.startswith("identity") else "complaints"
    at = datetime.fromtimestamp((END_MS - day * DAY_MS) / 1000, UTC).isoformat()
    value = {"specversion": "1.0", "id": f"{key}{number}", "source": "/test", "type": type_, "time": at, "data": data}
    event = decode_event(topic, key.encode(), msgspec.json.encode(value), (), END_MS)
    assert isinstance(event, Event), event
    return Arrival(NAMES.index(key), number, event)


def order(key: str, day: int, number: int) -> Arrival:
    return told(key, "order.placed", day, number, order_id=f"{key}{number}", currency="CNY", amount_minor=100)


def scene() -> Shop:
    """C1 has bought twice, and a device of theirs once; they are one person since two days ago."""
    shop = Shop(Random(1))
    for arrival in (order("C1", 300, 1), order("C1", 290, 2), order("device:d1", 3, 1)):
        shop.apply([arrival], (), END_MS - round((END_MS - arrival.event.time_ms) / 2))
    shop.apply([], sorted(shop.states), END_MS)
    shop.apply([told("C1", "identity.linked", 2, 3, other="device:d1", kind="device")], (), END_MS)
    return shop


def test_the_person_is_shown_under_one_identity_and_the_other_leads_there() -> None:
    shop = scene()
    assert shop.views["device:d1"]["goes_by"] == b"C1"
    assert msgspec.json.decode(shop.views["C1"]["consumption"])["orders"][3] == 3
    assert "goes_by" not in shop.views["C1"]


def test_taken_back_each_is_what_it_would_be_alone() -> None:
    shop, never = scene(), Shop(Random(1))
    shop.apply([told("C1", "identity.unlinked", 0, 4, other="device:d1", kind="device")], (), END_MS)
    for arrival in (order("C1", 300, 1), order("C1", 290, 2), order("device:d1", 3, 1)):
        never.apply([arrival], (), END_MS)
    for name in ("C1", "device:d1"):
        kept = ("stage", "consumption", "churn_risk", "tags", "journey")
        assert {f: shop.views[name].get(f) for f in kept} == {f: never.views[name].get(f) for f in kept}
        assert "goes_by" not in shop.views[name]
    assert facts(shop.load("device:d1"), END_MS) == facts(never.load("device:d1"), END_MS)


def test_a_write_of_the_persons_own_fragment_that_was_lost_is_made_up_for() -> None:
    """The device's order stands in its fragment, and the person does not show it: when it comes again, it is no news."""
    shop, bought = scene(), order("device:d1", 0, 2)
    shop.apply([bought], (), END_MS, lost=("C1",))
    assert msgspec.json.decode(shop.views["C1"]["consumption"])["orders"][3] == 3
    shop.apply([bought], (), END_MS)
    assert msgspec.json.decode(shop.views["C1"]["consumption"])["orders"][3] == 4


def test_what_the_person_was_promised_follows() -> None:
    """A rule that has spoken to one identity cools down for the person, and for each of them once they part."""
    shop = scene()
    state = shop.load("C1")
    state.cooldowns["stage-fell"] = END_MS + DAY_MS
    shop.states["C1"] = encode(state)
    shop.apply([told("C1", "identity.linked", 1, 4, other=EMAIL, kind="email")], (), END_MS)
    assert shop.load("C1").cooldowns["stage-fell"] == END_MS + DAY_MS
    examples = len(shop.load("C1").pending)
    shop.apply([told("C1", "identity.unlinked", 0, 5, other="device:d1", kind="device")], (), END_MS)
    assert shop.load("device:d1").cooldowns["stage-fell"] == END_MS + DAY_MS
    assert len(shop.load("C1").pending) == examples > 0


def test_who_leaves_a_person_has_lived_to_that_ones_moment() -> None:
    """The customer, of whom nothing was seen, is evolved first and is left without a moment; the device takes it along."""
    shop = Shop(Random(1))
    shop.apply([order("device:d1", 9, 1)], (), END_MS - 5 * DAY_MS)
    shop.apply([told("device:d1", "identity.linked", 4, 2, other="C1", kind="customer")], (), END_MS - 2 * DAY_MS)
    later_ms = END_MS - 2 * DAY_MS + 3_600_000
    shop.apply([order("device:d1", 3, 4)], (), later_ms)
    state = shop.load("C1")
    assert (state.moment_ms, state.events) == (later_ms, 0)
    state.cooldowns["stage-fell"] = state.moment_ms
    shop.states["C1"] = encode(state)
    shop.apply([told("device:d1", "identity.unlinked", 3, 5, other="C1", kind="customer")], (), 0)
    device = shop.load("device:d1")
    assert device.cooldowns["stage-fell"] == later_ms <= device.moment_ms


def test_an_identity_of_which_nothing_was_seen_has_no_profile_of_its_own() -> None:
    shop = Shop(Random(1))
    shop.apply([told("C1", "identity.linked", 3, 1, other="C2", kind="customer")], (), END_MS)  # only a proposal
    assert shop.load("C2").links is not None and not shop.views["C2"]
    shop.apply([told("C1", "identity.linked", 2, 2, other="C2", kind="customer", by="lin")], (), END_MS)
    assert shop.views["C2"]["goes_by"] == b"C1"
    shop.apply([told("C1", "identity.unlinked", 1, 3, other="C2", kind="customer", by="lin")], (), END_MS)
    assert not shop.views["C2"]
    shop.apply([order("C2", 0, 1)], (), END_MS)
    assert shop.views["C2"]["stage"] == b"new"
