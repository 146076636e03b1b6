"""Which models a worker understands texts with: those that an operator has adopted, or the shipped ones (ADR 19)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, NoReturn

import structlog

from language import force
from language.force import Adopted, come_into_force, read
from language.learned import Unusable
from streams.learning import ADOPTED_KEY, REBUILT_KEY, key_of, publish, records
from streams.log import Record
from streams.metrics import Metrics

log = structlog.get_logger()


class TextModels:
    """Follows what is adopted. Before `begin`, it only takes note: of several documents the last one counts."""

    def __init__(self, refuse: Callable[[str], NoReturn], metrics: Metrics) -> None:
        """``refuse``: what was adopted can't be used; it does not return, for others may read texts by it."""
        self._refuse, self._metrics = refuse, metrics
        self._document: bytes | None = None
        self._begun = False

    def take(self, record: Record) -> bool:
        """Whether the record is one of the models of texts."""
        name = key_of(record)
        if name == ADOPTED_KEY:
            self._document = record.value or None
            if self._begun:
                self._use()
        return name is not None

    def begin(self) -> None:
        """All that there is has been taken."""
        self._begun = True
        self._use()

    def _use(self) -> None:
        try:
            adopted = _adopted(self._document)
        except Unusable as error:
            self._refuse(
                f"the models of texts that were adopted can't be used: {error}. Adopt others, for all workers: "
                "`portrait language adopt`, or go back to those of the release: `portrait language adopt --shipped`"
            )
        before = force.version()
        come_into_force(adopted)
        self._metrics.reads(force.version())
        if force.version() != before:
            log.info("texts are understood with other models from now on", version=force.version(), before=before)


def _adopted(document: bytes | None) -> Adopted | None:
    """None: what was shipped. Raises Unusable."""
    return read(document) if document else None


class Standing(NamedTuple):
    """Versions: what is in force, and what all profiles were last made anew with."""

    in_force: str
    rebuilt: str


def standing(found: Mapping[str, bytes]) -> Standing:
    """By what `records` has found. Raises Unusable."""
    adopted = _adopted(found.get(ADOPTED_KEY))
    return Standing(
        adopted.version if adopted else force.SHIPPED, found.get(REBUILT_KEY, force.SHIPPED.encode()).decode(errors="replace")
    )


async def use_adopted(bootstrap: str) -> Standing:
    """From now on this process understands texts as workers do. Raises Unusable, KafkaProblem."""
    found = await records(bootstrap)
    come_into_force(_adopted(found.get(ADOPTED_KEY)))
    return standing(found)


async def note_rebuilt(bootstrap: str) -> bool:
    """All profiles were made anew by this process. False: others have been adopted meanwhile, and it was partly in vain."""
    stands, mine = standing(await records(bootstrap)), force.version()
    if stands.in_force == mine != stands.rebuilt:
        await publish(bootstrap, REBUILT_KEY, mine.encode())
    return stands.in_force == mine
