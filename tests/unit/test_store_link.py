"""The connection to a server that answers what it likes."""

from __future__ import annotations

import asyncio
import traceback

import pytest

from profile_store.contract import StoreRefused, StoreUnavailable
from profile_store.link import Link, Servers


@pytest.mark.parametrize(
    "answer", ["READONLY You can't write against a read only replica.", "LOADING", "MASTERDOWN", "CLUSTERDOWN"]
)
def test_after_not_now_the_name_is_asked_again_where_the_server_is(answer: str) -> None:
    async def scenario() -> None:
        connections = 0

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal connections
            connections += 1
            reply = f"-{answer}\r\n" if connections == 1 else "+PONG\r\n"  # the name leads to the new primary by now
            while data := await reader.read(4096):
                writer.write((reply if b"WORK" in data else "+OK\r\n" * data.count(b"*")).encode())
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        link = Link(Servers(f"redis://127.0.0.1:{port}", cluster=False, timeout_s=5), b"0")
        with pytest.raises(StoreUnavailable):
            await link.call(b"WORK", write=True)
        assert await link.call(b"WORK", write=True) == b"PONG"
        assert connections == 2
        await link.close()
        server.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("url", ["redis://user:pass/sesame@host:6379/0", "redis://user:pass[sesame@host:6379", "pass-sesame"])
def test_a_malformed_url_does_not_tell_the_password(url: str) -> None:
    with pytest.raises(StoreRefused, match="percent-encode") as told:
        Servers(url, cluster=False, timeout_s=1)
    assert "sesame" not in "".join(traceback.format_exception(told.value))
    assert "pass" not in str(told.value).replace("password", "")
