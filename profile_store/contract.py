"""What a store of profiles does, whichever server is behind it. `RedisStore` and `MemoryStore` pass one contract suite.

Vocabulary: a *state* is the writer's blob of one identity, a *view* the reader's hash of it. A *nonce* is the random mark of
a state's last write, the *chain* a worker's counter that each of its writes compares and increments.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import NamedTuple, Protocol
from zlib import crc32

import msgspec

TP = tuple[str, int]  # topic, partition


class StoreError(Exception):
    """Base of what a store raises.

    StoreError
     +- StoreRefused      this server, its data or its settings can't be used safely: stop, and say so
     +- StoreUnavailable  nothing was written: wait, then try the same again
     +- StoreUncertain    the reply was lost: nobody knows what was written; take a new chain, and read the positions
     +- ChainBroken       the store has lost writes while this worker ran: drop all caches, read the positions, go on
    """


class StoreRefused(StoreError):
    pass


class StoreUnavailable(StoreError):
    pass


class StoreUncertain(StoreError):
    pass


class ChainBroken(StoreError):
    pass


class Loaded(NamedTuple):
    """A state as it is stored."""

    nonce: bytes  # 8 bytes; b"" where there is no state yet
    state: bytes  # b"" where there is no state yet


ABSENT = Loaded(b"", b"")


class Write(msgspec.Struct, gc=False, array_like=True):
    """One profile's new contents. What is None stays as it is, except ``due_ms``: None means that nothing is due.

    Without a ``state`` (b"") the profile is removed: state, view, and its places in the indexes that are named here.
    """

    id: str
    nonce: bytes  # of the state that this one was made from; b"" if there was none
    state: bytes
    fields: dict[str, bytes]  # view fields to set (JSON, or plain text for the scalars)
    removed: list[str]  # view fields to delete
    risk: float | None  # None: no score, the id leaves the risk index
    stage: str
    stage_before: str  # "" if there was none; the index is changed where the two differ
    due_ms: int | None
    external: list[tuple[str, str]]  # (system, external id) to add to the index
    external_removed: list[tuple[str, str]]
    stages_left: list[str] = []  # further stages in whose index the id may stand, though it should not: for mending
    tags_got: list[str] = []  # tags in whose index the id is to stand ...
    tags_lost: list[str] = []  # ... and those in whose index it may stand, and should not


class Last(NamedTuple):
    """The last record before a position: by it the log is recognised again."""

    offset: int
    digest: bytes  # 8 bytes, of what the record holds


class Position(NamedTuple):
    """How far a partition has been folded.

    ``next_offset``: every state contains all before it. ``clear_ms``: no unread record of the partition is older (the time of the
    last look if it was read to its end, else the greatest event time seen); 0: unknown. ``last``: the last record before
    ``next_offset``; None: there is none, or it is not known.
    """

    next_offset: int
    clear_ms: int
    last: Last | None = None


def check_naming(noted: str, mine: str) -> None:
    """``noted``: the fingerprint under which the store's names were made (`schemas.identity.fingerprint`), "" if none was noted;
    ``mine``: of whoever would make or look for names. Raises StoreRefused where these would be others."""
    if noted in ("", mine):
        return
    country, _, key = noted.partition(" ")
    see = 'See "Another identity key" in docs/operating.md'
    if not mine:
        raise StoreRefused(
            "e-mail addresses and telephone numbers in Redis are kept as hashes under an identity key, and none is set here: "
            f"set PORTRAIT_IDENTITY_KEY, or PORTRAIT_IDENTITY_KEY_FILE, to the one that the workers have. {see}"
        )
    if mine.partition(" ")[2] != key:
        raise StoreRefused(
            "e-mail addresses and telephone numbers in Redis are kept as hashes under another identity key: "
            f"set PORTRAIT_IDENTITY_KEY, or PORTRAIT_IDENTITY_KEY_FILE, to that one. {see}"
        )
    raise StoreRefused(
        f"telephone numbers in Redis are of the country {country} where they name none, not of {mine.partition(' ')[0]}: "
        f"set PORTRAIT_COUNTRY={country}. {see}"
    )


def least(shards: Sequence[Mapping[TP, Position]]) -> dict[TP, Position]:
    """Of the partitions that every shard knows: the position of the one that is furthest behind, and the least ``clear_ms``."""
    common = set(shards[0]).intersection(*shards[1:])
    known = {tp: [positions[tp] for positions in shards] for tp in common}
    return {
        tp: min(of_shards, key=lambda at: at.next_offset)._replace(clear_ms=min(at.clear_ms for at in of_shards))
        for tp, of_shards in known.items()
    }


class Store(Protocol):
    """All methods may raise StoreUnavailable; the writing ones StoreUncertain and ChainBroken too."""

    shards: int

    async def open(self) -> None:
        """Connect and check the server. StoreRefused: wrong version, evicts, other number of shards, newer format,
        names of identities that were made otherwise. A worker's notes how its own are made, where nothing is noted."""

    async def check(self) -> None:
        """Look again, now and then, at what may change while it runs. StoreRefused: it evicts, or has evicted; or another worker
        has noted meanwhile that names are made otherwise."""

    async def close(self) -> None: ...

    async def new_chain(self) -> None:
        """Start a new chain for this worker, on every shard. Needed once before the first commit, and after each trouble.

        It looks at what `open` looks at in the data: after a wipe it is gone, and another may have written it.
        """

    async def load(self, ids: Sequence[str]) -> list[Loaded]:
        """States in the order of ``ids``; ABSENT where there is none. One round trip a shard."""

    async def commit(self, writes: Sequence[Write], positions: Mapping[TP, Position], nonce: bytes) -> list[int]:
        """Write all that don't conflict, in one script a shard, and return the indexes of those that do.

        A write conflicts when the stored nonce is not its own; ``nonce`` (8 random bytes) becomes the new one. The positions are
        written, to every shard, in the same script, but not on a shard that has a conflict; neither of their numbers goes back.
        ``last`` goes with ``next_offset``; where a greater one brings none, no record lay between, and the stored one stays.
        The chain is checked before anything is written.
        """

    async def positions(self) -> dict[TP, Position]:
        """The least over the shards; a partition that some shard doesn't know is left out."""

    async def due(self, until_ms: int, limit: int) -> list[tuple[str, int]]:
        """(id, due_ms) of customers whose moment has come, earliest first; at most ``limit`` a shard."""


class MendingStore(Store, Protocol):
    """A store with what mending needs. It is the writer's of `portrait rebuild`, beside the workers'."""

    def ids(self) -> AsyncIterator[Sequence[str]]:
        """Everybody who has a state or a view, in pieces; some come twice. Who is there all the time comes for certain."""

    async def versions(self, ids: Sequence[str]) -> list[int]:
        """The versions of the views, in the order of ``ids``; 0 where there is no view."""

    async def notes(self, name: str) -> list[bytes]:
        """What `set_note` has left under ``name``, of each shard; b"" where there is nothing."""

    async def set_note(self, name: str, value: bytes) -> None:
        """Write it to every shard, behind all that was written before; b"" removes it."""

    async def reset(self, before: Mapping[TP, Position], after: Mapping[TP, int]) -> bool:
        """Set next offsets, backwards too, unless they are no longer as ``before`` says (False: nothing is changed).

        Whatever has a position in ``before`` and none in ``after`` loses it. All chains are broken: who still writes begins anew.
        """


def shard_of(customer_id: str, shards: int) -> int:
    """crc32 (IEEE) of the id's UTF-8 bytes, modulo the number of shards."""
    return crc32(customer_id.encode()) % shards if shards > 1 else 0
