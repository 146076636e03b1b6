"""What the company does and knows: registration, CRM, consent, campaigns."""

from __future__ import annotations

from cli.population import contacts
from cli.population.agenda import DAY_MS, HOUR_MS, Agenda, Process
from cli.population.person import Person, work

LEVELS = ("bronze", "silver", "gold", "platinum")
PURPOSES = (("service", "contract", 1.0), ("marketing", "consent", 0.85), ("profiling", "consent", 0.8))


def register(agenda: Agenda, person: Person) -> Process:
    """The first hour of a customer: attributes, ids in other systems, consent."""
    level = "platinum" if person.kind == "vip" else "bronze"
    attributes = {
        "name": person.name,
        "gender": "female" if person.woman else "male",
        "birth_year": str(2026 - person.age),
        "region": person.region.name,
        "language": person.language,
        "occupation": work(agenda, person),
        "member_level": level,
    }
    if person.kind == "opinion-leader-mother":
        attributes["children"] = str(agenda.rng.randint(1, 2))
    person.emit(agenda, "customers", "attributes.changed", {"attributes": attributes})
    yield agenda.between(1_000, 60_000)
    person.emit(
        agenda, "customers", "external-id.assigned", {"system": "crm", "external_id": f"{int(person.id[1:]) + 40_000:08d}"}
    )
    for purpose, basis, share in PURPOSES:
        yield agenda.between(500, 5_000)
        granted = agenda.chance(share)
        person.emit(agenda, "customers", "consent.changed", {"purpose": purpose, "granted": granted, "basis": basis})
        if purpose == "marketing":
            person.reachable = granted
    if person.persona.post_days:
        yield from _identity(agenda, person)


def _identity(agenda: Agenda, person: Person) -> Process:
    """The social handle is matched to the customer; now and then by mistake, which is taken back."""
    yield agenda.between(HOUR_MS, 20 * DAY_MS)
    mistaken = agenda.chance(0.08)
    other = f"{person.handle}{'_2' if mistaken else ''}"
    person.emit(
        agenda, "customers", "identity.linked", {"other": other, "kind": "social", "confidence": 0.6 if mistaken else 0.95}
    )
    if mistaken:
        yield agenda.between(DAY_MS, 10 * DAY_MS)
        person.emit(agenda, "customers", "identity.unlinked", {"other": other, "kind": "social", "reason": "matched by mistake"})


def crm(agenda: Agenda, person: Person) -> Process:
    """Lives change: a new level, another job, a move."""
    level = 3 if person.kind == "vip" else 0
    while not person.gone:
        yield agenda.until_hour(agenda.days(160), range(9, 18), person.region.offset_min)
        if person.away or person.last_item is None:
            continue
        level = min(level + 1, len(LEVELS) - 1)
        change = agenda.pick(
            ({"member_level": LEVELS[level]}, {"member_level": LEVELS[level]}, {"occupation": work(agenda, person)})
        )
        person.emit(agenda, "customers", "attributes.changed", {"attributes": change})


def campaigns(agenda: Agenda, person: Person) -> Process:
    """A message every few weeks to whom it may be sent; to those who left, for some months."""
    names = ("new-arrivals", "members-day", "seasonal-sale", "recommendations")
    while person.reachable and not _forgotten(agenda, person):
        yield agenda.until_hour(agenda.days(28), range(9, 20), person.region.offset_min)
        if person.reachable:
            yield from contacts.message(agenda, person, "we-miss-you" if person.away else agenda.pick(names))


def _forgotten(agenda: Agenda, person: Person) -> bool:
    return person.gone and agenda.present_ms - (person.churned_at_ms or 0) > 90 * DAY_MS
