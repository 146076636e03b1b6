"""Following a topic: one that is missing, and the model in use."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from prometheus_client import generate_latest

from streams import tail as tail_module
from streams.metrics import Metrics
from streams.settings import Settings
from streams.tail import Models, ReplayedOrigins, Tail
from streams.trainer import Trainer


class Broker:
    """A consumer of it, too. The topic appears when it was asked for the third time, with two records."""

    def __init__(self) -> None:
        self.asked = 0
        self.at = 0
        self._client = SimpleNamespace(force_metadata_update=self.nothing)

    async def nothing(self) -> None: ...

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        self.asked += 1
        return {0} if self.asked > 2 else None

    def assign(self, partitions: Any) -> None:
        self.partition = partitions[0]

    async def position(self, partition: Any) -> int:
        return self.at

    async def getmany(self, timeout_ms: int) -> dict[Any, list[Any]]:
        await asyncio.sleep(0)
        if self.at == 2:
            return {}
        self.at += 1
        return {self.partition: [SimpleNamespace(offset=self.at - 1)]}


def test_a_missing_topic_is_told_once_and_all_of_it_is_read_before_going_on(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, str]] = []
    taken: list[int] = []

    async def bounds(bootstrap: str, partitions: Any) -> Any:
        return dict.fromkeys(partitions, 0), dict.fromkeys(partitions, 2)

    monkeypatch.setattr(tail_module, "RETRY_S", 0)
    monkeypatch.setattr(tail_module, "bounds", bounds)
    monkeypatch.setattr(tail_module, "log", SimpleNamespace(warning=lambda text, topic: told.append((text, topic))))

    async def scenario() -> None:
        tail = Tail("broker", "models", lambda record: taken.append(record.offset))
        following = asyncio.ensure_future(tail._follow(cast(Any, Broker()), {}))
        async with asyncio.timeout(20):
            await tail.caught_up.wait()
        following.cancel()

    asyncio.run(scenario())
    assert taken == [0, 1]
    assert [topic for _, topic in told] == ["models"] and "portrait topics create" in told[0][0]


def test_only_the_model_in_use_is_a_series() -> None:
    metrics = Metrics()
    models = Models("broker", 30, metrics)
    for n in (1, 2):
        snapshot = SimpleNamespace(generation=0, lessons=n, metrics={})
        models.use(cast(Any, snapshot), cast(Any, SimpleNamespace(horizon_days=30, version=f"v{n}")))
    series = [line for line in generate_latest(metrics.registry).decode().splitlines() if line.startswith("portrait_model_info")]
    assert series == ['portrait_model_info{version="v2"} 1.0']


@pytest.mark.parametrize(
    "value",
    [b"\xff", b"[]", b"7", b'{"x":' * 50_000, b'{"x":' + b"[" * 50_000 + b"]" * 50_000 + b"}", b'{"format":"\xed\xa0\x80"}'],
    ids=["bytes", "list", "number", "deep", "deep-unknown", "surrogate"],
)
def test_what_can_t_be_read_of_an_internal_topic_is_passed_over(value: bytes) -> None:
    metrics, record = Metrics(), cast(Any, SimpleNamespace(value=value, offset=7))
    models, origins = Models("broker", 30, metrics), ReplayedOrigins("broker")
    models.take(record)
    origins.take(record)
    assert models.scorer.version == "0.0"
    assert not origins.origins
    trainer = Trainer(
        Settings(), cast(Any, None), models, wall_ms=lambda: 0, metrics=metrics, die=lambda reason: pytest.fail(reason)
    )
    trainer._learn(value)
    told = {
        (s.name, s.labels["outcome"]): s.value for f in metrics.registry.collect() for s in f.samples if "outcome" in s.labels
    }
    assert told == {("portrait_snapshots_total", "refused"): 1, ("portrait_lessons_total", "unreadable"): 1}
