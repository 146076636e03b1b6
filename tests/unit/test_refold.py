"""Which customers a pass over the log holds: never more than there is room for, and in the end everybody, once."""

from __future__ import annotations

import asyncio

import pytest

from streams import refold
from streams.refold import PLACES, Refold, place_of
from tests.scene import Scene


async def passes(scene: Scene, room: int) -> list[set[str]]:
    ends = {tp: scene.end(tp) for tp in scene.log}
    low, found = 0, []
    while low < PLACES:
        fold = Refold(scene, {}, low=low, room=room)
        async for _ in fold.read(ends, ends):
            assert len(fold.states) <= room or fold.high == fold.low + 1
        found.append(set(fold.states))
        assert all(fold.holds(customer) for customer in fold.states)
        low = fold.high
    return found


@pytest.mark.parametrize("room", [1, 7, 50, 1000])
@pytest.mark.parametrize("piece", [1, 40, 2000])
def test_everybody_comes_in_one_pass(room: int, piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refold, "PIECE_RECORDS", piece)
    scene = Scene()
    scene.live_a_while(200, customers=60)
    everybody = {record.key.decode() for records in scene.log.values() for record in records if record.value != b"not json"}
    found = asyncio.run(passes(scene, room))
    assert sum(map(len, found)) == len(everybody)
    assert set().union(*found) == everybody


def test_customers_of_one_place_are_held_together_whatever_the_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refold, "crc32", lambda key: 12)
    scene = Scene()
    scene.live_a_while(60, customers=5)
    assert place_of("C1") == 12
    assert max(map(len, asyncio.run(passes(scene, 2)))) == 5
