"""What a shard says of itself, while somebody empties it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from profile_store.contract import StoreRefused
from profile_store.keys import shard_keys
from profile_store.redis_store import _Shard


class Wiped:
    """A server's hashes, all of which are gone before the first time that one is read."""

    def __init__(self, **there: int) -> None:
        self.there = there
        self.wipes = 1

    async def call(self, command: bytes, key: str, *words: Any) -> Any:
        if command == b"HSETNX":
            return self.there.setdefault(words[0].decode(), words[1])
        if self.wipes:
            self.wipes -= 1
            self.there.clear()
        return [self.there.get(name.decode()) for name in words]


def check(link: Any, shards: int = 1) -> None:
    shard = _Shard(shard_keys("", 1)[0], link, link, "chain")
    asyncio.run(shard.check_meta(shards))


def test_a_store_that_is_wiped_while_a_worker_opens_it_is_an_empty_store() -> None:
    link = Wiped()
    check(link)
    assert link.there == {"format": 1, "shards": 1}


def test_what_it_says_otherwise_is_refused() -> None:
    link = Wiped(format=2, shards=1)
    link.wipes = 0
    with pytest.raises(StoreRefused, match="format 2"):
        check(link)
    link = Wiped(format=1, shards=3)
    link.wipes = 0
    with pytest.raises(StoreRefused, match="3 shards"):
        check(link)
