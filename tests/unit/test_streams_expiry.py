"""Idle fragments over a small service in memory: what stands in the store, what is told, and what replays make of it."""

from __future__ import annotations

import asyncio
import json
from random import Random
from typing import Any

import pytest

import oracle.log
from cli.audit import Audit
from portrait.state import Effect, State
from profile_store.contract import Loaded
from schemas.registry import ACTIONS, EXPIRED
from streams.cuts import Cuts, Follower
from streams.rebuild import Options
from streams.settings import Settings, SettingsError, idle_of, load
from tests.scene import EXPIRED_TP, Scene, SceneWorker
from tests.unit.test_streams_rebuild import mended, rebuild

COOKIE = "anonymous:5f2"


def at_work(scene: Scene) -> SceneWorker:
    worker = SceneWorker(scene)
    asyncio.run(worker.work())
    return worker


def visited(days: float = 0.0) -> Scene:
    """A cookie and a device have looked around, a customer has bought; then ``days`` went by."""
    scene = Scene()
    for name in (COOKIE, "device:d1", "C1") * 2:
        scene.clicks(name)
    scene.orders("C1")
    at_work(scene)
    goes_by(scene, days)
    return scene


def goes_by(scene: Scene, days: float) -> None:
    scene.now_ms += round(days * 86_400_000)
    at_work(scene)


def told(scene: Scene) -> list[dict[str, Any]]:
    return [json.loads(message.value or b"") for message in scene.published if message.topic == EXPIRED]


def entries(scene: Scene) -> set[str]:
    """Who stands anywhere in the store."""
    found: set[str] = set()
    for shard in scene.backend.shards:
        found |= {*shard.states, *shard.due, *shard.stages, *shard.risk, *shard.tags}
        found |= {name for name, view in shard.profiles.items() if view}
    return found


def oracles(scene: Scene) -> dict[str, bytes]:
    records = [record for tp in sorted(scene.log) for record in scene.log[tp]]
    cuts = oracle.log.cuts_of([record.value for record in scene.expired])
    return oracle.log.fold(records, scene.now_ms, cuts=cuts).facts


def test_idle_for_long_enough_it_expires_and_a_day_later_nothing_is_there() -> None:
    scene = visited(days=89)
    assert not told(scene)
    goes_by(scene, 2)
    assert sorted(one["id"] for one in told(scene)) == [COOKIE, "device:d1"]
    state = scene.states()[COOKIE]
    assert (state.events, state.stage, state.effects, scene.view(COOKIE)) == (0, "", [], {})
    goes_by(scene, 1.1)
    assert entries(scene) == {"C1"}
    assert scene.facts() == oracles(scene)


def test_the_record_says_what_is_void() -> None:
    scene = visited()
    scene.now_ms += 91 * 86_400_000
    assert at_work(scene).metrics.registry.get_sample_value("portrait_expired_total") == 2
    (record,) = [one for one in told(scene) if one["id"] == COOKIE]
    clicks = [r for records in scene.log.values() for r in records if r.key == COOKIE.encode()]
    assert record["marks"] == {f"clicks/{clicks[-1].partition}": clicks[-1].offset}
    assert {m.key for m in scene.published if m.topic == EXPIRED} == {COOKIE.encode(), b"device:d1"}


@pytest.mark.parametrize("days", [0.5, 3], ids=["while it is empty", "when nothing is there"])
def test_one_that_comes_back_starts_anew(days: float) -> None:
    scene = visited(days=91)
    goes_by(scene, days)
    scene.clicks(COOKIE)
    at_work(scene)
    assert scene.states()[COOKIE].events == 1
    assert json.loads(scene.view(COOKIE)["activity"])["events"][3] == 1
    assert scene.view(COOKIE)["stage"] == b"prospect"
    assert scene.facts() == oracles(scene)
    goes_by(scene, 95)
    assert COOKIE not in scene.facts()
    assert [one["id"] for one in told(scene)].count(COOKIE) == 2


@pytest.mark.parametrize("on", [True, False], ids=["linked", "a link that has ended"])
def test_who_was_ever_linked_stays(on: bool) -> None:
    scene = visited()
    scene.says("C1", "identity.linked", other=COOKIE, kind="anonymous", confidence=1.0)
    if not on:
        scene.says("C1", "identity.unlinked", other=COOKIE, kind="anonymous")
    at_work(scene)
    goes_by(scene, 400)
    assert [one["id"] for one in told(scene)] == ["device:d1"]
    assert scene.states()[COOKIE].events == 2


def test_a_link_that_comes_later_finds_an_empty_fragment() -> None:
    scene = visited(days=91)
    scene.says("C1", "identity.linked", other=COOKIE, kind="anonymous", confidence=1.0)
    at_work(scene)
    states = scene.states()
    assert (states["C1"].members, states[COOKIE].events) == (["C1", COOKIE], 0)
    assert json.loads(scene.view("C1")["activity"])["events"][3] == 4
    assert mended(rebuild(scene, Options(check=True))) == {}


def wiped(scene: Scene) -> None:
    scene.backend.wipe()
    at_work(scene)


def test_a_wiped_store_is_folded_again_without_what_is_void() -> None:
    scene = visited(days=93)
    scene.clicks(COOKIE)
    at_work(scene)
    facts = scene.facts()
    wiped(scene)
    assert scene.facts() == facts == oracles(scene)
    assert scene.states()[COOKIE].events == 1


def test_a_state_that_came_back_from_before_is_void_as_a_whole() -> None:
    scene = visited(days=85)
    backup = scene.backend.snapshot()
    goes_by(scene, 8)
    scene.backend.restore(backup)
    scene.clicks(COOKIE)
    at_work(scene)
    assert scene.facts() == oracles(scene)
    assert scene.states()[COOKIE].events == 1


def test_one_that_came_back_from_before_is_emptied_before_it_is_linked() -> None:
    scene = visited(days=85)
    backup = scene.backend.snapshot()
    goes_by(scene, 8)
    scene.backend.restore(backup)
    scene.says("C1", "identity.linked", other=COOKIE, kind="anonymous", confidence=1.0)
    at_work(scene)
    assert scene.facts() == oracles(scene)
    assert (scene.states()[COOKIE].events, scene.states()["C1"].members) == (0, ["C1", COOKIE])


def test_what_was_folded_across_a_cut_expires_with_it() -> None:
    """Somebody had it published, whose store has lost the tail meanwhile; it is heard of when new events were folded already."""
    scene = visited(days=85)
    backup = scene.backend.snapshot()
    goes_by(scene, 8)
    records, scene.expired = scene.expired, []
    scene.backend.restore(backup)
    worker = SceneWorker(scene)
    scene.clicks(COOKIE)
    asyncio.run(worker.work())
    assert scene.states()[COOKIE].events == 3
    scene.expired = [*records, *scene.expired]
    for record in records:
        worker.cuts.take(record.value)
    asyncio.run(worker.work())
    assert scene.states()[COOKIE].events == 0
    assert scene.facts() == oracles(scene)


def test_what_waits_to_be_published_goes_first() -> None:
    scene = visited()
    state = scene.states()[COOKIE]
    state.effects = [Effect(ACTIONS, "a1", b"{}")]
    scene.put(COOKIE, state)
    goes_by(scene, 91)
    topics = [message.topic for message in scene.published if message.key == COOKIE.encode()]
    assert topics == [ACTIONS, EXPIRED]


def test_a_rebuild_knows_what_is_void() -> None:
    scene = visited(days=91)
    assert mended(rebuild(scene, Options(check=True))) == {}
    goes_by(scene, 2)
    assert mended(rebuild(scene, Options(check=True))) == {}
    scene.clicks(COOKIE)
    at_work(scene)
    facts, due = scene.facts(), scene.indexes()["due"][COOKIE]
    assert mended(rebuild(scene, Options(check=True))) == {}
    scene.put(COOKIE, None)
    assert mended(rebuild(scene)) == {"missing": 1}
    assert scene.facts() == facts
    assert scene.indexes()["due"][COOKIE] == due, "when it expires does not change"


def test_a_rebuild_empties_who_should_be_empty() -> None:
    scene = visited(days=89)
    before: dict[str, Loaded] = dict(scene.backend.shards[0].states)
    goes_by(scene, 4)
    scene.backend.shards[0].states[COOKIE] = before[COOKIE]
    assert mended(rebuild(scene)) == {"differed": 1}
    assert scene.states()[COOKIE].events == 0
    goes_by(scene, 2)
    assert entries(scene) == {"C1"}


def report(scene: Scene, before: int) -> Any:
    """``before``: how many had expired when the states were read."""
    audit = Audit({tp: scene.end(tp) for tp in scene.log}, rng=Random(1))
    for name, loaded in scene.backend.shards[0].states.items():
        audit.take_state(name, loaded.state)
    values = [record.value for record in scene.expired]
    audit.take_expired(oracle.log.cuts_of(values[:before]), oracle.log.cuts_of(values))
    audit.begin_log(frozenset(), frozenset(), held_is_complete=True)
    for tp in scene.log:
        for record in scene.log[tp]:
            audit.take_record(record)
    return audit.report(scene.now_ms)


def test_verify_knows_what_is_void_whenever_it_reads() -> None:
    scene = visited(days=89)
    before = dict(scene.backend.shards[0].states)
    goes_by(scene, 2)
    empty = dict(scene.backend.shards[0].states)
    records = list(scene.expired)
    assert report(scene, 2).fine
    scene.backend.shards[0].states = before
    assert report(scene, 0).fine, "the states were read before, the topic after"
    assert not report(scene, 2).fine, "a store that has come back older"
    scene.backend.shards[0].states, scene.expired = empty, []
    assert report(scene, 0).fine, "read before it was published"
    scene.expired = records
    goes_by(scene, 2)
    assert report(scene, 0).fine, "and nothing is there any more"


def test_cuts_of_one_identity_add_up() -> None:
    scene = visited(days=91)
    first = json.loads(scene.expired[0].value or b"")
    other = {**first, "marks": {"orders/1": 7, **{source: offset - 1 for source, offset in first["marks"].items()}}}
    scene.expired.append(scene.expired[0]._replace(offset=2, value=json.dumps(other).encode()))
    follower = Follower(scene, [EXPIRED_TP])
    asyncio.run(follower.follow())
    cut = follower.cuts.of(first["id"]) or {}
    assert sorted(cut.values()) == sorted([7, *first["marks"].values()])
    assert not follower.cuts.heard
    assert Cuts().of(first["id"]) is None and follower.cuts.of("device:other") is None


def test_the_rule_is_a_setting() -> None:
    day_ms = 86_400_000
    assert idle_of(Settings()) == {"anonymous": 90 * day_ms, "device": 90 * day_ms}
    more = Settings(expire_idle_days=0, expire_kinds="social=365, device=30")
    assert idle_of(more) == {"social": 365 * day_ms, "device": 30 * day_ms}
    for kinds in ("customer=3", "cookie=3", "device=soon", "device=-1"):
        with pytest.raises(SettingsError, match="PORTRAIT_EXPIRE_KINDS"):
            load({"PORTRAIT_EXPIRE_KINDS": kinds})


def test_a_state_of_before_is_read() -> None:
    assert State().expiry is None
