"""The way out when the log no longer is the one that the profiles were made of: keep the profiles, and go on with what there is.

For each partition it is found out where it parts from what was folded: one past the last record that some profile has seen. Then
marks beyond that point are taken out of all states, so that records which now stand there are not passed over as seen; Kafka's
committed offsets are set back, so that they have their effects; and last of all the positions. Until then workers refuse as
before, so whatever interrupts this, it can be done again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Literal, NamedTuple

import msgspec

from portrait.evolve import due_ms, holds
from portrait.state import HASH_BYTES, BrokenState, State, decode, encode
from profile_store.contract import Loaded, MendingStore, Position, Write
from schemas.event import Event
from schemas.event import decode as decode_event
from schemas.identity import Namer
from streams.intake import NAMER
from streams.kafka import Lag
from streams.log import TP, LogReader, Record
from streams.profiles import NONCE_BYTES, PIECE
from streams.rebuild import ACCEPTED
from streams.refold import mark_of_tp, strangers
from streams.steady import Steady

#: Records that are compared with the profiles at once, from the end of a partition backwards.
WINDOW_RECORDS = 2000

Kind = Literal["expired", "wiped", "another", "ahead", "gone"]


class CantAccept(Exception):
    """The message says why, and what to do."""


class Trouble(NamedTuple):
    """A partition that workers refuse.

    expired  records went before they were folded; ``start`` is where the log begins now
    wiped    the store knows nothing of it, and the log has lost its beginning
    another  from ``start`` on the log is another one than was folded: the topic was made anew, or the broker has lost its tail
    ahead    only Kafka's committed offset lies beyond the end
    gone     the partition is no more
    """

    tp: TP
    kind: Kind
    position: int | None
    lag: Lag | None
    start: int | None  # the position from now on; None: none


async def diagnose(
    store: MendingStore,
    log: LogReader,
    positions: Mapping[TP, Position],
    partitions: Mapping[TP, Lag],
    namer: Namer = NAMER,
) -> list[Trouble]:
    """What workers refuse, by partition. ``partitions``: all of the event topics; ``namer`` names the identities as the workers
    do. Raises CantAccept, NewerFormat."""
    if missing := sorted({topic for topic, _ in positions} - {topic for topic, _ in partitions}):
        raise CantAccept(f"there is no topic {', '.join(missing)}: is this another Kafka? If not: portrait topics create")
    troubles = [Trouble(tp, "gone", at.next_offset, None, None) for tp, at in positions.items() if tp not in partitions]
    starts, ends = {tp: lag.start for tp, lag in partitions.items()}, {tp: lag.end for tp, lag in partitions.items()}
    strange = await strangers(log, positions, starts, ends)
    for tp, lag in partitions.items():
        at = positions.get(tp)
        ahead = lag.committed is not None and lag.committed > lag.end
        if at is None:
            if ahead or (lag.start > 0 and lag.committed is not None):
                troubles.append(Trouble(tp, "wiped", None, lag, lag.start))
        elif at.next_offset < lag.start:
            troubles.append(Trouble(tp, "expired", at.next_offset, lag, lag.start))
        elif at.next_offset > lag.end or tp in strange:
            start = await _seen_until(store, log, tp, lag, namer)
            troubles.append(Trouble(tp, "another", at.next_offset, lag, start))
        elif ahead:
            troubles.append(Trouble(tp, "ahead", at.next_offset, lag, at.next_offset))
    return sorted(troubles)


async def _seen_until(store: MendingStore, log: LogReader, tp: TP, lag: Lag, namer: Namer) -> int:
    """One past the last record that some profile has seen; the beginning of the log if there is none."""
    high = lag.end
    while high > lag.start:
        low = max(lag.start, high - WINDOW_RECORDS)
        records = [record async for record in log.between({tp: low}, {tp: high})]
        if seen := [offset async for offset in _seen(store, tp, records, namer)]:
            return max(seen) + 1
        high = low
    return lag.start


async def _seen(store: MendingStore, tp: TP, records: Sequence[Record], namer: Namer) -> AsyncIterator[int]:
    """Offsets of those records whose event is among the recent ones of its customer."""
    mark = mark_of_tp(tp)
    events: dict[str, list[tuple[int, bytes]]] = {}
    for record in records:
        event = decode_event(tp[0], record.key, record.value, record.headers, record.timestamp)
        if isinstance(event, Event):
            event = namer.named(event)
        if isinstance(event, Event):
            events.setdefault(event.customer_id, []).append((record.offset, event.hash[:HASH_BYTES]))
    ids = list(events)
    for first in range(0, len(ids), PIECE):
        piece = ids[first : first + PIECE]
        for customer_id, loaded in zip(piece, await store.load(piece), strict=True):
            state = _decoded(loaded)
            ring = state.rings.get(mark, b"") if state else b""
            for offset, digest in events[customer_id]:
                if holds(ring, digest):
                    yield offset


def _decoded(loaded: Loaded) -> State | None:
    """Raises NewerFormat."""
    try:
        return decode(loaded.state) if loaded.state else None
    except BrokenState:
        return None


class Acceptance:
    """Makes it so. Every step may be done again."""

    def __init__(
        self,
        store: MendingStore,
        set_offsets: Callable[[Mapping[TP, int]], Awaitable[None]],
        random_bytes: Callable[[int], bytes],
        told: Callable[[str], None],
    ) -> None:
        """``set_offsets`` commits next offsets for the group, and raises if a worker is in it."""
        self._store, self._set_offsets, self._random_bytes = store, set_offsets, random_bytes
        self._steady = Steady(store, ACCEPTED, told)
        self.states = 0  # changed

    async def accept(
        self, troubles: Sequence[Trouble], positions: Mapping[TP, Position], looked_at: Callable[[int], None]
    ) -> None:
        """``looked_at`` hears of every so many profiles. Raises CantAccept, NewerFormat, and what ``set_offsets`` raises."""
        await self._set_offsets({})  # nobody may be at work
        notes = await self._steady.begin()
        await self._take_marks_out({mark_of_tp(t.tp): t.start or 0 for t in troubles if t.kind in ("another", "gone")}, looked_at)
        known = {name for note in notes if note for name in msgspec.json.decode(note)}
        known.update(f"{t.tp[0]}/{t.tp[1]}" for t in troubles if t.kind != "ahead")
        await self._steady.note(msgspec.json.encode(sorted(known)))
        await self._set_offsets({t.tp: at for t in troubles if (at := _commit_at(t)) is not None})
        before = {t.tp: positions[t.tp] for t in troubles if t.tp in positions}
        after = {t.tp: t.start for t in troubles if t.start is not None}
        if not await self._steady.do(partial(self._store.reset, before, after)):
            raise CantAccept("the positions have changed meanwhile: is a worker running? Stop all, and run this again")

    async def _take_marks_out(self, starts: Mapping[int, int], looked_at: Callable[[int], None]) -> None:
        """``starts``: by mark, the first offset that is no longer what a state may have seen."""
        if not starts:
            return
        async for ids in self._store.ids():
            for first in range(0, len(ids), PIECE):
                waiting = list(ids[first : first + PIECE])
                looked_at(len(waiting))
                while waiting:
                    waiting = await self._steady.do(partial(self._clean, waiting, starts))

    async def _clean(self, ids: Sequence[str], starts: Mapping[int, int]) -> list[str]:
        """Who was written meanwhile, and must be looked at again."""
        writes = []
        for customer_id, loaded in zip(ids, await self._store.load(ids), strict=True):
            state = _decoded(loaded)
            if state is not None and _forget(state, starts):
                stage, due = state.stage, due_ms(state)
                writes.append(Write(customer_id, loaded.nonce, encode(state), {}, [], state.risk, stage, stage, due, [], []))
        if not writes:
            return []
        conflicts = await self._store.commit(writes, {}, self._random_bytes(NONCE_BYTES))
        self.states += len(writes) - len(conflicts)
        return [writes[i].id for i in conflicts]


def _forget(state: State, starts: Mapping[int, int]) -> bool:
    """Set back the marks beyond ``starts``, in place. Whether there were any."""
    beyond = {mark: start for mark, start in starts.items() if state.marks.get(mark, -1) >= start}
    for mark, start in beyond.items():
        if start:
            state.marks[mark] = start - 1
        else:
            del state.marks[mark]
    return bool(beyond)


def _commit_at(trouble: Trouble) -> int | None:
    """What Kafka is to have as committed; None: what it has is right.

    Below it nothing has effects: so no greater than where another log begins, for what comes then is new.
    """
    if trouble.lag is None or trouble.lag.committed is None:
        return None
    most = trouble.lag.end if trouble.kind == "ahead" else trouble.start or 0
    if trouble.kind in ("another", "ahead") or trouble.lag.committed > trouble.lag.end:
        return min(most, trouble.lag.committed)
    return None
