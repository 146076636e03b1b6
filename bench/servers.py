"""The servers of a run, on loopback: Apache Kafka, and Redis or Valkey with an append-only file synced every second.

The starters are those of the integration tests; what was found is in the report by name.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

import msgspec
import redis
from confluent_kafka.admin import AdminClient

from streams import kafka
from streams.settings import Settings
from streams.topics import plan
from tests.servers_kafka import start_kafka
from tests.servers_redis import ServerMissing, start_redis

#: As in docker-compose.yml and in the embedded store.
APPEND_ONLY = ("--appendfsync", "everysec", "--maxmemory-policy", "noeviction")
OUR_CONFIG = ("--hash-max-listpack-value", "1024")


class Store(msgspec.Struct, frozen=True):
    """A running Redis or Valkey. ``name`` tells kind, version and configuration."""

    name: str
    url: str

    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url, protocol=2)

    def cpu_s(self) -> float:
        """CPU time that the server has used so far, its background threads and children included."""
        with self.client() as client:
            info: dict[str, Any] = client.info("cpu")
        return sum(float(info[f"used_cpu_{kind}"]) for kind in ("user", "sys", "user_children", "sys_children"))


@contextlib.contextmanager
def store(kind: str, *, stock: bool = False) -> Iterator[Store]:
    """An empty server of ``kind`` ("redis" or "valkey"). ``stock``: without the settings that we recommend for hashes."""
    server = start_redis(kind, appendonly=True, extra=[*APPEND_ONLY, *(() if stock else OUR_CONFIG)])
    try:
        with server.client() as client:
            info: dict[str, Any] = client.info("server")
        version = info.get("valkey_version") or info["redis_version"]
        config = "stock hashes" if stock else "hash-max-listpack-value 1024"
        yield Store(f"{kind.capitalize()} {version}, AOF everysec, {config}", server.url)
    finally:
        server.stop()


def has_store(kind: str) -> bool:
    """Can this machine start one? Starts it to see."""
    try:
        start_redis(kind).stop()
    except ServerMissing:
        return False
    return True


class Servers(msgspec.Struct, frozen=True):
    """What the parts that need a log run on."""

    kafka_name: str
    kafka: str
    store: Store

    def fresh_topics(self, names: frozenset[str] = frozenset()) -> None:
        """Delete and create the topics with these names, or all."""
        plans = [topic for topic in plan(Settings()) if not names or topic.name in names]
        client = AdminClient({"bootstrap.servers": self.kafka})
        existing = set(client.list_topics(timeout=30).topics)
        gone = [topic.name for topic in plans if topic.name in existing]
        for future in client.delete_topics(gone, operation_timeout=30).values() if gone else ():
            future.result()
        asyncio.run(self._create(plans))

    async def _create(self, plans: list) -> None:
        async with kafka.admin(self.kafka) as admin:
            for _ in range(50):
                created = await admin.create_topics(plans)
                if not any(topic.existed or topic.error for topic in created):
                    return
                # What was made by now must not be deleted again; what is still being deleted is tried again.
                made = {topic.name for topic in created if not topic.existed and not topic.error}
                plans = [topic for topic in plans if topic.name not in made]
                await asyncio.sleep(0.2)
        raise RuntimeError(f"topics could not be made: {created}")


@contextlib.contextmanager
def servers(kind: str) -> Iterator[Servers]:
    """Kafka and an empty store."""
    with start_kafka() as broker, store(kind) as found:
        yield Servers(broker.name, broker.bootstrap, found)
