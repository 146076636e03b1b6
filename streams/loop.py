"""The batch loop: records in, profiles in the store, effects in the log, once each. Steps as in ARCHITECTURE.md.

For every batch
  1. decode; what can't be folded becomes a dead letter
  2. load the states that are not cached, in one round trip
  3. evolve each customer (pure); watermarks and id rings skip what a state has seen
  4. publish the dead letters and wait for the broker
  5. commit states, views, indexes and positions in one script a shard; conflicts are loaded and evolved again
  6. publish the effects, which the states kept, and wait for the broker
  7. confirm the offsets to Kafka, and take the effects out of the states with the next commit
A tick of a silent customer takes steps 2, 3, 5, 6 and 7. Steps 2, 3, 5 and 6 go piece by piece and overlap (ADR 7); the positions
are committed with the last piece.

Nothing raises out of the loop. The store away: wait, and try the same batch again. The store has lost writes, or a reply was
lost: forget everything, take a new chain, read the positions, seek. Anything else: end the process at once, before anything is
confirmed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Container, Iterable, Mapping, Sequence
from functools import partial
from typing import NoReturn, TypeVar

import structlog

from language.names import Names
from portrait.models.churn import Scorer
from portrait.state import BrokenState, NewerFormat
from profile_store.contract import (
    ChainBroken,
    Position,
    Store,
    StoreError,
    StoreRefused,
    StoreUnavailable,
    StoreUncertain,
    least,
)
from schemas.identity import Namer
from schemas.registry import EVENT_TOPICS
from streams.cuts import Cuts, nothing_to_hear
from streams.failures import where
from streams.gate import Gate
from streams.held import Held, no_letters
from streams.intake import NAMER, take_in, without_value
from streams.log import NOTHING, TP, Batch, Log, Outgoing, Record, Unpublishable, next_offsets
from streams.metrics import Metrics
from streams.profiles import Profiles
from streams.settings import Settings, idle_of
from streams.start import ActionCap, LogLost, Start, last_of, partition_of, start_of, unread

T = TypeVar("T")

log = structlog.get_logger()

RETRY_S_FIRST, RETRY_S_MAX = 0.05, 2.0
#: Ticks leave a little room behind the gate for records that are under way.
TICK_MARGIN_MS = 1000
TICKS_AT_ONCE = 500
#: When states are due whose effects wait to be published: before everything else.
AT_ONCE = 0
#: While so many records wait, folding them comes first: silence is looked at only so often, and for a tenth of the time at most.
#: A later tick makes up for all moments in between.
BEHIND_RECORDS, TICKS_BEHIND_MS, TICKS_SHARE = 5000, 10_000, 10
#: The topic by whose partitions the workers share out the ticks.
TICK_TOPIC = EVENT_TOPICS[0].name


class Loop:
    """The handler of all event topics of one worker. `on_batch` and `sweep` may be called at the same time; they take turns."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        log_: Log,
        *,
        wall_ms: Callable[[], int],
        random_bytes: Callable[[int], bytes],
        scorer: Callable[[], Scorer],
        replayed: Callable[[], Container[str]],
        metrics: Metrics,
        die: Callable[[str], NoReturn],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        look_again: Callable[[Sequence[TP]], Awaitable[Mapping[TP, int]]] | None = None,
        dead_letters: Callable[[], AsyncIterator[str]] = no_letters,
        names: Names | None = None,
        namer: Namer = NAMER,
        cuts: Cuts | None = None,
        hear: Callable[[], Awaitable[None]] = nothing_to_hear,
    ) -> None:
        """``die`` ends the process at once and does not return. ``scorer`` and ``replayed`` give the newest known at any time.

        ``look_again``: the ends of partitions, for sure, for what would be refused by those that `start_offsets` was told.
        ``dead_letters``: the origins of all that there are, see `Held`. ``names`` are looked for in texts;
        ``namer`` names the identities. ``cuts``: what has expired; ``hear`` returns when they hold all that was told by now.
        """
        self._settings, self._store, self._log, self._metrics = settings, store, log_, metrics
        self._wall_ms, self._sleep, self._die = wall_ms, sleep, die
        self._replayed, self._look_again, self._names, self._namer = replayed, look_again, names, namer
        self._cuts, self._hear = Cuts() if cuts is None else cuts, hear
        self._profiles = Profiles(
            store,
            log_.publish,
            capacity=settings.cache_profiles,
            random_bytes=random_bytes,
            scorer=scorer,
            cap=ActionCap(settings.actions_per_minute_max, wall_ms),
            metrics=metrics,
            cuts=self._cuts,
            idle=idle_of(settings),
        )
        # Up to now means: up to when the ends of the partitions were last seen. Kafka may be away, or this process was stopped.
        self._gate = Gate(settings.clock, lambda: min(wall_ms(), log_.ends_as_of_ms()))
        self._next: dict[TP, int] = {}  # the next offset of each assigned partition
        self._starts: dict[TP, Start] = {}  # of partitions that have not been read up to their position
        self._loud_from: dict[TP, int] = {}  # below this offset, effects were published before
        self._silence_ms: int | None = 0  # what silence brought until then has had its effects; None: the broker doesn't keep it
        self._told: set[bytes | None] = set()  # keys of the dead letters of this batch that the broker has acknowledged
        self._tick_again_ms = 0  # wall time of the next round of ticks while far behind
        self._turn = asyncio.Lock()
        self._held = Held(dead_letters)
        self._waits = 0
        self.sweeps_begun = 0  # a sign of life of the sweeps, and of nothing else: they also begin while all else stands still

    @property
    def steps(self) -> int:
        """Grows whenever something was committed, tried in vain, or read of the dead letters: signs of life, for a watchdog."""
        return self._profiles.commits + self._waits + self._held.heard

    @property
    def topics(self) -> Sequence[str]:
        return [topic.name for topic in EVENT_TOPICS]

    # -- assignment and rewinding ---------------------------------------------------------------------------------------------

    async def start_offsets(
        self, committed: Mapping[TP, int | None], beginnings: Mapping[TP, int], ends: Mapping[TP, int]
    ) -> Mapping[TP, int]:
        """Where to start reading: at the last record before the store's positions; without any, at the beginning of the log."""
        async with self._turn:
            self._forget()
            positions = await self._patiently(self._begin)
            await self._hear()  # of what may be read again, for the store has come back older
            doubtful = [tp for tp in ends if tp in positions and positions[tp].next_offset > ends[tp]]
            if doubtful and self._look_again:
                ends = {**ends, **await self._look_again(doubtful)}
            starts: dict[TP, Start] = {}
            for tp in beginnings:
                try:
                    starts[tp] = start_of(tp, positions.get(tp), committed.get(tp), beginnings[tp], ends[tp])
                except LogLost as error:
                    self._die(str(error))
                if starts[tp].doubt:
                    log.warning(starts[tp].doubt, topic=tp[0], partition=tp[1], begins_at=beginnings[tp])
            loud_from = {tp: committed[tp] or 0 for tp in starts}
            gaps = {tp: range(start.position, loud_from[tp]) for tp, start in starts.items()}
            await self._held.read({tp: gap for tp, gap in gaps.items() if gap})
            # Not the positions: until a log is recognised, nothing may pass for read to its end.
            self._next = {tp: start.offset for tp, start in starts.items()}
            self._starts = {tp: start for tp, start in starts.items() if start.offset < start.position}
            self._loud_from = loud_from
            moments = [self._log.moments().get(tp) for tp in self._tick_partitions()]
            self._silence_ms = None if None in moments else min((ms for ms in moments if ms is not None), default=0)
            self._gate.assigned(starts, positions)
            log.info("assigned", partitions=len(starts), quiet=sum(map(bool, gaps.values())))
            return dict(self._next)

    async def _begin(self) -> dict[TP, Position]:
        self._profiles.forget()
        positions = await self._positions_around(self._store.new_chain)
        await self._publish_kept()
        return positions

    async def _positions_around(self, write: Callable[[], Awaitable[None]]) -> dict[TP, Position]:
        """What stood in the store before ``write``, which makes the chain grow, and stands there after it.

        If it is lost later, so is the chain. What has only been read after the write may be lost, and the chain still be whole.
        """
        before = await self._store.positions()
        await write()
        return least([before, await self._store.positions()])

    async def _publish_kept(self) -> None:
        """What others had committed before they died, and not published, whoever's customer it concerns.

        Before anything is confirmed: else the store could lose an event whose effects Kafka's offset says it has had.
        """
        limit = self._settings.batch_records_max
        more = True
        while more:
            kept = await self._store.due(AT_ONCE, limit)
            await self._profiles.apply(dict.fromkeys((name for name, _ in kept), ()), 0, {}, True, self._silence_ms or 0)
            await self._profiles.clean({})
            more = len(kept) >= limit

    # -- batches --------------------------------------------------------------------------------------------------------------

    async def on_batch(self, batch: Batch) -> None:
        """Do all seven steps for the batch, or leave it to a new epoch. Never raises."""
        self._told.clear()
        if self._starts:
            batch = self._recognised(batch)
        *first, last = self._by_loudness(batch.records)
        for work in [*(partial(self._batch, *part) for part in first), partial(self._batch, *last, batch.reached)]:
            if not await self._until_done(work, batch.epoch):
                return

    def _recognised(self, batch: Batch) -> Batch:
        """Without what lies before the positions: it was read for comparison only. Another log than theirs ends the process."""
        after, records = next_offsets(batch.records, batch.reached), dict(batch.records)
        for tp in after.keys() & self._starts.keys():
            start = self._starts.pop(tp)
            try:
                records[tp] = unread(tp, start, records.get(tp, ()))
            except LogLost as error:
                self._die(str(error))
            if after[tp] < start.position:
                self._starts[tp] = start._replace(last=None)
        return batch._replace(records=records, reached=after)

    def _by_loudness(self, records: Mapping[TP, Sequence[Record]]) -> Iterable[tuple[Mapping[TP, Sequence[Record]], bool]]:
        """The records that are applied again without effects first, then the others."""
        quiet = {
            tp: [r for r in of_partition if r.offset < self._loud_from.get(tp, 0)]
            for tp, of_partition in records.items()
            if of_partition and of_partition[0].offset < self._loud_from.get(tp, 0)
        }
        if not quiet:
            return [(records, True)]
        loud = {tp: of_partition[len(quiet.get(tp, ())) :] for tp, of_partition in records.items()}
        return [(quiet, False), (loud, True)] if any(loud.values()) else [(quiet, False)]

    async def _batch(self, records: Mapping[TP, Sequence[Record]], loud: bool, reached: Mapping[TP, int] = NOTHING) -> None:
        with self._metrics.batch_seconds.time():
            intake = take_in(records, self._replayed(), self._held.offsets, self._names, self._namer)
            offsets = next_offsets(records, reached)
            at_end = {tp: self._at_end(tp, offset) for tp, offset in offsets.items()}
            positions = {
                tp: Position(
                    offset,
                    self._gate.clear_ms(tp, at_end[tp], intake.reached_ms.get(tp, 0)),
                    last_of(records[tp][-1]) if records.get(tp) else None,
                )
                for tp, offset in offsets.items()
            }
            clock_ms = self._clock_ms(offsets, intake.reached_ms)
            silence_ms = (0 if loud else clock_ms) if self._silence_ms is None else self._silence_ms
            if intake.dead:
                await self._publish_dead(intake.dead)
            await self._profiles.apply(intake.arrivals, clock_ms, positions, loud, silence_ms, intake.linked)
            # Only now: what other tasks see of the positions and the gate must be in the store.
            self._next.update(offsets)
            for tp in offsets:
                self._gate.reached(tp, intake.reached_ms.get(tp, 0), at_end[tp])
            self._log.confirm(offsets)
        self._metrics.batch(records, intake)

    async def _publish_dead(self, dead: Sequence[Outgoing]) -> None:
        """Step 4, once a batch however often the store sends it back.

        What the broker never takes is published again without its value: the origin still tells where it lies.
        """
        new = [message for message in dead if message.key not in self._told]
        try:
            await self._log.publish(new)
        except Unpublishable as error:
            await self._log.publish([without_value(message) for message, _ in error.rejected])
        self._told.update(message.key for message in new)

    # -- ticks ----------------------------------------------------------------------------------------------------------------

    async def sweep(self) -> None:
        """One round of ticks: tell the others how far this worker's partitions are, and settle who is due. Never raises."""
        self.sweeps_begun += 1
        epoch = self._log.epoch
        if not self._own() or not await self._until_done(self._heartbeat, epoch):
            return
        ends = self._log.ends()
        waiting = sum(ends[tp] - offset for tp, offset in self._own().items())
        began_ms = self._wall_ms()
        if waiting > BEHIND_RECORDS and began_ms < self._tick_again_ms:
            return
        more = [True]
        while more and more.pop() and self._own():
            await self._until_done(partial(self._ticks, more), epoch)
        took_ms = self._wall_ms() - began_ms
        self._tick_again_ms = began_ms + max(TICKS_BEHIND_MS, TICKS_SHARE * took_ms)

    async def _heartbeat(self) -> None:
        """Positions of idle partitions: their time goes on. Also takes published effects out of the store."""
        self._gate.learn(await self._positions_around(partial(self._profiles.clean, self._reached())))
        self._metrics.gate(self._gate.lag_ms(self._clock_ms(self._next, NOTHING), self._wall_ms()))

    def _reached(self) -> dict[TP, Position]:
        """How far this worker's partitions are now."""
        positions = {}
        for tp, offset in self._own().items():
            at_end = self._at_end(tp, offset)
            self._gate.reached(tp, 0, at_end)
            positions[tp] = Position(offset, self._gate.clear_ms(tp, at_end))
        return positions

    async def _ticks(self, more: list[bool]) -> None:
        """Settle up to TICKS_AT_ONCE customers. Appends whether there may be more."""
        await self._profiles.clean({})  # states whose effects are published stand first among the due
        until_ms = self._clock_ms(self._next, NOTHING) - TICK_MARGIN_MS
        due = await self._store.due(until_ms, TICKS_AT_ONCE)
        full = len(due) >= TICKS_AT_ONCE
        mine = [customer_id for customer_id, _ in due if self._sweeps(customer_id)]
        # Where all that is due earliest is left to another worker, which is slow, ours would never come: help it.
        ours = mine or ([customer_id for customer_id, _ in due] if full else [])
        ours = [*dict.fromkeys([*filter(self._sweeps, heard := list(self._cuts.heard)), *ours])]
        written = await self._profiles.apply(dict.fromkeys(ours, ()), until_ms, {}, True, self._silence_ms or 0) if ours else 0
        self._metrics.ticks.inc(written)
        self._cuts.looked_at(heard)
        if not full:
            # Who is due was only read: an empty store has nobody. A link of the chain says that it was not.
            await self._profiles.clean(self._reached())
            own = {tp: offset for tp, offset in self._own().items() if tp[0] == TICK_TOPIC}
            self._log.confirm(own, dict.fromkeys(own, max(0, until_ms)))
        more[:] = [written > 0 and full]

    def _own(self) -> dict[TP, int]:
        """`_next` of what is still assigned: a worker that is left without partitions is not asked where to start anew."""
        assigned = self._log.ends()
        return {tp: offset for tp, offset in self._next.items() if tp in assigned}

    def _sweeps(self, customer_id: str) -> bool:
        """The owner of their partition of TICK_TOPIC ticks a customer, who is most likely in its memory."""
        partitions = len(self._tick_partitions())
        return partitions > 0 and (TICK_TOPIC, partition_of(customer_id, partitions)) in self._next

    def _tick_partitions(self) -> list[TP]:
        return [tp for tp in self._log.partitions() if tp[0] == TICK_TOPIC]

    # -- time and trouble -----------------------------------------------------------------------------------------------------

    def _at_end(self, tp: TP, offset: int) -> bool:
        end = self._log.ends().get(tp)
        return end is not None and offset >= end

    def _clock_ms(self, offsets: Mapping[TP, int], reached_ms: Mapping[TP, int]) -> int:
        """The gate, as if ``offsets`` had been folded."""
        upto = {**self._next, **offsets}
        return self._gate.now_ms(self._log.partitions(), lambda tp: self._at_end(tp, upto.get(tp, 0)), reached_ms)

    async def _until_done(self, work: Callable[[], Awaitable[None]], epoch: int) -> bool:
        """Do ``work``, waiting while the store is away. False: it was given up, for the epoch has ended or just ended here."""
        wait_s = RETRY_S_FIRST
        while epoch == self._log.epoch:
            try:
                async with self._turn:
                    if epoch != self._log.epoch:
                        return False
                    await work()
                    return True
            except StoreUnavailable as error:
                self._profiles.forget()  # states were changed in place
                self._metrics.waiting.inc()
                wait_s = await self._wait(error, wait_s)
            except (ChainBroken, StoreUncertain) as error:
                self._forget()
                self._metrics.rewinds.labels(type(error).__name__).inc()
                log.warning("store has lost writes, or a reply was lost: reading the positions", error=str(error))
                await self._log.rewind()
                return False
            except asyncio.CancelledError:
                self._forget()
                raise
            except (StoreRefused, NewerFormat, BrokenState) as error:
                self._die(str(error))
            except Exception as error:
                log.critical("unexpected in the batch loop", error=where(error))
                self._die(f"unexpected in the batch loop: {type(error).__name__}")
        return False

    async def _patiently(self, work: Callable[[], Awaitable[T]]) -> T:
        """``work``'s result, however long the store is away."""
        wait_s = RETRY_S_FIRST
        while True:
            try:
                return await work()
            except (StoreRefused, NewerFormat, BrokenState) as error:
                self._die(str(error))
            except StoreError as error:
                wait_s = await self._wait(error, wait_s)

    async def _wait(self, error: StoreError, wait_s: float) -> float:
        """Returns how long to wait the next time."""
        self._waits += 1
        log.warning("store unavailable: waiting", error=str(error), wait_s=wait_s)
        await self._sleep(wait_s)
        return min(wait_s * 2, RETRY_S_MAX)

    def _forget(self) -> None:
        self._profiles.forget()
        self._next, self._starts = {}, {}
