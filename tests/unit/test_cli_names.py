"""Commands that take an id, by any way that its owner writes it; and what they say where names are made otherwise."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

import pytest
from typer.testing import CliRunner

from cli import doctor, main, output, rebuild, show, verify
from cli.audit import Report
from profile_store.contract import StoreRefused
from schemas.identity import identity_of
from streams.settings import Settings

KEY = "a key of the shop's"
LIN = identity_of("email:lin@shop.cn", KEY.encode()).id
WRITTEN = ["EMAIL:Lin@Shop.cn", "ｅmail：ｌin@shop.cn", LIN]


@pytest.fixture(params=["verify", "rebuild", "show"])
def asked(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Invokes the verb with an id; its exit code, what it says, and whom it would look for."""
    whom: list[str] = []

    async def of_verify(settings: Settings, full: list[str], *_: Any) -> Report:
        whom.extend(full)
        return Report()

    async def of_rebuild(settings: Settings, options: Any, ids: frozenset[str], *_: Any) -> dict[str, Any]:
        whom.extend(ids)
        return {"unknown": 1}

    async def of_show(settings: Settings, name: str, **_: Any) -> tuple[None, None]:
        whom.append(name)
        return None, None

    monkeypatch.setattr(verify, "verify", of_verify)
    monkeypatch.setattr(rebuild, "_rebuild", of_rebuild)
    monkeypatch.setattr(show, "_read", of_show)
    words = {"verify": ["verify", "--json", "--full"], "rebuild": ["rebuild", "--json"], "show": ["show"]}[request.param]

    def ask(text: str) -> tuple[int, str, list[str]]:
        whom.clear()
        result = CliRunner().invoke(main.app, [*words, text])
        return result.exit_code, result.stderr, list(whom)

    return ask


def test_they_look_for_the_name(asked: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTRAIT_IDENTITY_KEY", KEY)
    assert [asked(text)[2] for text in (*WRITTEN, "Device:D1", "ＣID")] == [[LIN], [LIN], [LIN], ["device:D1"], ["ＣID"]]


def test_without_the_key_they_say_so(asked: Any) -> None:
    code, told, whom = asked("email:lin@shop.cn")
    assert code == output.USAGE and "PORTRAIT_IDENTITY_KEY" in told and "lin@" not in told and not whom
    assert asked(LIN)[2] == [LIN]


def test_the_doctor_tells_a_refusal_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """And no remedy of another trouble: Redis need not be started."""

    async def facts(*_: Any, **__: Any) -> None: ...

    async def refused(settings: Settings) -> Coroutine[Any, Any, Any]:
        raise StoreRefused("another identity key: set it")

    async def kafka(*_: Any) -> Any:
        for finding in ():
            yield finding

    monkeypatch.setattr(doctor, "server_facts", facts)
    monkeypatch.setattr(doctor, "check_server", lambda _: [])
    monkeypatch.setattr(doctor, "stored_positions", refused)
    monkeypatch.setattr(doctor, "_check_kafka", kafka)
    result = CliRunner().invoke(main.app, ["doctor"])
    assert result.exit_code == output.FAILED and "another identity key: set it" in result.stdout
    assert "start it" not in result.stdout
