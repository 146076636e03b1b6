"""``portrait identity``: who is one person and why, what waits for a decision, and the events that it publishes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from cli import identity, main, output, people, quality, tags
from portrait.evolve import Arrival
from portrait.identity.person import Moment, evolve_persons, fold_links, near
from portrait.settle import Policy
from portrait.state import State, encode
from profile_store.contract import ABSENT, Loaded, check_naming
from profile_store.queries import Profile
from schemas.customers import IdentityLinked, IdentityUnlinked
from schemas.event import Event, decode
from schemas.identity import Namer, fingerprint, identity_of
from streams.settings import Settings, naming_of
from tests.property.test_facts_order import SCORER

NOW_MS = 1_760_000_000_000
KEY = "a key of the shop's"
LIN = identity_of("email:lin@shop.cn", KEY.encode()).id


class Shop:
    """A log of the topic `customers`, the states that workers make of it, and what is published to it."""

    def __init__(self) -> None:
        self.log: list[SimpleNamespace] = []
        self.states: dict[str, State] = {}
        self.sent: list[tuple[str, str, dict[str, Any]]] = []
        self.naming = ""

    def says(self, key: str, type_: str, **data: Any) -> None:
        time = f"2025-10-0{1 + len(self.log)}T08:00:00Z"
        envelope = {"specversion": "1.0", "id": f"e{len(self.log)}", "source": "/crm", "type": type_, "time": time}
        value = json.dumps(envelope | {"data": data}).encode()
        self.log.append(SimpleNamespace(key=key.encode(), value=value, headers=(), timestamp=NOW_MS))
        event = decode("customers", key.encode(), value, (), NOW_MS)
        assert isinstance(event, Event) and isinstance(Namer(KEY.encode()).named(event), Event), event
        key, data["other"] = event.customer_id, getattr(event.data, "other", "")
        both = isinstance(event.data, IdentityLinked | IdentityUnlinked)
        arrivals = {name: [Arrival(1, len(self.log), event)] for name in ({key, data["other"]} if both else {key})}
        for name in arrivals:
            fold_links(name, self.states.setdefault(name, State()), arrivals[name])
        assert not near(self.states, arrivals)[1]
        evolve_persons(self.states, arrivals, Moment(NOW_MS, SCORER, Policy()))

    # -- as the store's and the log's readers -----------------------------------------------------------------------------------

    async def __aenter__(self) -> Shop:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def state_of(self, name: str) -> Loaded:
        return Loaded(b"n", encode(self.states[name])) if name in self.states else ABSENT

    async def scan_states(self) -> AsyncIterator[tuple[str, Loaded]]:
        for name, state in self.states.items():
            yield name, Loaded(b"n", encode(state))

    async def read_topic(self, bootstrap: str, topic: str) -> AsyncIterator[Any]:
        for record in self.log if topic == "customers" else ():
            yield record

    @asynccontextmanager
    async def publisher(self, bootstrap: str) -> AsyncIterator[Any]:
        yield self

    async def agree(self, settings: Settings) -> None:
        check_naming(self.naming, naming_of(settings))

    async def send(self, topic: str, key: bytes, value: bytes) -> None:
        event = json.loads(value)
        self.sent.append((topic, key.decode(), {"type": event["type"], **event["data"]}))


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Shop:
    shop = Shop()
    monkeypatch.setattr(people, "state_reader", lambda settings: shop)
    monkeypatch.setattr(identity, "agree", shop.agree)
    monkeypatch.setattr(people.kafka, "read_topic", shop.read_topic)
    monkeypatch.setattr(people.kafka, "publisher", shop.publisher)
    monkeypatch.setenv("LOGNAME", "wang")
    shop.says("C1", "attributes.changed", attributes={"name": "Li"})
    shop.says("device:d1", "identity.linked", other="C1", kind="customer", confidence=0.9)
    shop.says("device:d1", "identity.linked", other="anonymous:[b]", kind="anonymous")
    shop.says("C1", "identity.linked", other="C2", kind="customer")
    return shop


def invoke(*words: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(main.app, ["identity", *words], terminal_width=300)
    return result.exit_code, result.stdout, result.stderr


def test_a_person_is_shown_as_a_tree_from_any_of_their_identities(shop: Shop) -> None:
    code, out, _ = invoke("show", "anonymous:[b]")
    assert code == output.OK
    lines = out.splitlines()
    assert lines[0] == "C1  customer · 2 events"
    assert "device:d1" in lines[1] and "linked 2025-10-02 08:00, last said 2025-10-02 08:00 by /crm, sure 90%" in lines[2]
    assert lines.index(next(line for line in lines if "anonymous:[b]" in line)) > 2, "behind the device that leads to it"
    assert "not joined" in lines[-1] and "C1 — C2: it would make two customers one" in lines[-1]


def test_shown_as_data_with_all_that_was_ever_said(shop: Shop) -> None:
    shop.says("device:d1", "identity.unlinked", other="anonymous:[b]", kind="anonymous", reason="a café", by="lin")
    code, out, _ = invoke("show", "C1", "--json", "--history")
    told = json.loads(out)
    assert code == output.OK and told["person"] == "C1"
    assert [each["id"] for each in told["identities"]] == ["C1", "device:d1"]
    assert [(link["a"], link["b"], link["source"], link["by"]) for link in told["links"]] == [("C1", "device:d1", "/crm", None)]
    assert [(each["b"], each["why"]) for each in told["not_joined"]] == [("C2", "two-customers")]
    assert [(word["said"], word["key"], word["other"]) for word in told["history"]] == [
        ("linked", "device:d1", "C1"), ("linked", "device:d1", "anonymous:[b]"), ("linked", "C1", "C2"),
        ("unlinked", "device:d1", "anonymous:[b]"),
    ]  # fmt: skip
    assert (told["history"][3]["by"], told["history"][3]["reason"]) == ("lin", "a café")
    assert "a café" in invoke("show", "C1", "--history")[1]


def test_whom_nobody_knows_is_told(shop: Shop) -> None:
    code, _, err = invoke("show", "C9")
    assert code == output.FAILED and "nothing is known of C9" in err


def test_why_two_are_one_follows_the_links_between_them(shop: Shop) -> None:
    code, out, _ = invoke("why", "C1", "anonymous:[b]")
    assert code == output.OK
    assert [line.split(":")[0] for line in out.splitlines()] == ["C1 — device", "anonymous"]
    assert len(json.loads(invoke("why", "C1", "anonymous:[b]", "--json")[1])["links"]) == 2


def test_why_two_are_not_one_says_what_stands_between(shop: Shop) -> None:
    shop.says("C1", "identity.unlinked", other="device:d1", kind="device", reason="sold", by="lin")
    assert invoke("why", "C1", "C2")[0] == output.FAILED
    assert "it would make two customers one" in invoke("why", "C1", "C2")[2]
    assert "taken back 2025-10-05 08:00 by lin: sold" in invoke("why", "C1", "device:d1")[2]
    assert "no link leads" in invoke("why", "C2", "device:d1")[2]
    told = json.loads(invoke("why", "C1", "C2", "--json")[1])
    assert (told["one_person"], told["links"], told["not"][0]["why"]) == (False, [], "two-customers")


def test_what_waits_for_a_decision_is_listed_and_gone_once_it_is_decided(shop: Shop) -> None:
    shop.says("C1", "identity.linked", other="device:test", kind="device")
    rows = json.loads(invoke("proposals", "--json")[1])
    assert [(row["a"], row["b"], row["why"]) for row in rows] == [("C1", "C2", "two-customers")]
    assert {row["why"] for row in json.loads(invoke("proposals", "--all", "--json")[1])} == {"two-customers", "blocked"}
    shop.says("C1", "identity.linked", other="C2", kind="customer", by="lin")
    code, out, err = invoke("proposals")
    assert (code, out) == (output.OK, "") and "nothing waits" in err
    assert "decided by lin" in invoke("why", "C1", "C2")[1]


def test_a_link_and_its_end_are_events_of_whoever_decides(shop: Shop) -> None:
    assert invoke("link", "C1", "device:d7")[0] == output.OK
    assert invoke("link", "C1", "x7", "--kind", "anonymous", "--rule", "--confidence", "0.6")[0] == output.OK
    assert invoke("unlink", "k", "device:d7", "--by", "lin", "--reason", "sold", "--key-kind", "device")[0] == output.OK
    assert shop.sent == [
        ("customers", "C1", {"type": "identity.linked", "other": "device:d7", "kind": "device", "confidence": 1.0, "by": "wang"}),
        ("customers", "C1", {"type": "identity.linked", "other": "x7", "kind": "anonymous", "confidence": 0.6}),
        ("customers", "k", {"type": "identity.unlinked", "other": "device:d7", "kind": "device", "key_kind": "device",
                            "by": "lin", "reason": "sold"}),
    ]  # fmt: skip


def test_they_say_of_the_two_what_is_known_of_them(shop: Shop) -> None:
    shop.says("C1", "identity.linked", other="cookie-5f2", kind="anonymous")
    assert invoke("unlink", "C21", "cookie-5f2", "--by", "lin")[0] == output.OK
    assert invoke("link", "cookie-5f2", "C21", "--rule")[0] == output.OK
    assert [event for _, _, event in shop.sent] == [
        {"type": "identity.unlinked", "other": "cookie-5f2", "kind": "anonymous", "by": "lin"},
        {"type": "identity.linked", "other": "C21", "kind": "customer", "key_kind": "anonymous", "confidence": 1.0},
    ]


@pytest.mark.parametrize("words", [("C1", "C1"), ("C1", "email:li@shop.cn"), ("phone:13800138000", "C1"), ("C1", "x" * 300)])
def test_what_nobody_could_mean_is_refused(shop: Shop, words: tuple[str, ...]) -> None:
    assert invoke("link", *words)[0] == invoke("unlink", *words)[0] == output.USAGE
    assert shop.sent == []


def test_other_verbs_look_at_the_whole_person(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """`tags why` at all fragments, from any id; `quality` passes over those of whom only links are known."""

    class Views(Shop):
        async def get(self, name: str) -> Profile:
            return Profile("C1", 1, NOW_MS, "prospect", None, {})

        async def count(self) -> int:
            return len(self.states)

    views = Views()
    views.states = shop.states
    monkeypatch.setattr(tags, "state_reader", lambda *_: views)
    monkeypatch.setattr(quality, "StateReader", lambda *_, **__: views)
    _, whole = asyncio.run(tags._read(Settings(), "anonymous:[b]"))
    assert (
        whole is not None and whole.events == sum(shop.states[name].events for name in ("C1", "device:d1", "anonymous:[b]")) == 4
    )
    assert whole.tags == shop.states["C1"].tags and whole.parts.basic is not None
    found = asyncio.run(quality.assess(Settings(), 0, NOW_MS))
    assert found.customers == 2 < len(shop.states)


def test_an_address_gets_into_kafka_as_a_hash_alone(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.naming = fingerprint(KEY.encode())
    given = (
        ("C1", " Lin@Shop.CN", "--kind", "Email"),
        ("lin@shop.cn", "C1", "--key-kind", "email"),
        ("C1", "EMAIL：lin@shop.cn"),
    )
    for words in given:
        assert invoke("link", *words)[0] == output.USAGE, "without the key it has no name"
    monkeypatch.setenv("PORTRAIT_IDENTITY_KEY", KEY)
    for words in given:
        assert invoke("link", *words)[0] == invoke("unlink", *words)[0] == output.OK
    assert {(key, event["other"]) for _, key, event in shop.sent} == {("C1", LIN), (LIN, "C1")}
    assert len(shop.sent) == 6 and "lin@" not in str(shop.sent).casefold()


@pytest.mark.parametrize("key", ["", "another key of it"])
def test_who_would_give_other_names_publishes_nothing(shop: Shop, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    shop.naming = fingerprint(KEY.encode())
    monkeypatch.setenv("PORTRAIT_IDENTITY_KEY", key)
    code, _, err = invoke("link", "C1", "device:d7")
    assert code == output.UNREACHABLE and "Another identity key" in err and not shop.sent


def test_a_name_is_found_as_its_owner_writes_it(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.says("C1", "identity.linked", other="Lin@shop.cn", kind="email")
    monkeypatch.setenv("PORTRAIT_IDENTITY_KEY", KEY)
    assert invoke("why", "C1", "LIN@shop.cn", "--kind", "email")[0] == output.OK
    for text in ("EMAIL:Lin@Shop.cn", "ｅmail：ｌin@shop.cn", LIN, "Ｄevice:d1"):
        assert invoke("show", text)[1].startswith("C1 "), text
        assert invoke("why", text, "C1")[0] == output.OK
        monkeypatch.setattr(tags, "_read", lambda _, name: asyncio.sleep(0, (None, output.err.print(name))))
        assert CliRunner().invoke(main.app, ["tags", "why", text]).exit_code == output.FAILED
    assert invoke("name", "phone:138 0013 8000")[1] == invoke("name", "PHONE:+8613800138000")[1]


def test_the_history_shows_no_address_whoever_published_it(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.says("C1", "identity.linked", other="Lin@shop.cn", kind="email")
    shop.says("email:Lin@shop.cn", "identity.unlinked", other="C1", kind="customer", by="lin")
    _, out, err = invoke("show", "C1", "--history")
    assert "lin@" not in out.casefold() and "2 links name what can have no name here" in err and "PORTRAIT_IDENTITY_KEY" in err
    monkeypatch.setenv("PORTRAIT_IDENTITY_KEY", KEY)
    _, out, err = invoke("show", LIN, "--history")
    assert out.count(f"C1 — {LIN}") == 1 and out.count(f"{LIN} — C1") == 1 and not err
    assert "lin@" not in out.casefold() + str(invoke("why", "C1", LIN))


def test_ids_are_shown_as_they_are_however_long_wide_or_like_a_picture(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    long, wide, picture = "device:" + "xy" * 50, "social:weibo:" + "林晓" * 25, "device:a:tv:b"
    for other in (long, wide, picture):
        shop.says("C1", "identity.linked", other=other, kind="device")
    monkeypatch.setattr(output.out, "_width", 80, raising=False)
    code, out, _ = invoke("show", "C1", "--history")
    lines = out.splitlines()
    for other in (long, wide, picture):
        assert any(line[4:].startswith(f"{other}  ") for line in lines[1:]), "in the tree"
        assert any(line.endswith(f"C1 — {other}, by /crm, sure 100%") for line in lines), "in the history"
    joins = [line for line in lines if "last said" in line and "not joined" not in line]
    assert code == output.OK and len(joins) == 5 and all(line.endswith("by /crm, sure 100%") or "90%" in line for line in joins)
