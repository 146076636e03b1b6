"""A way to a server on loopback that can be made bad: slow, cut in the middle of a reply, silent, shut, leading elsewhere."""

from __future__ import annotations

import asyncio
from collections import deque
from random import Random
from typing import cast

from tests.servers_kafka import HOST
from tests.servers_redis import free_port


class Proxy:
    """``delay_s`` is added to each way, ``cuts`` is how many replies more break off. Lives in one event loop."""

    def __init__(self, target: int, rng: Random) -> None:
        self.port = free_port()
        self.delay_s = 0.0
        self.cuts = 0
        self.frozen = False
        self.rng = rng
        self.ends: set[End] = set()
        self._target = target
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        if self._server is None:
            self._server = await asyncio.get_running_loop().create_server(lambda: End(self, replies=False), HOST, self.port)

    async def shut(self) -> None:
        """Nobody is let in, and those inside are thrown out."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for end in list(self.ends):
            end.out.abort()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def lead_to(self, target: int) -> None:
        """Whoever comes from now on gets to this port."""
        self._target = target

    def freeze(self) -> None:
        """For good: no more of the server's bytes arrive."""
        self.frozen = True
        for end in self.ends:
            if end.replies:
                end.out.pause_reading()

    def reach(self, client: End) -> None:
        task = asyncio.create_task(self._reach(client))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _reach(self, client: End) -> None:
        try:
            await asyncio.get_running_loop().create_connection(lambda: End(self, replies=True, other=client), HOST, self._target)
        except OSError:
            client.out.abort()


class End(asyncio.Protocol):
    """One of the two connections of a client of the proxy: what arrives here leaves by the ``other``."""

    out: asyncio.Transport

    def __init__(self, proxy: Proxy, *, replies: bool, other: End | None = None) -> None:
        self.replies = replies
        self._proxy, self._other = proxy, other
        self._under_way: deque[bytes] = deque()
        self._arrives_s = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.out = cast(asyncio.Transport, transport)
        self._proxy.ends.add(self)
        if self._other is None:
            self.out.pause_reading()
            self._proxy.reach(self)
        elif self._other.out.is_closing():
            self.out.abort()
        else:
            self._other._other = self
            self._other.out.resume_reading()

    def data_received(self, data: bytes) -> None:
        proxy, loop = self._proxy, asyncio.get_running_loop()
        if self.replies and proxy.cuts and len(data) > 1:
            proxy.cuts -= 1
            self._pass_on(data[: proxy.rng.randrange(1, len(data))])
            self.out.abort()
        elif proxy.delay_s or self._under_way:
            self._arrives_s = max(self._arrives_s, loop.time() + proxy.delay_s)
            self._under_way.append(data)
            loop.call_at(self._arrives_s, lambda: self._pass_on(self._under_way.popleft()))
        else:
            self._pass_on(data)

    def _pass_on(self, data: bytes) -> None:
        if self._other is not None and not self._other.out.is_closing():
            self._other.out.write(data)

    def pause_writing(self) -> None:
        if self._other is not None:
            self._other.out.pause_reading()

    def resume_writing(self) -> None:
        if self._other is not None and not (self._proxy.frozen and self._other.replies):
            self._other.out.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        self._proxy.ends.discard(self)
        if self._other is not None:
            self._other.out.close()  # what was passed on so far still arrives
