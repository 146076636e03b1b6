"""Topic ``contacts``: messages that the company sent to a customer, and what became of them."""

from __future__ import annotations

from schemas.topic import EventType, Topic
from schemas.types import Data, Key, Line, Name


class Contact(Data, frozen=True, kw_only=True, gc=False):
    message_id: Key
    channel: Name  # email, sms, push, wechat, phone, ...
    campaign: Name | None = None


class ContactSent(Contact, frozen=True, kw_only=True, gc=False):
    """A message was sent."""

    action_id: Key | None = None  # the retention action that caused it


class ContactDelivered(Contact, frozen=True, kw_only=True, gc=False):
    """The message reached its channel."""


class ContactOpened(Contact, frozen=True, kw_only=True, gc=False):
    """The message was opened."""


class ContactClicked(Contact, frozen=True, kw_only=True, gc=False):
    """A link in the message was followed."""


class ContactRefused(Contact, frozen=True, kw_only=True, gc=False):
    """Bounced by will: unsubscribed, blocked, hung up, marked as spam."""

    reason: Line | None = None


TOPIC = Topic(
    name="contacts",
    code=7,
    doc=__doc__,
    events=(
        EventType("contact.sent", ContactSent),
        EventType("contact.delivered", ContactDelivered),
        EventType("contact.opened", ContactOpened),
        EventType("contact.clicked", ContactClicked),
        EventType("contact.refused", ContactRefused),
    ),
)
