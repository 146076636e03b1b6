"""All histories of one customer that were ever in the store: the one that is there now, and those that a lost tail took back.

Each write replaces the random mark (*nonce*) of the one that it was made from by its own. So the writes are a tree, and the path
to the nonce that is in the store now is the history that survived (docs/refold.md).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from oracle.refold import Life, Place, Step
from schemas.event import Event

#: Before the first write.
NOTHING = ""


class Write(NamedTuple):
    """An attempt to write a state; ``step`` is None where it only took published effects out."""

    before: str  # the nonce of the state that it was made from
    nonce: str
    step: Step | None
    confirmed: bool = True  # by the store; False: nobody heard of it


class Found(NamedTuple):
    """``life``: the history that survived; None if the writes do not lead to it."""

    life: Life | None
    raised: set[str]  # ids of what any history caused
    taken_back: int  # writes that are no part of the one that survived


def refold(customer_id: str, log: Mapping[Place, Event], writes: Sequence[Write], present: str) -> Found:
    """Refold every history. ``log``: as `Life` wants it. ``present``: the nonce in the store now.

    An attempt that was not confirmed was made all the same if another was made from it, or if it is in the store.
    """
    bases = {write.before for write in writes}
    made = [write for write in writes if write.confirmed or write.nonce in bases or write.nonce == present]
    following: dict[str, list[Write]] = defaultdict(list)
    for write in made:
        following[write.before].append(write)
    survived = _path(made, present)
    life, raised = None, set[str]()
    histories = [(NOTHING, Life(customer_id, log))]
    while histories:
        nonce, history = histories.pop()
        if nonce == present and survived is not None:
            life = history.fork() if following[nonce] else history
        branches = following[nonce]
        raised |= history.raised if not branches else set()
        for number, write in enumerate(branches, 1):
            branch = history if number == len(branches) else history.fork()
            if write.step is not None:
                branch.take(write.step)
            histories.append((write.nonce, branch))
    return Found(life, raised, len(made) - len(survived or ()))


def _path(made: Sequence[Write], present: str) -> list[Write] | None:
    """The writes that lead to what is in the store; None if they don't begin with the first."""
    by_nonce = {write.nonce: write for write in made}
    path, nonce = [], present
    while nonce != NOTHING:
        if nonce not in by_nonce:
            return None
        path.append(by_nonce.pop(nonce))
        nonce = path[-1].before
    return path
