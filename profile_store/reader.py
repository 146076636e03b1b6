"""Reading profiles live, from any program: `ProfileReader`, and `AsyncProfileReader` for asyncio. They never write.

All methods raise StoreUnavailable when Redis is away, and StoreRefused when its data or settings can't be read.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, Self, TypeVar

import redis
import redis.asyncio
from redis.backoff import NoBackoff
from redis.exceptions import RedisClusterException, RedisError

from profile_store.contract import StoreError, StoreUnavailable
from profile_store.link import explain
from profile_store.queries import RESYNC, Change, Command, Profile, Queries, Query, parse_changes
from schemas.identity import COUNTRY, BadIdentity

__all__ = ["RESYNC", "AsyncProfileReader", "BadIdentity", "Change", "Profile", "ProfileReader"]

_Result = TypeVar("_Result")
_FAILURES = (RedisError, RedisClusterException, OSError)
_RETRIES = 1  # a connection that the server closed while it was idle is replaced at once
_LISTEN_S = 1.0
_RECONNECT_S = 0.5


class ProfileReader:
    """Reads profiles. Threads may share one.

    ``url``: redis://, rediss:// or unix://; with ``cluster``, of any node. ``shards``: None asks the store once. Identities are
    found however they are written (`schemas.identity`); an e-mail address or telephone number (``email:Lin@shop.cn``) if
    ``identity_key`` is the workers' PORTRAIT_IDENTITY_KEY, and ``country`` their PORTRAIT_COUNTRY: BadIdentity, a ValueError,
    without; StoreRefused if they are others.
    """

    def __init__(
        self,
        url: str,
        *,
        prefix: str = "",
        shards: int | None = None,
        cluster: bool = False,
        timeout_s: float = 5.0,
        identity_key: str = "",
        country: str = COUNTRY,
    ) -> None:
        self._queries = Queries(prefix, shards, identity_key, country)
        make = redis.RedisCluster.from_url if cluster else redis.Redis.from_url
        self._connect = lambda: make(url, retry=redis.retry.Retry(NoBackoff(), _RETRIES), **_options(timeout_s))
        self._client: Any = None

    def get(self, customer_id: str) -> Profile | None:
        """The profile, or None if there is none."""
        return self._run(self._queries.get(self._queries.name(customer_id)))

    def get_fields(self, customer_id: str, *names: str) -> dict[str, Any]:
        """These fields, parsed; those that it hasn't are left out."""
        return self._run(self._queries.get_fields(self._queries.name(customer_id), names))

    def get_many(self, ids: Sequence[str]) -> list[Profile | None]:
        """In the order of ``ids``, in one round trip a server."""
        return self._run(self._queries.get_many([self._queries.name(name) for name in ids]))

    def top_risk(self, n: int, stage: str | None = None) -> list[tuple[str, float]]:
        """(id, churn risk), highest first. With ``stage`` it goes down the index, which takes longer the rarer the stage is."""
        return self._run(self._queries.top_risk(n, stage))

    def by_stage(self, stage: str, n: int) -> list[str]:
        """Ids of at most ``n`` customers in the stage, taken at random."""
        return self._run(self._queries.by_stage(stage, n))

    def by_external_id(self, system: str, external_id: str) -> Profile | None:
        """The customer whom another system knows by this id. If several claim it: in one shard whose claim was folded last, of
        several shards' the one updated last, then the greater id."""
        return self._run(self._queries.by_external_id(system, external_id))

    def stage_counts(self) -> dict[str, int]:
        """How many customers are in each stage."""
        return self._run(self._queries.stage_counts())

    def who_has(self, tag: str, n: int = 100) -> list[tuple[str, float]]:
        """(id, how sure, 0 to 1) of at most ``n`` customers with the tag, taken at random; the surest first."""
        return self._run(self._queries.who_has(tag, n))

    def tag_counts(self) -> dict[str, int]:
        """How many customers have each tag; tags that nobody has are left out."""
        return self._run(self._queries.tag_counts())

    def count(self) -> int:
        """How many customers have a stage."""
        return self._run(self._queries.count())

    def changes(self) -> Iterator[Change]:
        """Changes as they are committed, without end; first of all, and after each lost connection, `RESYNC`."""
        while True:
            try:
                channels = self._run(self._queries.channels())
                with self._connected().pubsub() as listener:
                    listener.subscribe(*channels)
                    while True:
                        yield from _read_message(listener.get_message(timeout=_LISTEN_S), len(channels))
            except (StoreUnavailable, *_FAILURES):
                time.sleep(_RECONNECT_S)

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self, query: Query[_Result]) -> _Result:
        try:
            commands = next(query)
            while True:
                commands = query.send(self._execute(commands))
        except StopIteration as done:
            return done.value
        except _FAILURES as error:
            raise _explain(error) from error

    def _execute(self, commands: list[Command]) -> list[Any]:
        if len(commands) == 1:
            return [self._connected().execute_command(*commands[0])]
        pipeline = self._connected().pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        return pipeline.execute()

    def _connected(self) -> Any:
        if self._client is None:
            self._client = self._connect()
        return self._client


class AsyncProfileReader:
    """`ProfileReader` for asyncio: the same methods and results."""

    def __init__(
        self,
        url: str,
        *,
        prefix: str = "",
        shards: int | None = None,
        cluster: bool = False,
        timeout_s: float = 5.0,
        identity_key: str = "",
        country: str = COUNTRY,
    ) -> None:
        self._queries = Queries(prefix, shards, identity_key, country)
        make: Any = redis.asyncio.RedisCluster.from_url if cluster else redis.asyncio.Redis.from_url
        self._client: Any = make(url, retry=redis.asyncio.retry.Retry(NoBackoff(), _RETRIES), **_options(timeout_s))

    async def get(self, customer_id: str) -> Profile | None:
        return await self._run(self._queries.get(self._queries.name(customer_id)))

    async def get_fields(self, customer_id: str, *names: str) -> dict[str, Any]:
        return await self._run(self._queries.get_fields(self._queries.name(customer_id), names))

    async def get_many(self, ids: Sequence[str]) -> list[Profile | None]:
        return await self._run(self._queries.get_many([self._queries.name(name) for name in ids]))

    async def top_risk(self, n: int, stage: str | None = None) -> list[tuple[str, float]]:
        return await self._run(self._queries.top_risk(n, stage))

    async def by_stage(self, stage: str, n: int) -> list[str]:
        return await self._run(self._queries.by_stage(stage, n))

    async def by_external_id(self, system: str, external_id: str) -> Profile | None:
        return await self._run(self._queries.by_external_id(system, external_id))

    async def stage_counts(self) -> dict[str, int]:
        return await self._run(self._queries.stage_counts())

    async def who_has(self, tag: str, n: int = 100) -> list[tuple[str, float]]:
        return await self._run(self._queries.who_has(tag, n))

    async def tag_counts(self) -> dict[str, int]:
        return await self._run(self._queries.tag_counts())

    async def count(self) -> int:
        return await self._run(self._queries.count())

    async def changes(self) -> AsyncIterator[Change]:
        while True:
            try:
                channels = await self._run(self._queries.channels())
                async with self._client.pubsub() as listener:
                    await listener.subscribe(*channels)
                    while True:
                        for change in _read_message(await listener.get_message(timeout=_LISTEN_S), len(channels)):
                            yield change
            except (StoreUnavailable, *_FAILURES):
                await asyncio.sleep(_RECONNECT_S)

    async def close(self) -> None:
        await self._client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _run(self, query: Query[_Result]) -> _Result:
        try:
            commands = next(query)
            while True:
                commands = query.send(await self._execute(commands))
        except StopIteration as done:
            return done.value
        except _FAILURES as error:
            raise _explain(error) from error

    async def _execute(self, commands: list[Command]) -> list[Any]:
        if len(commands) == 1:
            return [await self._client.execute_command(*commands[0])]
        pipeline = self._client.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        return await pipeline.execute()


def _options(timeout_s: float) -> dict[str, Any]:
    return {"protocol": 2, "socket_timeout": timeout_s, "socket_connect_timeout": timeout_s}


def _explain(error: Exception) -> StoreError:
    if isinstance(error, RedisClusterException):  # its nodes can't be reached, or they are no cluster
        return StoreUnavailable(f"the cluster does not answer: {error}")
    return explain(error)


def _read_message(message: dict[str, Any] | None, channels: int) -> list[Change]:
    """What a message means. Subscribing again, after a lost connection, is confirmed like the first time: by the last channel."""
    if message is None:
        return []
    if message["type"] == "subscribe":
        return [RESYNC] if message["data"] == channels else []
    return parse_changes(message["data"])
