"""When the trainer publishes snapshots: one at a time, and only as long as the lessons are its own."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, NoReturn, cast

import pytest

from portrait.models.churn import MODEL
from portrait.models.shelf import Shelf
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
