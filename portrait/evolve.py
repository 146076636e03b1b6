"""`evolve`: one customer's state and new events in, a changed state and what it caused out. Pure.

Events are folded into the features (facts: any order gives the same). Then the state is settled at a moment: the stage moves,
the score is made, labels mature, rules look at what turned (`portrait.settle`). When events of several days come at once, as in a
replay, each day is settled by itself, and so is every moment between them at which something was due, so that stages and labels
come about as they would have live.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from portrait.features.base import kept
from portrait.features.registry import FEATURES, FOLDS
from portrait.models.churn import Scorer
from portrait.settle import Policy, Settling, follow_rhythm, rescore, settle
from portrait.show import next_shown_day, show
from portrait.state import HASH_BYTES, RING_EVENTS, State
from portrait.structures import DAY_MS, NEVER
from portrait.tags.held import moved
from schemas.event import Event
from schemas.orders import OrderPlaced

_RING_BYTES = RING_EVENTS * HASH_BYTES
_DEFAULT = Policy()
_NONE: frozenset[tuple[str, str]] = frozenset()
_EXPIRING = [(feature.name, feature.expire) for feature in FEATURES if feature.expire is not kept]


class Arrival(NamedTuple):
    """An event and where it came from: ``mark`` as `portrait.state.mark_of` makes it."""

    mark: int
    offset: int
    event: Event


class Change(NamedTuple):
    """What `evolve` made. ``fields`` are the view's fields that may have changed; None stands for a field to delete.

    What the change caused lies in ``state.effects`` until it has been published: then `published` takes it out.
    """

    state: State
    fields: dict[str, bytes | None]
    stage_before: str
    external: list[tuple[str, str]]  # (system, id) that now lead to this customer
    external_removed: list[tuple[str, str]]  # and those that no longer do
    tags_got: list[str]
    tags_lost: list[str]
    folded: int
    repeated: int  # at or below the watermark
    duplicates: int  # in the ring of recent ids
    capped: int  # actions of rules that the model can set off for everybody
    dropped: int  # effects for which the state had no room


def evolve(
    state: State | None, customer_id: str, arrivals: Sequence[Arrival], clock_ms: int, scorer: Scorer, policy: Policy = _DEFAULT
) -> Change | None:
    """Fold ``arrivals`` (in the order of the log within each partition) and settle at ``clock_ms``.

    ``clock_ms``: every partition has been read to this moment; 0: that is not known yet. Until it is, a new state has no moment
    of its own (0), and is settled as of its first event, when nothing was silent; rules look at its events alone. The given
    state is consumed: it is changed in place. Without arrivals this is a tick. None: nothing is new or due, and there is nothing
    to write.
    """
    if state is None:
        if not arrivals:
            return None
        state = State()
    fresh, repeated, duplicates = sift(state, arrivals)
    if not fresh and not duplicates and not state.effects and (due_ms(state) or NEVER) > clock_ms:
        return None
    stage_before, external_before, tags_before = state.stage, external_ids(state), state.tags
    work = Settling(customer_id, state, clock_ms, scorer, policy)
    fields = advance(work, fresh)
    external = external_ids(state)
    added, removed = sorted(external - external_before), sorted(external_before - external)
    got, lost = moved(tags_before, state.tags) if state.tags is not tags_before else ([], [])
    counts = len(fresh), repeated, duplicates, work.capped, work.dropped
    return Change(state, fields, stage_before, added, removed, got, lost, *counts)


def advance(work: Settling, fresh: Sequence[Event]) -> dict[str, bytes | None]:
    """Fold ``fresh`` (ordered by time) and settle until the clock: the fields of the view that may have changed."""
    state, scorer, clock_ms = work.state, work.scorer, work.clock_ms
    day_before = state.moment_ms // DAY_MS
    if work.remodelled:
        rescore(state, scorer)
    if not state.moment_ms:  # before its first event nothing is known, so nothing was silent
        if state.events:  # it was shown as of its first event, which may lie ahead of the clock
            work.moved = True
            work.dirty.update(range(len(FEATURES)))
        first_ms = min(fresh[0].time_ms if fresh else NEVER, state.parts.activity.first_ms if state.events else NEVER)
        state.moment_ms = min(first_ms, clock_ms) if clock_ms > 0 else first_ms
    _live(work, fresh)
    if work.stage is None or state.moment_ms // DAY_MS < clock_ms // DAY_MS:
        settle(work, max(state.moment_ms, clock_ms), ())
    state.moment_ms = max(state.moment_ms, clock_ms)
    if day_before < state.moment_ms // DAY_MS:
        expire(state)
    state.version += 1
    fields = show(work)
    if work.blind:  # its first event may lie far ahead of what other partitions still hold unread
        state.moment_ms, state.cooldowns = 0, {}
        state.owes_silence |= work.policy.effects and bool(fresh)
    return fields


def _live(work: Settling, fresh: Sequence[Event]) -> None:
    """Fold day by day, and settle each day, and every moment that was due until the clock."""
    state, clock_ms = work.state, work.clock_ms
    if state.owes_silence and not work.blind:
        _let_silence_speak(work)
        state.owes_silence = False
    for group in _by_day(fresh, state.moment_ms // DAY_MS):
        at_ms = max(state.moment_ms, min(group[-1].time_ms, clock_ms))
        _wake_until(work, at_ms)
        if work.policy.effects:
            _let_silence_speak(work)
        for event in group:
            fold(state, event, work.dirty)
            if type(event.data) is OrderPlaced:
                follow_rhythm(work)
        settle(work, at_ms, group)
    _wake_until(work, clock_ms)


def _let_silence_speak(work: Settling) -> None:
    """What silence brought until some moment has had its effects, but not the silence that new events begin, however late."""
    if work.policy.silence_ms:
        work.policy = work.policy._replace(silence_ms=0)


def external_ids(state: State) -> frozenset[tuple[str, str]]:
    """(system, id) by which other systems know the customer."""
    basic = state.parts.basic
    if basic is None or not basic.external:
        return _NONE
    return frozenset((system, r.value) for system, r in basic.external.items() if system)


def sift(state: State, arrivals: Sequence[Arrival]) -> tuple[list[Event], int, int]:
    """What has not been folded yet, ordered by time; how many offsets and how many ids had been seen before."""
    fresh: list[Event] = []
    repeated = 0
    marks, rings = state.marks, state.rings
    for mark, offset, event in arrivals:
        if offset <= marks.get(mark, -1):
            repeated += 1
            continue
        marks[mark] = offset
        digest = event.hash[:HASH_BYTES]
        ring = rings.get(mark)
        if ring is None:
            rings[mark] = digest
        elif holds(ring, digest):
            continue
        else:
            rings[mark] = (ring + digest)[-_RING_BYTES:]
        fresh.append(event)
    duplicates = len(arrivals) - repeated - len(fresh)
    if len(fresh) > 1:
        fresh.sort(key=_time_of)
    return fresh, repeated, duplicates


def _time_of(event: Event) -> int:
    return event.time_ms


def holds(ring: bytes, digest: bytes) -> bool:
    """Is the digest one of those in the ring?"""
    at = ring.find(digest)
    while at > 0 and at % HASH_BYTES:
        at = ring.find(digest, at + 1)
    return at >= 0


def _by_day(events: Sequence[Event], today: int) -> Iterator[list[Event]]:
    """Groups of one UTC day each; what is late joins the first group."""
    group: list[Event] = []
    day = today
    for event in events:
        event_day = event.time_ms // DAY_MS
        if event_day > day:
            if group:
                yield group
            group, day = [], event_day
        group.append(event)
    if group:
        yield group


def fold(state: State, event: Event, dirty: set[int]) -> None:
    """Fold one event into the features. Adds to ``dirty`` the numbers of those whose view may have changed."""
    state.events += 1
    state.audit = (state.audit + int.from_bytes(event.hash, "little")) & 0xFFFF_FFFF_FFFF_FFFF
    today = max(state.moment_ms, event.time_ms) // DAY_MS
    parts = state.parts
    for index, name, new, into in FOLDS[type(event.data)]:
        part = getattr(parts, name)
        if part is None:
            part = new()
            setattr(parts, name, part)
        into(part, event, today)
        dirty.add(index)


def expire(state: State) -> None:
    """Let go of what has left all windows at the state's moment."""
    today, parts = state.moment_ms // DAY_MS, state.parts
    for name, expire_part in _EXPIRING:
        part = getattr(parts, name)
        if part is not None:
            expire_part(part, today)


def _wake_until(work: Settling, until_ms: int) -> None:
    """Settle at every moment that was due until then, in order."""
    state = work.state
    while state.wake_ms <= until_ms:
        settle(work, state.wake_ms, ())


def due_ms(state: State) -> int | None:
    """When the state must be looked at though nothing arrives: a stage, score or label is due, a window ends, it expires.

    0, at once whatever the clock says: effects wait to be published.
    """
    if state.effects:
        return 0
    due = min(state.wake_ms, next_shown_day(state) * DAY_MS)
    if state.expiry is not None and state.links is None:
        due = min(due, state.expiry.due_ms)
    return due if due < NEVER else None


def published(state: State) -> None:
    """Take out the effects: the broker has acknowledged them."""
    state.effects = []
