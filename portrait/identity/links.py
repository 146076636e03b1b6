"""The links of one identity: what was said of it and each other identity, in any order the same.

A link is a register: of all that was said of two identities, the word of the greatest time stands, of one time the end of the
link, and else that of the greatest hash. Both identities keep it, so each finds the
other; where one is behind, the later word of the two counts.
"""

from __future__ import annotations

import msgspec
from msgspec import field

from portrait.structures import NEVER
from schemas.customers import IdentityLinked, IdentityUnlinked
from schemas.event import Event
from schemas.identity import CUSTOMER, kind_of, kind_told

#: With more others than these an identity is shared: a till, a test address. It joins nobody any more.
LINKS_MAX = 64


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


class Links(msgspec.Struct, array_like=True, gc=False):
    """``shared``: there were more others than are kept. That stays, whatever is said later."""

    others: dict[str, Link] = field(default_factory=dict)
    shared: bool = False
    kind: str = ""  # of this one, as a link last told it; "" where its name shows it, or none has
    told: tuple[int, int] = (0, 0)  # when that was, and by which event


def later(a: Link, b: Link) -> Link:
    """The word that stands, with the first time of both. Of one time (of many it is whole seconds) the end of the link."""
    word = a if (a.ms, not a.on, a.event) >= (b.ms, not b.on, b.event) else b
    first_ms = min(a.first_ms, b.first_ms)
    return word if word.first_ms == first_ms else msgspec.structs.replace(word, first_ms=first_ms)


def united(a: Links | None, b: Links | None) -> Links | None:
    """What both say of one identity. At most LINKS_MAX others, as if they had been told in turn."""
    if a is None or b is None:
        return a or b
    others = dict(a.others)
    for other, link in b.others.items():
        others[other] = later(others[other], link) if other in others else link
    told, kind = max((a.told, a.kind), (b.told, b.kind))
    return Links(dict(list(others.items())[:LINKS_MAX]), a.shared or b.shared or len(others) > LINKS_MAX, kind, told)


def turned(link: Link) -> Link:
    """The same link as the other identity keeps it."""
    return msgspec.structs.replace(link, kind=link.mine, mine=link.kind)


def fold_link(links: Links | None, me: str, event: Event) -> tuple[Links | None, bool]:
    """Fold a link, or its end, whose key or ``other`` is ``me``: the links, changed in place, and whether they were changed.

    Folding the same event again changes nothing, so nobody needs to know whether it was folded.
    """
    data: IdentityLinked | IdentityUnlinked = event.data
    key, other = event.customer_id, data.other
    if key == other:
        return links, False
    link = _link(event, data)
    partner, new = (other, link) if me == key else (key, turned(link))
    links = links or Links()
    before = links.told, links.shared, links.others.get(partner)
    if new.on and kind_of(me) == CUSTOMER:  # who turns a link down says nothing of what the two are
        links.told, links.kind = max((links.told, links.kind), ((new.ms, new.event), new.mine))
    if partner in links.others:
        links.others[partner] = later(links.others[partner], new)
    elif len(links.others) < LINKS_MAX:
        links.others[partner] = new
    else:
        links.shared = True
    return links, before != (links.told, links.shared, links.others.get(partner))


def _link(event: Event, data: IdentityLinked | IdentityUnlinked) -> Link:
    on = isinstance(data, IdentityLinked)
    return Link(
        ms=event.time_ms,
        event=int.from_bytes(event.hash, "little"),
        on=on,
        kind=_told(data.other, data.kind),
        mine=_told(event.customer_id, data.key_kind or CUSTOMER),
        source=event.source,
        confidence=data.confidence if isinstance(data, IdentityLinked) else 0.0,
        by=data.by or "",
        reason=(data.reason or "") if isinstance(data, IdentityUnlinked) else "",
        first_ms=event.time_ms if on else NEVER,
    )


def _told(name: str, kind: str) -> str:
    return kind_told(kind) if kind_of(name) == CUSTOMER else ""


def own_kind(me: str, links: Links | None) -> str:
    """What an identity is: what its name shows, or else what was last told of it."""
    return (links.kind if links is not None else "") or kind_of(me)
