"""Some customers of a rebuild: their live states, what they should hold, and the writes that replace them.

A rebuilt state holds exactly what the live one should hold: every event before the positions, which are read after the live
state was, and beyond them what the live state's own marks say. It is written under the nonce of that live state, so nobody has
written in between, and a worker that still has the old one in memory conflicts, loads this one, and goes on.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from portrait.evolve import due_ms, external_ids
from portrait.expiry import cut_of, emptied, idle_ms_of, may_expire, plan
from portrait.identity.links import united
from portrait.identity.person import keep, look_again
from portrait.lifecycle import STAGES
from portrait.models.churn import Scorer
from portrait.renew import renew
from portrait.state import BrokenState, State, decode, encode, facts
from portrait.tags import held
from portrait.tags.registry import BY_ID
from profile_store.contract import Loaded, MendingStore, Position, Write
from schemas.event import FUTURE_SKEW_MS
from streams.log import TP, LogReader
from streams.profiles import NEVER_IDLE, PIECE
from streams.refold import Cut, Refold, mark_of_tp, tp_of_mark
from streams.steady import Regressed


class Live(NamedTuple):
    """A profile as it stands in the store. ``state``: None where there is none, or none that can be decoded."""

    id: str
    nonce: bytes
    state: State | None
    cut: Cut  # by mark: the next offset, where the state is ahead of the position

    @property
    def broken(self) -> bool:
        return self.state is None and bool(self.nonce)


class Mended(NamedTuple):
    """``what`` is found: names of counts (docs/operating.md). No ``write``: nothing is to be done."""

    id: str
    what: tuple[str, ...]
    write: Write | None


class Mender:
    """Compares, and makes the writes. Reads the store, never writes to it."""

    def __init__(
        self,
        store: MendingStore,
        log: LogReader,
        ends: Mapping[TP, int],
        scorer: Scorer,
        idle: Mapping[str, int] = NEVER_IDLE,
    ) -> None:
        """``ends``: of all partitions of events, as last seen. ``idle``: by kind, after how many milliseconds one expires."""
        self._store, self._log, self._ends, self._scorer, self._idle = store, log, dict(ends), scorer, idle

    async def look(self, fold: Refold, ids: Sequence[str]) -> tuple[list[Live], Mapping[TP, Position]]:
        """The live states, and the positions by which they are judged; ``fold`` has read what they hold."""
        loaded = await self._store.load(ids)
        positions = await self._store.positions()  # only now: whatever they cover, the states should hold
        found = [_live(customer_id, at, positions) for customer_id, at in zip(ids, loaded, strict=True)]
        lives = [live._replace(cut=await self._within_log(live.cut)) if live.cut else live for live in found]
        floor = {tp: at.next_offset for tp, at in positions.items()}
        until = dict(floor)
        for live in lives:
            for mark, offset in live.cut.items():
                if tp := tp_of_mark(mark):
                    until[tp] = max(until.get(tp, 0), offset)
        async for _ in fold.read(until, floor):
            pass
        return lives, positions

    async def _within_log(self, cut: Cut) -> Cut:
        """Marks beyond the end of the log are wrong themselves, and so are those of partitions that there never were."""
        tps = {mark: tp for mark in cut if (tp := tp_of_mark(mark)) in self._ends}
        if behind := sorted({tp for mark, tp in tps.items() if tp and cut[mark] > self._ends[tp]}):
            self._ends |= (await self._log.bounds(behind))[1]
        return {mark: min(cut[mark], self._ends[tp]) for mark, tp in tps.items() if tp}

    async def versions(self, lives: Sequence[Live]) -> Mapping[str, int]:
        """What readers have seen of those whose state doesn't tell."""
        ids = [live.id for live in lives if live.state is None]
        return dict(zip(ids, await self._store.versions(ids), strict=True)) if ids else {}

    def mend(self, live: Live, state: State | None, positions: Mapping[TP, Position], version: int, now_ms: int) -> Mended:
        """``state``: what the log gives, None if it names nobody so. ``version``: of the view. Raises Regressed."""
        if state is not None and not state.events and state.links is None and cut_of(state):
            return _void(live, state)
        if state is None or (not state.events and live.state is not None and live.state.events):
            # who has events, of which the log tells nothing but links, is an orphan too: another key of identities, perhaps
            if not live.nonce and not version:
                return Mended(live.id, ("unknown",), None)
            if live.state is not None and live.state.links is not None and not live.state.events:
                return Mended(live.id, (), None)  # nothing but links, of which the other end's records may be under way
            return Mended(live.id, ("orphans", "broken") if live.broken else ("orphans",), _removal(live))
        below = {mark_of_tp(tp): at.next_offset for tp, at in positions.items()}
        void = cut_of(state)
        for mark, offset in state.marks.items():
            if offset > void.get(mark, -1) and offset >= max(below.get(mark, 0), live.cut.get(mark, 0)):
                raise Regressed
        if live.state is not None:  # a worker may have folded a link of the other end's already, and never will again
            state.links = united(state.links, live.state.links)
        what = "broken" if live.broken else "missing" if live.state is None else "differed" if _differ(live.state, state) else ""
        fields = self._derive(live, state, self._moment_ms(live, state, positions, now_ms), version)
        if may_expire(live.id):
            plan(state, idle_ms_of(live.id, self._idle))
        return Mended(live.id, ("profiles", what) if what else ("profiles",), _write(live, state, fields))

    def _derive(self, live: Live, state: State, moment_ms: int, version: int) -> Mapping[str, bytes | None]:
        """The view. Who has links is looked at by a worker as soon as it can: only it knows all of the person."""
        fields: Mapping[str, bytes | None] = {}
        if live.state is not None and (live.state.person or live.state.members):
            keep(state, live.state, moment_ms)
        elif state.events:
            fields = renew(live.id, state, live.state, moment_ms, live.state.version if live.state else version, self._scorer)
        if state.links is not None:
            look_again(state)
        return fields

    def _moment_ms(self, live: Live, state: State, positions: Mapping[TP, Position], now_ms: int) -> int:
        """The live state's own, so that what silence has not brought yet it still will; else what the workers' clock shows."""
        if live.state is not None and live.state.moment_ms <= now_ms + FUTURE_SKEW_MS:
            return live.state.moment_ms
        clear_ms = min((positions[tp].clear_ms if tp in positions else 0 for tp in self._ends), default=0)
        return clear_ms or (max(state.parts.activity.first_ms, state.parts.activity.last_ms) if state.events else 0)


async def broken(store: MendingStore) -> AsyncIterator[str]:
    """Who has a state that can't be decoded. Raises NewerFormat."""
    async for ids in store.ids():
        for first in range(0, len(ids), PIECE):
            piece = ids[first : first + PIECE]
            for customer_id, loaded in zip(piece, await store.load(piece), strict=True):
                if _live(customer_id, loaded, {}).broken:
                    yield customer_id


def _live(customer_id: str, loaded: Loaded, positions: Mapping[TP, Position]) -> Live:
    """Raises NewerFormat."""
    state = None
    if loaded.state:
        with suppress(BrokenState):
            state = decode(loaded.state)
    marks = state.marks if state else {}
    below = {mark_of_tp(tp): at.next_offset for tp, at in positions.items()} if marks else {}
    return Live(customer_id, loaded.nonce, state, {m: offset + 1 for m, offset in marks.items() if offset >= below.get(m, 0)})


def _differ(live: State, state: State) -> bool:
    if (live.events, live.audit, live.links) != (state.events, state.audit, state.links):
        return True
    if not state.events:
        return False
    at_ms = max(live.moment_ms, state.moment_ms)
    return facts(live, at_ms) != facts(state, at_ms)


def _void(live: Live, state: State) -> Mended:
    """All that the log knows of them has expired."""
    if live.broken:
        return Mended(live.id, ("profiles", "broken"), _removal(live))
    if live.state is None or not live.state.events or live.state.links is not None:
        return Mended(live.id, (), None)
    empty = emptied(live.state, live.state.moment_ms, cut_of(state))
    return Mended(live.id, ("profiles", "differed"), _write(live, empty.state, empty.fields))


def _write(live: Live, state: State, fields: Mapping[str, bytes | None]) -> Write:
    """All of the profile, whatever stands there now."""
    known = external_ids(live.state) if live.state else frozenset()
    external = external_ids(state)
    return Write(
        id=live.id,
        nonce=live.nonce,
        state=encode(state),
        fields={name: value for name, value in fields.items() if value is not None},
        removed=[name for name, value in fields.items() if value is None],
        risk=state.risk,
        stage=state.stage,
        stage_before="",
        due_ms=due_ms(state),
        external=sorted(external),
        external_removed=sorted(known - external),
        stages_left=[stage for stage in STAGES if stage != state.stage],
        tags_got=(tags := held.ids(state.tags)),
        tags_lost=[tag for tag in BY_ID if tag not in tags],
    )


def _removal(live: Live) -> Write:
    known = external_ids(live.state) if live.state else frozenset()
    return Write(live.id, live.nonce, b"", {}, [], None, "", "", None, [], sorted(known), list(STAGES), [], list(BY_ID))
