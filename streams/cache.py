"""The worker's memory of states: the least recently used go first."""

from __future__ import annotations

from collections import OrderedDict

from portrait.state import State


class Cached:
    """A state as it was last committed, its nonce, and the view's fields as they were last written (what is known of them)."""

    __slots__ = ("fields", "nonce", "state")

    def __init__(self, nonce: bytes, state: State | None) -> None:
        self.nonce = nonce
        self.state = state  # None: there is none yet
        self.fields: dict[str, bytes | None] = {}


class StateCache:
    """At most ``capacity`` states. `evolve` changes states in place, so whoever fails to commit one must `drop` it."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._entries: OrderedDict[str, Cached] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, customer_id: str) -> Cached | None:
        entry = self._entries.get(customer_id)
        if entry is not None:
            self._entries.move_to_end(customer_id)
        return entry

    def put(self, customer_id: str, entry: Cached) -> None:
        self._entries[customer_id] = entry

    def trim(self) -> None:
        """Forget what is over the capacity. Called between batches, so that a batch never loses a state that it works on."""
        while len(self._entries) > self.capacity:
            self._entries.popitem(last=False)

    def drop(self, customer_id: str) -> None:
        self._entries.pop(customer_id, None)

    def clear(self) -> None:
        self._entries.clear()
