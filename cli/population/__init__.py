"""A seeded population of customers that browse, buy, complain, talk, and leave for a reason.

Pure: chance comes from the ``Random`` that is passed in, time from the arguments. The same seed and times give the same
bytes, whatever PYTHONHASHSEED says.

    people = Population(Random(1), customers=300, start_ms=start, end_ms=end)
    for event in people.history(): ...
    for truth in people.truth(): ...
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import NamedTuple

from cli.population import company, life, service, shopping, social
from cli.population.agenda import DAY_MS as DAY_MS
from cli.population.agenda import Agenda, Process
from cli.population.agenda import Emitted as Emitted
from cli.population.person import Person, born

#: Most have been customers since the beginning; the others join over the years.
FOUNDERS = 0.6
FOUNDING_DAYS = 30


class Truth(NamedTuple):
    """What really happened to one customer. Between the two times nothing was bought."""

    customer_id: str
    churned_at_ms: int | None
    cause: str | None  # service, price, rival, need
    returned_at_ms: int | None
    persona: str


class Population:
    """``customers`` people who join between ``start_ms`` and ``end_ms`` (epoch milliseconds)."""

    def __init__(self, rng: Random, *, customers: int, start_ms: int, end_ms: int) -> None:
        if customers < 1 or end_ms <= start_ms:
            raise ValueError("a population needs at least one customer, and an end after its start")
        self.start_ms, self.end_ms = start_ms, end_ms
        self._agenda = Agenda(rng, start_ms)
        self._people: list[Person] = []
        for _ in range(customers):
            founder = self._agenda.chance(FOUNDERS)
            span_ms = min(FOUNDING_DAYS * DAY_MS, end_ms - start_ms) if founder else end_ms - start_ms
            self._join(self._agenda.between(0, span_ms))

    def history(self) -> Iterator[Emitted]:
        """All events before ``end_ms``, in time order."""
        return self._agenda.run(self.end_ms)

    def live(self, clock_ms: Callable[[], int], rate: float) -> Iterator[Emitted]:
        """After the history: what comes next, without end, stamped with ``clock_ms()``. The caller waits 1/``rate`` s for each.

        The simulated time runs as much faster than the clock as that rate asks. Who has left for good is replaced by a newcomer.
        """
        agenda = self._agenda
        agenda.pace = max(1.0, rate * (self.end_ms - self.start_ms) / 1000 / max(1, agenda.emitted))
        replaced = 0
        day_ends_ms = self.end_ms
        while True:
            gone = sum(person.gone for person in self._people)
            for _ in range(gone - replaced):
                self._join(agenda.between(0, FOUNDING_DAYS * DAY_MS))
            replaced = gone
            day_ends_ms += DAY_MS
            yield from agenda.run(day_ends_ms, clock_ms)

    def truth(self) -> Iterator[Truth]:
        """What has really happened so far to each customer who has joined or will."""
        for person in self._people:
            yield Truth(person.id, person.churned_at_ms, person.cause, person.returned_at_ms, person.kind)

    def _join(self, after_ms: int) -> None:
        person = born(self._agenda, len(self._people) + 1)
        self._people.append(person)
        self._agenda.start(_live(self._agenda, person), after_ms)


def _live(agenda: Agenda, person: Person) -> Process:
    """Registration first, then everything else at once."""
    yield from company.register(agenda, person)
    for process in (
        shopping.purchases,
        shopping.idle_visits,
        service.conversations,
        service.surveys,
        social.posts,
        company.crm,
        company.campaigns,
        life.fate,
    ):
        agenda.start(process(agenda, person))
