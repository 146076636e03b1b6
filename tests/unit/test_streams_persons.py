"""Persons in the worker: what stands in the store between two commits, for whoever must go on from there."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence

import pytest

from portrait.identity.graph import RUNAWAY, reach
from profile_store.contract import TP, Position, Write
from profile_store.memory import MemoryStore
from streams import profiles
from tests.scene import Scene, SceneWorker

WHYS = ("shared", "full", "runaway")


class Watched(MemoryStore):
    """Tells after each commit what stands there: a worker could be killed just now."""

    def __init__(self, scene: Scene) -> None:
        super().__init__(worker_id="watched", backend=scene.backend)
        self.scene = scene
        self.unaware: set[str] = set()
        self.astray: set[str] = set()

    async def commit(self, writes: Sequence[Write], positions: Mapping[TP, Position], nonce: bytes) -> list[int]:
        conflicts = await super().commit(writes, positions, nonce)
        states = self.scene.states()
        self.unaware |= {name for name, s in states.items() if (s.person or s.members) and s.links is None}
        self.astray |= {name for name, s in states.items() if s.person and not self.scene.view(s.person)}
        return conflicts


@pytest.mark.parametrize("piece", [1, 400])
@pytest.mark.parametrize("shards", [1, 3])
def test_nobody_is_one_of_a_person_and_does_not_know_it_nor_leads_to_nowhere(
    piece: int, shards: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(profiles, "PIECE", piece)
    scene = Scene(shards=shards)
    store = Watched(scene)
    worker = SceneWorker(scene, store)
    for number in range(6):
        scene.complains(f"device:d{number}")
    asyncio.run(worker.work())
    for number in range(6):
        scene.says(f"device:d{number}", "identity.linked", other=f"C{number}", kind="customer")
        scene.says(f"anonymous:a{number}", "identity.linked", other=f"device:d{number}", kind="device")
    asyncio.run(worker.work())
    assert (store.unaware, store.astray) == (set(), set())
    for number in range(6):
        assert scene.states()[f"C{number}"].members == sorted((f"C{number}", f"anonymous:a{number}", f"device:d{number}"))
        assert json.loads(scene.view(f"C{number}")["needs"])["complaints"][3] == 1


def test_links_of_other_partitions_may_come_in_any_order_and_again() -> None:
    ends = []
    for turned in (False, True):
        scene = Scene()
        worker = SceneWorker(scene)
        says = [("C1", "identity.linked", 1), ("device:d1", "identity.unlinked", 2), ("C1", "identity.linked", 3)]
        for key, type_, at in reversed(says) if turned else says:
            scene.now_ms = 1_728_000_000_000 + at * 1000
            other, kind = ("device:d1", "device") if key == "C1" else ("C1", "customer")
            scene.says(key, type_, other=other, kind=kind, id=f"said-{at}")
            asyncio.run(worker.work())
        scene.committed.clear()
        asyncio.run(SceneWorker(scene).work())
        ends.append({name: (s.person, s.members, s.events) for name, s in scene.states().items()})
    assert ends[0] == ends[1] and ends[0]["device:d1"][0] == "C1"


def test_many_persons_are_known_at_once() -> None:
    """More of them than one person may have identities."""
    everybody = {f"C{n}" for n in range(300)}
    assert reach(dict.fromkeys(everybody), everybody) == everybody


def closed(worker: SceneWorker) -> dict[str, float]:
    registry = worker.metrics.registry
    found = {why: registry.get_sample_value("portrait_identities_closed_total", {"why": why}) for why in WHYS}
    return {why: n for why, n in found.items() if n}


@pytest.mark.parametrize("one_by_one", [False, True])
def test_who_joins_nobody_more_is_counted_once(one_by_one: bool) -> None:
    scene = Scene()
    worker = SceneWorker(scene)
    for number in range(130):
        scene.says("C1", "identity.linked", other=f"device:d{number}", kind="device")
        if number < 6:
            scene.says(f"K{number}", "identity.linked", other="device:till", kind="device")
        if one_by_one:
            asyncio.run(worker.work())
        assert closed(worker) == {} or number >= 3
    asyncio.run(worker.work())
    assert closed(worker) == {"shared": 1, "full": 1}
    scene.clicks("device:till")
    asyncio.run(worker.work())
    assert closed(worker) == {"shared": 1, "full": 1}


def test_a_cluster_that_runs_away_is_counted() -> None:
    scene = Scene()
    worker = SceneWorker(scene)
    for number in range(RUNAWAY):
        scene.says(f"device:d{number}", "identity.linked", other=f"device:d{number + 1}", kind="device")
    asyncio.run(worker.work())
    assert closed(worker) == {"runaway": 1}


class Torn(MemoryStore):
    """Killed before what leads elsewhere is written."""

    async def commit(self, writes: Sequence[Write], positions: Mapping[TP, Position], nonce: bytes) -> list[int]:
        if any(write.id == "device:d1" for write in writes):
            raise asyncio.CancelledError
        return await super().commit(writes, positions, nonce)


def test_who_has_been_told_by_the_other_alone_to_whom_they_belong_is_not_settled_alone() -> None:
    """The commit that links them is torn, and its partition is read again much later than others."""
    scene = Scene()
    scene.orders("C1")
    scene.orders("device:d1", days=1)
    asyncio.run(SceneWorker(scene).work())
    scene.says("C1", "identity.linked", other="device:d1", kind="device")
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(SceneWorker(scene, Torn(worker_id="torn", backend=scene.backend)).work())
    states = scene.states()
    assert states["C1"].members == ["C1", "device:d1"] and states["device:d1"].links is None
    unread = {tp: scene.log.pop(tp) for tp in list(scene.log) if tp[0] == "customers"}
    for name in ("C1", "device:d1"):  # who shows the other where it belongs, and then that one itself
        scene.orders(name, days=1)
        asyncio.run(SceneWorker(scene).work())
    assert scene.states()["device:d1"].person == "C1"
    assert set(scene.view("device:d1")) == {"goes_by", "version", "updated_at_ms"}
    assert json.loads(scene.view("C1")["consumption"])["orders"][3] == 4
    scene.log |= unread
    asyncio.run(SceneWorker(scene).work())
    assert scene.states()["device:d1"].links is not None


class Overtaken(MemoryStore):
    """Before what leads elsewhere is written, another worker folds an order of the customer to whom it leads."""

    def __init__(self, scene: Scene) -> None:
        super().__init__(worker_id="overtaken", backend=scene.backend)
        self.scene, self.overtaken = scene, False

    async def commit(self, writes: Sequence[Write], positions: Mapping[TP, Position], nonce: bytes) -> list[int]:
        if any(write.id == "handle-4" for write in writes) and not self.overtaken:
            self.overtaken = True
            self.scene.orders("C4", days=1)
            await SceneWorker(self.scene).work(topics=["orders"], sweep=False)
        return await super().commit(writes, positions, nonce)


def test_no_other_worker_parts_a_person_between_the_two_commits() -> None:
    """What is no customer says so in its own half alone, which the other worker does not find yet."""
    scene = Scene()
    scene.orders("C4")
    asyncio.run(SceneWorker(scene).work())
    scene.complains("handle-4")
    scene.says("handle-4", "identity.linked", other="C4", kind="customer", key_kind="anonymous")
    store = Overtaken(scene)
    asyncio.run(SceneWorker(scene, store).work(topics=["complaints", "customers"], sweep=False))
    states = scene.states()
    assert store.overtaken and states["handle-4"].person == "C4"
    assert states["C4"].members == ["C4", "handle-4"]
    shown = scene.view("C4")
    assert json.loads(shown["needs"])["complaints"][3] == 1 and json.loads(shown["consumption"])["orders"][3] == 2


class OvertakenByOne(Overtaken):
    """The same, by a worker that goes on living."""

    def __init__(self, scene: Scene, other: SceneWorker) -> None:
        super().__init__(scene)
        self.other = other

    async def commit(self, writes: Sequence[Write], positions: Mapping[TP, Position], nonce: bytes) -> list[int]:
        if any(write.id == "handle-4" and write.state for write in writes) and not self.overtaken:
            self.overtaken = True
            self.scene.orders("C4", days=1)
            await self.other.work(topics=["orders"], sweep=False)
        return await MemoryStore.commit(self, writes, positions, nonce)


def test_a_worker_that_has_found_nobody_looks_again() -> None:
    """Whom it remembers as not there yet may have been written by another worker since, and be one of the person."""
    scene = Scene()
    scene.orders("C4")
    other = SceneWorker(scene)
    asyncio.run(other.work())
    scene.complains("handle-4")
    scene.says("handle-4", "identity.linked", other="C4", kind="customer", key_kind="anonymous")
    store = OvertakenByOne(scene, other)
    asyncio.run(SceneWorker(scene, store).work(topics=["complaints", "customers"], sweep=False))
    assert store.overtaken and scene.states()["C4"].members == ["C4", "handle-4"]
    scene.orders("C4", days=1)
    asyncio.run(other.work(topics=["orders"], sweep=False))
    assert scene.states()["C4"].members == ["C4", "handle-4"]
    shown = scene.view("C4")
    assert json.loads(shown["needs"])["complaints"][3] == 1 and json.loads(shown["consumption"])["orders"][3] == 3
