"""Why customers leave. The one place where the truth is made.

A cause to leave begins by chance (price, a rival, a need that fades) or when patience is used up (service). While it lasts it
shows: fewer visits and purchases, searches for bargains, a rival's name, messages refused. Then some leave, and others stay
after all, so that no sign is certain. Of those who left some come back.
"""

from __future__ import annotations

from collections.abc import Callable

from cli.population import shopping, social
from cli.population.agenda import DAY_MS, Agenda, Process
from cli.population.catalogue import RIVALS
from cli.population.person import Person

#: How often a cause ends in leaving, and how often who left for it comes back.
LEAVING = {"service": 0.8, "price": 0.65, "rival": 0.65, "need": 0.7}
RETURNING = {"service": 0.15, "price": 0.35, "rival": 0.3, "need": 0.2}


def fate(agenda: Agenda, person: Person) -> Process:
    """Once a week: has a cause to leave come up?"""
    weekly = 7 / person.persona.trouble_days
    while not person.gone:
        yield agenda.between(5 * DAY_MS, 9 * DAY_MS)
        if person.away or person.last_item is None:
            continue
        person.grievance *= 0.95  # time heals
        if person.grievance >= person.patience:
            yield from _trouble(agenda, person, "service")
        elif agenda.chance(weekly):
            yield from _trouble(agenda, person, agenda.pick(person.persona.causes))


def _trouble(agenda: Agenda, person: Person, cause: str) -> Process:
    """Some weeks with a cause to leave, at the end of which the customer leaves or stays."""
    person.trouble = cause
    ends_ms = agenda.now_ms + agenda.between(14 * DAY_MS, 45 * DAY_MS)
    while agenda.now_ms < ends_ms:
        yield agenda.until_hour(agenda.days(6), person.persona.hours, person.region.offset_min)
        _SIGNS[cause](agenda, person)
    person.trouble = None
    if person.churned_at_ms is None and agenda.chance(LEAVING[cause]):
        person.churned_at_ms, person.cause = agenda.present_ms, cause
        if agenda.chance(RETURNING[cause]):
            person.comeback_at_ms = agenda.now_ms + agenda.between(45 * DAY_MS, 150 * DAY_MS)
    elif cause == "service":
        person.grievance = 0.0


def _service_signs(agenda: Agenda, person: Person) -> None:
    if person.persona.post_days and agenda.chance(0.4):
        social.mention(agenda, person, "rant")


def _price_signs(agenda: Agenda, person: Person) -> None:
    if agenda.chance(0.7):
        agenda.start(shopping.bargain_visit(agenda, person))


def _rival_signs(agenda: Agenda, person: Person) -> None:
    talks = bool(person.persona.post_days)
    if agenda.chance(0.6 if talks else 0.3):
        social.mention(agenda, person, "rival")
    elif agenda.chance(0.3):
        social.follow(agenda, person, agenda.pick(RIVALS[person.language]))


def _need_signs(agenda: Agenda, person: Person) -> None:
    """Nothing to see but absence: visits and purchases grow rare by themselves."""


_SIGNS: dict[str, Callable[[Agenda, Person], None]] = {
    "service": _service_signs,
    "price": _price_signs,
    "rival": _rival_signs,
    "need": _need_signs,
}
