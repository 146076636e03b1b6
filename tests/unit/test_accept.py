"""`portrait rebuild --accept-log`: workers refuse a log, it is accepted, and they go on: nothing twice, nothing skipped."""

from __future__ import annotations

import asyncio
import itertools
import json

import pytest

from profile_store.contract import TP
from schemas.identity import Namer
from schemas.registry import ACTIONS
from streams.accept import Acceptance, CantAccept, Trouble, diagnose
from streams.rebuild import CantRebuild
from tests.scene import DAY_MS, Scene, SceneWorker, WorkerEnded
from tests.unit.test_streams_rebuild import EVERYBODY, Interrupted, lived, rebuild


def events(scene: Scene) -> dict[str, int]:
    return {customer: state.events for customer, state in scene.states().items()}


def accept(scene: Scene, *, stop_after: int = 10**9) -> list[Trouble]:
    nonces = itertools.count(1)

    async def run() -> list[Trouble]:
        store = scene.store()
        positions = await store.positions()
        troubles = await diagnose(store, scene, positions, scene.lags(), scene.namer)
        commits = itertools.count()
        commit = store.commit

        async def counted(*arguments):
            if next(commits) >= stop_after:
                raise Interrupted
            return await commit(*arguments)

        store.commit = counted  # type: ignore[method-assign]
        await Acceptance(store, scene.set_offsets, lambda n: b"a%07d" % next(nonces), print).accept(
            troubles, positions, lambda n: None
        )
        return troubles

    return asyncio.run(run())


def refused(scene: Scene) -> bool:
    try:
        asyncio.run(SceneWorker(scene).work())
    except WorkerEnded:
        return True
    return False


def partition_with(scene: Scene, topic: str, least: int) -> TP:
    return next(tp for tp in scene.log if tp[0] == topic and len(scene.log[tp]) >= least)


def made_anew(scene: Scene, tp: TP) -> None:
    scene.log[tp] = []
    scene.beginnings.pop(tp, None)


def test_nothing_is_wrong_with_a_whole_log() -> None:
    scene = lived()
    assert accept(scene) == []


def test_records_that_expired_unread() -> None:
    scene = lived()
    tp = partition_with(scene, "orders", 10)
    folded = scene.end(tp)
    for _ in range(40):
        scene.live_a_while(3)
    scene.expire(tp, folded + 4)
    remaining = [record for record in scene.log[tp] if record.value and record.value != b"not json"]
    others = {t: scene.end(t) for t in scene.log}
    assert refused(scene)
    before = sum(events(scene).values())
    (trouble,) = accept(scene)
    assert (trouble.tp, trouble.kind, trouble.position, trouble.start) == (tp, "expired", folded, folded + 4)
    assert not refused(scene)
    shard = scene.backend.shards[0]
    assert {t: shard.positions[t].next_offset for t in scene.log if scene.log[t]} == {t: at for t, at in others.items() if at}
    assert remaining and sum(events(scene).values()) > before


def test_a_topic_that_was_made_anew_keeps_facts_and_counts_what_is_new_once() -> None:
    scene = lived()
    before, published = events(scene), len(scene.published)
    for tp in [tp for tp in scene.log if tp[0] == "complaints"]:
        made_anew(scene, tp)
    scene.now_ms += DAY_MS
    new = EVERYBODY[:5]
    for customer in new:
        scene.complains(customer)
    assert refused(scene)
    troubles = accept(scene)
    assert {t.kind for t in troubles} == {"another"}
    assert {t.start for t in troubles} == {0}
    assert not refused(scene)
    assert events(scene) == {customer: n + new.count(customer) for customer, n in before.items()}
    rules = {json.loads(m.value)["data"]["rule"] for m in scene.published[published:] if m.topic == ACTIONS}
    assert rules == {"valued-customer-complained"}, "what is new has its effects, though Kafka had more as committed"
    before = events(scene)
    assert not refused(scene)
    assert events(scene) == before


def test_a_topic_that_was_made_anew_and_has_grown_past_the_position() -> None:
    scene = lived()
    before = events(scene)
    tps = [tp for tp in scene.log if tp[0] == "complaints"]
    was = {tp: scene.end(tp) for tp in tps}
    for tp in tps:
        made_anew(scene, tp)
    for customer in EVERYBODY * 8:
        scene.complains(customer)
    assert all(scene.end(tp) > end for tp, end in was.items())
    with pytest.raises(CantRebuild, match="is not the log"):
        rebuild(scene)
    assert refused(scene)
    troubles = accept(scene)
    assert {(t.tp, t.kind, t.start) for t in troubles} == {(tp, "another", 0) for tp in tps}
    assert not refused(scene)
    assert events(scene) == {customer: n + 8 for customer, n in before.items()}


def test_only_kafka_has_more_as_committed() -> None:
    scene = lived()
    before = events(scene)
    tp = partition_with(scene, "orders", 10)
    scene.committed[tp] = scene.end(tp) + 5
    assert refused(scene)
    (trouble,) = accept(scene)
    assert (trouble.kind, trouble.start) == ("ahead", scene.end(tp))
    assert not refused(scene)
    assert events(scene) == before


@pytest.mark.parametrize("lost", [1, 4])
def test_a_log_that_lost_its_tail_goes_on_where_it_parts(lost: int) -> None:
    scene = lived()
    before = events(scene)
    tp = partition_with(scene, "clicks", 30)
    end = scene.end(tp)
    scene.log[tp] = scene.log[tp][:-lost]
    new = [customer for customer in EVERYBODY if scene.clicks(customer)[:2] == tp][: lost - 1]
    scene.log[tp] = [r for r in scene.log[tp] if r.offset < end - lost + len(new)]
    for other in scene.log:  # the clicks that went to the other partition count as well
        if other != tp and other[0] == "clicks":
            scene.log[other] = [r for r in scene.log[other] if r.offset < scene.committed[other]]
    assert refused(scene)
    (trouble,) = accept(scene)
    assert (trouble.tp, trouble.kind) == (tp, "another")
    assert trouble.start is not None
    assert end - lost - 1 <= trouble.start <= end - lost, "a duplicate at the end is in no ring for itself"
    assert not refused(scene)
    assert events(scene) == {customer: n + new.count(customer) for customer, n in before.items()}


@pytest.mark.parametrize("key", ["Email：Lin@Shop.cn", "Social:Weibo:@Lin", "DEVICE: d1 "])
def test_who_has_seen_a_record_is_known_by_the_name_that_workers_gave(key: str) -> None:
    scene = Scene()
    scene.namer = Namer(b"sixteen bytes, or more")
    for _ in range(6):
        scene.clicks(key)
    asyncio.run(SceneWorker(scene).work())
    (name,) = scene.states()
    (tp,) = (tp for tp in scene.log if scene.log[tp])
    scene.log[tp] = scene.log[tp][:-1]  # the broker has lost its tail
    assert [(trouble.kind, trouble.start) for trouble in accept(scene)] == [("another", 5)]
    scene.clicks(key)
    asyncio.run(SceneWorker(scene).work())
    assert events(scene) == {name: 7}, "the five that it has once, the one that was lost, and the new one"


def test_a_partition_that_is_no_more() -> None:
    scene = lived()
    for n in range(2):
        scene.backend.shards[0].positions["feedback", 2 + n] = scene.backend.shards[0].positions["feedback", 0]
    troubles = accept(scene)
    assert [(t.tp, t.kind, t.start) for t in troubles] == [(("feedback", 2), "gone", None), (("feedback", 3), "gone", None)]
    assert ("feedback", 2) not in scene.backend.shards[0].positions


def test_a_topic_that_is_not_there_at_all_is_no_log_to_accept() -> None:
    scene = lived()
    for n in range(2):
        del scene.log["orders", n]
    with pytest.raises(CantAccept, match="no topic orders"):
        accept(scene)


def test_a_wiped_store_and_a_log_without_its_beginning() -> None:
    scene = lived()
    tp = partition_with(scene, "orders", 10)
    scene.expire(tp, 3)
    scene.backend.wipe()
    assert refused(scene)
    (trouble,) = accept(scene)
    assert (trouble.kind, trouble.start) == ("wiped", 3)
    published = len(scene.published)
    assert not refused(scene)
    assert len(scene.states()) > 0
    assert [m.topic for m in scene.published[published:] if m.topic == ACTIONS] == [], "it had its effects before"


@pytest.mark.parametrize("shards", [1, 2])
def test_interrupted_it_is_done_again_and_until_then_workers_refuse(shards: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.accept.PIECE", 2)
    scene = lived(shards=shards)
    before = events(scene)
    for tp in [tp for tp in scene.log if tp[0] == "orders"]:
        made_anew(scene, tp)
    scene.orders("C1")
    for done in range(3):
        with pytest.raises(Interrupted):
            accept(scene, stop_after=done)
        assert refused(scene)
    accept(scene)
    assert not refused(scene)
    assert events(scene) == before | {"C1": before["C1"] + 1}


def test_a_zombie_can_not_bring_the_old_positions_back() -> None:
    scene = lived()
    zombie = SceneWorker(scene)
    asyncio.run(zombie.work())
    tp = partition_with(scene, "orders", 10)
    scene.log[tp] = scene.log[tp][:-2]
    (trouble,) = accept(scene)
    with pytest.raises(WorkerEnded):  # it finds its chain broken, reads the positions, and the log is not yet as long as it knew
        zombie.loop._next[tp] = trouble.position or 0
        asyncio.run(zombie.loop.sweep())
        asyncio.run(zombie.work())
        raise WorkerEnded
    assert scene.backend.shards[0].positions[tp].next_offset == trouble.start


def test_what_was_accepted_is_never_rebuilt_away() -> None:
    scene = lived()
    for tp in [tp for tp in scene.log if tp[0] == "orders"]:
        made_anew(scene, tp)
    accept(scene)
    assert not refused(scene)
    before = scene.facts()
    with pytest.raises(CantRebuild, match=r"orders/0, orders/1 has lost records"):
        rebuild(scene)
    assert scene.facts() == before
