"""What is wrong in the end: everything in the store and in the log, against the independent `oracle`.

Each figure must be 0.

lost             events of the log that no state holds; customers' events whose hashes don't add up; dead letters that are missing
double           events that a state holds once too often
facts_differ     customers with the right events, and other facts than the oracle computes
dead_extra       dead letters whose records are good
actions_missing  see `Judge._missing`
wrong_actions    see `Truth`
stages_wrong     customers whose stage is not what the oracle says as of the end: their silence was slept through
indexes_wrong    entries of the store's indexes that are not what the states say, or that are missing
views_wrong      customers of whom readers see something else than their state shows
effects_left     states that still hold effects, though all is quiet
not_expired      anonymous fragments that were idle for long enough, and still hold something
died             workers that ended themselves
stuck            in peace, the last worker did not come to an end
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any, NamedTuple

import msgspec

from oracle import log as oracle_log
from oracle.orders import purchase_days
from oracle.stage import Stage, spans_of, stage_of
from oracle.tools import day_of, of_type
from portrait.evolve import due_ms, external_ids
from portrait.settle import digest
from portrait.state import State, decode
from portrait.tags import held
from schemas.complaints import ComplaintOpened
from schemas.customers import ExternalIdAssigned
from schemas.event import Event
from schemas.orders import OrderCancelled, OrderPlaced, OrderRefunded
from schemas.outputs import Action, ActionEvent
from streams.log import TP
from tests.fault.judge import compare
from tests.readers import unlike
from tests.simulation.rules import EVERY_SILENCE, SILENT
from tests.simulation.world import World

VALUED_SPENT_MINOR, VALUED_ORDERS = 200_000, 8
HARM = (
    "lost", "double", "facts_differ", "dead_extra", "actions_missing", "wrong_actions", "stages_wrong", "indexes_wrong",
    "views_wrong", "effects_left", "not_expired", "died", "stuck",
)  # fmt: skip


@dataclass
class Verdict:
    lost: int = 0
    double: int = 0
    facts_differ: int = 0
    dead_extra: int = 0
    actions_missing: int = 0
    wrong_actions: int = 0
    stages_wrong: int = 0
    indexes_wrong: int = 0
    views_wrong: int = 0
    effects_left: int = 0
    not_expired: int = 0
    died: int = 0
    stuck: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def harm(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in HARM}


class Counted(NamedTuple):
    """An event that counts, and where it lies."""

    tp: TP
    offset: int
    timestamp: int  # when it came to the log
    event: Event


class Truth:
    """What the log says of one customer, and whether it justifies an action.

    An action that was raised at the moment T is justified if there is a set X of the customer's events, such that

    - X is a prefix of every partition, and of the next batch, whose events are folded in the order of their own times, those
      until some time,
    - X holds whatever came to the log before T (the clock must not pass T before all of this has been read); but not for what a
      complaint raises, which waits for nobody,
    - X holds nothing that came to the log after the action did, and
    - over X, as the oracle computes it, the customer was at T in the stage that the action names, and what its rule says was so:
      the silence or the return began on the day that the episode names, the last purchase was on that day, the complaint was
      opened, the customer was of value.

    X is not one set, because partitions are read at different speeds: beyond T, one may be ahead of another. Late events need no
    excuse: when they happened does not matter here, only when they came to the log. With the stream's clock, T is no moment of
    the log, and the second condition is left out.
    """

    def __init__(self, events: Sequence[Counted], wall: bool) -> None:
        self.events = [counted.event for counted in events]
        self._wall = wall
        self._orders: dict[TP, list[Counted]] = defaultdict(list)
        for counted in events:
            if isinstance(counted.event.data, OrderPlaced | OrderCancelled | OrderRefunded):
                self._orders[counted.tp].append(counted)
        self.first_day = day_of(min(event.time_ms for event in self.events))
        # Nothing came late; or it was all there is, so that nothing had been told before it.
        self.orderly = len(events) == 1 or all(c.event.time_ms >= c.timestamp for c in events)

    def stage(self, day: int) -> Stage:
        return stage_of(purchase_days(self.events), self.first_day, day)

    def justifies(self, action: Action, ends: Mapping[TP, int]) -> bool:
        at_once = action.rule in ("every-complaint", "valued-customer-complained")
        if at_once:
            opened = {event.data.complaint_id for event in of_type(self.events, ComplaintOpened)}
            if not opened.issuperset(action.episode.split(",")):
                return False
        before_ms = action.raised_at_ms if self._wall and not at_once else 0
        return any(self._fits(action, orders) for orders in self._admissible(action.raised_at_ms, before_ms, ends))

    def _admissible(self, at_ms: int, before_ms: int, ends: Mapping[TP, int]) -> Iterator[list[Event]]:
        """The orders in each X, which holds all that came to the log before ``before_ms``; the usual ones first."""
        seen: set[tuple[tuple[int, ...], ...]] = set()
        times_ms = sorted({order.event.time_ms for orders in self._orders.values() for order in orders})
        for until_ms in (None, at_ms, *times_ms):
            for parts in product(*(self._parts(tp, until_ms, before_ms, ends.get(tp, 0)) for tp in self._orders)):
                if parts not in seen:
                    seen.add(parts)
                    yield [self._orders[tp][i].event for tp, part in zip(self._orders, parts, strict=True) for i in part]

    def _parts(self, tp: TP, until_ms: int | None, before_ms: int, end: int) -> Iterator[tuple[int, ...]]:
        """Which orders of this partition: those of earlier batches, and of the last one what happened until ``until_ms``."""
        orders = self._orders[tp]
        least = sum(order.timestamp < before_ms for order in orders)
        most = max(least, sum(order.offset < end for order in orders))
        for n in range(least, most + 1):
            if until_ms is None:
                yield tuple(range(n))
                continue
            early = {i for i in range(n) if orders[i].event.time_ms <= until_ms or orders[i].timestamp < before_ms}
            for earlier in range(n + 1):
                yield tuple(sorted(early.union(range(earlier))))

    def _fits(self, action: Action, orders: Sequence[Event]) -> bool:
        days = purchase_days(orders)
        stage = stage_of(days, self.first_day, day_of(action.raised_at_ms))
        if stage.name != action.stage:
            return False
        if action.rule in ("stage-fell", "every-silence"):
            return action.episode == f"{stage.name}:{stage.since_day}"
        if action.rule == "lost-customer-came-back":
            return stage.name == "won_back" and action.episode == str(stage.since_day)
        if action.rule == "churn-risk-rose":
            return bool(days) and action.episode == str(max(days))
        if action.rule == "valued-customer-complained":
            return _of_value(orders)
        return action.rule == "every-complaint"


def _of_value(orders: Sequence[Event]) -> bool:
    placed = of_type(orders, OrderPlaced)
    returned = of_type(orders, OrderCancelled, OrderRefunded)
    spent = sum(event.data.amount_minor for event in placed) - sum(event.data.amount_minor for event in returned)
    return len(placed) >= VALUED_ORDERS or spent >= VALUED_SPENT_MINOR


class Judge:
    def __init__(self, world: World) -> None:
        self.world, self.verdict = world, Verdict()
        self.states: dict[str, State] = {}
        for shard in world.backend.shards:
            self.states.update({customer_id: decode(loaded.state) for customer_id, loaded in shard.states.items()})
        self.events: dict[str, list[Counted]] = defaultdict(list)
        self.dead: set[str] = set()
        self._read()
        wall = world.shape.clock == "wall"
        self.truths = {customer_id: Truth(events, wall) for customer_id, events in self.events.items()}
        self.actions = {id_: msgspec.json.decode(raised.value, type=ActionEvent).data for id_, raised in world.actions.items()}
        # The moment that silence has been looked at for sure.
        greatest = max((c.event.time_ms for events in self.events.values() for c in events), default=0)
        self.settled_ms = (world.now_ms if wall else greatest) - 2000

    def judge(self) -> Verdict:
        self._views()
        self._facts()
        self._dead_letters()
        self._missing()
        self._wrong()
        self._stages()
        self._indexes()
        left = [customer_id for customer_id, state in self.states.items() if state.effects]
        self._add("effects_left", len(left), f"effects are still kept by {left}")
        self._add("died", len(self.world.deaths), f"workers ended themselves: {self.world.deaths}")
        return self.verdict

    def _add(self, counter: str, n: int, note: str) -> None:
        if n:
            setattr(self.verdict, counter, getattr(self.verdict, counter) + n)
            self.verdict.notes.append(f"{counter}: {note}")

    def _read(self) -> None:
        reader = oracle_log.Reader(cuts=oracle_log.cuts_of(self.world.expired))
        for tp, records in sorted(self.world.log.items()):
            for record in records:
                found = reader.take(record) if record is not None else None
                if record is not None and isinstance(found, Event):
                    self.events[found.customer_id].append(Counted(tp, record.offset, record.timestamp, found))
                elif isinstance(found, oracle_log.Dead):
                    self.dead.add(found.origin)

    def _views(self) -> None:
        """Before the facts are computed: that changes the states."""
        views = {customer_id: view for shard in self.world.backend.shards for customer_id, view in shard.profiles.items()}
        for customer_id in sorted(views.keys() | self.states.keys()):
            state, view = self.states.get(customer_id), views.get(customer_id, {})
            wrong = unlike(state, view) if state is not None else list(view)
            self._add("views_wrong", bool(wrong), f"readers see something else of {customer_id}: {wrong}")

    def _facts(self) -> None:
        """`lost`, `double`, `facts_differ`."""
        at_ms = max([self.world.now_ms, *(state.moment_ms for state in self.states.values())])
        for customer_id in sorted(self.events.keys() | self.states.keys()):
            events = [counted.event for counted in self.events.get(customer_id, [])]
            compare(customer_id, events, self.states.get(customer_id), at_ms, self.verdict)  # type: ignore[arg-type]

    def _dead_letters(self) -> None:
        there = self.world.dead_letters
        missing, extra = sorted(self.dead - there), sorted(there - self.dead)
        self._add("lost", len(missing), f"dead letters are missing: {missing}")
        self._add("dead_extra", len(extra), f"dead letters of good records: {extra}")

    def _missing(self) -> None:
        """Three kinds of effects must have been published.

        - Those that a committed state has held, unless the store lost that state before.
        - An action for every complaint in the log (the rule `every-complaint`), whatever the store has lost.
        - An action for every stage that the last silence of a customer has reached (the rule `every-silence`), the same. Only for
          customers of whom nothing came late, but all there is: whoever's order comes after their silence was told is silent once
          more, or not.
        """
        world = self.world
        owed = world.owed - world.actions.keys() - world.lessons
        self._add("actions_missing", len(owed), f"{len(owed)} effects stood in committed states, and were never published")
        told = {
            (a.customer_id, id_) for a in self.actions.values() if a.rule == "every-complaint" for id_ in a.episode.split(",")
        }
        for customer_id, truth in sorted(self.truths.items()):
            opened = {event.data.complaint_id for event in of_type(truth.events, ComplaintOpened)}
            untold = sorted(id_ for id_ in opened if (customer_id, id_) not in told)
            self._add("actions_missing", len(untold), f"{customer_id}: no action for the complaints {untold}")
            for stage, since_day in self._silences(truth):
                if digest(customer_id, EVERY_SILENCE.name, f"{stage}:{since_day}") not in self.actions:
                    self._add("actions_missing", 1, f"{customer_id}: no action for being {stage} since {since_day}")

    def _silences(self, truth: Truth) -> Iterator[tuple[str, int]]:
        """The stages that the customer's last silence has reached, each with its first day."""
        days = sorted(purchase_days(truth.events))
        if days and truth.orderly:
            for stage, span in zip(SILENT, spans_of(days, len(days)), strict=True):
                if days[-1] + span <= day_of(self.settled_ms):
                    yield stage, days[-1] + span

    def _wrong(self) -> None:
        for id_, action in self.actions.items():
            truth = self.truths.get(action.customer_id)
            if truth is None or not truth.justifies(action, self.world.actions[id_].ends):
                text = f"{action.customer_id}: {action.rule} {action.episode} at {action.raised_at_ms}, {action.stage}"
                self._add("wrong_actions", 1, text)

    def _stages(self) -> None:
        for customer_id, state in sorted(self.states.items()):
            truth = self.truths.get(customer_id)
            if truth is not None:
                right = {truth.stage(day_of(at_ms)).name for at_ms in (self.settled_ms, self.settled_ms + 2000)}
                self._add("stages_wrong", state.stage not in right, f"{customer_id}: {state.stage}, not {sorted(right)}")

    def _indexes(self) -> None:
        """Due times, risks, stages, tags, and external ids, as the states have them."""
        expected: dict[str, dict[Any, Any]] = {"due": {}, "risk": {}, "stages": {}, "tags": {}}
        for customer_id, state in self.states.items():
            expected["stages"][customer_id] = state.stage
            if state.tags:
                expected["tags"][customer_id] = frozenset(held.ids(state.tags))
            if (due := due_ms(state)) is not None:
                expected["due"][customer_id] = due
            if state.risk is not None:
                expected["risk"][customer_id] = state.risk
        for name, wanted in expected.items():
            found = {k: v for shard in self.world.backend.shards for k, v in getattr(shard, name).items()}
            wrong = sorted(k for k in wanted.keys() | found.keys() if wanted.get(k) != found.get(k))
            self._add("indexes_wrong", len(wrong), f"index {name}: {wrong}")
        self._external()

    def _external(self) -> None:
        """An id leads to a customer who has it. Whoever alone ever had it is found by it; if the one of several to whom it led
        gets another, it leads nowhere."""
        found = {pair: customer_id for shard in self.world.backend.shards for pair, customer_id in shard.external.items()}
        has = {customer_id: external_ids(state) for customer_id, state in self.states.items()}
        for pair, customer_id in found.items():
            self._add("indexes_wrong", pair not in has.get(customer_id, ()), f"external id {pair} leads to {customer_id}")
        had: dict[tuple[str, str], set[str]] = defaultdict(set)
        for customer_id, truth in self.truths.items():
            for event in of_type(truth.events, ExternalIdAssigned):
                had[event.data.system, event.data.external_id].add(customer_id)
        for customer_id, pairs in has.items():
            for pair in pairs:
                missing = pair not in found and had[pair] == {customer_id}
                self._add("indexes_wrong", missing, f"external id {pair} does not lead to {customer_id}")


def judge(world: World) -> Verdict:
    """To be asked when `fleet.finish` has come to an end. Computes facts as of the end, for which it changes the states."""
    return Judge(world).judge()
