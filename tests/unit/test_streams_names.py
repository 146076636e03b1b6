"""Identities get their names as events come in: everywhere the same, and no address or number in the store."""

from __future__ import annotations

import asyncio
import json
from random import Random

import pytest

from cli.audit import Audit
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
    assert json.loads(scene.view(email)["consumption"])["orders"]["total"] == 3
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
    audit = Audit({tp: scene.end(tp) for tp in scene.log}, full=[phone], rng=Random(1))
    for name, state in scene.states().items():
        audit.take_state(name, encode(state))
    audit.begin_log(frozenset(), frozenset(), held_is_complete=True, namer=NAMER)
    for records in scene.log.values():
        for record in records:
            audit.take_record(record)
    report = audit.report(scene.now_ms)
    assert report.fine and report.customers == 4


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
