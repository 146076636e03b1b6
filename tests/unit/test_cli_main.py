"""The command's help teaches, comes without importing the verbs, and survives a verb that is not there."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from cli import main, output
from cli.main import VERBS, Verb


def invoke(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(main.app, list(words))
    return result.exit_code, result.output


def test_help_shows_examples_exit_codes_and_verbs() -> None:
    code, said = invoke("--help")
    assert code == output.OK
    assert "portrait publish --key C1" in said
    assert "Exit codes" in said
    for name in main.LazyVerbs().list_commands(None):
        assert VERBS[name].help.split(":")[0][:30] in said


def test_no_verb_shows_the_help() -> None:
    _, said = invoke()
    assert "Examples" in said


def test_help_imports_neither_kafka_nor_redis_nor_river() -> None:
    script = (
        "import sys; from typer.testing import CliRunner; from cli.main import app\n"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0\n"
        "print(*sorted({'faust', 'aiokafka', 'redis', 'river', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_an_unknown_verb_is_a_usage_error() -> None:
    code, said = invoke("prophesy")
    assert code == output.USAGE
    assert "prophesy" in said


def test_a_verb_whose_module_is_missing_is_not_offered_and_breaks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(VERBS, "prophesy", Verb("cli.prophesy", "Tell the future.", "Run it"))
    assert "prophesy" not in invoke("--help")[1]
    assert invoke("prophesy")[0] == output.USAGE
    assert invoke("publish", "--help")[0] == output.OK


@pytest.mark.parametrize("name", main.LazyVerbs().list_commands(None))
def test_every_verb_explains_itself(name: str) -> None:
    code, said = invoke(name, "--help")
    assert code == output.OK
    assert "Usage: " in said


def test_a_setting_that_cannot_be_used_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PORTRAIT_SHARDS", "many")
    with pytest.raises(SystemExit) as left:
        output.settings()
    assert left.value.code == output.USAGE
    assert "shards" in capsys.readouterr().err


def test_text_of_users_is_neither_markup_nor_control() -> None:
    shown = output.escape("[red]C1\x1b[31m\x07")
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert shown.startswith("\\[red]")
