"""Reading every state, for checks: slow, complete, and without a look at the indexes, which may be what is wrong."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from urllib.parse import unquote

from profile_store.contract import ABSENT, Loaded, shard_of
from profile_store.keys import ShardKeys
from profile_store.reader import _FAILURES, AsyncProfileReader, _explain

_NONCE_BYTES = 8
PAGE = 1000  # keys that the server looks at in one go: below a millisecond of its time
_STATES = 200  # fetched in one go: some 400 KB


class StateReader(AsyncProfileReader):
    """`AsyncProfileReader` with `scan_states`."""

    async def scan_states(self) -> AsyncIterator[tuple[str, Loaded]]:
        """(id, state) of every customer; where a state changes meanwhile an id may come twice, its later state last.

        What is there from beginning to end comes for certain. Raises what the other methods raise.
        """
        for keys in await self._run(self._queries.keys()):
            names: list[bytes] = []
            try:
                async for name in self._client.scan_iter(match=f"{literally(keys.state)}*", count=PAGE):
                    names.append(name)
                    if len(names) == _STATES:
                        for found in await self._fetch(keys, names):
                            yield found
                        names = []
                for found in await self._fetch(keys, names):
                    yield found
            except _FAILURES as error:
                raise _explain(error) from error

    async def state_of(self, customer_id: str) -> Loaded:
        """One identity's, by its name; ABSENT where there is none."""
        keys = await self._run(self._queries.keys())
        shard = keys[shard_of(customer_id, len(keys))]
        try:
            found = await self._fetch(shard, [name.encode() for name in shard.states([customer_id])])
        except _FAILURES as error:
            raise _explain(error) from error
        return found[0][1] if found else ABSENT

    async def _fetch(self, keys: ShardKeys, names: list[bytes]) -> list[tuple[str, Loaded]]:
        if not names:
            return []
        values = await self._client.mget(names)
        prefix = keys.state.encode()
        return [
            (unquote(name.removeprefix(prefix).decode()), Loaded(value[:_NONCE_BYTES], value[_NONCE_BYTES:]))
            for name, value in zip(names, values, strict=True)
            if value is not None
        ]


def literally(text: str) -> str:
    """For Redis's patterns."""
    return re.sub(r"([*?\[\]\\^])", r"\\\1", text)
