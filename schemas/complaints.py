"""Topic ``complaints``: what went wrong for a customer, and how it ended."""

from __future__ import annotations

from schemas.topic import EventType, Topic
from schemas.types import Data, Key, Name, Severity, Stars, Text, Time


class ComplaintOpened(Data, frozen=True, kw_only=True, gc=False):
    """A customer complained; the event's time is the time of opening."""

    complaint_id: Key
    category: Name | None = None
    product: Name | None = None
    severity: Severity = "medium"
    channel: Name | None = None
    text: Text | None = None


class ComplaintUpdated(Data, frozen=True, kw_only=True, gc=False):
    """Something became known about a complaint: another category, a greater severity."""

    complaint_id: Key
    opened_at: Time
    category: Name | None = None
    severity: Severity | None = None
    text: Text | None = None


class ComplaintResolved(Data, frozen=True, kw_only=True, gc=False):
    """A complaint was settled, and perhaps the customer said how well."""

    complaint_id: Key
    opened_at: Time
    category: Name | None = None
    resolution: Name | None = None  # refund, exchange, apology, ...
    satisfaction: Stars | None = None


TOPIC = Topic(
    name="complaints",
    code=3,
    doc=__doc__,
    events=(
        EventType("complaint.opened", ComplaintOpened),
        EventType("complaint.updated", ComplaintUpdated),
        EventType("complaint.resolved", ComplaintResolved),
    ),
)
