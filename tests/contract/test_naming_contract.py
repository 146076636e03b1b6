"""How names of identities are made: the first worker that has a key notes it, and every store refuses who would make others."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from profile_store.contract import Store, StoreRefused
from schemas.identity import fingerprint
from tests.contract.places import nonce, write
from tests.contract.test_mending_contract import mender
from tests.contract.test_store_contract import place, scenario, servers

__all__ = ["place", "servers"]


MINE, OTHER, ABROAD = (fingerprint(*how) for how in ((b"k" * 16,), (b"l" * 16,), (b"k" * 16, "44")))


@pytest.mark.parametrize(
    ("naming", "why"), [("", "none is set"), (OTHER, "another identity key"), (ABROAD, "PORTRAIT_COUNTRY=86")]
)
def test_names_are_made_as_the_first_worker_with_a_key_made_them(place: Any, naming: str, why: str) -> None:
    async def play() -> None:
        keyless, first, same = place.store("w0"), place.store("w1", naming=MINE), place.store("w2", naming=MINE)
        late = place.store("w3", naming=naming)
        try:
            await keyless.open()
            for store in (first, same):
                await store.open()
                await store.new_chain()
                await store.check()
            for refused in (late.open, late.check, late.new_chain, keyless.check):
                with pytest.raises(StoreRefused, match="PORTRAIT") as told:
                    await refused()
                assert "k" * 16 not in str(told.value)
            with pytest.raises(StoreRefused, match=why):
                await late.open()
            assert await first.commit([write("C1")], {}, nonce()) == []
        finally:
            for store in (keyless, first, same, late):
                await store.close()

    asyncio.run(play())


@scenario
async def test_a_wiped_store_takes_the_first_name_again(place: Any, store: Store) -> None:
    """Who has run until then with another key finds so when it begins anew, before it writes anything."""
    first, other = place.store("w1", naming=MINE), place.store("w2", naming=OTHER)
    try:
        await first.open()
        place.wipe()
        await other.open()
        await other.new_chain()
        with pytest.raises(StoreRefused, match="another identity key"):
            await first.new_chain()
    finally:
        await first.close()
        await other.close()


@scenario
async def test_who_mends_is_refused_with_another_key_and_notes_none(place: Any, store: Store) -> None:
    first, same, other = mender(place, OTHER), mender(place, MINE), mender(place, OTHER)
    try:
        await first.open()
        await store.check()  # has no key, and nothing was noted
        worker = place.store("w2", naming=MINE)
        await worker.open()
        await worker.close()
        await same.open()
        for refused in (first.check(), other.open(), other.new_chain(), mender(place).open()):
            with pytest.raises(StoreRefused, match="identity key"):
                await refused
    finally:
        for each in (first, same, other):
            await each.close()
