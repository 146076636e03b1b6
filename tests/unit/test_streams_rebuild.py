"""`Rebuild` over a small service in memory: what it mends, what it keeps, and what may happen meanwhile."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import pytest

from portrait.dimensions.registry import DIMENSIONS
from portrait.state import State, decode, encode
from profile_store.contract import TP, Position, StoreUnavailable, StoreUncertain, Write
from profile_store.mending import MemoryMendingStore
from profile_store.queries import parse_field
from schemas.registry import ACTIONS, DEAD_LETTERS, LESSONS
from streams import rebuild as module
from streams.rebuild import CantRebuild, Options, Rebuild, Watcher
from streams.refold import place_of
from streams.settings import Settings, idle_of
from tests.scene import EXPIRED_TP, SCORER, Scene, SceneWorker

ALL = Options()
SCORES = {"churn_risk", "risk", "value"}  # as of the last scoring, which came with another event than the last
#: May rest on a little less than all there is (portrait.show.GROWN).
DERIVED = {"tags", *(dimension.name for dimension in DIMENSIONS)}
EVERYBODY = [f"C{n}" for n in range(12)]


def lived(*, at_once: int = 240, **options: Any) -> Scene:
    """A service at rest, all of whose profiles are right. With ``at_once`` of 1 each event was folded when it came."""
    scene = Scene(**options)

    async def live() -> None:
        worker = SceneWorker(scene)
        for _ in range(240 // at_once):
            scene.live_a_while(at_once)
            await worker.work()

    asyncio.run(live())
    return scene


def rebuild(scene: Scene, options: Options = ALL, store: MemoryMendingStore | None = None, **more: Any) -> Counter[str]:
    return asyncio.run(begin(scene, options, store, **more))


async def begin(
    scene: Scene, options: Options = ALL, store: MemoryMendingStore | None = None, skipped: set[str] | None = None,
    watcher: Watcher | None = None,
) -> Counter[str]:  # fmt: skip
    nonces = itertools.count(1)

    async def sleep(seconds: float) -> None:
        scene.now_ms += round(seconds * 1000)

    run = Rebuild(
        store or scene.store(),
        scene,
        list(scene.log),
        options,
        scorer=SCORER,
        skipped=skipped or set(),
        namer=scene.namer,
        expired=[EXPIRED_TP],
        idle=idle_of(Settings()),
        random_bytes=lambda n: b"m%07d" % next(nonces),
        wall_ms=lambda: scene.now_ms,
        watcher=watcher,
        sleep=sleep,
    )
    await run.run()
    return run.counts


def spoil(scene: Scene, customer: str, change: Callable[[State], None]) -> None:
    state = scene.states()[customer]
    change(state)
    scene.put(customer, state)


def forget_orders(state: State) -> None:
    state.parts.consumption = None
    state.events -= 3


def mended(counts: Counter[str]) -> dict[str, int]:
    return {name: counts[name] for name in ("differed", "broken", "missing", "orphans", "unknown") if counts[name]}


@pytest.mark.parametrize("shards", [1, 3])
def test_wrong_undecodable_and_missing_profiles_become_what_they_were(shards: int) -> None:
    scene = lived(at_once=1, shards=shards)
    facts, indexes, views = scene.facts(), scene.indexes(), {c: dict(scene.view(c)) for c in EVERYBODY}
    spoil(scene, "C1", forget_orders)
    scene.put("C2", b"\xc1 nonsense")
    scene.put("C3", None)
    scene.view("C4")["consumption"] = b'{"orders": "many"}'
    for shard in scene.backend.shards:  # the index of tags has gone wrong, both ways
        shard.tags = {customer: frozenset(("parent", "regular")) for customer in shard.states if customer != "C5"}
    counts = rebuild(scene)
    assert mended(counts) == {"differed": 1, "broken": 1, "missing": 1}
    assert counts["profiles"] == counts["written"] == len(EVERYBODY)
    assert scene.facts() == facts
    assert scene.indexes()["stages"] == indexes["stages"]
    assert scene.indexes()["tags"] == {c: set(json.loads(scene.view(c)["tags"])) for c in EVERYBODY}
    for customer in EVERYBODY:
        view = scene.view(customer)
        assert int(view.pop("version")) > int(views[customer]["version"])
        for name in view.keys() - SCORES - DERIVED - {"updated_at_ms"}:
            assert view[name] == views[customer][name], (customer, name)
        assert view.keys() == views[customer].keys() - {"version"}


def test_nothing_is_published_and_what_was_promised_is_kept() -> None:
    scene = lived(at_once=1)
    before = scene.states()
    published = list(scene.published)
    assert {m.topic for m in published} == {ACTIONS, LESSONS, DEAD_LETTERS}, "there is something to repeat"
    rebuild(scene)
    asyncio.run(SceneWorker(scene).work())
    assert scene.published == published
    for customer, state in scene.states().items():
        assert (state.cooldowns, state.pending, state.stages) == (
            before[customer].cooldowns, before[customer].pending, before[customer].stages,
        )  # fmt: skip


def test_silence_that_had_not_come_about_still_does() -> None:
    scene, twin = lived(), lived()
    for each in (scene, twin):
        each.orders("buyer")
        asyncio.run(SceneWorker(each).work())
    rebuild(scene)
    for each in (scene, twin):
        each.clicks("other", days=400)
        asyncio.run(SceneWorker(each).work())
    assert [m.value for m in scene.published if m.topic == ACTIONS] == [m.value for m in twin.published if m.topic == ACTIONS]
    assert scene.facts() == twin.facts()


@pytest.mark.parametrize("room", [1, 3, 5, 100])
def test_memory_is_bounded_by_passes_over_the_log(room: int) -> None:
    scene = lived()
    facts = scene.facts()
    for customer in EVERYBODY:
        spoil(scene, customer, forget_orders)
    counts = rebuild(scene, Options(room=room))
    assert counts["differed"] == counts["written"] == len(EVERYBODY)
    assert scene.facts() == facts


def test_chosen_customers_alone_are_written() -> None:
    scene = lived()
    before = {customer: dict(scene.view(customer)) for customer in EVERYBODY}
    counts = rebuild(scene, Options(ids=frozenset({"C5", "C6", "nobody"})))
    assert (counts["written"], counts["unknown"]) == (2, 1)
    assert {c for c in EVERYBODY if scene.view(c) != before[c]} == {"C5", "C6"}


def test_a_check_writes_nothing() -> None:
    scene = lived()
    spoil(scene, "C1", forget_orders)
    scene.put("ghost", encode(State(events=3)))
    before = scene.backend.snapshot()
    counts = rebuild(scene, Options(check=True))
    assert mended(counts) == {"differed": 1, "orphans": 1}
    assert [vars(shard) for shard in scene.backend.shards] == [vars(shard) for shard in before]


def test_a_topic_that_has_grown_spreads_a_customer_over_partitions() -> None:
    scene = lived()
    scene.grow("clicks", 5)
    scene.grow("orders", 3)
    scene.live_a_while(120)
    asyncio.run(SceneWorker(scene).work())
    facts = scene.facts()
    for customer in EVERYBODY:
        scene.put(customer, None)
    rebuild(scene, Options(room=4))
    assert scene.facts() == facts


def test_dead_letters_and_what_was_replayed_come_in_as_they_have() -> None:
    scene = lived()
    facts = scene.facts()
    held = scene.clicks("C1")
    replayed = scene.orders("C2")
    for tp in ((held.topic, held.partition), (replayed.topic, replayed.partition)):
        shard = scene.backend.shards[0]
        shard.positions[tp] = Position(scene.end(tp), shard.positions[tp].clear_ms)
    rebuild(scene, skipped={f"{r.topic}/{r.partition}/{r.offset}" for r in (held, replayed)})
    assert scene.facts() == facts


def test_orphans_are_told_and_dropped_if_asked() -> None:
    scene = lived()
    scene.put("ghost", encode(State(events=3)))
    scene.view("C1")  # a view whose state went
    shard = scene.backend.shards[0]
    shard.profiles["shade"] = {"version": b"4"}
    shard.stages["ghost"] = "mature"
    shard.tags["ghost"] = frozenset(("parent", "regular"))
    shard.due["ghost"] = 1
    assert rebuild(scene)["orphans"] == 2
    assert "ghost" in scene.states()
    counts = rebuild(scene, Options(drop_orphans=True))
    assert (counts["orphans"], counts["dropped"]) == (2, 2)
    assert "ghost" not in scene.states() and not scene.view("shade")
    assert "ghost" not in shard.stages and "ghost" not in shard.due and "ghost" not in shard.tags
    assert len(scene.states()) == len(EVERYBODY)


def test_a_log_without_its_beginning_is_refused_and_named_customers_are_made_of_what_there_is() -> None:
    scene = lived()
    facts = scene.facts()
    tp = next(tp for tp in scene.log if tp[0] == "orders" and len(scene.log[tp]) > 8)
    scene.expire(tp, 5)
    with pytest.raises(CantRebuild, match="lost records"):
        rebuild(scene)
    assert scene.facts() == facts
    broken = scene.log[tp][-1].key.decode()
    scene.put(broken, b"\xc1")
    scene.put("gone", encode(State()))
    counts = rebuild(scene, Options(ids=frozenset({broken, "gone"}), partial=True, drop_orphans=True))
    assert (counts["broken"], counts["orphans"], counts["dropped"]) == (1, 1, 0), "who is unknown to half a log stays"
    assert scene.states()[broken].events > 0


def test_another_log_or_an_empty_store_is_refused() -> None:
    scene = lived()
    shard = scene.backend.shards[0]
    tp = ("orders", 0)
    shard.positions[tp] = Position(scene.end(tp) + 1, 0)
    with pytest.raises(CantRebuild, match="orders/0 is not the log"):
        rebuild(scene)
    shard.positions.clear()
    with pytest.raises(CantRebuild, match="no positions"):
        rebuild(scene)


# -- what may happen meanwhile -----------------------------------------------------------------------------------------------


class Eventful(MemoryMendingStore):
    """Before each call something may happen: ``happens`` is given the name of the call and how often it was made."""

    def __init__(self, scene: Scene, happens: Callable[[str, int], Awaitable[None]]) -> None:
        super().__init__(worker_id="mender", backend=scene.backend)
        self._happens = happens
        self.calls: Counter[str] = Counter()

    async def _call(self, name: str) -> None:
        self.calls[name] += 1
        await self._happens(name, self.calls[name])

    async def load(self, ids: Sequence[str]) -> Any:
        await self._call("load")
        return await super().load(ids)

    async def positions(self) -> Any:
        await self._call("positions")
        return await super().positions()

    async def commit(self, writes: Sequence[Write], positions: Mapping[TP, Position], nonce: bytes) -> list[int]:
        await self._call("commit")
        return await super().commit(writes, positions, nonce)


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PIECE", 3)
    monkeypatch.setattr(module, "TAIL_RECORDS", 5)


@pytest.mark.usefixtures("small_pieces")
def test_workers_go_on_meanwhile_and_nothing_is_lost_or_doubled() -> None:
    scene = lived()
    for customer in EVERYBODY[:6]:
        spoil(scene, customer, forget_orders)
    worker = SceneWorker(scene)
    asyncio.run(worker.work())

    async def happens(call: str, n: int) -> None:
        scene.live_a_while(4)
        await worker.work()

    counts = rebuild(scene, store=Eventful(scene, happens))
    assert counts["conflicts"] > 0, "they came in each other's way"
    asyncio.run(worker.work())
    ids = [m.key for m in scene.published if m.topic == ACTIONS]
    assert ids, "the workers went on publishing"
    lost = rebuild(scene, Options(check=True))
    assert mended(lost) == {} and lost["profiles"] == len(scene.states())


@pytest.mark.usefixtures("small_pieces")
def test_effects_on_their_way_are_not_taken_over_but_those_nobody_publishes_are() -> None:
    scene = lived()

    def with_effect(state: State) -> None:
        state.effects = [effect]

    effect = next(e for e in _effects(scene))
    spoil(scene, "C1", with_effect)
    rebuild(scene)
    assert scene.states()["C1"].effects == [effect], "no worker is there: it waits for one"

    async def happens(call: str, n: int) -> None:
        if call == "load" and n == 4:
            spoil(scene, "C1", lambda state: state.effects.clear())

    store = Eventful(scene, happens)
    rebuild(scene, store=store)
    assert scene.states()["C1"].effects == []


def _effects(scene: Scene) -> Any:
    from portrait.state import Effect

    yield Effect(ACTIONS, "id-1", b"{}")


class Interrupted(BaseException):
    pass


def _stops_at(commit: int) -> Callable[[str, int], Awaitable[None]]:
    async def happens(call: str, n: int) -> None:
        if call == "commit" and n == commit:
            raise Interrupted

    return happens


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("room", [5, 100])
def test_interrupted_it_goes_on_where_it_was_and_again_begins_anew(room: int) -> None:
    scene = lived(shards=2)
    facts = scene.facts()
    for customer in EVERYBODY:
        spoil(scene, customer, forget_orders)
    with pytest.raises(Interrupted):
        rebuild(scene, Options(room=room), Eventful(scene, _stops_at(3)))
    done = {customer for customer in EVERYBODY if scene.facts()[customer] == facts[customer]}
    assert len(done) == 6
    versions = {customer: scene.view(customer)["version"] for customer in EVERYBODY}

    begun: list[int] = []

    class Ear(Watcher):
        def begun(self, done: module.Done) -> None:
            begun.append(done.place)

    counts = rebuild(scene, Options(room=room), watcher=Ear())
    assert begun == [place_of(max(done, key=place_of))]
    assert scene.facts() == facts
    assert counts["differed"] == len(EVERYBODY), "it counts all of the run"
    untouched = {customer for customer in done if scene.view(customer)["version"] == versions[customer]}
    assert len(untouched) == 5, "but for the last one, where it went on"
    assert rebuild(scene, Options(room=room), watcher=Ear())["differed"] == 0
    assert begun[-1] == 0, "a finished one is not gone on with"
    with pytest.raises(Interrupted):
        rebuild(scene, Options(room=room), Eventful(scene, _stops_at(3)))
    rebuild(scene, Options(room=room, again=True), watcher=Ear())
    assert begun[-1] == 0


@pytest.mark.usefixtures("small_pieces")
def test_a_store_that_is_away_or_loses_a_reply_is_waited_for() -> None:
    scene = lived()
    facts = scene.facts()
    for customer in EVERYBODY:
        spoil(scene, customer, forget_orders)

    async def happens(call: str, n: int) -> None:
        if n % 4 == 2:
            raise StoreUnavailable("away") if call != "commit" else StoreUncertain("the reply was lost")

    counts = rebuild(scene, store=Eventful(scene, happens))
    assert counts["written"] == len(EVERYBODY)
    assert scene.facts() == facts


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("lost_at", [2, 3, 4])
def test_a_store_that_loses_its_tail_is_gone_back_to(lost_at: int) -> None:
    scene = lived()
    for customer in EVERYBODY:
        spoil(scene, customer, forget_orders)
    scene.live_a_while(30)
    old = scene.backend.snapshot()
    worker = SceneWorker(scene)
    asyncio.run(worker.work())
    facts = scene.facts()
    spoiled = {customer for customer in EVERYBODY if facts[customer]}
    assert spoiled

    async def happens(call: str, n: int) -> None:
        if call == "commit" and n == lost_at:
            scene.backend.restore(old)

    rebuild(scene, store=Eventful(scene, happens))
    asyncio.run(SceneWorker(scene).work())
    assert mended(rebuild(scene, Options(check=True))) == {}


@pytest.mark.usefixtures("small_pieces")
def test_a_new_customer_whose_first_event_is_not_folded_yet_is_left_to_the_workers() -> None:
    scene = lived()
    worker = SceneWorker(scene)
    asyncio.run(worker.work())

    async def happens(call: str, n: int) -> None:
        if call == "commit" and n == 2:
            for number in range(20):
                scene.orders(f"new{number}")
            await worker.work()

    counts = rebuild(scene, Options(drop_orphans=True, room=14), Eventful(scene, happens))
    assert (counts["dropped"], counts["orphans"], counts["unknown"]) == (0, 0, 0)
    assert len(scene.states()) == len(EVERYBODY) + 20
    assert mended(rebuild(scene, Options(check=True))) == {}
    assert decode(encode(scene.states()["new3"])).events == 1


# -- persons of several identities ---------------------------------------------------------------------------------------------


def with_persons(**options: Any) -> Scene:
    """C1 is a device and a handle too; C2 was one with a device, and is not any more; nothing else is known of the handle."""
    scene = Scene(**options)

    async def live() -> None:
        worker = SceneWorker(scene)
        for _ in range(60):
            scene.live_a_while(1, customers=4)
            await worker.work()
        for device in ("device:d1", "device:d2"):
            scene.clicks(device, days=0.1)
            scene.complains(device, days=0.1)
        scene.says("C1", "identity.linked", other="device:d1", kind="device")
        scene.says("C1", "identity.linked", other="social:weibo:lin", kind="social")
        scene.says("device:d2", "identity.linked", other="C2", kind="customer", days=0.1)
        await worker.work()
        scene.says("C2", "identity.unlinked", other="device:d2", kind="device", days=0.1)
        scene.orders("device:d1", days=0.1)
        await worker.work()

    asyncio.run(live())
    return scene


def persons(scene: Scene) -> dict[str, Any]:
    return {name: (s.person, s.members, s.stage, s.links, s.cooldowns, s.effects) for name, s in scene.states().items()}


def shown(scene: Scene) -> dict[str, Any]:
    gone = {"version", "updated_at_ms", *SCORES, *DERIVED}
    return {name: {f: parse_field(f, v) for f, v in scene.view(name).items() if f not in gone} for name in scene.states()}


@pytest.mark.parametrize("shards", [1, 3])
@pytest.mark.parametrize("harm", ["facts", "missing", "broken", "links"])
def test_persons_are_made_anew(shards: int, harm: str) -> None:
    scene = with_persons(shards=shards)
    facts, before, views = scene.facts(), persons(scene), shown(scene)
    assert before["C1"][1] == ["C1", "device:d1", "social:weibo:lin"] and before["device:d1"][0] == "C1"
    for name in before:
        if harm == "facts":
            spoil(scene, name, forget_orders if name in facts else lambda state: None)
        elif harm == "links":
            spoil(scene, name, lambda state: setattr(state, "links", None))
        else:
            scene.put(name, None if harm == "missing" else b"\xc1")
    rebuild(scene)
    asyncio.run(SceneWorker(scene).work())
    assert scene.facts() == facts
    if harm in ("facts", "links"):
        assert persons(scene) == before
    else:  # with the state, the cooldowns are gone
        assert {name: told[:4] for name, told in persons(scene).items()} == {name: told[:4] for name, told in before.items()}
    assert shown(scene) == views
    assert mended(rebuild(scene, Options(check=True))) == {}


def test_one_identity_of_a_person_alone_is_made_anew_with_what_others_said_of_it() -> None:
    scene = with_persons()
    facts, before, views = scene.facts(), persons(scene), shown(scene)
    scene.put("social:weibo:lin", None)
    scene.put("device:d1", b"\xc1")
    counts = rebuild(scene, Options(ids=frozenset({"social:weibo:lin", "device:d1"})))
    assert (counts["written"], mended(counts)) == (2, {"missing": 1, "broken": 1})
    asyncio.run(SceneWorker(scene).work())
    assert (scene.facts(), persons(scene), shown(scene)) == (facts, before, views)


def test_a_person_is_shown_whole_while_they_are_made_anew() -> None:
    scene = with_persons()
    before = {name: dict(scene.view(name)) for name in scene.states()}
    spoil(scene, "device:d1", forget_orders)
    rebuild(scene)
    assert scene.view("C1") == before["C1"] and scene.view("device:d1") == before["device:d1"]
    due = scene.indexes()["due"]
    assert {"C1", "device:d1"} <= {name for name, at_ms in due.items() if at_ms <= scene.now_ms}
    worker = SceneWorker(scene)
    asyncio.run(worker.work())
    assert scene.states()["C1"].settled[0] == sum(scene.states()[name].events for name in ("C1", "device:d1", "social:weibo:lin"))
    left = {name for name, at_ms in scene.indexes()["due"].items() if at_ms <= scene.now_ms}
    assert not left & {"device:d1", "social:weibo:lin"}, "nothing is due of who leads elsewhere"


def test_a_link_that_a_worker_has_folded_ahead_of_the_positions_stays() -> None:
    """It folded the other end's half, and is about to commit the positions: it will not tell it again."""
    scene = with_persons()
    ahead = scene.says("C3", "identity.linked", other="device:d3", kind="device")
    before = {tp: at for tp, at in scene.backend.shards[0].positions.items() if tp == (ahead.topic, ahead.partition)}
    asyncio.run(SceneWorker(scene).work())
    links = scene.states()["device:d3"].links
    scene.backend.shards[0].positions.update(before)
    rebuild(scene, Options(drop_orphans=True))
    assert links is not None and scene.states()["device:d3"].links == links
