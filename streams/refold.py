"""From the log to states: the events of some customers, folded anew, with bounded memory.

Customers are taken in the order of a hash of their ids. Where more of them turn up than there is room for, the upper half is
let go, and is left to a later pass over the log: so it does not matter how topics are partitioned, or whether they have grown.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Container, Mapping, Sequence
from zlib import crc32

from language.names import Names
from portrait.evolve import Arrival
from portrait.expiry import begun, may_expire
from portrait.identity.person import fold_links, own
from portrait.renew import refold
from portrait.state import State, mark_of, source_of
from profile_store.contract import Position
from schemas.customers import TOPIC as LINKING
from schemas.identity import Namer, may_have_form
from schemas.registry import BY_CODE, BY_NAME
from streams.cuts import Cuts
from streams.intake import NAMER, take_in
from streams.log import TP, LogReader, Record
from streams.start import last_of

#: Of hashes: a place is in 0 .. PLACES - 1.
PLACES = 2**32
#: Records that are decoded and folded together.
PIECE_RECORDS = 2000

#: In the value of each event that carries identities stands one of them: JSON may write a letter as its number.
CARRIED, ESCAPED = b'identities"', b"\\u00"

#: By mark, as states name a topic's partition: a next offset.
Cut = Mapping[int, int]
NOTHING: Cut = {}


def place_of(customer_id: str) -> int:
    return crc32(customer_id.encode())


def mark_of_tp(tp: TP) -> int:
    return mark_of(BY_NAME[tp[0]].code, tp[1])


def tp_of_mark(mark: int) -> TP | None:
    """None where no topic has this number."""
    code, partition = source_of(mark)
    return (BY_CODE[code].name, partition) if code in BY_CODE else None


async def strangers(
    log: LogReader, positions: Mapping[TP, Position], beginnings: Mapping[TP, int], ends: Mapping[TP, int]
) -> set[TP]:
    """Partitions in which another record than the one that was folded stands last before the position (ADR 11)."""
    known = {tp: at.last for tp, at in positions.items() if at.last and beginnings.get(tp, 0) <= at.last.offset < ends.get(tp, 0)}
    if not known:
        return set()
    starts = {tp: last.offset for tp, last in known.items()}
    records = log.between(starts, {tp: offset + 1 for tp, offset in starts.items()})
    return {(r.topic, r.partition) async for r in records if last_of(r) != known[r.topic, r.partition]}


class Refold:
    """The states of the customers with a place from ``low`` up to, not including, ``high``, which goes down as they turn up."""

    def __init__(
        self,
        log: LogReader,
        beginnings: Mapping[TP, int],
        *,
        low: int = 0,
        ids: frozenset[str] | None = None,
        skipped: Container[str] = (),
        room: int,
        names: Names | None = None,
        namer: Namer = NAMER,
        cuts: Cuts | None = None,
    ) -> None:
        """``ids``: None stands for everybody. ``skipped``: origins of records that don't count. ``room``: states, at most.
        ``names`` are looked for in texts; ``namer`` names the identities. ``cuts``: what has expired."""
        self.low, self.high = low, PLACES
        self.states: dict[str, State] = {}
        self.events = 0
        self._log, self._skipped, self._room, self._names, self._namer = log, skipped, room, names, namer
        self._keys = None if ids is None else frozenset(customer_id.encode() for customer_id in ids)
        self._cuts = Cuts() if cuts is None else cuts
        self._read = dict(beginnings)  # the next offset of each partition
        self._floor: dict[int, int] = {}  # what lies below it is folded for everybody
        self._later: dict[str, list[Arrival]] = {}  # what was read beyond

    def holds(self, customer_id: str) -> bool:
        """Is it this pass that the customer belongs to? Only once the log has been read."""
        return self.low <= place_of(customer_id) < self.high

    async def read(self, until: Mapping[TP, int], floor: Mapping[TP, int]) -> AsyncIterator[int]:
        """Read to ``until``, and fold what lies below ``floor``; neither goes back. Yields now and then how much was read."""
        self._floor = {mark_of_tp(tp): offset for tp, offset in floor.items()}
        waiting, self._later = self._later, {}
        for customer_id, arrivals in waiting.items():
            self._take(customer_id, arrivals)
        starts = {tp: self._read.get(tp, 0) for tp, offset in until.items() if offset > self._read.get(tp, 0)}
        piece: list[Record] = []
        read = 0
        if starts:
            async for record in self._log.between(starts, {tp: until[tp] for tp in starts}):
                read += 1
                if self._wants(record.key) or self._may_want(record):
                    piece.append(record)
                if read == PIECE_RECORDS:
                    self._fold(piece)
                    yield read
                    piece, read = [], 0
        self._fold(piece)
        self._read.update({tp: until[tp] for tp in starts})
        yield read

    def settle_on(self, ids: Collection[str]) -> None:
        """From now on these customers alone are read, and none of them is let go: who turns up only now is not of this pass."""
        self._keys = frozenset(customer_id.encode() for customer_id in ids)
        self._room = max(self._room, len(ids))
        self.states = {name: state for name, state in self.states.items() if name in ids}
        self._later = {name: arrivals for name, arrivals in self._later.items() if name in ids}

    def fold_own(self, customer_id: str, cut: Cut) -> State | None:
        """Fold what this customer's own ``cut`` has beyond the floor; the state now, if there is one."""
        if arrivals := self._later.pop(customer_id, None):
            self._take(customer_id, arrivals, cut)
        return self.states.get(customer_id)

    def forget(self, customer_id: str) -> None:
        self.states.pop(customer_id, None)
        self._later.pop(customer_id, None)

    def _wants(self, key: bytes | None) -> bool:
        if not key or (self._keys is not None and key not in self._keys):
            return False
        return self.low <= crc32(key) < self.high

    def _may_want(self, record: Record) -> bool:
        """Only decoded it shows whom it concerns: its key has another form than the name, or it links somebody."""
        value = record.value or b""
        carries = CARRIED in value or ESCAPED in value
        return carries or record.topic == LINKING.name or may_have_form(record.key or b"")

    def _fold(self, records: Sequence[Record]) -> None:
        by_partition: dict[TP, list[Record]] = {}
        for record in records:
            by_partition.setdefault((record.topic, record.partition), []).append(record)
        for customer_id, arrivals in take_in(by_partition, self._skipped, names=self._names, namer=self._namer).arrivals.items():
            if self._wants(customer_id.encode()):
                self._take(customer_id, arrivals)
        while len(self.states) > self._room and self.high > self.low + 1:  # of one and the same place all are held
            self._make_room()

    def _take(self, customer_id: str, arrivals: list[Arrival], cut: Cut = NOTHING) -> None:
        """Fold what lies below the floor, or below the customer's own ``cut``; keep the rest for later."""
        now: list[Arrival] = []
        later: list[Arrival] = []
        for arrival in arrivals:
            below = max(self._floor.get(arrival.mark, 0), cut.get(arrival.mark, 0))
            (now if arrival.offset < below else later).append(arrival)
        if now:
            state = self.states.get(customer_id)
            if state is None:
                state = begun(self._cuts.of(customer_id) if may_expire(customer_id) else None)
                self.states[customer_id] = state
            fold_links(customer_id, state, now)
            self.events += refold(state, own(customer_id, now))
        if later:
            self._later.setdefault(customer_id, []).extend(later)

    def _make_room(self) -> None:
        places = sorted(map(place_of, self.states))
        self.high = max(places[len(places) // 2], self.low + 1)
        self.states = {name: state for name, state in self.states.items() if self.holds(name)}
        self._later = {name: arrivals for name, arrivals in self._later.items() if self.holds(name)}
