"""What a shop's stars teach, on real parts: learned from the log, adopted while a worker runs, and profiles made anew with it."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from cli import output
from cli.main import app
from language.force import come_into_force
from schemas.registry import MODELS
from streams import kafka
from streams.learning import ADOPTED_KEY
from tests.integration.test_service import ROOT, Service, broker, own_broker, service  # noqa: F401
from tests.unit.test_language_learner import PLAIN, SLANG

pytestmark = pytest.mark.integration

CUSTOMERS = 120


def rating(n: int, text: str, stars: int | None) -> str:
    """A rating with stars; without any, an answer to a survey that only the model can read."""
    event = {"specversion": "1.0", "id": f"{n}-{stars}", "source": "/test", "time": "2026-01-01T00:00:00Z", "key": f"C{n}"}
    if stars is None:
        return json.dumps(event | {"type": "survey.answered", "data": {"survey": "s", "question": "?", "answer": text}})
    return json.dumps(event | {"type": "rating.given", "data": {"stars": stars, "text": text}})


def sorted_later() -> list[str]:
    """A complaint, and its resolution, which names the category."""
    event = {"specversion": "1.0", "source": "/test", "key": "Y", "time": "2026-01-01T00:00:00Z"}
    data = {"complaint_id": "1", "text": "海外仓清关卡住了"}
    later = {"complaint_id": "1", "opened_at": "2026-01-01T00:00:00Z", "category": "late-delivery"}
    return [
        json.dumps(event | {"id": "opened", "type": "complaint.opened", "data": data}),
        json.dumps(event | {"id": "resolved", "type": "complaint.resolved", "data": later}),
    ]


def told(*words: str, code: int = output.OK) -> Any:
    """What the command says, in this process: starting it anew each time would take most of the test."""
    done = CliRunner().invoke(app, [*words, "--json"])
    assert done.exit_code == code, done.output
    return json.loads(done.stdout) if done.stdout else None


def tone(given: Service) -> int | None:
    profile = given.reader.get("X")
    return profile.dims["voice"]["tone"][3] if profile else None


@pytest.fixture
def environment(service: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:  # noqa: F811
    for name in ("PORTRAIT_KAFKA", "PORTRAIT_REDIS"):
        monkeypatch.setenv(name, service.environment[name])
    yield
    come_into_force(None)


@pytest.mark.usefixtures("environment")
def test_stars_teach_and_an_operator_puts_it_into_force(service: Service) -> None:  # noqa: F811
    lines = [rating(n, (SLANG if n % 2 else PLAIN)[n // 2 % 5], 5 if n % 2 else 1) for n in range(CUSTOMERS)]
    asked = json.loads(rating(0, SLANG[0], None)) | {"key": "X", "id": "asked"}
    service.start_worker()
    lines += sorted_later()
    (events := service.directory / "events.jsonl").write_text("\n".join([*lines, json.dumps(asked)]), encoding="utf-8")
    told("publish", str(events))
    service.until_read()
    before = service.until(lambda: tone(service))
    told("language", "adopt", code=output.FAILED)

    first = told("language", "learn")
    assert (first["new"], first["records"]) == (CUSTOMERS + 1, CUSTOMERS + 3)
    again = told("language", "learn")
    assert (again["new"], again["lessons"], again["version"]) == (0, CUSTOMERS + 1, first["version"])
    kinds = told("language", "report")["kinds"]
    assert kinds["complaints zh"]["answers"] == {"delivery": 1}
    figures = kinds["tone zh"]["since_the_beginning"]
    assert figures["right_learned"] > figures["right_frozen"]
    told("verify", "--sample", "20")

    follow(service, first["lessons"])
    told("language", "adopt", "1.deadbeef", code=output.FAILED)
    assert told("language", "adopt", first["version"])["version"] == first["version"]
    service.until(lambda: "understood with other models" in (service.directory / "workers.log").read_text())
    assert tone(service) == before, "facts stay until they are made anew"
    told("verify", "--full", "X", code=output.FAILED)
    assert told("rebuild", "--all")["differed"] > 0
    assert (tone(service) or 0) > max(20, before)
    told("verify", "--full", "X")
    report = told("language", "report")
    assert report["in_force"] == report["rebuilt_with"] == first["version"]

    forge(service)
    service.until(lambda: service.workers[0].poll() is not None)
    assert "its digest is another" in (service.directory / "workers.log").read_text()[-2000:]
    told("verify", code=output.FAILED)
    told("language", "adopt", "--shipped")
    service.workers.clear()
    service.start_worker()
    told("rebuild", "--all")
    assert tone(service) == before
    told("verify", "--full", "X")


def follow(given: Service, lessons: int) -> None:
    """Into a file, until it is asked to end; and on from there."""
    state = given.directory / "learned.bin"
    command = [sys.executable, "-m", "cli.main", "language", "learn", "--follow", "--json", "--state", str(state)]
    with subprocess.Popen(command, cwd=ROOT, env=given.environment, stdout=subprocess.PIPE) as learning:
        given.until(state.exists)
        learning.send_signal(signal.SIGTERM)
        said = json.loads(learning.communicate(timeout=60)[0])
    assert (learning.returncode, said["lessons"]) == (output.OK, lessons)
    again = told("language", "learn", "--state", str(state))
    assert (again["new"], again["version"]) == (0, said["version"])
    assert told("language", "report", "--state", str(state))["lessons"] == lessons


def forge(given: Service) -> None:
    async def send() -> None:
        found = [record async for record in kafka.read_topic(given.kafka, MODELS) if record.key == ADOPTED_KEY.encode()]
        document = json.loads(found[-1].value)
        document["tables"]["tone_zh"] = {"好": [-500]}
        async with kafka.publisher(given.kafka) as publisher:
            await publisher.send(MODELS, ADOPTED_KEY.encode(), json.dumps(document).encode())

    asyncio.run(send())
