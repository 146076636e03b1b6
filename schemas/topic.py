"""How a topic declares itself: one `Topic` with its event types, from which decoding, docs and tests derive."""

from __future__ import annotations

from typing import NamedTuple

from schemas.types import Data


class EventType(NamedTuple):
    """One CloudEvents ``type`` and the Struct that its ``data`` must fit."""

    name: str
    data: type[Data]


class Topic(NamedTuple):
    """A topic of customers' events.

    ``code`` is stored in every customer's state (watermarks, id rings): never change or reuse one.
    """

    name: str
    code: int
    doc: str
    events: tuple[EventType, ...]
