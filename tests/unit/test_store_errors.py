"""What the server's answers and silences mean for the store."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from redis import exceptions as r
from redis._parsers import BaseParser

from profile_store.contract import ChainBroken, StoreError, StoreRefused, StoreUnavailable, StoreUncertain
from profile_store.inspector import Inspector
from profile_store.link import explain
from profile_store.redis_store import _raise_worst


@pytest.mark.parametrize(
    "answer",
    [
        "LOADING Redis is loading the dataset in memory",
        "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
        "READONLY You can't write against a read only replica. script: 5d, on @user_script:24.",
        "OOM command not allowed when used memory > 'maxmemory'. script: 5d, on @user_script:24.",
        "ERR Error running script (call to f_5d): @user_script:24: @user_script: 24: -OOM command not allowed",  # Redis 6.2
        "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
        "NOREPLICAS Not enough good replicas to write.",
        "BUSY Redis is busy running a script.",
        "CLUSTERDOWN The cluster is down",
        "TRYAGAIN Multiple keys request during rehashing of slot",
        "ASK 3999 127.0.0.1:6381",
    ],
)
def test_an_answer_that_means_not_now_says_that_nothing_was_written(answer: str) -> None:
    assert isinstance(explain(BaseParser.parse_error(answer), sent_write=True), StoreUnavailable)


@pytest.mark.parametrize(
    "answer",
    [
        "NOAUTH Authentication required.",
        "WRONGPASS invalid username-password pair or user is disabled.",
        "NOPERM this user has no permissions to run the 'evalsha' command",
        "WRONGTYPE Operation against a key holding the wrong kind of value",
        "ERR unknown command 'EVALSHA'",
        "ERR the value mentions OOM and BUSY somewhere",
    ],
)
def test_an_answer_that_waiting_cannot_mend_is_a_refusal(answer: str) -> None:
    assert isinstance(explain(BaseParser.parse_error(answer), sent_write=True), StoreRefused)


@pytest.mark.parametrize("error", [r.ConnectionError("reset by BUSY.example -OOM"), r.TimeoutError("late"), OSError("pipe")])
def test_a_lost_connection_is_uncertain_once_a_write_was_sent(error: Exception) -> None:
    assert isinstance(explain(error, sent_write=True), StoreUncertain)
    assert isinstance(explain(error), StoreUnavailable)


@pytest.mark.parametrize(
    ("outcomes", "raised"),
    [
        ([[], StoreUnavailable()], StoreUncertain),  # one shard was written: "nothing was" would be a lie
        ([StoreUnavailable(), StoreUnavailable()], StoreUnavailable),
        ([StoreUnavailable(), ChainBroken()], ChainBroken),
        ([StoreUncertain(), ChainBroken()], ChainBroken),
        ([StoreUncertain(), StoreRefused()], StoreRefused),
        ([[], ValueError()], ValueError),
    ],
)
def test_of_several_shards_the_worst_news_is_told(outcomes: list[Any], raised: type[Exception]) -> None:
    with pytest.raises(raised) as told:
        _raise_worst(outcomes)
    assert type(told.value) is raised


class FakeLink:
    def __init__(self, info: bytes | StoreError) -> None:
        self._info = info

    async def call(self, *_: Any) -> bytes:
        if isinstance(self._info, StoreError):
            raise self._info
        return self._info


def check(info: bytes | StoreError, cluster: bool = False) -> None:
    asyncio.run(Inspector(FakeLink(info)).first(cluster))  # type: ignore[arg-type]


def test_old_servers_are_refused() -> None:
    with pytest.raises(StoreRefused, match=r"6\.2 or later"):
        check(b"# Server\r\nredis_version:6.0.16\r\n")
    check(b"redis_version:6.2.0\r\n")
    check(b"redis_version:10.0.0\r\n")


def test_servers_that_evict_are_refused() -> None:
    with pytest.raises(StoreRefused, match="noeviction"):
        check(b"redis_version:7.0.0\r\nmaxmemory:100\r\nmaxmemory_policy:allkeys-lru\r\n")
    check(b"redis_version:7.0.0\r\nmaxmemory:0\r\nmaxmemory_policy:allkeys-lru\r\n")
    check(b"redis_version:7.0.0\r\nmaxmemory:100\r\nmaxmemory_policy:noeviction\r\n")


def test_a_clusters_node_is_refused_as_a_single_server() -> None:
    with pytest.raises(StoreRefused, match="PORTRAIT_CLUSTER"):
        check(b"redis_version:7.0.0\r\ncluster_enabled:1\r\n")
    check(b"redis_version:7.0.0\r\ncluster_enabled:1\r\n", cluster=True)


def test_a_server_that_does_not_tell_is_taken_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    check(StoreRefused("NOPERM"))
    assert "noeviction" in caplog.text
