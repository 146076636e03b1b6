"""Constrained scalar types that every contract shares.

Bounds are part of the contract: a value outside them is a dead letter that names the path. They are wide enough for
any honest event, and narrow enough that no event can blow up a profile (guarantee G7).
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from schemas.currencies import Currency as Currency

#: RFC 3339 with an offset: ``2026-05-01T09:30:00+08:00``. The offset tells the customer's local hour.
Time = Annotated[datetime, Meta(tz=True, description="RFC 3339 date-time with an offset")]

#: Identifiers of things: orders, complaints, sessions, skus.
Key = Annotated[str, Meta(min_length=1, max_length=128)]
#: A short name from an open vocabulary: channel, platform, category, brand, device, region.
Name = Annotated[str, Meta(min_length=1, max_length=64)]
#: A line of text: page, title, search query.
Line = Annotated[str, Meta(min_length=1, max_length=256)]
#: Free text. Never stored in a profile, only what is understood from it.
Text = Annotated[str, Meta(max_length=10_000)]

Count = Annotated[int, Meta(ge=0, le=10**12)]
Quantity = Annotated[int, Meta(ge=1, le=1_000_000)]
#: Money is integer minor units (fen, cents): 12.50 CNY is 1250.
Minor = Annotated[int, Meta(ge=0, le=10**13, description="integer minor units of the currency")]
DurationMs = Annotated[int, Meta(ge=0, le=86_400_000, description="milliseconds, at most a day")]

#: Another identity, as a record's key names one: longer than a thing's, for keys may be (`schemas.event.customer_id_of`).
Other = Annotated[str, Meta(min_length=1, max_length=256)]
#: The same beside what an event is about. What can be no identity is left out of the event, so it is not refused for its length.
Carried = Annotated[str, Meta(description="an identity, as keys are written: 1 to 256 bytes of UTF-8")]
#: An event names so many identities besides its key.
IDENTITIES_MAX = 8

#: Why people buy.
Motive = Literal["quality", "price", "efficiency", "identity", "status", "sustainability", "health", "novelty"]
Severity = Literal["low", "medium", "high", "critical"]
#: What the customer was asked to give, scaled to 1 (worst) to 5 (best).
Stars = Annotated[int, Meta(ge=1, le=5)]


class Alias(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """Another identity of whoever an event is about: a link between the two, as of the event."""

    other: Carried
    kind: Name | None = None  # where its form does not show it; an e-mail address or number may then stand for itself
    confidence: Annotated[float, Meta(ge=0.0, le=1.0)] = 1.0


class Data(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """Base of every event's ``data``. Unknown fields are ignored, so that publishers may be newer than we are."""

    #: further identities of the same person, as keys are written, or with what is known of the link
    identities: Annotated[tuple[Carried | Alias, ...], Meta(max_length=IDENTITIES_MAX)] = ()
