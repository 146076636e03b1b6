"""`portrait rebuild`: profiles made anew from the log, while workers go on (ADR 12).

All customers that there is room for are folded in one pass over the log (`streams.refold`), and then written, some at a time, in
the order of a hash of their ids (`streams.mend`). How far that is stands in the store, behind what it speaks of: so an
interrupted rebuild goes on, and a store that has lost writes leads back to what was lost.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Container, Mapping, Sequence
from functools import partial
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from language.names import Names
from portrait.expiry import cut_of, heeded, may_expire, merged_cuts
from portrait.models.churn import Scorer
from profile_store.contract import MendingStore, Position, Write
from schemas.identity import Namer
from streams.cuts import Follower
from streams.intake import NAMER
from streams.log import TP, LogReader
from streams.mend import Live, Mended, Mender
from streams.profiles import NEVER_IDLE, NONCE_BYTES, PIECE
from streams.refold import PLACES, Refold, place_of, strangers
from streams.steady import Regressed, Steady

#: Under this name the store keeps which partitions' losses were accepted (`streams.accept`).
ACCEPTED = "accepted"
#: The tail is read again and again until so few records are left: what is written then is near the present.
TAIL_RECORDS = 5000
#: How long a profile is left alone whose effects are on their way to the broker, before they are taken over as they stand.
PATIENCE_MS = 3000
TRY_S = 0.25


class CantRebuild(Exception):
    """There is nothing sound to rebuild from; the message says why, and what to do."""


class Options(NamedTuple):
    """``ids``: None stands for everybody. ``room``: how many states are held at once. ``check``: write nothing."""

    ids: frozenset[str] | None = None
    room: int = 50_000
    check: bool = False
    drop_orphans: bool = False
    again: bool = False  # from the beginning, though an interrupted one could go on
    partial: bool = False  # from a log that has lost its beginning
    program: str = ""  # its version: another one begins anew

    @property
    def name(self) -> str:
        """Of what is asked for: only the same is gone on with. The note in the store is kept under it."""
        whom = ["*"] if self.ids is None else sorted(self.ids)
        asked = [self.program, str(self.drop_orphans), str(self.partial), *whom]
        return "rebuild " + blake2b("\0".join(asked).encode(), digest_size=8).hexdigest()


class Done(msgspec.Struct):
    """How far a rebuild is: all customers whose place is below ``place`` are done."""

    begun_ms: int
    place: int = 0
    counts: dict[str, int] = {}


class Watcher:
    """Is told how it goes. This one keeps it to itself."""

    def begun(self, done: Done) -> None:
        """``done.place`` is above 0 where an interrupted rebuild goes on."""

    def reading(self, records: int, total: int) -> None:
        """Of this pass."""

    def writing(self, profiles: int, total: int, place: int) -> None:
        """Of this pass. ``place``: everybody below it is done."""

    def waiting(self, why: str) -> None:
        """The store is away, or has lost writes."""

    def found(self, mended: Mended) -> None:
        """What was found about a customer, once it is mended."""


class Rebuild:
    """One run. ``counts`` tells what was found and done: docs/operating.md, "Rebuilding"."""

    def __init__(
        self,
        store: MendingStore,
        log: LogReader,
        partitions: Sequence[TP],
        options: Options,
        *,
        scorer: Scorer,
        skipped: Container[str],
        random_bytes: Callable[[int], bytes],
        wall_ms: Callable[[], int],
        names: Names | None = None,
        namer: Namer = NAMER,
        expired: Sequence[TP] = (),
        idle: Mapping[str, int] = NEVER_IDLE,
        watcher: Watcher | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """``partitions``: all of the event topics. ``skipped``: origins that stand in the topics of (replayed) dead letters.
        ``names`` are looked for in texts; ``namer`` names the identities. ``expired``: partitions of the topic of what is void;
        ``idle``: by kind, after how many milliseconds one expires."""
        self._store, self._log, self._partitions, self._options = store, log, partitions, options
        self._scorer, self._skipped, self._random_bytes, self._wall_ms = scorer, skipped, random_bytes, wall_ms
        self._watcher, self._sleep, self._names, self._namer = watcher or Watcher(), sleep, names, namer
        self._expired, self._idle = Follower(log, expired), idle
        self._steady = Steady(store, options.name, self._watcher.waiting, sleep)
        self._done = Done(wall_ms())
        self._waits_since: dict[str, int] = {}  # customers whose effects are on their way
        self.counts: Counter[str] = Counter()

    async def run(self) -> None:
        """Raises CantRebuild, NewerFormat, StoreRefused, and what the log reader raises. What was done by then stays done."""
        again = self._options.again
        while True:
            try:
                await self._resume(again=again)
                again = False
                self._watcher.begun(self._done)
                while self._done.place < PLACES:
                    await self._pass()
                return await self._finish()
            except Regressed:
                self._watcher.waiting("the store has lost writes: going on from where it still is")

    # -- a pass -----------------------------------------------------------------------------------------------------------------

    async def _pass(self) -> None:
        """Read the log for as many customers as there is room for, and write them."""
        positions = await self._positions()
        beginnings, ends = await self._check_log(positions)
        await self._expired.follow()
        options, place = self._options, self._done.place
        fold = Refold(
            self._log,
            beginnings,
            low=place,
            ids=options.ids,
            skipped=self._skipped,
            room=options.room,
            names=self._names,
            namer=self._namer,
            cuts=self._expired.cuts,
        )
        await self._read_log(fold, positions, beginnings)
        self.counts["events"] += fold.events
        whom = {*fold.states, *await self._known(fold)}
        fold.settle_on(whom)
        await self._mend_all(fold, Mender(self._store, self._log, ends, self._scorer, self._idle), sorted(whom, key=place_of))
        await self._note(fold.high)

    async def _read_log(self, fold: Refold, positions: Mapping[TP, Position], beginnings: Mapping[TP, int]) -> None:
        """Up to the present, or nearly so."""
        read, before, until = 0, beginnings, _offsets(positions)
        total = sum(offset - before.get(tp, 0) for tp, offset in until.items())
        while True:
            async for records in fold.read(until, until):
                read += records
                self._watcher.reading(read, total)
            before, until = until, _offsets(await self._positions())
            tail = sum(max(0, offset - before.get(tp, 0)) for tp, offset in until.items())
            if tail < TAIL_RECORDS:
                return
            total += tail

    async def _known(self, fold: Refold) -> Collection[str]:
        """Who belongs to this pass by name or by the store, though perhaps not by the log."""
        if self._options.ids is not None:
            return [customer_id for customer_id in self._options.ids if fold.holds(customer_id)]

        async def scan() -> set[str]:
            return {customer_id async for ids in self._store.ids() for customer_id in ids if fold.holds(customer_id)}

        return await self._steady.do(scan)

    async def _mend_all(self, fold: Refold, mender: Mender, whom: Sequence[str]) -> None:
        waiting: list[str] = []
        begun = 0
        while begun < len(whom) or waiting:
            piece = [*waiting, *whom[begun : begun + PIECE]]
            begun = min(begun + PIECE, len(whom))
            waiting = await self._steady.do(partial(self._mend, fold, mender, piece))
            for customer_id in set(piece).difference(waiting):
                fold.forget(customer_id)
            await self._note(min(map(place_of, [*waiting, whom[begun - 1]])))
            self._watcher.writing(begun - len(waiting), len(whom), self._done.place)
            if waiting and begun == len(whom):
                await self._sleep(TRY_S)

    async def _mend(self, fold: Refold, mender: Mender, ids: Sequence[str]) -> list[str]:
        """Those who must be tried again: somebody wrote meanwhile, or their effects are on their way."""
        before = await self._void(ids)
        lives, positions = await mender.look(fold, ids)
        after = await self._void(ids)
        lives = [live for live in lives if _heeds(fold, live, before if live.state is not None else after)]
        again = [] if self._options.check else [live.id for live in lives if self._waits(live)]
        lives = [live for live in lives if live.id not in set(again)]
        versions = await mender.versions(lives)
        now_ms = self._wall_ms()
        mended = [
            mender.mend(live, fold.fold_own(live.id, live.cut), positions, versions.get(live.id, 0), now_ms) for live in lives
        ]
        lost = await self._commit([one.write for one in mended if one.write and self._may_write(one)])
        for one in mended:
            if one.id not in lost:
                self.counts.update(one.what)
                self._watcher.found(one)
        return [*again, *lost]

    async def _void(self, ids: Sequence[str]) -> Mapping[str, Mapping[int, int]]:
        """What is void of them by now: whatever was told before a state was read stands in it, and of who is gone all does."""
        names = [name for name in ids if may_expire(name)]
        if names:
            await self._expired.follow()
        return {name: self._expired.cuts.of(name) or {} for name in names}

    def _waits(self, live: Live) -> bool:
        """Has it effects that somebody is probably about to publish? To take them over would publish them twice."""
        if live.state is None or not live.state.effects:
            return False
        now_ms = self._wall_ms()
        return now_ms - self._waits_since.setdefault(live.id, now_ms) < PATIENCE_MS

    def _may_write(self, mended: Mended) -> bool:
        """Who has no event in a log that has lost its beginning may well be a customer, if the profile can be read."""
        if "orphans" not in mended.what:
            return True
        return self._options.drop_orphans and (not self._options.partial or "broken" in mended.what)

    async def _commit(self, writes: Sequence[Write]) -> set[str]:
        """Who conflicted."""
        if self._options.check or not writes:
            return set()
        conflicts = {writes[i].id for i in await self._store.commit(writes, {}, self._random_bytes(NONCE_BYTES))}
        self.counts["conflicts"] += len(conflicts)
        self.counts["written"] += sum(1 for write in writes if write.id not in conflicts and write.state)
        self.counts["dropped"] += sum(1 for write in writes if write.id not in conflicts and not write.state)
        return conflicts

    # -- what it stands on ------------------------------------------------------------------------------------------------------

    async def _positions(self) -> Mapping[TP, Position]:
        positions = await self._steady.do(self._store.positions)
        if not positions:
            raise CantRebuild(
                "Redis holds no positions: nothing has been folded yet, or it was wiped. "
                "A worker folds the log from its beginning by itself: portrait worker"
            )
        return positions

    async def _check_log(self, positions: Mapping[TP, Position]) -> tuple[Mapping[TP, int], Mapping[TP, int]]:
        """Beginnings and ends of all partitions. Raises CantRebuild where the log does not hold what profiles were made of."""
        beginnings, ends = await self._log.bounds(self._partitions)
        strange = await strangers(self._log, positions, beginnings, ends)
        for tp, at in positions.items():
            first, end = beginnings.get(tp, 0), ends.get(tp, -1)
            if not first <= at.next_offset <= end or tp in strange:
                raise CantRebuild(
                    f"{tp[0]}/{tp[1]} is not the log that the profiles were made of: they hold it up to {at.next_offset}, "
                    f"and it {'does not exist' if end < 0 else f'has {first} to {end}'}. "
                    "Another Kafka? If not: portrait rebuild --accept-log"
                )
        short = {f"{topic}/{partition}" for (topic, partition), beginning in beginnings.items() if beginning}
        for note in await self._steady.do(partial(self._store.notes, ACCEPTED)):
            short.update(msgspec.json.decode(note) if note else ())
        if short and not self._options.partial:
            raise CantRebuild(
                f"the log of {', '.join(sorted(short))} has lost records that profiles hold, and would lose if made anew. "
                "With --partial, the customers that you name are made anew from what there is"
            )
        return beginnings, ends

    # -- going on ---------------------------------------------------------------------------------------------------------------

    async def _resume(self, *, again: bool) -> None:
        """Begin; or go on where the store says."""
        if self._options.check:
            return
        notes = await self._steady.begin()
        if all(notes) and not again:
            self._done = min((msgspec.json.decode(note, type=Done) for note in notes), key=lambda done: done.place)
        else:
            self._done = Done(self._wall_ms())
        self.counts = Counter(self._done.counts)
        await self._note(self._done.place)

    async def _finish(self) -> None:
        if not self._options.check:
            await self._steady.note(b"")

    async def _note(self, place: int) -> None:
        """All customers below ``place`` are done."""
        self._done = msgspec.structs.replace(self._done, place=place, counts=dict(self.counts))
        if not self._options.check:
            await self._steady.note(msgspec.json.encode(self._done))


def _heeds(fold: Refold, live: Live, void: Mapping[str, Mapping[int, int]]) -> bool:
    """Take out what has expired since the log was read. False: they came back as well, and this run can't tell the two apart."""
    state = fold.states.get(live.id)
    if state is None or live.id not in void:
        return True
    cut = void[live.id]
    found = heeded(state, merged_cuts(cut, cut_of(live.state)) if live.state is not None else cut)
    if found is not None:
        fold.states[live.id] = found
    return found is not None


def _offsets(positions: Mapping[TP, Position]) -> dict[TP, int]:
    return {tp: at.next_offset for tp, at in positions.items()}
