"""The links of one identity: what was said of it and each other identity, in any order the same.

A link is a register: of all that was said of two identities, the word of the greatest time stands, of one time the end of the
link, and else that of the greatest hash. What events carry besides (``identities``) stands behind all that: an unlink is not
undone by the next click from the same device. Of these the surest stands, of them the earliest, so that a register rests.
Both identities keep it, so each finds the other; where one is behind, the word that stands of the two counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b

import msgspec
from msgspec import field

from portrait.structures import NEVER
from schemas.customers import IdentityLinked
from schemas.event import Event
from schemas.identity import CUSTOMER, LINKS, kind_of, kind_told

#: An identity keeps so many others, linked or no longer; of more, those whose names have the least hashes, in any order the same.
LINKS_MAX = 128


class Link(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What stands of two identities. ``first_ms``: when they were first linked; NEVER if they never were."""

    ms: int
    event: int  # the hash of the event that said it, as a number
    on: bool
    kind: str = ""  # of the other, as it was told; "" where its name shows it
    mine: str = ""  # of this one
    source: str = ""  # who published it
    confidence: float = 1.0
    by: str = ""  # the person who decided it
    reason: str = ""
    first_ms: int = NEVER
    carried: bool = False  # by an event about something else


class Links(msgspec.Struct, array_like=True, gc=False):
    """``full``: there were more others than are kept. That stays: nobody remembers who they were."""

    others: dict[str, Link] = field(default_factory=dict)
    full: bool = False
    kind: str = ""  # of this one, as a link last told it; "" where its name shows it, or none has
    told: tuple[int, int] = (0, 0)  # when that was, and by which event


def later(a: Link, b: Link) -> Link:
    """The word that stands, with the first time of both. Of one time (of many it is whole seconds) the end of the link."""
    word = a if _rank(a) >= _rank(b) else b
    first_ms = min(a.first_ms, b.first_ms)
    return word if word.first_ms == first_ms else msgspec.structs.replace(word, first_ms=first_ms)


def _rank(link: Link) -> tuple[int, float, int, int]:
    if link.carried:
        return 0, link.confidence, -link.ms, -link.event
    return 1, link.ms, not link.on, link.event


def united(a: Links | None, b: Links | None) -> Links | None:
    """What both say of one identity, as if it had been told in turn."""
    if a is None or b is None:
        return a or b
    others = dict(a.others)
    for other, link in b.others.items():
        others[other] = later(others[other], link) if other in others else link
    told, kind = max((a.told, a.kind), (b.told, b.kind))
    links = Links(others, a.full or b.full, kind, told)
    _make_room(links)
    return links


def turned(link: Link) -> Link:
    """The same link as the other identity keeps it."""
    return msgspec.structs.replace(link, kind=link.mine, mine=link.kind)


def fold_event(links: Links | None, me: str, event: Event) -> tuple[Links | None, bool]:
    """Fold what a named event says of ``me`` and others: the links, changed in place, and whether they were changed.

    Folding the same event again changes nothing, so nobody needs to know whether it was folded.
    """
    changed, key = False, event.customer_id
    for other, link in _words(event):
        if me in (key, other):
            links = links or Links()
            changed |= _fold(links, me, *((other, link) if me == key else (key, turned(link))))
    return links, changed


def _fold(links: Links, me: str, other: str, new: Link) -> bool:
    before = links.told, links.kind, links.full, links.others.get(other)
    if new.on and new.mine and kind_of(me) == CUSTOMER:  # who turns a link down says nothing of what the two are
        links.told, links.kind = max((links.told, links.kind), ((0, 0) if new.carried else (new.ms, new.event), new.mine))
    if other in links.others:
        links.others[other] = later(links.others[other], new)
    else:
        links.others[other] = new
        _make_room(links)
    return before != (links.told, links.kind, links.full, links.others.get(other))


def _make_room(links: Links) -> None:
    """The names that are kept have the least hashes of all that there ever were: so none of them was ever let go, and its word is
    of all that was said. An end of a link can't make room by itself: a word from before it may still come."""
    if len(links.others) > LINKS_MAX:
        links.full = True
        kept = sorted(links.others, key=_place)[:LINKS_MAX]
        links.others = {name: link for name, link in links.others.items() if name in set(kept)}


def _place(name: str) -> bytes:
    return blake2b(name.encode(), digest_size=8).digest()


def _words(event: Event) -> Iterator[tuple[str, Link]]:
    """Of each other identity, the link as the event's key keeps it."""
    data, key, number = event.data, event.customer_id, int.from_bytes(event.hash, "little")
    if type(data) in LINKS and data.other != key:
        on = isinstance(data, IdentityLinked)
        yield (
            data.other,
            Link(
                ms=event.time_ms,
                event=number,
                on=on,
                kind=_told(data.other, data.kind),
                mine=_told(key, data.key_kind or CUSTOMER),
                source=event.source,
                confidence=data.confidence if on else 0.0,
                by=data.by or "",
                reason="" if on else data.reason or "",
                first_ms=event.time_ms if on else NEVER,
            ),
        )
    for alias in data.identities:
        yield (
            alias.other,
            Link(
                ms=event.time_ms,
                event=number,
                on=True,
                kind=_told(alias.other, alias.kind) if alias.kind else "",
                source=event.source,
                confidence=alias.confidence,
                first_ms=event.time_ms,
                carried=True,
            ),
        )


def _told(name: str, kind: str) -> str:
    return kind_told(kind) if kind_of(name) == CUSTOMER else ""


def own_kind(me: str, links: Links | None) -> str:
    """What an identity is: what its name shows, or else what was last told of it."""
    return (links.kind if links is not None else "") or kind_of(me)
