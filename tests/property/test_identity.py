"""Who is one person: the same for any order of the links, and for whoever sees only what hangs together with one of them."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from random import Random
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

import oracle.identities
from portrait.identity.graph import (
    CONFIDENCE_MIN,
    PERSON_MAX,
    RUNAWAY,
    SHARED_BY,
    SHARED_WITH,
    Resolution,
    linked_to,
    reach,
    resolve,
)
from portrait.identity.links import LINKS_MAX, Links, fold_event, united
from schemas.customers import ConsentChanged, IdentityLinked, IdentityUnlinked
from schemas.event import Event
from schemas.identity import Namer, others_of
from schemas.types import Alias

EMAIL = "email:~" + 32 * "1"
NAMES = [
    "C1",
    "C2",
    "C3",
    "C4",
    "C5",
    "cookie1",
    "cookie2",
    "device:d1",
    "device:d2",
    EMAIL,
    "social:weibo:a",
    "device:null",
]
KINDS = {"cookie1": "anonymous", "cookie2": "anonymous"}


def link(key: str, other: str, ms: int, *, on: bool = True, **data: Any) -> Event:
    kind = KINDS.get(other) or (other.partition(":")[0] if ":" in other else data.pop("kind", "customer"))
    of, kind = (IdentityLinked, kind) if on else (IdentityUnlinked, "customer")
    told = of(other=other, kind=kind, key_kind=KINDS.get(key), **data)
    digest = blake2b(repr((key, other, ms, on, data)).encode(), digest_size=8).digest()
    return Event(key, 6, ms, 0, digest, "e", told, source="/test")


def fold(events: Sequence[Event]) -> dict[str, Links | None]:
    graph: dict[str, Links | None] = {}
    for event in events:
        others = others_of(event)
        for name in (event.customer_id, *others) if others else ():
            graph[name], _ = fold_event(graph.get(name), name, event)
    return graph


def carrying(key: str, ms: int, *identities: Alias) -> Event:
    """An event about something else, named: none of them twice, and none that stands for nobody."""
    digest = blake2b(repr((key, ms, identities)).encode(), digest_size=8).digest()
    data = ConsentChanged(purpose="service", granted=True, identities=identities)
    event = Namer().named(Event(key, 6, ms, 0, digest, "e", data, source="/shop"))
    assert isinstance(event, Event)
    return event


aliases = st.builds(
    lambda name, told, confidence: Alias(other=name, kind=KINDS.get(name) if told else None, confidence=confidence),
    st.sampled_from([name for name in NAMES if not name.startswith("email")]),
    st.booleans(),
    st.sampled_from([1.0, 0.9, 0.3]),
)
carried = st.builds(carrying, st.sampled_from(NAMES), st.integers(0, 6), aliases, aliases)
linking = st.builds(
    lambda pair, ms, on, confidence, by: link(
        *pair, ms, on=on, **({"confidence": confidence} if on else {}), by="lin" if by else None
    ),
    st.lists(st.sampled_from(NAMES), min_size=2, max_size=2, unique=True),
    st.integers(0, 6),
    st.sampled_from([True, True, True, False]),
    st.sampled_from([1.0, 0.9, 0.3]),
    st.sampled_from([False] * 9 + [True]),
)
words = st.one_of(linking, linking, carried)


@settings(max_examples=100, deadline=None)
@given(st.lists(words, max_size=25), st.randoms(use_true_random=False))
def test_any_order_of_the_same_links_gives_the_same_persons(events: list[Event], rng: Random) -> None:
    shuffled = [*events, *rng.sample(events, len(events) // 2)]  # some of them twice
    rng.shuffle(shuffled)
    one, other = fold(events), fold(shuffled)
    encode = msgspec.json.Encoder(order="sorted").encode
    assert encode(one) == encode(other)
    assert resolve(one) == resolve(other) == resolve(dict(sorted(other.items())))


@settings(max_examples=100, deadline=None)
@given(st.lists(words, max_size=25), st.sampled_from(NAMES))
def test_who_sees_only_what_hangs_together_with_one_identity_sees_the_same_person(events: list[Event], start: str) -> None:
    graph = fold(events)
    seen = load(graph, start)
    whole, part = resolve(graph), resolve(seen)
    members = whole.members().get(whole.persons.get(start, start), [start])
    assert part.members().get(part.persons[start]) == members


def load(graph: dict[str, Links | None], start: str) -> dict[str, Links | None]:
    """As a worker does: round by round, until nobody is missing."""
    seen = {start: graph.get(start)}
    while True:
        near = reach(seen, [start])
        missing = {other for name in near for other in linked_to(name, seen[name])} - seen.keys()
        if not missing:
            return seen
        seen |= {name: graph.get(name) for name in missing}


@settings(max_examples=100, deadline=None)
@given(st.lists(words, max_size=25))
def test_two_customers_are_one_person_only_where_somebody_decided_so(events: list[Event]) -> None:
    found = resolve(fold(events))
    decided = any(getattr(event.data, "by", None) for event in events)
    for members in found.members().values():
        assert decided or sum(name.startswith("C") for name in members) <= 1
        assert "device:null" not in members or len(members) == 1
    for proposal in found.proposals:
        assert found.persons[proposal.a] != found.persons[proposal.b]


@settings(max_examples=100, deadline=None)
@given(st.lists(words, max_size=25))
def test_they_are_the_oracles_persons(events: list[Event]) -> None:
    assert resolve(fold(events)).persons == oracle.identities.persons(events)


def persons(*events: Event) -> Resolution:
    return resolve(fold(events))


def whys(found: Resolution) -> dict[tuple[str, str], str]:
    return {(p.a, p.b): p.why for p in found.proposals}


def test_customers_by_another_word_are_two_until_somebody_decides() -> None:
    words = [link("C1", "C2", 1, kind="member"), link("C3", "C1", 2, kind="Account")]
    found = persons(*words)
    assert whys(found) == {("C1", "C2"): "two-customers", ("C1", "C3"): "two-customers"}
    assert found.persons == oracle.identities.persons(words)


def test_who_turns_a_proposal_down_says_nothing_of_what_the_two_are() -> None:
    words = [link("C1", "cookie1", 1), link("C2", "cookie1", 2)]
    down = Event(
        "C2", 6, 3, 0, b"8 bytes.", "e", IdentityUnlinked(other="cookie1", kind="customer", key_kind="device"), source="/cli"
    )
    found = persons(*words, down)
    assert found.persons == {"C1": "C1", "cookie1": "C1", "C2": "C2"} == oracle.identities.persons([*words, down])


@given(st.integers(0, 3), st.integers(0, 3))
def test_of_one_time_the_end_of_a_link_stands(on: int, off: int) -> None:
    words = [
        Event("C1", 6, 5, 0, bytes([on] * 8), "a", IdentityLinked(other="device:d1", kind="device"), source="/crm"),
        Event("C1", 6, 5, 0, bytes([off] * 8), "b", IdentityUnlinked(other="device:d1", kind="device"), source="/crm"),
    ]
    for told in (words, words[::-1]):
        assert persons(*told).persons == {"C1": "C1", "device:d1": "device:d1"} == oracle.identities.persons(told)


def test_an_event_that_carries_an_identity_links_it() -> None:
    events = [carrying("C1", 5, Alias(other="device:d1"), Alias(other="cookie1", kind="anonymous"))]
    assert persons(*events).persons == {"C1": "C1", "device:d1": "C1", "cookie1": "C1"} == oracle.identities.persons(events)
    unsure = persons(carrying("C1", 5, Alias(other="device:d1", confidence=0.3)))
    assert whys(unsure) == {("C1", "device:d1"): "unsure"}


def test_what_was_said_of_a_link_is_not_undone_by_the_next_click() -> None:
    events = [carrying("C1", ms, Alias(other="device:d1")) for ms in (1, 9)]
    parted = [*events, link("C1", "device:d1", 5, on=False)]
    assert persons(*parted).persons == {"C1": "C1", "device:d1": "device:d1"} == oracle.identities.persons(parted)
    again = [*parted, link("C1", "device:d1", 6)]
    assert persons(*again).persons["device:d1"] == "C1" == oracle.identities.persons(again)["device:d1"]


def test_a_register_of_what_is_carried_rests() -> None:
    """The thousandth click from the same device changes nothing: neither end need be written for it."""
    links, changed = fold_event(None, "C1", carrying("C1", 5, Alias(other="device:d1")))
    assert changed and links is not None and links.others["device:d1"].first_ms == 5
    for ms in (6, 7, 900):
        assert fold_event(links, "C1", carrying("C1", ms, Alias(other="device:d1"))) == (links, False)
    assert fold_event(links, "C1", carrying("C1", 2, Alias(other="device:d1")))[1] and links.others["device:d1"].first_ms == 2
    sure = carrying("C1", 8, Alias(other="cookie1", kind="anonymous"))
    device, _ = fold_event(fold_event(None, "cookie1", link("C2", "cookie1", 1))[0], "cookie1", sure)
    assert device is not None and device.kind == "anonymous", "what was said stands; here the same"


def test_an_event_tells_nothing_of_what_its_key_is() -> None:
    events = [link("C1", "cookie1", 1), carrying("cookie1", 9, Alias(other="device:d1"))]
    assert set(persons(*events).persons.values()) == {"C1"} == set(oracle.identities.persons(events).values())


def test_a_person_goes_by_their_best_identity() -> None:
    found = persons(link("cookie1", "device:d1", 1), link("C9", "cookie1", 2), link("C9", EMAIL, 3))
    assert set(found.persons.values()) == {"C9"}
    assert persons(link(EMAIL, "device:d1", 1)).persons["device:d1"] == EMAIL


def test_the_later_word_stands_and_a_link_that_ended_joins_nobody() -> None:
    assert persons(link("C1", "cookie1", 2, on=False), link("C1", "cookie1", 1)).persons["cookie1"] == "cookie1"
    assert persons(link("C1", "cookie1", 2, on=False), link("cookie1", "C1", 3)).persons["cookie1"] == "C1"


def test_what_belongs_to_another_customer_stays_with_the_first() -> None:
    found = persons(link("C2", "device:d1", 5), link("C1", "device:d1", 1), link("C1", "device:d1", 9))
    assert found.persons == {"C1": "C1", "C2": "C2", "device:d1": "C1"}
    assert whys(found) == {("C2", "device:d1"): "other-customer"}


def test_two_customers_are_a_proposal_until_somebody_decides() -> None:
    assert whys(persons(link("C1", "C2", 1))) == {("C1", "C2"): "two-customers"}
    assert persons(link("C1", "C2", 1), link("C1", "C2", 2, by="lin")).persons == {"C1": "C1", "C2": "C1"}
    through = persons(link("C1", "cookie1", 1), link("cookie1", "device:d1", 2), link("C2", "device:d1", 3))
    assert through.persons == {"C1": "C1", "cookie1": "C1", "device:d1": "C2", "C2": "C2"}
    assert whys(through) == {("cookie1", "device:d1"): "two-customers"}


def test_what_is_unsure_blocked_or_shared_joins_nobody() -> None:
    assert whys(persons(link("C1", "cookie1", 1, confidence=CONFIDENCE_MIN - 0.01))) == {("C1", "cookie1"): "unsure"}
    assert whys(persons(link("C1", "device:null", 1, by="lin"))) == {("C1", "device:null"): "blocked"}
    till = persons(*(link(f"C{n}", "device:d1", n) for n in range(SHARED_BY)))
    assert set(whys(till).values()) == {"shared"} and till.persons["device:d1"] == "device:d1"
    fewer = persons(*(link(f"C{n}", "device:d1", n) for n in range(SHARED_BY)), link("C0", "device:d1", 99, on=False))
    assert fewer.persons["device:d1"] == "C1"


def devices(n: int) -> list[str]:
    return [f"device:x{number:03}" for number in range(n)]


def test_what_is_linked_to_too_many_is_shared_until_some_of_the_links_end() -> None:
    words = [link("social:weibo:a", name, n) for n, name in enumerate(devices(SHARED_WITH + 1))]
    assert set(whys(persons(*words)).values()) == {"shared"}
    words += [link("social:weibo:a", name, 999, on=False) for name in devices(30)]
    found = persons(*words)
    assert len(found.members()["social:weibo:a"]) == SHARED_WITH + 1 - 30 + 1 and not found.proposals
    assert found.persons == oracle.identities.persons(words)


def test_links_that_ended_use_up_no_places_of_a_customers_person() -> None:
    """Who gets a new device every month is one person all the same, and one with as many devices as a person may have."""
    words = [link("C1", name, n) for n, name in enumerate(devices(LINKS_MAX))]
    words += [link("C1", name, 999, on=False) for name in devices(LINKS_MAX - 10)]
    found = persons(*words)
    assert len(found.members()["C1"]) == 11 and found.persons == oracle.identities.persons(words)
    assert len(persons(*words[:LINKS_MAX]).members()["C1"]) == PERSON_MAX


@settings(max_examples=5, deadline=None)
@given(st.randoms(use_true_random=False))
def test_of_more_than_are_kept_the_same_are_in_any_order(rng: Random) -> None:
    words = [link("C1", name, 1) for name in devices(LINKS_MAX + 8)]
    words += [link("C1", name, 2, on=False) for name in rng.sample(devices(LINKS_MAX + 8), 90)]
    expected = oracle.identities.persons(words)
    rng.shuffle(words)
    folded = fold(words)
    links = folded["C1"]
    assert links is not None and links.full and len(links.others) == LINKS_MAX
    whole = resolve(folded)
    assert whole.persons == expected and len(whole.members()["C1"]) > 30, "nobody is parted from all of theirs"
    assert {proposal.why for proposal in whole.proposals} <= {"full"}
    for start in rng.sample(devices(LINKS_MAX + 8), 12):
        assert resolve(load(folded, start)).persons[start] == whole.persons[start]
    half = len(words) // 2
    one, other = fold(words[:half])["C1"], fold(words[half:])["C1"]
    both = united(one, other)
    assert both is not None and both.others == links.others and both.full == links.full


def test_a_till_that_has_seen_more_than_are_kept_is_shared_for_good() -> None:
    words = [link("device:till", name, n) for n, name in enumerate(devices(LINKS_MAX + 1))]
    words += [link("device:till", name, 999, on=False) for name in devices(LINKS_MAX)]
    assert set(whys(persons(*words)).values()) == {"shared"}
    assert persons(*words).persons == oracle.identities.persons(words)


def test_a_person_grows_to_a_limit_and_what_runs_away_is_nobody() -> None:
    chain = [link(f"device:x{n:03}", f"device:x{n + 1:03}", n) for n in range(PERSON_MAX + 5)]
    found = persons(*chain)
    assert max(map(len, found.members().values())) == PERSON_MAX
    assert set(whys(found).values()) == {"too-many"}
    endless = persons(*(link(f"device:x{n:03}", f"device:x{n + 1:03}", n) for n in range(RUNAWAY)))
    assert set(whys(endless).values()) == {"runaway"}
    assert all(name == person for name, person in endless.persons.items())
