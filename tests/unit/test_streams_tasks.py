"""Ending tasks for sure, and a verb that is interrupted."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from cli import output


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
