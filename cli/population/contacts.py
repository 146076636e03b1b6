"""Messages to a customer, and what becomes of them."""

from __future__ import annotations

from cli.population import texts
from cli.population.agenda import DAY_MS, HOUR_MS, Agenda, Process
from cli.population.person import Person

CHANNELS = {"zh": ("wechat", "wechat", "sms", "push"), "en": ("email", "email", "push", "sms")}


def message(agenda: Agenda, person: Person, campaign: str) -> Process:
    """Sent, delivered, and perhaps opened and clicked, or refused. Those with a reason to leave read less and refuse more."""
    channel = "phone" if person.kind == "elderly-caller" else agenda.pick(CHANNELS[person.language])
    data = {"message_id": agenda.number("m"), "channel": channel, "campaign": campaign}
    person.emit(agenda, "contacts", "contact.sent", data)
    yield agenda.between(500, 60_000)
    if agenda.chance(0.04):
        return
    person.emit(agenda, "contacts", "contact.delivered", data)
    yield agenda.between(60_000, DAY_MS // 2)
    unhappy = bool(person.trouble) or person.away
    if agenda.chance(person.persona.refusing * (9 if unhappy else 1)):
        reason = texts.line(agenda, texts.REASONS["refuse"][person.language])
        person.emit(agenda, "contacts", "contact.refused", {**data, "reason": reason})
        if agenda.chance(0.6):
            person.reachable = False
            person.emit(agenda, "customers", "consent.changed", {"purpose": "marketing", "granted": False})
    elif agenda.chance(person.persona.opening * (0.3 if unhappy else 1.0)):
        person.emit(agenda, "contacts", "contact.opened", data)
        yield agenda.between(2_000, 120_000)
        if agenda.chance(0.35):
            person.emit(agenda, "contacts", "contact.clicked", data)


def win_back(agenda: Agenda, person: Person) -> Process:
    """The message that brings somebody back."""
    channel = agenda.pick(CHANNELS[person.language])
    data = {"message_id": agenda.number("m"), "channel": channel, "campaign": "win-back"}
    for type_ in ("contact.sent", "contact.delivered", "contact.opened", "contact.clicked"):
        person.emit(agenda, "contacts", type_, data)
        yield agenda.between(60_000, HOUR_MS)
