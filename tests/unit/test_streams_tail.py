"""Following a topic: one that is missing, and the model in use."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from prometheus_client import generate_latest

from portrait.models.churn import FEATURES, MODEL
from portrait.models.learner import begin
from portrait.models.shelf import PIN_KEY
from schemas.outputs import Order, Pin
from streams import tail as tail_module
from streams.kafka import KafkaProblem
from streams.metrics import Metrics
from streams.settings import Settings
from streams.tail import Models, ReplayedOrigins, Tail
from streams.trainer import Trainer
from tests.corekit import HORIZON_DAYS
from tests.unit.test_models_learner import taught


class Broker:
    """A consumer of it, too. The topic appears when it was asked for the third time, with two records."""

    def __init__(self) -> None:
        self.asked = 0
        self.at, self.end = 0, 2
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
        if self.at == self.end:
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
        following = asyncio.ensure_future(tail._follow(cast(Any, Broker())))
        async with asyncio.timeout(20):
            await tail.caught_up.wait()
        following.cancel()

    asyncio.run(scenario())
    assert taken == [0, 1]
    assert [topic for _, topic in told] == ["models"] and "portrait topics create" in told[0][0]


def test_what_was_acknowledged_before_it_was_asked_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    broker, taken = Broker(), list[int]()
    away = [KafkaProblem("away")]

    async def bounds(bootstrap: str, partitions: Any) -> Any:
        if away and tail.caught_up.is_set():
            raise away.pop()
        return dict.fromkeys(partitions, 0), dict.fromkeys(partitions, broker.end)

    monkeypatch.setattr(tail_module, "RETRY_S", 0)
    monkeypatch.setattr(tail_module, "bounds", bounds)
    tail = Tail("broker", "expired", lambda record: taken.append(record.offset))

    async def scenario() -> None:
        following = asyncio.ensure_future(tail._follow(cast(Any, broker)))
        async with asyncio.timeout(20):
            await tail.hear()
            assert taken == [0, 1]
            broker.end = 7
            await tail.hear()
        following.cancel()

    asyncio.run(scenario())
    assert taken == list(range(7))
    assert not away


def models_of(metrics: Metrics) -> Models:
    return Models("broker", HORIZON_DAYS, metrics)


def give(models: Models, key: str, value: Any, offset: int = 0) -> None:
    encoded = None if value is None else value if isinstance(value, bytes) else msgspec.json.encode(value)
    models.take(cast(Any, SimpleNamespace(key=key.encode(), value=encoded, offset=offset)))


def series(metrics: Metrics, name: str) -> list[str]:
    return [line for line in generate_latest(metrics.registry).decode().splitlines() if line.startswith(name)]


def pin(version: str) -> Pin:
    return Pin(model=MODEL, version=version, at_ms=1)


def test_only_the_model_in_use_is_a_series() -> None:
    metrics = Metrics()
    models = models_of(metrics)
    for n in (1, 2):
        give(models, MODEL, taught(n).snapshot({}, n))
    assert series(metrics, "portrait_model_info") == ['portrait_model_info{version="1.2"} 1.0']


def test_workers_score_with_what_is_pinned_until_it_no_longer_is() -> None:
    metrics = Metrics()
    models = models_of(metrics)
    give(models, MODEL, taught(10).snapshot({}, 1))
    give(models, MODEL, taught(20).snapshot({}, 2))
    give(models, PIN_KEY, pin("1.10"))
    assert models.scorer == taught(10).scorer()
    give(models, MODEL, taught(30).snapshot({}, 3))
    assert models.scorer.version == "1.10", "training goes on, and nobody scores with it"
    assert series(metrics, "portrait_model_pinned") == ["portrait_model_pinned 1.0"]
    give(models, PIN_KEY, pin(""))
    assert models.scorer == taught(30).scorer()
    assert series(metrics, "portrait_model_pinned") == ["portrait_model_pinned 0.0"]


def test_a_tampered_version_is_refused_counted_and_told_and_the_old_one_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[dict[str, Any]] = []
    monkeypatch.setattr(tail_module, "log", SimpleNamespace(error=lambda text, **more: told.append({"text": text, **more})))
    metrics = Metrics()
    models = models_of(metrics)
    give(models, MODEL, taught(10).snapshot({}, 1))
    snapshot = taught(20).snapshot({}, 2)
    give(models, MODEL, msgspec.structs.replace(snapshot, scorer=snapshot.scorer | {"bias": -9.0}), offset=7)
    assert models.scorer == taught(10).scorer()
    assert [(line["offset"], "digest" in line["error"]) for line in told] == [(7, True)]
    assert 'portrait_snapshots_total{outcome="refused"} 1.0' in series(metrics, "portrait_snapshots_total")


def test_a_pinned_version_that_is_not_kept_is_told_and_the_newest_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(tail_module, "log", SimpleNamespace(error=lambda text, **more: told.append(more["pinned"])))
    models = models_of(Metrics())
    give(models, MODEL, taught(10).snapshot({}, 1))
    give(models, PIN_KEY, pin("1.5"))
    assert (models.scorer.version, told) == ("1.10", ["1.5"])


def test_what_the_trainer_measured_is_a_metric_of_every_worker() -> None:
    metrics = Metrics()
    give(models_of(metrics), MODEL, taught(400).snapshot({}, 1))
    shown = {line.split(" ")[0]: float(line.split(" ")[1]) for line in series(metrics, "portrait_model_")}
    measured = taught(400).metrics()
    for name in ("auc", "ece", "brier", "base_rate", "log_loss", "own_log_loss"):
        assert shown[f'portrait_model_quality{{measure="{name}"}}'] == pytest.approx(measured[name])
    assert sum(name.startswith("portrait_model_feature_shift") for name in shown) == len(FEATURES)


def test_a_measure_that_is_no_longer_known_is_no_metric_any_more() -> None:
    metrics = Metrics()
    models = models_of(metrics)
    give(models, MODEL, taught(400).snapshot({}, 1))
    anew = begin(
        Order(model=MODEL, id="o1", generation=2, version="", at_ms=1),
        models.shelf.newest,
        None,
        models.shelf.scoring,
        HORIZON_DAYS,
    )
    give(models, MODEL, anew.snapshot({}, 2))
    assert not [line for line in series(metrics, "portrait_model_quality") if '"auc"' in line or "trial" in line]


@pytest.mark.parametrize(
    "value",
    [b"\xff", b"[]", b"7", b'{"x":' * 50_000, b'{"x":' + b"[" * 50_000 + b"]" * 50_000 + b"}", b'{"format":"\xed\xa0\x80"}'],
    ids=["bytes", "list", "number", "deep", "deep-unknown", "surrogate"],
)
def test_what_can_t_be_read_of_an_internal_topic_is_passed_over(value: bytes) -> None:
    metrics, record = Metrics(), cast(Any, SimpleNamespace(key=MODEL.encode(), value=value, offset=7))
    models, origins = Models("broker", 30, metrics), ReplayedOrigins("broker")
    models.take(record)
    origins.take(record)
    assert models.scorer.version == f"0.0/{models.scorer.horizon_days}"
    assert not origins.origins
    trainer = Trainer(
        Settings(), cast(Any, None), models, wall_ms=lambda: 0, metrics=metrics, die=lambda reason: pytest.fail(reason)
    )
    trainer._learn(value)
    told = {
        (s.name, s.labels["outcome"]): s.value for f in metrics.registry.collect() for s in f.samples if "outcome" in s.labels
    }
    assert told == {("portrait_snapshots_total", "refused"): 1, ("portrait_lessons_total", "unreadable"): 1}
