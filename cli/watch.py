"""``portrait watch``: stages and risks as they move."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from itertools import islice
from typing import Annotated, NamedTuple

import typer
from rich.text import Text

from cli import output
from cli.present import clock, move_text, percent, plain
from cli.top import reader
from profile_store.contract import StoreUnavailable
from profile_store.reader import RESYNC, AsyncProfileReader, Profile
from streams.settings import Settings
from streams.tasks import end

#: Customers whose last known stage and risk are remembered: what "before" is told from.
KNOWN_MAX = 100_000
READ_AT_ONCE = 200
RETRY_S = 0.5


class Move(NamedTuple):
    """A profile has a new version. What was before is None where this customer was not seen before."""

    at_ms: int
    profile: Profile
    stage_before: str | None
    risk_before: float | None

    @property
    def moved(self) -> bool:
        """Whether a person would see a difference: another stage, or another percentage."""
        before, now = (self.stage_before, percent(self.risk_before)), (self.profile.stage, percent(self.profile.churn_risk))
        return self.stage_before is not None and before != now

    @property
    def text(self) -> Text:
        return move_text(self.stage_before, self.profile.stage, self.risk_before, self.profile.churn_risk)


class Follower:
    """Reads every profile that is announced as changed; several announcements of one customer may become one move.

    After a lost connection all that it knows is read again, so that no move is missed for good.
    """

    def __init__(self, profiles: AsyncProfileReader, ids: Collection[str] = ()) -> None:
        self._profiles, self._ids = profiles, frozenset(ids)
        self._known: dict[str, Profile] = {}
        self._waiting: dict[str, None] = dict.fromkeys(ids)  # ordered
        self._woken = asyncio.Event()

    def knows(self, profiles: Iterable[Profile]) -> None:
        """Take these as what was before."""
        for profile in profiles:
            self._known.pop(profile.id, None)
            self._known[profile.id] = profile
        while len(self._known) > KNOWN_MAX:
            del self._known[next(iter(self._known))]

    async def moves(self) -> AsyncIterator[Move]:
        """Without end. Raises StoreRefused. Close it (``aclosing``) when leaving early."""
        listening = asyncio.ensure_future(self._listen())
        listening.add_done_callback(lambda _: self._woken.set())
        try:
            while not listening.done():
                await self._woken.wait()
                self._woken.clear()
                while self._waiting:
                    for move in await self._read(list(islice(self._waiting, READ_AT_ONCE))):
                        yield move
            listening.result()
        finally:
            await end([listening])

    async def _listen(self) -> None:
        async for change in self._profiles.changes():
            if change == RESYNC:
                self._waiting |= dict.fromkeys(self._ids or self._known)
            elif not self._ids or change.id in self._ids:
                self._waiting[change.id] = None
            self._woken.set()

    async def _read(self, ids: Sequence[str]) -> list[Move]:
        for customer_id in ids:  # before reading: what is announced meanwhile is read once more
            self._waiting.pop(customer_id, None)
        try:
            read = await self._profiles.get_many(ids)
        except StoreUnavailable:
            self._waiting |= dict.fromkeys(ids)
            await asyncio.sleep(RETRY_S)
            return []
        now_ms = time.time_ns() // 1_000_000
        found = [p for p in read if p is not None and (p.id not in self._known or p.version != self._known[p.id].version)]
        moves = [self._move(now_ms, profile) for profile in found]
        self.knows(found)
        return moves

    def _move(self, now_ms: int, profile: Profile) -> Move:
        before = self._known.get(profile.id)
        return Move(now_ms, profile, before.stage if before else None, before.churn_risk if before else None)


def command(
    ids: Annotated[list[str] | None, typer.Argument(metavar="ID", help="Whom to watch; everybody, if not given.")] = None,
    moves: Annotated[bool, typer.Option("--moves", help="Only where the stage or the risk has moved.")] = False,
    json: Annotated[bool, typer.Option("--json", help="JSON lines on stdout, one a change, for programs.")] = False,
) -> None:
    """Stages and risks as they move: a line for every new version of a profile, until Ctrl-C.

    \b
    portrait watch
    portrait watch C000017 YOU
    portrait watch --moves --json | jq 'select(.stage == "declining")'

    Named customers are shown as they are first. After a lost connection everything is read again, and what has changed
    meanwhile is told.

    Exit codes: 2 usage, 3 Redis can't be reached, 130 Ctrl-C.
    """
    output.run(_watch(output.settings(), ids or [], only_moves=moves, json=json))


async def _watch(settings: Settings, ids: Sequence[str], *, only_moves: bool, json: bool) -> None:
    async with reader(settings) as profiles:
        await profiles.count()  # nobody there? say so now
        if not json:
            output.err.print("[bright_black]watching; Ctrl-C ends it[/bright_black]")
        async for move in Follower(profiles, ids).moves():
            if only_moves and not move.moved:
                continue
            if json:
                output.write_json(_row(move))
            else:
                line = Text.assemble((clock(move.at_ms), "bright_black"), f"  {plain(move.profile.id):<12}  ", move.text)
                output.out.print(line, soft_wrap=True)


def _row(move: Move) -> dict[str, object]:
    profile = move.profile
    return {
        "at_ms": move.at_ms,
        "id": profile.id,
        "version": profile.version,
        "stage": profile.stage,
        "stage_before": move.stage_before,
        "churn_risk": profile.churn_risk,
        "churn_risk_before": move.risk_before,
    }
