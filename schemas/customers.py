"""Topic ``customers``: what the CRM knows: attributes, links between identities, consent."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from schemas.topic import EventType, Topic
from schemas.types import Data, Key, Line, Name, Other


class AttributesChanged(Data, frozen=True, kw_only=True, gc=False):
    """What is given replaces what this system, or a less trusted one, told before (docs/quality.md); what is left out stays.

    An empty string takes an attribute back.
    """

    attributes: Annotated[dict[Name, Annotated[str, Meta(max_length=256)]], Meta(min_length=1, max_length=32)]
    system: Name = "crm"  # who tells it: self (the customer), crm, checkout, partner:x, inferred, ...


class ExternalIdAssigned(Data, frozen=True, kw_only=True, gc=False):
    """This customer's id in another system: ``crm`` / ``00042``. Looked up with ``ProfileReader.by_external_id``."""

    system: Name
    external_id: Key


class IdentityLinked(Data, frozen=True, kw_only=True, gc=False):
    """The record's key and ``other`` are one person. Their profiles become one, until the link is taken back."""

    other: Other
    kind: Name
    confidence: Annotated[float, Meta(ge=0.0, le=1.0)] = 1.0
    key_kind: Name | None = None  # of the record's key, where its form does not show it and it is no customer
    by: Name | None = None  # the person who decided it, where no rule did


class IdentityUnlinked(Data, frozen=True, kw_only=True, gc=False):
    """The link was a mistake, or no longer holds: each is again what they would be if it had never been."""

    other: Other
    kind: Name
    reason: Line | None = None
    key_kind: Name | None = None
    by: Name | None = None


class ConsentChanged(Data, frozen=True, kw_only=True, gc=False):
    """The customer agreed to a purpose of processing, or took that back."""

    purpose: Name  # service, marketing, profiling, ...
    granted: bool
    basis: Literal["consent", "contract", "legal-obligation", "legitimate-interest"] = "consent"


TOPIC = Topic(
    name="customers",
    code=6,
    doc=__doc__,
    events=(
        EventType("attributes.changed", AttributesChanged),
        EventType("external-id.assigned", ExternalIdAssigned),
        EventType("identity.linked", IdentityLinked),
        EventType("identity.unlinked", IdentityUnlinked),
        EventType("consent.changed", ConsentChanged),
    ),
)
