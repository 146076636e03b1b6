"""What older code refused waits for its replay, though newer code accepts it, and whatever the store has lost since."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from typing import Any
from unittest.mock import patch

import pytest

from oracle import log as oracle_log
from schemas.event import Event, Rejection, decode
from schemas.registry import DEAD_LETTERS
from streams import intake, worker
from streams.held import Held, among
from streams.intake import take_in
from streams.kafka import KafkaProblem
from tests.scene import Rec, Scene, SceneWorker

CLICKS = ("clicks", 0)
POISON = b"not json"


def old(topic: str, key: bytes | None, value: bytes | None, headers: Any, ms: int) -> Event | Rejection:
    """The decoder before the upgrade: it knows no clicks."""
    found = decode(topic, key, value, headers, ms)
    return Rejection("invalid", "$.type", "unknown", "") if isinstance(found, Event) and topic == "clicks" else found


class Upgraded:
    """A scene in which older code has refused a click of C1; ``before`` is the store as it was before anything."""

    def __init__(self) -> None:
        self.scene = Scene(partitions=1)
        self.before = self.scene.backend.snapshot()
        self.refused = self.scene.clicks("C1")
        self.scene.append("clicks", "C1", POISON)
        for _ in range(20):
            self.scene.orders("C1", days=1)

    async def work(self) -> None:
        await SceneWorker(self.scene).work()

    async def held(self) -> set[str]:
        return {origin async for origin in self.scene.dead_letters()}

    async def agrees(self) -> None:
        """Every state holds what the oracle says, which is what `portrait verify` says."""
        reader = oracle_log.Reader(self.scene.replayed, await self.held())
        records = [record for of_partition in self.scene.log.values() for record in of_partition]
        wanted = sum(isinstance(reader.take(record), Event) for record in records)
        assert self.scene.states()["C1"].events == wanted


def wipe(upgraded: Upgraded) -> None:
    upgraded.scene.backend.wipe()


def go_back(upgraded: Upgraded) -> None:
    upgraded.scene.backend.restore(upgraded.before)


def stay(upgraded: Upgraded) -> None:
    pass


@pytest.mark.parametrize("happens", [stay, wipe, go_back])
def test_a_dead_letter_counts_when_it_is_replayed_and_only_then(happens: Callable[[Upgraded], None]) -> None:
    async def scenario() -> None:
        upgraded = Upgraded()
        scene = upgraded.scene
        with patch.object(intake, "decode", old):
            await upgraded.work()
        assert await upgraded.held() == {"clicks/0/0", "clicks/0/1"} and scene.states()["C1"].events == 20
        happens(upgraded)
        await upgraded.work()
        assert scene.states()["C1"].events == 20
        await upgraded.agrees()
        for _ in range(17):
            scene.clicks("C1", days=0.1)  # more than an id is remembered for
        scene.replayed.add("clicks/0/0")
        scene.append("clicks", "C1", upgraded.refused.value)
        await upgraded.work()
        assert scene.states()["C1"].events == 38
        await upgraded.agrees()
        happens(upgraded)
        await upgraded.work()
        assert scene.states()["C1"].events == 38
        await upgraded.agrees()

    asyncio.run(scenario())


def test_what_can_still_not_be_folded_is_told_again() -> None:
    """The topic may have lost it meanwhile; its id is the same."""

    async def scenario() -> None:
        upgraded = Upgraded()
        await upgraded.work()
        upgraded.scene.published.clear()
        wipe(upgraded)
        await upgraded.work()
        assert [m.key for m in upgraded.scene.published if m.topic == DEAD_LETTERS] == [b"clicks/0/1"]

    asyncio.run(scenario())


def test_a_record_is_held_by_its_offset() -> None:
    scene = Scene(partitions=1)
    records: Mapping[Any, list[Rec]] = {CLICKS: [scene.clicks("C1") for _ in range(4)]}
    found = take_in(records, (), {CLICKS: [1, 3]})
    assert [arrival.offset for arrival in found.arrivals["C1"]] == [0, 2]
    assert (found.skipped, found.events, found.dead) == (2, {CLICKS: 2}, [])


def given(*origins: str) -> Held:
    async def each() -> AsyncIterator[str]:
        for origin in origins:
            yield origin

    return Held(each)


def known(held: Held) -> dict[Any, list[int]]:
    return {tp: list(offsets) for tp, offsets in held.offsets.items()}


def test_only_the_gap_is_remembered() -> None:
    held = given("clicks/0/9", "clicks/0/4", "clicks/0/5", "clicks/0/3", "clicks/1/4", "orders/0/4", "clicks/0/10")
    asyncio.run(held.read({CLICKS: range(4, 10)}))
    assert known(held) == {CLICKS: [4, 5, 9]} and held.heard == 7
    assert [offset for offset in range(12) if among(offset, held.offsets[CLICKS])] == [4, 5, 9]


def test_without_a_gap_nothing_is_read_and_nothing_is_held() -> None:
    held = given("clicks/0/4")
    asyncio.run(held.read({CLICKS: range(10)}))
    asyncio.run(held.read({}))
    assert known(held) == {} and held.heard == 1


@pytest.mark.parametrize(
    "key", ["", "clicks/0", "clicks/0/x", "clicks/0/4/1", "clicks//4", "clicks/0/" + "9" * 5000, "\ufffd", "clicks/0/-1"]
)
def test_what_is_no_origin_is_passed_over(key: str) -> None:
    held = given(key, "clicks/0/4")
    asyncio.run(held.read({CLICKS: range(10)}))
    assert known(held) == {CLICKS: [4]}


def test_kafka_away_while_they_are_read_means_beginning_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = 0

    async def origins(bootstrap: str, topic: str) -> AsyncIterator[str]:
        nonlocal asked
        asked += 1
        assert (bootstrap, topic) == ("kafka:9092", DEAD_LETTERS)
        yield "clicks/0/4"
        if asked == 1:
            raise KafkaProblem("away")
        yield "clicks/0/5"

    monkeypatch.setattr(worker, "each_origin", origins)
    monkeypatch.setattr(worker, "RETRY_S", 0)
    held = Held(partial(worker.dead_letters, "kafka:9092"))
    asyncio.run(held.read({CLICKS: range(10)}))
    assert sorted(set(known(held)[CLICKS])) == [4, 5] and asked == 2
