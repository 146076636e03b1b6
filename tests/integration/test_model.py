"""An operator and the model, on real parts: two workers, a broker, a store, and the command itself."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from cli import output
from cli.model import app
from portrait.models.churn import FEATURES, MODEL
from portrait.models.shelf import ORDER_KEY
from profile_store.reader import ProfileReader
from schemas.outputs import Lesson
from schemas.registry import ACTIONS, LESSONS, MODELS
from streams import kafka
from tests.integration.test_service import Service, broker, own_broker, service  # noqa: F401

pytestmark = pytest.mark.integration

HORIZON_DAYS = 60
CUSTOMERS = 30


def lessons(n: int, seed: int) -> list[Lesson]:
    rng, made = random.Random(seed), []
    for i in range(n):
        x = {name: rng.gauss(1.0, 1.5) for name in FEATURES}
        made.append(
            Lesson(
                id=f"{seed}-{i}",
                model=MODEL,
                scored_at_ms=1_700_000_000_000 + i,
                horizon_days=HORIZON_DAYS,
                features=x,
                risk=rng.random(),
                model_version="0.0",
                churned=x["recency"] + rng.gauss(0, 1) > 1,
            )
        )
    return made


class Operator:
    """The command, in this process: starting it anew each time would take most of the test."""

    def __init__(self, given: Service) -> None:
        self.service = given
        self.command = app
        self.day = 0

    def says(self, *words: str, code: int = output.OK) -> Any:
        done = CliRunner().invoke(self.command, [*words, "--json"])
        assert done.exit_code == code, done.output
        return json.loads(done.stdout) if done.stdout else None

    def list(self) -> Any:
        return self.says("list")

    def teach(self, n: int, seed: int) -> None:
        self.publish(LESSONS, [(b"", msgspec.json.encode(lesson)) for lesson in lessons(n, seed)])

    def publish(self, topic: str, records: Sequence[tuple[bytes, bytes]]) -> None:
        async def send() -> None:
            async with kafka.publisher(self.service.kafka) as publisher:
                for key, value in records:
                    await publisher.send(topic, key, value)

        asyncio.run(send())

    def until_scoring(self, generation: int, lessons: int) -> str:
        """The version, once one of this generation scores that has learned so much. How much more depends on the batches."""

        def found() -> str | None:
            listed = self.list()
            scoring = listed["scoring"]
            rows = {each["version"]: each for each in listed["versions"]}
            fits = scoring and rows[scoring]["generation"] == generation and rows[scoring]["lessons"] >= lessons
            return scoring if fits else None

        return self.service.until(found)

    def until_customers_have(self, version: str = "") -> None:
        """Scores by this version; if none is named, by the one that scores now. All order each day, so they are looked at."""
        reader = ProfileReader(self.service.redis)

        def all_have() -> bool:
            self.day += 1
            orders = [(f"M{n}".encode(), order(f"M{n}", self.day)) for n in range(CUSTOMERS)]
            self.publish("orders", orders)
            self.service.until_read()
            profiles = [profile for profile in reader.get_many([f"M{n}" for n in range(CUSTOMERS)]) if profile]
            return {profile.dims["risk"]["model"] for profile in profiles} == {version or self.list()["scoring"]}

        self.service.until(all_have)


def order(customer: str, day: int) -> bytes:
    time = f"{datetime(2026, 1, 1) + timedelta(days=day):%Y-%m-%dT%H:%M:%SZ}"
    id = f"{customer}-{day}"
    event = {"specversion": "1.0", "id": id, "source": "/test", "type": "order.placed", "time": time}
    return json.dumps(event | {"data": {"order_id": id, "currency": "CNY", "amount_minor": 9900}}).encode()


def test_an_operator_lists_pins_rolls_back_and_retrains_beside_running_workers(
    service: Service,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("PORTRAIT_KAFKA", "PORTRAIT_REDIS"):
        monkeypatch.setenv(name, service.environment[name])
    operator = Operator(service)
    service.start_worker()
    service.start_worker()
    operator.teach(60, seed=1)
    first = operator.until_scoring(1, 50)
    operator.teach(60, seed=2)
    operator.until_scoring(1, 101)
    operator.until_customers_have()

    assert operator.says("pin", first) == {"pinned": first, "scoring": first}
    operator.until_customers_have(first)
    operator.says("pin", "1.7", code=output.FAILED)
    operator.says("pin", "--none")
    operator.until_customers_have()

    learned = int(first.removeprefix("1."))
    rolled_back = {"generation": 2, "from": first, "begun": f"2.{learned}", "declined": False}
    assert operator.says("rollback", first) == rolled_back
    operator.until_customers_have(f"2.{learned}")

    begun = operator.says("retrain")
    assert (begun["generation"], begun["from"]) == (3, None)
    third = operator.until_scoring(3, learned)
    operator.until_customers_have()
    assert int(third.removeprefix("3.")) <= 120 + 3 * CUSTOMERS
    assert operator.says("show")["generation"] == 3

    exported = service.directory / "learned.json"
    assert CliRunner().invoke(operator.command, ["export", "--to", str(exported)]).exit_code == output.OK
    assert operator.says("start", str(exported))["begun"].startswith("4.")
    fourth = operator.until_scoring(4, int(third.removeprefix("3.")))
    operator.until_customers_have()

    a_forged_version_is_refused(operator, service)
    report = service.directory / "report.html"
    done = CliRunner().invoke(operator.command, ["report", "--out", str(report)])
    assert done.exit_code == output.OK and f"Version {fourth[:2]}" in report.read_text()
    raised = [record for record in read(service.kafka, ACTIONS) if b"churn-risk-rose" in record.value]
    assert not raised, "no change of version has raised an action"
    orders = [record for record in read(service.kafka, MODELS) if record.key == ORDER_KEY.encode()]
    assert len(orders) == 3


def a_forged_version_is_refused(operator: Operator, service: Service) -> None:  # noqa: F811
    whole = [record.value for record in read(service.kafka, MODELS) if record.key == MODEL.encode()][-1]
    forged = json.loads(whole) | {"generation": 9}
    forged["scorer"]["bias"] = 99.0
    operator.publish(MODELS, [(MODEL.encode(), json.dumps(forged).encode())])
    service.until(lambda: "its digest does not match" in (service.directory / "workers.log").read_text())
    listed = operator.list()
    assert listed["scoring"].startswith("4.") and "digest" in listed["refused"]["churn"]
    operator.until_customers_have()


def read(bootstrap: str, topic: str) -> list[Any]:
    async def records() -> list[Any]:
        return [record async for record in kafka.read_topic(bootstrap, topic)]

    return asyncio.run(records())
