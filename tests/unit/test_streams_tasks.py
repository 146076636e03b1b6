"""Ending tasks for sure, and a verb that is interrupted."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from cli import output
from streams import tasks


async def _loses_a_cancel(moves: list[str]) -> None:
    """As `asyncio.wait_for` may until Python 3.12, and the Redis client with it."""
    os.kill(os.getpid(), signal.SIGINT)
    try:
        await asyncio.sleep(30)
    except asyncio.CancelledError:
        moves.append("cancelled")
    await asyncio.sleep(30)
    moves.append("went on")


def test_an_interrupted_verb_ends_though_its_work_loses_the_first_cancel() -> None:
    moves: list[str] = []
    with pytest.raises(SystemExit) as ending:
        output.run(_loses_a_cancel(moves))
    assert ending.value.code == output.INTERRUPTED
    assert moves == ["cancelled"]


def test_a_verb_returns_and_raises_what_its_work_does() -> None:
    async def returns() -> int:
        return 7

    async def leaves() -> None:
        await asyncio.sleep(0)
        output.fail("so it is", output.USAGE)

    assert output.run(returns()) == 7
    with pytest.raises(SystemExit) as ending:
        output.run(leaves())
    assert ending.value.code == output.USAGE


def test_who_ends_others_while_being_ended_leaves_none_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "AGAIN_S", 0.05)
    lost: list[str] = []

    async def loses_two_cancels() -> None:
        for _ in range(3):
            try:
                await asyncio.sleep(30)
            except asyncio.CancelledError:
                if len(lost) == 2:
                    raise
                lost.append("cancel")

    async def keeper(kept: asyncio.Future[None]) -> None:
        try:
            await asyncio.sleep(30)
        finally:
            await tasks.end([kept])

    async def main() -> None:
        kept = asyncio.ensure_future(loses_two_cancels())
        keeping = asyncio.ensure_future(keeper(kept))
        await asyncio.sleep(0)
        keeping.cancel()
        await asyncio.sleep(0.01)
        keeping.cancel()  # while it ends what it keeps
        await asyncio.wait([keeping], timeout=5)
        assert keeping.cancelled() and kept.done() and len(lost) == 2

    asyncio.run(main())
