"""docker-compose.yml and the Dockerfile agree with the code; nothing is published beyond loopback; images are pinned."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from cli import main
from streams.settings import Settings, load

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if "build" in service]
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def with_default(text: object) -> str:
    """As Compose sees it with an empty environment."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(text))


def images() -> list[str]:
    ready = [service["image"] for service in SERVICES.values() if "build" not in service]
    return ready + re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)


@pytest.mark.parametrize("image", images())
def test_images_are_pinned_to_a_release(image: str) -> None:
    assert re.search(r":\d+\.\d+\.\d+(-[a-z0-9.-]+)?$", image)


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_published_on_loopback_only(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        assert str(port).startswith("127.0.0.1:")


@pytest.mark.parametrize("name", OURS)
def test_our_services_use_settings_that_exist(name: str) -> None:
    environment = SERVICES[name]["environment"]
    known = {f"PORTRAIT_{field.upper()}" for field in Settings.__struct_fields__}
    assert {variable.removesuffix("_FILE") for variable in environment} <= known
    given = {name: with_default(value) for name, value in environment.items() if not name.endswith("_FILE")}
    settings = load(given)  # raises if one can't be used
    assert settings.kafka == "kafka:19092"


@pytest.mark.parametrize("name", OURS)
def test_secrets_come_from_files_that_are_declared(name: str) -> None:
    service = SERVICES[name]
    files = [value for variable, value in service["environment"].items() if variable.endswith("_FILE")]
    assert files
    for file in files:
        secret = file.removeprefix("/run/secrets/")
        assert secret in service["secrets"]
        assert COMPOSE["secrets"][secret]["file"].startswith("./secrets/")


def test_no_secret_is_written_down() -> None:
    assert "secrets/" in (ROOT / ".gitignore").read_text().splitlines()
    assert not re.search(r"redis://[^\s]*:[^\s]*@", (ROOT / "docker-compose.yml").read_text())


@pytest.mark.parametrize("name", OURS)
def test_the_commands_exist(name: str) -> None:
    words = SERVICES[name]["command"]
    result = CliRunner().invoke(main.app, [*words, "--help"])
    assert result.exit_code == 0, result.output


def test_kafka_advertises_where_it_listens() -> None:
    environment = SERVICES["kafka"]["environment"]

    def listeners(variable: str) -> dict[str, str]:
        return dict(re.findall(r"(\w+)://[^:,]*:(\d+)", environment[variable]))

    listening = listeners("KAFKA_LISTENERS")
    assert listeners("KAFKA_ADVERTISED_LISTENERS").items() <= listening.items()
    assert set(listening) == set(re.findall(r"(\w+):PLAINTEXT", environment["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"]))
    assert environment["KAFKA_CONTROLLER_QUORUM_VOTERS"].endswith(f":{listening['CONTROLLER']}")
    assert environment["KAFKA_LOG_DIRS"] in [volume.split(":")[1] for volume in SERVICES["kafka"]["volumes"]]


def test_the_store_keeps_what_it_is_given() -> None:
    options = SERVICES["valkey"]["command"]
    given = dict(zip(options[1::2], options[2::2], strict=True))
    assert given["--appendonly"] == "yes"
    assert given["--appendfsync"] == "everysec"
    assert given["--maxmemory-policy"] == "noeviction"
    assert int(given["--hash-max-listpack-value"]) >= 1024


def test_everything_is_up_before_what_needs_it() -> None:
    assert SERVICES["topics"]["depends_on"] == {"kafka": {"condition": "service_healthy"}}
    needs = SERVICES["worker"]["depends_on"]
    assert needs["topics"] == {"condition": "service_completed_successfully"}
    for name, how in {**needs, **SERVICES["topics"]["depends_on"]}.items():
        if how["condition"] == "service_healthy":
            assert "healthcheck" in SERVICES[name]


def test_there_is_a_port_for_every_worker() -> None:
    worker = SERVICES["worker"]
    first, last, inside = re.fullmatch(r"127\.0\.0\.1:(\d+)-(\d+):(\d+)", worker["ports"][0]).groups()  # type: ignore[union-attr]
    assert int(inside) == int(worker["environment"]["PORTRAIT_HTTP_PORT"])
    assert int(with_default(worker["deploy"]["replicas"])) <= int(last) - int(first) + 1


def test_the_image_runs_as_nobody_special_and_says_how_it_is() -> None:
    stage = DOCKERFILE.split("FROM ")[-1]
    assert re.search(r"^USER (?!root|0)\w+", stage, re.MULTILINE)
    assert "/livez" in stage
    assert "--require-hashes --requirement requirements.lock" in DOCKERFILE


def test_the_image_holds_every_package() -> None:
    copied = set(re.findall(r"^COPY (\w+) \1$", DOCKERFILE, re.MULTILINE))
    assert copied == {path.parent.name for path in ROOT.glob("*/__init__.py")}
