"""One connection to the server that holds one shard: nothing is ever sent twice behind the caller's back.

redis-py's clients retry, and hide whether a command had left when the connection died. Here the connection is used
directly, and a failure says what is known of it: StoreUnavailable, StoreUncertain or StoreRefused.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from typing import Any, cast

import hiredis
from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    ConnectionError,
    MovedError,
    NoPermissionError,
    NoScriptError,
    RedisError,
    ResponseError,
    TimeoutError,
)

from profile_store.contract import StoreError, StoreRefused, StoreUnavailable, StoreUncertain

_REDIRECTS_MAX = 3
_READ_BYTES = 1 << 18  # asked of the socket at once: the states of a batch are about a megabyte
#: Answers that mean "not now", given before anything is written. Redis 6.2 wraps a script's error: "ERR ... -OOM ...".
_NOT_NOW = re.compile(r"(?:^|-)(LOADING|MASTERDOWN|READONLY|OOM|MISCONF|NOREPLICAS|BUSY|CLUSTERDOWN|TRYAGAIN|ASK)\b")


def explain(error: Exception, *, sent_write: bool = False) -> StoreError:
    """What an error of redis-py means for the store. ``sent_write``: a write had left when it came up."""
    if isinstance(error, (AuthenticationError, AuthorizationError, NoPermissionError)):
        return StoreRefused(f"Redis does not let us in: {error}. Check the user, its password and its rights in PORTRAIT_REDIS")
    if isinstance(error, (ResponseError, BusyLoadingError)):  # an answer, so we know what happened
        answer = f"{error.status_code} {error}" if error.status_code else str(error)
        if _NOT_NOW.search(answer):
            return StoreUnavailable(f"Redis can't take this now: {answer}")
        return StoreRefused(f"Redis refused a command: {answer}. Does another program use these keys, or is the server too old?")
    if isinstance(error, (ConnectionError, TimeoutError, OSError)):
        if sent_write:
            return StoreUncertain(f"the connection was lost after a write was sent: {error}")
        return StoreUnavailable(f"no connection to Redis: {error}")
    return StoreRefused(f"Redis answered something unexpected: {error!r}")


class Script:
    """A Lua script and the digest by which the server knows it."""

    def __init__(self, source: str) -> None:
        self.source = source.encode()
        self.digest = hashlib.sha1(self.source, usedforsecurity=False).hexdigest()


class Servers:
    """Where the shards live: one server, or the nodes of a cluster that are asked anew for each connection."""

    def __init__(self, url: str, *, cluster: bool, timeout_s: float) -> None:
        try:
            pool = ConnectionPool.from_url(
                url,
                protocol=2,
                retry=Retry(NoBackoff(), 0),
                socket_timeout=timeout_s,
                socket_connect_timeout=timeout_s,
                socket_read_size=_READ_BYTES,
                driver_info=None,
            )
        except ValueError:  # its text, and its traceback's, may hold the password
            raise StoreRefused(
                "PORTRAIT_REDIS is not the URL of a Redis, as redis://user:password@host:6379/0: percent-encode the password"
            ) from None
        self._make = pool.connection_class
        self._options = pool.connection_kwargs
        self._cluster = cluster
        if cluster and "host" not in self._options:
            self._options["host"] = "localhost"
        self._nodes = [(self._options.get("host"), self._options.get("port", 6379))]

    async def connect(self, tag: bytes) -> AbstractConnection:
        """A new connection to the server that holds the keys with this hash tag. Raises StoreUnavailable, StoreRefused."""
        if not self._cluster:
            return await self._open(self._make(**self._options))
        host, port = await self._locate(key_slot(tag))
        return await self._open(self._at(host, port))

    def _at(self, host: Any, port: int) -> AbstractConnection:
        return self._make(**{**self._options, "host": host, "port": port})

    @staticmethod
    async def _open(connection: AbstractConnection) -> AbstractConnection:
        try:
            await connection.connect()
        except (RedisError, OSError) as error:
            raise explain(error) from error
        return connection

    async def _locate(self, slot: int) -> tuple[Any, int]:
        """The node that holds the slot, according to the first node that answers."""
        failure: StoreError = StoreUnavailable("no node of the cluster is known")
        for host, port in list(self._nodes):
            try:
                ranges = await self._slots(host, port)
            except StoreUnavailable as error:
                failure = error
                continue
            owners = [((owner[0] or b"").decode() or host, owner[1]) for _, _, owner, *_ in ranges]
            self._nodes = list(dict.fromkeys(owners + self._nodes))
            for (first, last, *_), owner in zip(ranges, owners, strict=True):
                if first <= slot <= last:
                    return owner
            failure = StoreUnavailable(f"no node of the cluster holds slot {slot}: see `redis-cli --cluster check`")
        raise failure

    async def _slots(self, host: Any, port: int) -> list[Any]:
        connection = await self._open(self._at(host, port))
        try:
            await connection.send_packed_command(_pack((b"CLUSTER", b"SLOTS")))
            return await connection.read_response()
        except (RedisError, OSError) as error:
            raise explain(error) from error
        finally:
            await connection.disconnect(nowait=True)


def _pack(command: tuple[Any, ...]) -> bytes:
    packed: bytes = hiredis.pack_command(cast(Any, command))  # many times faster than redis-py's own; its stub is wrong
    return packed


def _pack_bulk(command: tuple[Any, ...], bulk: bytes) -> list[bytes]:
    """The command with one argument more, which is not copied: for a megabyte that would cost more than all the packing."""
    empty = b"$0\r\n\r\n"
    return [_pack((*command, b"")).removesuffix(empty), b"$%d\r\n" % len(bulk), bulk, b"\r\n"]


class Link:
    """A connection that is opened when it is needed and dropped when it breaks. Calls take turns."""

    def __init__(self, servers: Servers, tag: bytes) -> None:
        self._servers = servers
        self._tag = tag
        self._connection: AbstractConnection | None = None
        self._turn = asyncio.Lock()

    async def call(self, *command: Any, write: bool = False) -> Any:
        """The server's reply. ``write``: doing it twice would be wrong, so a lost reply raises StoreUncertain.

        Otherwise a lost reply is StoreUnavailable. Raises StoreRefused too.
        """
        async with self._turn:
            return await self._call([_pack(command)], write)

    async def run(self, script: Script, keys: list[str], arguments: list[Any], bulk: bytes) -> Any:
        """The reply of a script that writes; ``bulk`` is its last argument. Raises what ``call`` raises."""
        rest = (len(keys), *keys, *arguments)
        async with self._turn:
            try:
                return await self._call(_pack_bulk((b"EVALSHA", script.digest, *rest), bulk), write=True)
            except NoScriptError:  # nothing has run: the server is new, or forgot
                return await self._call(_pack_bulk((b"EVAL", script.source, *rest), bulk), write=True)

    async def close(self) -> None:
        async with self._turn:
            await self._drop()

    async def _call(self, packed: list[bytes], write: bool) -> Any:
        for _ in range(_REDIRECTS_MAX):
            connection = await self._ready()
            try:
                await connection.send_packed_command(packed)
                return await connection.read_response()
            except MovedError:  # it did not run: the shard lives elsewhere now
                await self._drop()
            except NoScriptError:
                raise
            except (RedisError, OSError) as error:
                told = explain(error, sent_write=write)
                if isinstance(told, StoreUnavailable):  # a demoted primary, perhaps: its name leads elsewhere by now
                    await self._drop()
                raise told from error
        raise StoreUnavailable("the nodes of the cluster disagree on where a shard is; they should settle soon")

    async def _ready(self) -> AbstractConnection:
        """A connection that is not known to be dead: one that the server closed meanwhile has lost no command of ours."""
        if self._connection is not None and (not self._connection.is_connected or await self._connection.can_read()):
            await self._drop()
        if self._connection is None:
            self._connection = await self._servers.connect(self._tag)
        return self._connection

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.disconnect(nowait=True)
