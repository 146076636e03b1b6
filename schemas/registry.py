"""The one list of event topics. A new topic is a file beside this one and one name here.

Order is the order in documents; ``code`` is what states store.
"""

from __future__ import annotations

from schemas import clicks, complaints, contacts, customers, feedback, orders, social

EVENT_TOPICS = (
    clicks.TOPIC,
    orders.TOPIC,
    complaints.TOPIC,
    social.TOPIC,
    feedback.TOPIC,
    customers.TOPIC,
    contacts.TOPIC,
)

BY_NAME = {topic.name: topic for topic in EVENT_TOPICS}
BY_CODE = {topic.code: topic for topic in EVENT_TOPICS}
TYPES = {event.name: (topic, event) for topic in EVENT_TOPICS for event in topic.events}

if len(BY_CODE) != len(EVENT_TOPICS) or len(TYPES) != sum(len(t.events) for t in EVENT_TOPICS):
    raise RuntimeError("schemas.registry: topic codes and event types must be unique")

#: Topics that Portrait writes.
ACTIONS = "retention-actions"
DEAD_LETTERS = "dead-letters"
#: Compacted; key: origin of a dead letter that has been replayed. Such an origin no longer comes in by itself.
REPLAYED = "dead-letters-replayed"
LESSONS = "lessons"
MODELS = "models"
#: What the service tells those who run it; nothing in it is about a customer.
OPERATOR_ACTIONS = "operator-actions"
#: Key: an identity that has expired. What the record says of it holds for as long as the events are kept.
EXPIRED = "expired"
OUTPUT_TOPICS = (ACTIONS, DEAD_LETTERS, REPLAYED, LESSONS, MODELS, OPERATOR_ACTIONS, EXPIRED)
