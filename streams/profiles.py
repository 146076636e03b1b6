"""The middle of the batch loop: states loaded, evolved, committed, and their effects published.

Loads and commits are made in pieces, so that the store works on some while others are evolved here, and none holds it for long.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Container, Iterable, Mapping, Sequence

import structlog

from portrait.evolve import Arrival, Change, due_ms, evolve, published
from portrait.expiry import begun, evolve_anonymous, idle_ms_of, is_stale, may_expire, plan
from portrait.identity.graph import closed, runs_away
from portrait.identity.links import Links
from portrait.identity.person import Moment, evolve_persons, fold_links, near
from portrait.models.churn import Scorer
from portrait.settle import Policy
from portrait.state import State, decode, encode
from profile_store.contract import ABSENT, Position, Store, Write
from schemas.registry import ACTIONS, EXPIRED
from streams.cache import Cached, StateCache
from streams.cuts import Cuts
from streams.log import TP, Outgoing, Unpublishable
from streams.metrics import Metrics
from streams.start import ActionCap
from streams.tasks import beginning

log = structlog.get_logger()

NONCE_BYTES = 8
#: Profiles of one commit: long enough to be worth a script call, short enough that readers don't wait for it.
PIECE = 400
#: Turns of the event loop that a command needs until its bytes have left: tasks and locks of each shard, and the connection.
SEND_TURNS = 20

Arrivals = Mapping[str, Sequence[Arrival]]
NOWHERE: Mapping[TP, Position] = {}
NOBODY: Container[str] = ()
NEVER_IDLE: Mapping[str, int] = {}
#: Topics whose records have the identity as their key; others have the effect's id.
KEYED_BY_IDENTITY = frozenset((ACTIONS, EXPIRED))


class Profiles:
    """States in memory and in the store. If anything raises out of it, `forget` before going on: states are changed in place."""

    def __init__(
        self,
        store: Store,
        publish: Callable[[Sequence[Outgoing]], Awaitable[None]],
        *,
        capacity: int,
        random_bytes: Callable[[int], bytes],
        scorer: Callable[[], Scorer],
        cap: ActionCap,
        metrics: Metrics,
        cuts: Cuts | None = None,
        idle: Mapping[str, int] = NEVER_IDLE,
    ) -> None:
        """``cuts``: what has expired. ``idle``: by kind, after how many milliseconds a fragment does."""
        self._store, self._publish, self._random_bytes = store, publish, random_bytes
        self._scorer, self._cap, self._metrics = scorer, cap, metrics
        self._cuts, self._idle = Cuts() if cuts is None else cuts, idle
        self._cache = StateCache(capacity)
        self._unclean: dict[str, None] = {}  # states whose effects are published, but still stand in the store; in order
        self.commits = 0  # so far

    def forget(self) -> None:
        self._cache.clear()
        self._unclean.clear()

    async def apply(
        self,
        arrivals: Arrivals,
        clock_ms: int,
        positions: Mapping[TP, Position],
        loud: bool,
        silence_ms: int,
        linked: Container[str] = NOBODY,
    ) -> int:
        """Steps 2, 3, 5 and 6 for these customers; without arrivals, a tick each. Returns how many were written.

        Conflicts go round again; ``positions`` are committed when there are none left.
        """
        policy = Policy(effects=loud, silence_ms=silence_ms)
        written, waiting = 0, arrivals
        while True:
            together: dict[str, None] = {}
            done, lost = await self._round(waiting, clock_ms, positions, policy, linked, together)
            again = {customer_id: waiting[customer_id] for customer_id in lost if customer_id in waiting}
            if together:
                committed, missed = await self._persons(together, waiting, clock_ms, NOWHERE if lost else positions, policy)
                done += committed
                again |= {customer_id: waiting.get(customer_id, ()) for customer_id in missed}
                lost |= missed
            written += done
            if not lost:
                break
            waiting = again
        self._cache.trim()
        return written

    async def clean(self, positions: Mapping[TP, Position]) -> None:
        """Commit ``positions``, and take published effects out of the store."""
        await self._commit(self._cleanings(NOBODY), positions)

    async def _round(
        self,
        arrivals: Arrivals,
        clock_ms: int,
        positions: Mapping[TP, Position],
        policy: Policy,
        linked: Container[str],
        together: dict[str, None],
    ) -> tuple[int, dict[str, None]]:
        """Load, evolve, commit and publish all once, piece by piece: while one is evolved, the others are under way.

        Returns how many were committed, and who conflicted. ``positions`` go with the last piece, if none has. Whoever has links
        is left to `_persons`, and named in ``together``; then the positions are left to it too.
        """
        done, lost = 0, dict[str, None]()
        pieces = _pieces(arrivals)

        async def commit(writes: list[Write], evolved: int, positions: Mapping[TP, Position]) -> None:
            nonlocal done
            conflicts = dict.fromkeys(writes[i].id for i in await self._commit(writes, positions))
            lost.update(conflicts)
            ours = [write.id for write in writes[:evolved] if write.id not in conflicts]
            done += len(ours)
            if with_effects := [customer_id for customer_id in ours if self._has_effects(customer_id)]:
                begin(self._publish_effects(with_effects))

        async with beginning() as begin:
            loading = begin(self._load(pieces[0]))
            committing: asyncio.Future[None] | None = None
            for number, _ in enumerate(pieces, 1):
                entries, last = await loading, number == len(pieces)
                if not last:
                    loading = begin(self._load(pieces[number]))
                    await _until_sent()
                aside = {
                    name: None
                    for name, entry in entries.items()
                    if _is_linked(entry.state) or (name in linked and not self._is_from_before(name, entry.state))
                }
                if aside:
                    together |= aside
                    entries = {name: entry for name, entry in entries.items() if name not in aside}
                writes = self._evolve(entries, arrivals, Moment(clock_ms, self._scorer(), policy), lost)
                evolved = len(writes)
                if committing:
                    await committing
                if last:
                    writes += self._cleanings(arrivals)
                committing = begin(commit(writes, evolved, positions if last and not lost and not together else NOWHERE))
                await _until_sent()
        return done, lost

    def _is_from_before(self, name: str, state: State | None) -> bool:
        """It has to be emptied before a link is folded: who is linked does not expire."""
        return state is not None and may_expire(name) and is_stale(state, self._cuts.of(name))

    async def _persons(
        self, ids: Collection[str], arrivals: Arrivals, clock_ms: int, positions: Mapping[TP, Position], policy: Policy
    ) -> tuple[int, dict[str, None]]:
        """Those of several identities, piece by piece. Returns as `_round` does; all of a person are lost if any of them is."""
        done, lost = 0, dict[str, None]()
        pieces = _pieces(ids)
        for number, piece in enumerate(pieces, 1):
            entries, states = dict[str, Cached](), dict[str, State]()
            missing: Collection[str] = piece
            while missing:
                more = await self._load(sorted(missing))
                entries |= more
                for name, entry in more.items():  # of another piece too: nobody is to be one of a person, and not know it
                    states[name] = entry.state or begun(self._cuts.of(name) if may_expire(name) else None)
                    self._fold_links(name, states[name], arrivals.get(name, ()))
                missing = near(states, piece, ids)[1]
            now = Moment(clock_ms, self._scorer(), policy._replace(capped_rules=self._cap.open()))
            turned = evolve_persons(states, {name: arrivals[name] for name in piece}, now, ids)
            if runs_away(_apart(states)):
                self._metrics.closes("", "runaway")
            for one in turned:
                plan(one.change.state, idle_ms_of(one.name, self._idle))
            self._count([one.change for one in turned])
            last = positions if number == len(pieces) and not lost else NOWHERE
            first = [_write(one.name, entries[one.name], one.change) for one in turned if not one.leads]
            # Whoever is remembered as not there may be there by now, and be one of these persons.
            nobody = entries.keys() - {one.name for one in turned}
            first += [_gone(name, ABSENT.nonce) for name in sorted(nobody) if entries[name].state is None]
            leading = [_write(one.name, entries[one.name], one.change) for one in turned if one.leads]
            homes = {one.name: entries[one.name] for one in turned if not one.leads and one.change.state.members}
            missed = await self._commit_persons(first, leading, homes, last)
            lost |= missed
            ours = [one.name for one in turned if one.name not in missed]
            done += len(ours)
            if with_effects := [name for name in ours if self._has_effects(name)]:
                await self._publish_effects(with_effects)
        return done, lost

    def _fold_links(self, name: str, state: State, arrivals: Sequence[Arrival]) -> None:
        before = closed(name, state.links) if arrivals else ""  # most are here for others' sake
        if fold_links(name, state, arrivals):
            self._metrics.closes(before, closed(name, state.links))

    async def _commit_persons(
        self, first: list[Write], leading: list[Write], homes: Mapping[str, Cached], positions: Mapping[TP, Position]
    ) -> dict[str, None]:
        """Fragments that lead elsewhere behind those that they lead to (``homes``), which hold the effects of their events.

        A fragment that had an event whose effects were not kept anywhere would pass over it the next time. Homes are written
        again beside what leads to them, as they are: another worker that has read one of them in between, but not yet what leads
        there, either meets the new nonce, or is met here. Returns who was not written, or was written by somebody else since.
        """
        if not leading:
            return dict.fromkeys(first[i].id for i in await self._commit(first, positions))
        conflicts = [first[i].id for i in await self._commit(first, NOWHERE)]
        if conflicts:
            for write in leading:
                self._cache.drop(write.id)
            return dict.fromkeys([*conflicts, *(write.id for write in leading)])
        behind = [*leading, *(_same(name, entry, entry.state) for name, entry in homes.items() if entry.state is not None)]
        return dict.fromkeys(behind[i].id for i in await self._commit(behind, positions))

    async def _load(self, ids: Iterable[str]) -> dict[str, Cached]:
        """The entries of these customers, in one round trip for those that are not in memory."""
        cache = self._cache
        entries = {customer_id: cache.get(customer_id) for customer_id in ids}
        missing = [customer_id for customer_id, entry in entries.items() if entry is None]
        if missing:
            for customer_id, loaded in zip(missing, await self._store.load(missing), strict=True):
                entry = Cached(loaded.nonce, decode(loaded.state) if loaded.state else None)
                entries[customer_id] = entry
                cache.put(customer_id, entry)
            self._metrics.loaded.inc(len(missing))
        return entries  # type: ignore[return-value]  # none is None now

    def _evolve(self, entries: Mapping[str, Cached], arrivals: Arrivals, now: Moment, again: dict[str, None]) -> list[Write]:
        """Adds to ``again`` whose arrivals have to come once more."""
        # Anew for each piece, or a batch could go far beyond the cap.
        now = now._replace(policy=now.policy._replace(capped_rules=self._cap.open()))
        writes: list[Write] = []
        changes: list[Change] = []
        for customer_id, entry in entries.items():
            if may_expire(customer_id):
                idle_ms, cut = idle_ms_of(customer_id, self._idle), self._cuts.of(customer_id)
                outcome = evolve_anonymous(entry.state, customer_id, arrivals[customer_id], now, idle_ms, cut)
                if outcome.gone:
                    writes.append(_gone(customer_id, entry.nonce))
                    continue
                if outcome.again:
                    again[customer_id] = None
                change = outcome.change
            else:
                change = evolve(entry.state, customer_id, arrivals[customer_id], *now)
            if change is not None:
                writes.append(_write(customer_id, entry, change))
                changes.append(change)
            elif entry.state:  # all seen before: the position may pass them if the store still has them. Or it is not due at all
                writes.append(_same(customer_id, entry, entry.state))
            elif not arrivals[customer_id]:
                writes.append(_gone(customer_id, ABSENT.nonce))  # an index names somebody who is not there
        self._count(changes)
        return writes

    def _count(self, changes: Sequence[Change]) -> None:
        columns = [(c.folded, c.repeated, c.duplicates, c.dropped, c.capped) for c in changes]
        folded, repeated, duplicates, dropped, capped = map(sum, zip(*columns, strict=True)) if columns else (0,) * 5
        self._metrics.arrivals(folded, repeated, duplicates)
        self._metrics.dropped.inc(dropped)
        self._cap.count(capped)

    async def _commit(self, writes: Sequence[Write], positions: Mapping[TP, Position]) -> Sequence[int]:
        """Step 5. Returns the indexes of what conflicts, which is dropped from the cache."""
        nonce = self._random_bytes(NONCE_BYTES)
        with self._metrics.commit_seconds.time():
            conflicts = await self._store.commit(writes, positions, nonce)
        self.commits += 1
        lost = set(conflicts)
        for i, write in enumerate(writes):
            self._unclean.pop(write.id, None)
            if i in lost or not write.state:
                self._cache.drop(write.id)
            elif entry := self._cache.get(write.id):
                entry.nonce = nonce
        if conflicts:
            self._metrics.conflicts.inc(len(conflicts))
        return conflicts

    def _has_effects(self, customer_id: str) -> bool:
        entry = self._cache.get(customer_id)
        return bool(entry and entry.state and entry.state.effects)

    async def _publish_effects(self, ids: Sequence[str]) -> None:
        """Step 6. The states forget their effects now, the store with the next commit."""
        messages: list[Outgoing] = []
        for customer_id in ids:
            entry = self._cache.get(customer_id)
            if entry and entry.state:
                for effect in entry.state.effects:
                    key = customer_id if effect.topic in KEYED_BY_IDENTITY else effect.id
                    messages.append(Outgoing(effect.topic, key.encode(), effect.value))
        try:
            await self._publish(messages)
        except Unpublishable as error:  # nothing that this worker can do: waiting would stop everybody
            log.error("the broker never takes some effects: they are given up", error=str(error), messages=len(error.rejected))
        for customer_id in ids:
            entry = self._cache.get(customer_id)
            if entry and entry.state:
                published(entry.state)
                self._unclean[customer_id] = None
        self._metrics.effects(messages)

    def _cleanings(self, but: Container[str]) -> list[Write]:
        """Writes that take published effects out of the store, for customers that are not written anyway."""
        writes = []
        for customer_id in list(self._unclean):
            entry = self._cache.get(customer_id)
            if entry is None or entry.state is None:  # trimmed: its effects are due, and will be published once more
                del self._unclean[customer_id]
            elif customer_id not in but:
                writes.append(_same(customer_id, entry, entry.state))
        return writes


def _pieces(ids: Iterable[str]) -> list[list[str]]:
    """Pieces of PIECE ids; one empty piece where there are none."""
    every = list(ids)
    return [every[at : at + PIECE] for at in range(0, max(len(every), 1), PIECE)]


def _is_linked(state: State | None) -> bool:
    """By its own word, or by another's whose word has not come here yet: that commit was torn, and will come again."""
    return state is not None and (state.links is not None or bool(state.members) or bool(state.person))


def _apart(states: Mapping[str, State]) -> dict[str, Links]:
    """The links of those who have some, and are one of no person all the same."""
    return {name: state.links for name, state in states.items() if state.links and not (state.person or state.members)}


async def _until_sent() -> None:
    """Let what has begun leave before the next piece is evolved, which does not let go of the event loop."""
    for _ in range(SEND_TURNS):
        await asyncio.sleep(0)


def _same(customer_id: str, entry: Cached, state: State) -> Write:
    """The state as it is in memory, for a view that stays as it is."""
    return Write(customer_id, entry.nonce, encode(state), {}, [], state.risk, state.stage, state.stage, due_ms(state), [], [])


def _gone(customer_id: str, nonce: bytes) -> Write:
    """One who is empty, or was not even there: enough of them would keep all others from ever being due."""
    return Write(customer_id, nonce, b"", {}, [], None, "", "", None, [], [])


def _write(customer_id: str, entry: Cached, change: Change) -> Write:
    """Only the fields that differ from what was written before."""
    state, known = change.state, entry.fields
    fields: dict[str, bytes] = {}
    removed: list[str] = []
    for name, value in change.fields.items():
        if known.get(name, b"") != value:
            known[name] = value
            if value is None:
                removed.append(name)
            else:
                fields[name] = value
    entry.state = state
    return Write(
        id=customer_id,
        nonce=entry.nonce,
        state=encode(state),
        fields=fields,
        removed=removed,
        risk=state.risk,
        stage=state.stage,
        stage_before=change.stage_before,
        due_ms=due_ms(state),
        external=change.external,
        external_removed=change.external_removed,
        tags_got=change.tags_got,
        tags_lost=change.tags_lost,
    )
