"""When the trainer publishes snapshots: one at a time, and only as long as the lessons are its own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, NoReturn, cast

import msgspec
import pytest

from portrait.models.churn import FEATURES, MODEL
from portrait.models.shelf import Shelf
from schemas.outputs import Snapshot
from schemas.registry import LESSONS
from streams import trainer as trainer_module
from streams.log import NOTHING, TP, Batch, Outgoing
from streams.metrics import Metrics
from streams.settings import Settings
from streams.trainer import Trainer

L = (LESSONS, 0)


class FakeLog:
    def __init__(self) -> None:
        self.epoch = 1
        self.published = self.publishing = self.publishing_max = 0
        self.confirmed: dict[TP, int] = {}

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        self.publishing += 1
        self.publishing_max = max(self.publishing, self.publishing_max)
        await asyncio.sleep(0)
        self.publishing -= 1
        self.published += sum(message.key == MODEL.encode() for message in messages)

    def confirm(self, offsets: Mapping[TP, int], moments_ms: Mapping[TP, int] = NOTHING) -> None:
        self.confirmed.update(offsets)


def die(reason: str) -> NoReturn:
    raise AssertionError(reason)


async def started(log: FakeLog) -> Trainer:
    caught_up = asyncio.Event()
    caught_up.set()
    models = cast(Any, SimpleNamespace(tail=SimpleNamespace(caught_up=caught_up), shelf=Shelf()))
    trainer = Trainer(Settings(), cast(Any, log), models, wall_ms=lambda: 1, metrics=Metrics(), die=die)
    await trainer.start_offsets({L: None}, {L: 0}, {L: 9})
    return trainer


@pytest.fixture(autouse=True)
def every_save_publishes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer_module, "SNAPSHOT_LESSONS_FIRST", 0)


def test_a_revoked_trainer_publishes_nothing() -> None:
    async def scenario() -> None:
        log = FakeLog()
        trainer = await started(log)
        await trainer.flush()
        assert log.published == 1
        log.epoch += 1
        await trainer.flush()
        assert log.published == 1

    asyncio.run(scenario())


def test_the_text_of_an_unexpected_error_is_not_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    personal = "alice@example.org"

    def fail(_: Any) -> NoReturn:
        raise ValueError(personal)

    async def scenario() -> None:
        trainer = await started(FakeLog())
        monkeypatch.setattr(trainer, "_learn", fail)
        monkeypatch.setattr(trainer, "_die", told.append)
        await trainer.on_batch(Batch(1, {L: [cast(Any, SimpleNamespace(offset=0, value=b""))]}, {L: 9}))

    monkeypatch.setattr(trainer_module, "log", SimpleNamespace(critical=lambda *args, **kw: told.append(f"{args} {kw}")))
    asyncio.run(scenario())
    assert len(told) == 2 and all("ValueError" in text for text in told)
    assert "in fail" in told[0] and personal not in "".join(told)


def test_a_batch_and_a_flush_publish_one_after_the_other() -> None:
    async def scenario() -> None:
        log = FakeLog()
        trainer = await started(log)
        await asyncio.gather(trainer.on_batch(Batch(1, {}, {L: 9}, {L: 9})), trainer.flush())
        assert (log.published, log.publishing_max) == (2, 1)
        assert log.confirmed == {L: 9}

    asyncio.run(scenario())


def test_a_rewind_while_a_snapshot_is_published_confirms_nothing() -> None:
    async def scenario() -> None:
        log = FakeLog()
        trainer = await started(log)
        saving = asyncio.ensure_future(trainer.flush())
        await asyncio.sleep(0)
        log.epoch += 1
        await saving
        assert (log.published, log.confirmed) == (1, {})

    asyncio.run(scenario())


HISTORY: dict[str, Any] = {
    "kind": "history", "id": "h", "model": MODEL, "at_ms": 1, "purchase_days": 3, "recency_days": 3, "tenure_days": 3,
    "money": {"CNY": [3, 900]}, "worth": 1.5,
}  # fmt: skip
LABEL: dict[str, Any] = {
    "kind": "label", "id": "l", "model": MODEL, "scored_at_ms": 1, "horizon_days": Settings().horizon_days,
    "features": dict.fromkeys(FEATURES, 0.5), "risk": 0.5, "model_version": "0.0", "churned": True,
}  # fmt: skip
OUT_OF_BOUNDS = [
    HISTORY | {"recency_days": 500},
    HISTORY | {"recency_days": -1},
    HISTORY | {"tenure_days": 10**9},
    HISTORY | {"purchase_days": 0},
    HISTORY | {"purchase_days": -5},
    HISTORY | {"purchase_days": 10**400},
    HISTORY | {"money": {"x" * 1000: [1, 1]}},
    HISTORY | {"id": "x" * 10_000},
    LABEL | {"features": LABEL["features"] | {"spend": 1e300}},
    LABEL | {"features": LABEL["features"] | {"prior": -1e300}},
    LABEL | {"features": LABEL["features"] | {"spend": 10**400}},
    LABEL | {"features": LABEL["features"] | {"spend": None}},
    LABEL | {"risk": 5},
    LABEL | {"risk": -0.1},
    LABEL | {"scored_at_ms": 10**30},
    LABEL | {"scored_at_ms": -1},
]


def taken(trainer: Trainer, outcome: str) -> int:
    return int(trainer._metrics.lessons.labels(outcome)._value.get())


def test_a_lesson_out_of_bounds_is_unreadable_and_ends_nobody() -> None:
    """Such a one had killed its worker, and then each that took its place."""

    async def scenario() -> None:
        log = FakeLog()
        trainer = await started(log)
        values = [json.dumps(bad).encode() for bad in OUT_OF_BOUNDS]
        values += [json.dumps(HISTORY).encode().replace(b"1.5", beyond) for beyond in (b"1e999", b"NaN")]
        before = trainer._learner.snapshot({}, 1)
        for n, value in enumerate(values, 1):
            await trainer.on_batch(Batch(1, {L: [cast(Any, SimpleNamespace(offset=n - 1, value=value))]}, {L: n}))
            assert (taken(trainer, "unreadable"), log.confirmed) == (n, {L: n}), value[:200]
        assert trainer._learner.snapshot({}, 1) == before, "nothing of them is remembered, not even their ids"
        good = [SimpleNamespace(offset=50 + n, value=json.dumps(of).encode()) for n, of in enumerate((HISTORY, LABEL))]
        await trainer.on_batch(Batch(1, {L: cast(Any, good)}, {L: 52}))
        assert (taken(trainer, "learned"), log.confirmed) == (2, {L: 52})

    asyncio.run(scenario())


def test_a_lesson_at_the_bounds_is_learned_and_the_model_stays_finite() -> None:
    async def scenario() -> None:
        trainer = await started(FakeLog())
        histories = [
            HISTORY | {"purchase_days": purchases, "recency_days": recency, "tenure_days": 10**7}
            for purchases in (1, 10**7)
            for recency in (0, 10**7)
        ] + [HISTORY | {"recency_days": 0, "tenure_days": 0, "money": {"CNY": [1e300, 1e300]}, "worth": 1e300}]
        labels = [
            LABEL | {"features": dict.fromkeys(FEATURES, sign * 1e6), "risk": risk, "churned": churned}
            for sign in (1, -1)
            for risk in (0, 1)
            for churned in (True, False)
        ]
        values = [json.dumps(of | {"id": str(n)}).encode() for n, of in enumerate((histories + labels) * 20)]
        records = [cast(Any, SimpleNamespace(offset=n, value=value)) for n, value in enumerate(values)]
        await trainer.on_batch(Batch(1, {L: records}, {L: len(records)}))
        assert taken(trainer, "learned") == len(values)
        snapshot = trainer._learner.snapshot({}, 1)
        again = msgspec.json.decode(msgspec.json.encode(snapshot), type=Snapshot)
        assert again == snapshot, "all of it is finite: JSON knows no other numbers"

    asyncio.run(scenario())
