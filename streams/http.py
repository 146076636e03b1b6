"""What an operator's tools ask of a worker: ``/livez`` (restart me?), ``/readyz`` (is it working?), ``/metrics`` (Prometheus)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest

#: What is wrong at this moment, in words; empty: nothing. Must be quick, and is called on the event loop.
Check = Callable[[], Sequence[str]]

#: Of `serve`'s port: no server.
NONE = -1


def application(live: Check, ready: Check, registry: CollectorRegistry = REGISTRY) -> web.Application:
    """The three routes. 200 with ``ok``, or 503 with a line for each thing that is wrong."""

    def answering(check: Check) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answer(_: web.Request) -> web.Response:
            problems = check()
            return web.Response(status=503 if problems else 200, text="\n".join(problems or ["ok"]) + "\n")

        return answer

    async def metrics(_: web.Request) -> web.Response:
        # In a thread: collecting takes milliseconds that belong to the batches.
        body = await asyncio.to_thread(generate_latest, registry)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.add_routes([web.get("/livez", answering(live)), web.get("/readyz", answering(ready)), web.get("/metrics", metrics)])
    return app


@asynccontextmanager
async def serve(host: str, port: int, live: Check, ready: Check, registry: CollectorRegistry = REGISTRY) -> AsyncIterator[int]:
    """Serve within the block; yields the port (0 asks for any free one). Port NONE: no server. Raises OSError if it is taken."""
    if port == NONE:
        yield NONE
        return
    runner = web.AppRunner(application(live, ready, registry), access_log=None, handle_signals=False, shutdown_timeout=1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
