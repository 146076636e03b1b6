"""What a reader asks and how it understands the answers, without any I/O: shared by the sync and the async reader.

A query is a generator: it yields lists of commands, is sent the list of their replies, and returns its result.
"""

from __future__ import annotations

import heapq
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import msgspec

from profile_store.contract import StoreRefused, check_naming, shard_of
from profile_store.keys import FORMAT, ShardKeys, external_field, shard_keys
from schemas.identity import COUNTRY, fingerprint, identity_of, may_have_form
from schemas.profile import GOES_BY

_Result = TypeVar("_Result")
Command = tuple[Any, ...]
Query = Generator[list[Command], list[Any], _Result]

_PAGE = 500  # of the risk index at a time: far below a millisecond of the server's
LEADS = GOES_BY.encode()
#: From one identity to another: one, and more only until a merge that was torn between two shards has healed.
_HOPS = 4
_PLAIN = frozenset(("stage", GOES_BY))
_SCALARS = ("version", "updated_at_ms", "stage", "churn_risk")


class Dimensions(Mapping[str, Any]):
    """The dimensions of a profile by name, each parsed from its JSON when it is first looked at."""

    def __init__(self, raw: Mapping[str, bytes]) -> None:
        self._raw = raw
        self._parsed: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._parsed:
            self._parsed[name] = parse_field(name, self._raw[name])
        return self._parsed[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._raw)

    def __len__(self) -> int:
        return len(self._raw)

    def __repr__(self) -> str:
        return f"Dimensions({', '.join(self._raw)})"


class Profile(NamedTuple):
    """A customer as of ``version``. ``stage`` is "" and ``churn_risk`` None where there is too little to say."""

    id: str
    version: int
    updated_at_ms: int
    stage: str
    churn_risk: float | None  # 0 to 1
    dims: Mapping[str, Any]


class Change(NamedTuple):
    """A profile has a new version. See `RESYNC`."""

    id: str
    version: int


#: Announcements may have been missed (it is the first item, and comes again after each lost connection):
#: read again what you show, and from then on every `Change` whose version is greater than the one you have.
RESYNC = Change("", 0)


def parse_field(name: str, value: bytes) -> Any:
    """A field of the hash: ``stage`` and ``goes_by`` are plain text, all others are JSON."""
    return value.decode() if name in _PLAIN else msgspec.json.decode(value)


def parse_profile(customer_id: str, fields: Mapping[bytes, bytes]) -> Profile | None:
    """None where there is no such profile."""
    if not fields:
        return None
    raw = {name.decode(): value for name, value in fields.items()}
    version, updated_at_ms, stage, risk = (parse_field(name, raw.pop(name)) if name in raw else None for name in _SCALARS)
    return Profile(customer_id, version or 0, updated_at_ms or 0, stage or "", risk, Dimensions(raw))


def parse_changes(message: bytes) -> list[Change]:
    """A message on a channel: JSON [[id, version], ...]."""
    return msgspec.json.decode(message, type=list[Change])


class Queries:
    """The questions. ``shards`` None: as many as the store says that it has. ``identity_key``: "" where what is personal can
    be asked for by its hash alone; else the store is asked whether its names are made under this one, of this ``country``."""

    def __init__(self, prefix: str, shards: int | None, identity_key: str = "", country: str = COUNTRY) -> None:
        self._prefix, self._shards = prefix, shards
        self._secret, self._country = identity_key.encode(), country
        self._keys: list[ShardKeys] | None = shard_keys(prefix, shards) if shards and not identity_key else None

    def name(self, text: str) -> str:
        """Under which an identity is kept, however it is written. Raises BadIdentity."""
        return identity_of(text, self._secret, self._country).id if may_have_form(text) else text

    def get_many(self, ids: Sequence[str]) -> Query[list[Profile | None]]:
        keys = yield from self.keys()
        found: dict[int, Profile | None] = {}
        at = dict(enumerate(ids))
        for _ in range(_HOPS):  # to the identity that their person goes by
            if not at:
                break
            replies = yield [("HGETALL", _of(keys, name).profiles([name])[0]) for name in at.values()]
            found |= {i: parse_profile(name, fields) for (i, name), fields in zip(at.items(), replies, strict=True)}
            at = {i: fields[LEADS].decode() for i, fields in zip(at, replies, strict=True) if LEADS in fields}
        return [found[i] for i in range(len(ids))]

    def get(self, customer_id: str) -> Query[Profile | None]:
        profiles = yield from self.get_many([customer_id])
        return profiles[0]

    def get_fields(self, customer_id: str, names: Sequence[str]) -> Query[dict[str, Any]]:
        keys = yield from self.keys()
        if not names:
            return {}
        for _ in range(_HOPS):
            ((*values, leads),) = yield [("HMGET", _of(keys, customer_id).profiles([customer_id])[0], *names, LEADS)]
            if leads is None:
                break
            customer_id = leads.decode()
        return {name: parse_field(name, value) for name, value in zip(names, values, strict=True) if value is not None}

    def by_external_id(self, system: str, external_id: str) -> Query[Profile | None]:
        keys = yield from self.keys()
        field = external_field(system, external_id)
        found = yield [("HGET", k.external, field) for k in keys]
        claimed = yield from self.get_many([owner.decode() for owner in found if owner is not None])
        return max((p for p in claimed if p is not None), key=lambda p: (p.updated_at_ms, p.id), default=None)

    def top_risk(self, n: int, stage: str | None) -> Query[list[tuple[str, float]]]:
        keys = yield from self.keys()
        if n < 1:
            return []
        if stage is None:
            pages = yield [("ZREVRANGE", k.risk, 0, n - 1, "WITHSCORES") for k in keys]
            return heapq.nsmallest(n, (item for page in pages for item in _scored(page)), key=_riskiest_first)
        found: list[tuple[str, float]] = []
        for k in keys:
            found += yield from self._top_of_stage(k, n, stage)
        return heapq.nsmallest(n, found, key=_riskiest_first)

    def by_stage(self, stage: str, n: int) -> Query[list[str]]:
        keys = yield from self.keys()
        if n < 1:
            return []
        pages = yield [("SRANDMEMBER", k.of_stage(stage), n) for k in keys]
        return [member.decode() for page in pages for member in page][:n]

    def who_has(self, tag: str, n: int) -> Query[list[tuple[str, float]]]:
        keys = yield from self.keys()
        if n < 1:
            return []
        pages = yield [("SRANDMEMBER", k.of_tag(tag), n) for k in keys]
        ids = [member.decode() for page in pages for member in page][:n]
        if not ids:
            return []
        told = yield [("HGET", _of(keys, customer_id).profiles([customer_id])[0], "tags") for customer_id in ids]
        tags = (parse_field("tags", value) if value is not None else {} for value in told)
        found = [(customer_id, of[tag]) for customer_id, of in zip(ids, tags, strict=True) if tag in of]  # lost it meanwhile
        return sorted(found, key=_riskiest_first)

    def tag_counts(self) -> Query[dict[str, int]]:
        keys = yield from self.keys()
        names = yield [("SMEMBERS", k.tags) for k in keys]
        pairs = [(k.of_tag(tag.decode()), tag.decode()) for k, tags in zip(keys, names, strict=True) for tag in tags]
        return (yield from _sizes(pairs))

    def stage_counts(self) -> Query[dict[str, int]]:
        keys = yield from self.keys()
        names = yield [("SMEMBERS", k.stages) for k in keys]
        pairs = [(k.of_stage(stage.decode()), stage.decode()) for k, stages in zip(keys, names, strict=True) for stage in stages]
        return (yield from _sizes(pairs))

    def count(self) -> Query[int]:
        counts = yield from self.stage_counts()
        return sum(counts.values())

    def channels(self) -> Query[list[str]]:
        keys = yield from self.keys()
        return [k.changes for k in keys]

    def keys(self) -> Query[list[ShardKeys]]:
        """The keys of every shard; asks the store for their number until it is known. Raises StoreRefused: unknown format, or
        names that are made under another key."""
        if self._keys is not None:
            return self._keys
        (meta,) = yield [("HMGET", ShardKeys(self._prefix, 0).meta, "format", "shards", "naming")]
        if meta[0] is None or meta[1] is None:
            return shard_keys(self._prefix, self._shards or 1)  # nothing has been written yet
        if int(meta[0]) != FORMAT:
            raise StoreRefused(f"the data in Redis has format {int(meta[0])}, this reader knows {FORMAT}: upgrade it")
        if self._secret:
            check_naming((meta[2] or b"").decode(), fingerprint(self._secret, self._country))
        self._keys = shard_keys(self._prefix, self._shards or int(meta[1]))
        return self._keys

    def _top_of_stage(self, keys: ShardKeys, n: int, stage: str) -> Query[list[tuple[str, float]]]:
        """Down the risk index, page by page, until there are enough of the stage."""
        found: list[tuple[str, float]] = []
        start = 0
        while len(found) < n:
            (page,) = yield [("ZREVRANGE", keys.risk, start, start + _PAGE - 1, "WITHSCORES")]
            if not page:
                break
            items = _scored(page)
            (inside,) = yield [("SMISMEMBER", keys.of_stage(stage), *(name for name, _ in items))]
            found += [item for item, is_in in zip(items, inside, strict=True) if is_in]
            start += _PAGE
        return list(dict(found).items())[:n]  # one that moved meanwhile may have been seen twice


def _of(keys: list[ShardKeys], customer_id: str) -> ShardKeys:
    return keys[shard_of(customer_id, len(keys))]


def _sizes(sets: Sequence[tuple[str, str]]) -> Query[dict[str, int]]:
    """How many members the sets have, by name: several may share one. ``sets``: (key, name). Empty ones are left out."""
    if not sets:
        return {}
    sizes = yield [("SCARD", key) for key, _ in sets]
    counts: dict[str, int] = {}
    for (_, name), size in zip(sets, sizes, strict=True):
        counts[name] = counts.get(name, 0) + size
    return {name: size for name, size in sorted(counts.items()) if size}


def _scored(page: Sequence[Any]) -> list[tuple[str, float]]:
    return [(member.decode(), float(score)) for member, score in zip(page[::2], page[1::2], strict=True)]


def _riskiest_first(item: tuple[str, float]) -> tuple[float, str]:
    return -item[1], item[0]
