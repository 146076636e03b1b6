"""Identities get their names as events come in: everywhere the same, and no address or number in the store."""

from __future__ import annotations

import asyncio
import json
from random import Random

import pytest

from cli.audit import Audit, Report
from portrait.identity.person import GOES_BY
from portrait.renew import FIELDS
from portrait.state import encode
from profile_store.queries import LEADS
from schemas.identity import Namer, identity_of
from schemas.profile import Profile
from schemas.registry import DEAD_LETTERS
from streams.rebuild import Options
from streams.settings import SettingsError, load, namer_of
from tests.scene import Scene, SceneWorker
from tests.unit.test_streams_rebuild import mended, rebuild

SECRET = "sixteen bytes, or more"
NAMER = Namer(SECRET.encode())


def named(text: str) -> str:
    return identity_of(text, SECRET.encode()).id


def lived(namer: Namer = NAMER) -> Scene:
    scene = Scene()
    scene.namer = namer
    scene.orders("C1")
    scene.orders("email:Lin@Shop.CN")
    scene.orders("email:lin@shop.cn")
    scene.orders(" Email：lin@shop.cn")
    scene.clicks("social:Weibo:@Lin")
    scene.says("C1", "identity.linked", other="＋86 138 0013 8001", kind="phone")
    scene.says("phone:13800138001", "identity.linked", other="social:weibo:lin", kind="social")
    scene.clicks("phone:13800138001")
    asyncio.run(SceneWorker(scene).work())
    return scene


def test_one_identity_has_one_profile_whatever_form_events_give_it() -> None:
    scene = lived()
    email, phone = named("email:lin@shop.cn"), named("phone:13800138001")
    assert scene.states().keys() == {"C1", email, phone, "social:weibo:lin"}
    assert scene.states()["C1"].members == sorted(("C1", phone, "social:weibo:lin"))
    assert json.loads(scene.view(email)["consumption"])["orders"][3] == 3
    assert scene.view("social:weibo:lin")["goes_by"] == b"C1"


def test_no_address_or_number_gets_into_the_store_or_into_actions() -> None:
    scene = lived()
    scene.complains("phone:13800138001", days=1)
    asyncio.run(SceneWorker(scene).work())
    for shard in scene.backend.shards:
        kept = repr(vars(shard)) + repr([encode(state) for state in scene.states().values()])
        assert "138001" not in kept and "lin@" not in kept.casefold()
    assert not any(b"138001" in (m.value or b"") + m.key for m in scene.published if m.topic != DEAD_LETTERS)


def test_without_a_key_they_are_dead_letters_that_say_how_to_mend_it_and_others_go_on() -> None:
    scene = lived(Namer())
    assert scene.states().keys() == {"C1", "social:weibo:lin"}
    letters = [json.loads(m.value or b"") for m in scene.published if m.topic == DEAD_LETTERS]
    assert sorted(letter["path"] for letter in letters) == ["$.data.other", "key", "key", "key", "key", "key"]
    assert all("PORTRAIT_IDENTITY_KEY" in letter["remedy"] and "lin" not in letter["message"] for letter in letters)


def test_a_rebuild_and_the_audit_know_the_names() -> None:
    scene = lived()
    facts, phone = scene.facts(), named("phone:13800138001")
    scene.put(phone, None)
    assert mended(rebuild(scene, Options(ids=frozenset({phone})))) == {"missing": 1}
    asyncio.run(SceneWorker(scene).work())
    assert scene.facts() == facts and scene.states()["C1"].members[1] == phone
    assert mended(rebuild(scene, Options(check=True))) == {}
    report = audited(scene, phone)
    assert report.fine and report.customers == 4


def audited(scene: Scene, name: str) -> Report:
    """``name``: whose facts are compared one by one."""
    audit = Audit({tp: scene.end(tp) for tp in scene.log}, full=[name], rng=Random(1))
    for one, state in scene.states().items():
        audit.take_state(one, encode(state))
    audit.begin_log(frozenset(), frozenset(), held_is_complete=True, namer=scene.namer)
    for records in scene.log.values():
        for record in records:
            audit.take_record(record)
    return audit.report(scene.now_ms)


def test_a_rebuild_without_the_key_writes_over_nobody_of_whom_the_log_tells_nothing_but_links() -> None:
    scene = lived()
    email = named("email:lin@shop.cn")
    scene.says("C2", "identity.linked", other=email, kind="email")  # by the name that operators see
    asyncio.run(SceneWorker(scene).work())
    before = scene.states()
    assert before[email].events
    scene.namer = Namer()
    assert mended(rebuild(scene, Options(ids=frozenset({email})))) == {"orphans": 1}
    assert encode(scene.states()[email]) == encode(before[email])
    assert rebuild(scene, Options(ids=frozenset({email}), drop_orphans=True))["dropped"] == 1


@pytest.mark.parametrize("given", [{"IDENTITY_KEY": "short"}, {"IDENTITY_KEY": "x" * 65}, {"COUNTRY": "+86"}])
def test_a_key_that_can_be_tried_out_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match=f"PORTRAIT_{next(iter(given))}"):
        load({f"PORTRAIT_{name}": value for name, value in given.items()})
    assert namer_of(load({"PORTRAIT_IDENTITY_KEY": SECRET}))


def test_no_part_of_a_profile_has_the_name_of_the_pointer() -> None:
    assert GOES_BY.encode() == LEADS
    assert GOES_BY not in FIELDS and GOES_BY not in Profile.__struct_fields__


def carried(namer: Namer = NAMER) -> Scene:
    """A customer who is seen at a device first, and who logs in there; and an address that an order carries."""
    scene = Scene()
    scene.namer = namer
    scene.clicks("device:D1")
    scene.says("C1", "app.opened", identities=["Device:D1", "C1", "device:null", "device:d2", "device:d2"])
    scene.orders("C1", identities=[{"other": "Lin@Shop.cn", "kind": "email", "confidence": 0.9}, "social:Weibo:@Lin"])
    scene.clicks("email:lin@shop.cn")
    asyncio.run(SceneWorker(scene).work())
    return scene


def test_events_carry_further_identities_of_their_customer() -> None:
    scene, email = carried(), named("email:lin@shop.cn")
    states = scene.states()
    assert states.keys() == {"C1", "device:D1", "device:d2", email, "social:weibo:lin"}, "what stands for nobody is nobody"
    assert states["C1"].members == sorted(states)
    assert json.loads(scene.view("C1")["activity"])["events"][3] == 4
    links = states["C1"].links
    assert links is not None and (links.others[email].confidence, links.others[email].source) == (0.9, "/scene")
    assert all(links.others[name].carried for name in states.keys() - {"C1"})
    scene.says("C1", "identity.unlinked", other="device:D1", kind="device")
    scene.says("C1", "app.opened", identities=["device:D1"])
    asyncio.run(SceneWorker(scene).work())
    assert "device:D1" not in scene.states()["C1"].members, "taken back for good, or until somebody links it"


def test_a_rebuild_and_the_audit_know_what_events_carry() -> None:
    scene = carried()
    facts, before = scene.facts(), {name: state.links for name, state in scene.states().items()}
    for name in (named("email:lin@shop.cn"), "device:D1", "C1"):
        scene.put(name, None)
        assert mended(rebuild(scene, Options(ids=frozenset({name})))) == {"missing": 1}
    asyncio.run(SceneWorker(scene).work())
    assert scene.facts() == facts and {name: state.links for name, state in scene.states().items()} == before
    assert mended(rebuild(scene, Options(check=True))) == {}


def test_a_member_that_is_written_in_numbers_is_found_all_the_same() -> None:
    scene = Scene()
    value = Scene().clicks("C1").value or b""
    escaped = value.replace(b'"data": {', b'"data": {"\\u0069\\u0064entities": ["device:d1"], ')
    assert escaped != value
    scene.append("clicks", "C1", escaped)
    scene.clicks("device:d1")
    asyncio.run(SceneWorker(scene).work())
    assert scene.states()["C1"].members == ["C1", "device:d1"]
    scene.put("device:d1", None)
    assert mended(rebuild(scene, Options(ids=frozenset({"device:d1"})))) == {"missing": 1}
    links = scene.states()["device:d1"].links
    assert links is not None and "C1" in links.others


@pytest.mark.parametrize(
    ("identities", "reason", "path"),
    [
        (["email:lin@shop.cn"], "bad-key", "$.data.identities[0]"),
        (["device:d1", 7], "invalid", "$.data.identities[1]"),
        (["device:d1", {"kind": "device"}], "invalid", "$.data.identities[1].other"),
        ([{"other": "device:d1", "confidence": 2}], "invalid", "$.data.identities[0].confidence"),
        ([f"device:d{n}" for n in range(9)], "invalid", "$.data.identities"),
        ("device:d1", "invalid", "$.data.identities"),
    ],
)
def test_identities_that_break_the_contract_or_wait_for_the_key_make_a_dead_letter_that_says_where(
    identities: object, reason: str, path: str
) -> None:
    scene = Scene()
    scene.orders("C1", identities=identities)
    asyncio.run(SceneWorker(scene).work())
    (letter,) = [json.loads(m.value or b"") for m in scene.published if m.topic == DEAD_LETTERS]
    assert (letter["reason"], letter["path"]) == (reason, path) and not scene.states()
    assert "lin@" not in letter["message"]


@pytest.mark.parametrize(
    "bad",
    ["", "x" * 257, "device:\u200b", "email:lin", "social:lin", "C\x01", "device:\x00", {"other": "x", "kind": "phone"},
     {"other": "a\nb", "kind": "device"}, {"other": "", "kind": "device"}],
)  # fmt: skip
def test_an_order_is_not_lost_for_a_bad_identity_beside_it(bad: object) -> None:
    scene = Scene()
    scene.orders("C1", identities=["device:d1", bad])
    scene.clicks("device:d1")
    worker = SceneWorker(scene)
    asyncio.run(worker.work())
    states = scene.states()
    assert states.keys() == {"C1", "device:d1"} and states["C1"].members == ["C1", "device:d1"]
    assert states["C1"].events == 1, "the order counts"
    assert states["C1"].parts.sources.refused == {"identities": 1} and states["C1"].parts.sources.refused_by == {"/scene": 1}
    assert worker.metrics.registry.get_sample_value("portrait_refused_values_total", {"field": "identities"}) == 1
    assert not [m for m in scene.published if m.topic == DEAD_LETTERS]
    assert audited(scene, "C1").fine, "the oracle reads it the same way"
    scene.put("C1", None)
    assert mended(rebuild(scene, Options(ids=frozenset({"C1"})))) == {"missing": 1}
    assert scene.states()["C1"].parts.sources == states["C1"].parts.sources


@pytest.mark.parametrize("other", ["x\x01y", "C\n1", "\u2028", "客" * 100])
def test_no_link_names_what_no_key_could_be(other: str) -> None:
    scene = Scene()
    scene.says("C1", "identity.linked", other=other, kind="customer")
    asyncio.run(SceneWorker(scene).work())
    (letter,) = [json.loads(m.value or b"") for m in scene.published if m.topic == DEAD_LETTERS]
    assert (letter["reason"], letter["path"]) == ("bad-key", "$.data.other") and not scene.states()


def test_a_link_may_name_the_longest_key() -> None:
    scene, longest = Scene(), "x" * 256
    scene.clicks(longest)
    scene.says("C1", "identity.linked", other=longest, kind="anonymous")
    asyncio.run(SceneWorker(scene).work())
    assert scene.states()["C1"].members == ["C1", longest]
