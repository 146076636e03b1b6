"""The worker's HTTP answers."""

from __future__ import annotations

import asyncio
import urllib.error
import urllib.request

from prometheus_client import CollectorRegistry, Counter

from streams import http


def answers(problems: dict[str, list[str]], *paths: str, registry: CollectorRegistry | None = None) -> list[tuple[int, str]]:
    def get(url: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(url, timeout=10) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    async def ask() -> list[tuple[int, str]]:
        live, ready = (lambda: problems.get("live", [])), (lambda: problems.get("ready", []))
        async with http.serve("127.0.0.1", 0, live, ready, registry or CollectorRegistry()) as port:
            return [await asyncio.to_thread(get, f"http://127.0.0.1:{port}{path}") for path in paths]

    return asyncio.run(ask())


def test_well_and_working() -> None:
    assert answers({}, "/livez", "/readyz") == [(200, "ok\n"), (200, "ok\n")]


def test_not_ready_is_alive_and_says_why() -> None:
    found = answers({"ready": ["no partitions assigned", "Redis is away"]}, "/livez", "/readyz")
    assert found == [(200, "ok\n"), (503, "no partitions assigned\nRedis is away\n")]


def test_not_alive() -> None:
    assert answers({"live": ["no progress for 120 s"]}, "/livez") == [(503, "no progress for 120 s\n")]


def test_metrics_are_prometheus_text() -> None:
    registry = CollectorRegistry()
    Counter("events", "Folded events.", ["topic"], registry=registry).labels("orders").inc(3)
    ((status, text),) = answers({}, "/metrics", registry=registry)
    assert status == 200
    assert 'events_total{topic="orders"} 3.0' in text


def test_no_port_means_no_server() -> None:
    async def port() -> int:
        async with http.serve("127.0.0.1", http.NONE, list, list) as found:
            return found

    assert asyncio.run(port()) == http.NONE
