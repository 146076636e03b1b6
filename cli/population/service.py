"""Complaints from their opening to their end, conversations, ratings, surveys."""

from __future__ import annotations

from typing import Any

from cli.population import texts
from cli.population.agenda import DAY_MS, MINUTE_MS, Agenda, Process
from cli.population.catalogue import FOOD, MEALS, Item
from cli.population.person import Person

SEVERITIES = ("low", "medium", "medium", "high", "critical")
UNRESOLVED = 0.25
#: A complaint that drags on, or ends nowhere, weighs more than what it was about; one made good takes weight away.
WAIT_GRIEVANCE, UNRESOLVED_GRIEVANCE, RELIEF = 0.4, 0.8, 0.7


def complaint(agenda: Agenda, person: Person, category: str, item: Item) -> Process:
    """Opened, updated while it drags on, and three times in four resolved."""
    complaint_id, opened_at = agenda.number("t"), person.iso(agenda, agenda.present_ms)
    severity = int(agenda.rng.random() * 4)
    channel = "phone" if person.kind == "elderly-caller" else agenda.pick(("app", "wechat", "web", "phone"))
    text = texts.write(agenda, texts.COMPLAINTS[_theme(category, item)][person.language], **person.slots(agenda, item))
    told = {} if channel == "wechat" else {"category": category}  # what comes by chat nobody has sorted
    opened = {
        "complaint_id": complaint_id,
        **told,
        "product": item.name[person.language],
        "severity": SEVERITIES[severity],
    }
    person.emit(agenda, "complaints", "complaint.opened", {**opened, "channel": channel, "text": text})
    unresolved = agenda.chance(UNRESOLVED)
    waits = 0
    while agenda.chance(0.8 if unresolved else 0.3) and waits < 4:
        waits += 1
        yield agenda.between(2 * DAY_MS, 5 * DAY_MS)
        person.grievance += WAIT_GRIEVANCE
        severity = min(severity + 1, len(SEVERITIES) - 1)
        text = texts.write(agenda, texts.UPDATES[person.language], **person.slots(agenda, item))
        data = {"complaint_id": complaint_id, "opened_at": opened_at, **told}
        person.emit(agenda, "complaints", "complaint.updated", {**data, "severity": SEVERITIES[severity], "text": text})
    if unresolved:
        person.grievance += UNRESOLVED_GRIEVANCE
        return
    yield agenda.between(DAY_MS // 4, 3 * DAY_MS)
    satisfaction = max(1, min(5, round(agenda.rng.gauss(4.3 - waits, 0.8))))
    if satisfaction >= 4:
        person.grievance = max(0.0, person.grievance - RELIEF)
    resolution = agenda.pick(("refund", "exchange", "apology", "voucher", "repair"))
    closed: dict[str, Any] = {
        "complaint_id": complaint_id,
        "opened_at": opened_at,
        **told,
        "resolution": resolution,
        "satisfaction": satisfaction,
    }
    person.emit(agenda, "complaints", "complaint.resolved", closed)


def _theme(category: str, item: Item) -> str:
    """The key of `texts.COMPLAINTS`: nobody finds loose threads in a soup."""
    if category == "late-delivery":
        return "late-meal" if item.shelf in MEALS else category
    if category == "quality" and item.shelf in FOOD:
        return "food"
    return "water" if category in ("quality", "wrong-item") and item.shelf == "water" else category


def conversation(agenda: Agenda, person: Person, item: Item) -> Process:
    """A call or a chat, told when it closes."""
    phone = person.kind == "elderly-caller"
    messages = 3 + int(agenda.rng.random() * 20)
    first_reply_ms = agenda.between(20_000, 15 * MINUTE_MS)
    yield first_reply_ms + messages * 30_000
    solved = agenda.chance(0.8)
    data = {
        "conversation_id": agenda.number("v"),
        "channel": "phone" if phone else agenda.pick(("wechat", "app", "web")),
        "messages": messages,
        "first_reply_ms": first_reply_ms,
        "solved": solved,
        "stars": max(1, min(5, round(agenda.rng.gauss(4.4 if solved else 2.2, 0.7)))),
        "text": texts.line(agenda, texts.CONVERSATIONS[person.language], **person.slots(agenda, item)),
    }
    person.emit(agenda, "feedback", "conversation.closed", data)
    if not solved:
        person.grievance += 0.25


def conversations(agenda: Agenda, person: Person) -> Process:
    """Questions that come up between purchases; some turn into a complaint about price or service."""
    while not person.gone:
        yield agenda.until_hour(agenda.days(90), person.persona.hours, person.region.offset_min)
        if person.away or person.last_item is None:
            continue
        yield from conversation(agenda, person, person.last_item)
        if agenda.chance(0.35 if person.trouble in ("service", "price") else 0.08):
            category = "price" if person.trouble == "price" else "service"
            agenda.start(complaint(agenda, person, category, person.last_item), agenda.between(MINUTE_MS, DAY_MS))


def rate(agenda: Agenda, person: Person, item: Item, late: bool) -> None:
    """Stars, and often words. Those in trouble give fewer stars."""
    bad = agenda.chance(0.7 if late or person.trouble else 0.1)
    stars = agenda.pick((1, 2, 2, 3)) if bad else agenda.pick((4, 5, 5, 5))
    data = {"stars": stars, "subject": "delivery" if late else "product", "sku": item.sku}
    if agenda.chance(0.7):
        data["text"] = texts.write(agenda, texts.REVIEWS["bad" if bad else "good"][person.language], **person.slots(agenda, item))
    person.emit(agenda, "feedback", "rating.given", data)


def surveys(agenda: Agenda, person: Person) -> Process:
    """A question every half year; few answer."""
    question = {"zh": "您有多大可能把我们推荐给朋友？", "en": "How likely are you to recommend us to a friend?"}[person.language]
    while not person.gone:
        yield agenda.until_hour(agenda.days(180), person.persona.hours, person.region.offset_min)
        if person.away or person.last_item is None or not agenda.chance(0.5):
            continue
        nps = max(0, min(10, round(agenda.rng.gauss(5.0 if person.trouble else 8.2 - person.grievance, 1.6))))
        mood = "good" if nps >= 8 else "bad"
        answer = texts.write(agenda, texts.REVIEWS[mood][person.language], **person.slots(agenda))
        data = {
            "survey": "nps",
            "question": question,
            "nps": nps,
            "answer": answer,
            "motives": [agenda.tint(person.persona.motives)],
        }
        person.emit(agenda, "feedback", "survey.answered", data)
