"""What the loop tells of silence and of long histories does not depend on a worker's start, nor on how much came at once."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime

import pytest

from schemas.registry import ACTIONS, LESSONS
from streams.loop import TICKS_AT_ONCE
from tests.scene import DAY_MS, Scene, SceneWorker


def tell(scene: Scene, customer: str, ages_days: Iterable[int], amount_minor: int = 9900) -> None:
    """Orders that happened so many days ago and come to the log only now: an import, a till that was offline."""
    for n, age_days in enumerate(ages_days):
        event = {
            "specversion": "1.0",
            "id": f"{customer}-{n}",
            "source": "/till",
            "type": "order.placed",
            "time": datetime.fromtimestamp((scene.now_ms - age_days * DAY_MS) / 1000, UTC).isoformat(),
            "data": {"order_id": f"O{n}", "currency": "CNY", "amount_minor": amount_minor},
        }
        scene.append("orders", customer, json.dumps(event).encode())


def told(scene: Scene) -> Counter[str]:
    """Rules with their episodes, and lessons."""
    actions = [json.loads(m.value or b"")["data"] for m in scene.published if m.topic == ACTIONS]
    return Counter([*(f"{a['rule']} {a['episode']}" for a in actions), *(m.topic for m in scene.published if m.topic == LESSONS)])


@pytest.mark.parametrize("ages_days", [range(92, 31, -3), (700, 600, 500, 400, 300, 200, 100, 35)])
def test_what_late_events_bring_is_told_by_a_worker_that_was_just_started_too(ages_days: Iterable[int]) -> None:
    async def life(restarted: bool) -> Counter[str]:
        scene = Scene(partitions=1)
        worker = SceneWorker(scene)
        scene.orders("somebody")
        scene.now_ms += DAY_MS
        await worker.work()  # silence has had its effects until now
        worker = SceneWorker(scene) if restarted else worker
        await worker.work()
        for n in range(8):
            tell(scene, f"L{n}", ages_days)
        await worker.work()
        return told(scene)

    assert (once := asyncio.run(life(restarted=False))) == asyncio.run(life(restarted=True))
    assert sum(once.values()) > 8


@pytest.mark.parametrize("years", [1, 6])
def test_a_long_history_leaves_room_for_the_action_of_today(years: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.scene.BATCH", 10_000)
    scene = Scene(partitions=1)
    worker = SceneWorker(scene)
    tell(scene, "C6", range(years * 365, 0, -20), amount_minor=99_000)  # C6 is one of those who teach the prior
    scene.complains("C6")
    asyncio.run(worker.work())
    found = told(scene)
    assert found[LESSONS] > 10
    assert any(name.startswith("valued-customer-complained") for name in found), found
    dropped = worker.metrics.registry.get_sample_value("portrait_effects_dropped_total")
    assert (dropped or 0) > 0 if years == 6 else dropped == 0


def test_names_in_the_index_of_due_times_that_nobody_has_keep_nobody_from_their_tick() -> None:
    async def life() -> None:
        scene = Scene(partitions=1)
        worker = SceneWorker(scene)
        for _ in range(5):
            scene.orders("C1", days=3)
        await worker.work()
        due = scene.backend.shards[0].due
        due.update({f"ghost{n}": 1 for n in range(TICKS_AT_ONCE)})
        scene.now_ms += 40 * DAY_MS
        await worker.work()
        await worker.work()
        assert scene.states()["C1"].stage != "growing"
        assert set(due) == {"C1"}

    asyncio.run(life())
