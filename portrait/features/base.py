"""What a feature is: a part of every customer's state, the events that it folds, and the dimensions it shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from portrait.merging import Merge
from portrait.structures import NEVER
from schemas.event import Event
from schemas.types import Data

#: (part of the state, event, today) -> None; changes the part in place. ``today`` is the UTC day of the state's moment.
Fold = Callable[[Any, Event, int], None]
#: (part, today) -> (dimension as plain data, the next day on which it changes by itself). None: nothing to show yet.
View = Callable[[Any, int], tuple[dict[str, Any] | None, int]]
#: part -> when the newest of its evidence was, in epoch ms; 0: that is not kept.
Newest = Callable[[Any], int]


class Part(msgspec.Struct, array_like=True, gc=False):
    """Base of a feature's part of the state. Fields are stored by position: only ever append, each with a default."""


def unseen(part: Any, today: int) -> tuple[None, int]:
    """The view of a feature that derived dimensions show."""
    return None, NEVER


def kept(part: Any, today: int) -> None:
    """Of a feature without windows nothing expires."""


class Feature(NamedTuple):
    """One file declares one of these, and `portrait.features.registry` names it."""

    name: str  # attribute of the state, and field of the profile
    part: type[Part]
    folds: Mapping[type[Data], Fold]
    merge: Merge  # of the parts of two identities that are one person's: `portrait.merging`
    view: View = unseen
    expire: Callable[[Any, int], None] = kept  # drop what has left all windows
    every: Fold | None = None  # folds every event, of whatever type
    newest: Newest = lambda part: 0
    frequent: bool = False  # a single event of it changes little: derived dimensions wait until there are some
