"""Worlds in which identities are linked and parted: ``python -m tests.simulation.persons FIRST LAST [SHARE OF LINKS]``.

The usual worlds and faults, with links among the events, a fifth as many ends of links, and devices among the customers; and of
two shards one alone may lose its tail. The judge is one of its own: who is one person, what is shown of them, where the others
lead, and every fragment's facts, against the oracle. What justifies a single action of a person that came about meanwhile it
does not ask; only that none is missing that a complaint raises.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from random import Random
from typing import Any
from unittest.mock import patch

import oracle.identities
from oracle.orders import purchase_days
from oracle.stage import stage_of
from oracle.tools import day_of, of_type
from portrait.evolve import due_ms
from profile_store.memory import MemoryShard
from schemas.complaints import ComplaintOpened
from schemas.event import Event
from tests.simulation import events as applications
from tests.simulation import simulate
from tests.simulation.judge import Judge, Verdict
from tests.simulation.world import World

NAMES = 12


def name_of(number: int) -> str:
    return f"device:d{number}" if number % 3 == 1 else f"C{number}"


def _linked(rng: Random, number: int, time: str) -> dict[str, Any]:
    data = {"other": name_of(rng.randrange(NAMES)), "kind": "customer", "confidence": rng.choice([1, 0.9, 0.3])}
    return data | ({"by": "lin"} if rng.random() < 0.3 else {})


def _unlinked(rng: Random, number: int, time: str) -> dict[str, Any]:
    return {"other": name_of(rng.randrange(NAMES)), "kind": "customer"}


class PersonsJudge(Judge):
    def judge(self) -> Verdict:
        self._persons()
        seen = {name: state for name, state in self.states.items() if state.events}
        every, self.states = self.states, seen
        self._facts()
        self._dead_letters()
        self.states = every
        self._entries()
        self._told()
        left = [name for name, state in self.states.items() if state.effects]
        self._add("effects_left", len(left), f"effects are still kept by {left}")
        self._add("died", len(self.world.deaths), f"workers ended themselves: {self.world.deaths}")
        return self.verdict

    def _persons(self) -> None:
        own = {name: [counted.event for counted in events] for name, events in self.events.items()}
        persons = oracle.identities.persons(event for events in own.values() for event in events)
        groups: dict[str, list[str]] = defaultdict(list)
        for name in sorted({*persons, *own}):
            groups[persons.get(name, name)].append(name)
        for person, members in groups.items():
            if missing := [name for name in members if name not in self.states]:
                self._add("lost", len(missing), f"no state of {missing}")
                continue
            self._leads(person, members)
            if events := [event for name in members for event in own.get(name, [])]:
                self._shown(person, events)

    def _leads(self, person: str, members: list[str]) -> None:
        """The others lead to the one that the person goes by, and it knows them."""
        stored = self.states[person].members
        self._add("views_wrong", stored != (members if len(members) > 1 else []), f"{person} has {stored}, not {members}")
        for name in members:
            leads, view = self.states[name].person, self._view(name).get("goes_by", b"").decode()
            wanted = "" if name == person else person
            self._add("views_wrong", (leads, view) != (wanted, wanted), f"{name} leads to {leads!r}, {view!r}, not {wanted!r}")

    def _shown(self, person: str, events: list[Event]) -> None:
        first_day = day_of(min(event.time_ms for event in events))
        moments = (self.settled_ms, self.settled_ms + 2000)
        right = {stage_of(purchase_days(events), first_day, day_of(ms)).name for ms in moments}
        stage, shown = self.states[person].stage, json.loads(self._view(person).get("activity", b'{"events": {"total": 0}}'))
        self._add("stages_wrong", stage not in right, f"{person}: {stage}, not {sorted(right)}")
        n = shown["events"]["total"]
        self._add("views_wrong", n != len(events), f"{person} shows {n} of {len(events)} events")

    def _view(self, name: str) -> dict[str, bytes]:
        return next((shard.profiles[name] for shard in self.world.backend.shards if name in shard.profiles), {})

    def _entries(self) -> None:
        """Due times, risks and stages, as the states have them: who leads elsewhere has none."""
        wanted: dict[str, dict[str, Any]] = {
            "due": {name: due for name, state in self.states.items() if (due := due_ms(state)) is not None},
            "risk": {name: state.risk for name, state in self.states.items() if state.risk is not None},
            "stages": {name: state.stage for name, state in self.states.items() if state.stage},
        }
        for index, entries in wanted.items():
            found = {name: value for shard in self.world.backend.shards for name, value in getattr(shard, index).items()}
            wrong = sorted(name for name in entries.keys() | found.keys() if entries.get(name) != found.get(name))
            self._add("indexes_wrong", len(wrong), f"index {index}: {wrong}")

    def _told(self) -> None:
        """Every complaint has raised an action, whoever its customer went by."""
        told = {id_ for a in self.actions.values() if a.rule == "every-complaint" for id_ in a.episode.split(",")}
        every = [counted.event for events in self.events.values() for counted in events]
        untold = {event.data.complaint_id for event in of_type(every, ComplaintOpened)} - told
        owed = self.world.owed - self.world.actions.keys() - self.world.lessons
        self._add("actions_missing", len(untold) + len(owed), f"complaints {sorted(untold)}; {len(owed)} that states held")


@contextlib.contextmanager
def linked_worlds(share: float) -> Iterator[None]:
    """While this lasts, `simulate` makes such worlds."""
    kinds = (
        *applications.KINDS,
        (share, "customers", "identity.linked", _linked),
        (share / 5, "customers", "identity.unlinked", _unlinked),
    )
    append, again, restore = World.append, applications.Applications._again, World.restore

    def renamed(world: World, topic: str, customer: str, value: bytes | None) -> None:
        append(world, topic, name_of(int(customer[1:])) if customer[0] == "C" else customer, value)

    def restored(world: World, backup: list[MemoryShard] | None) -> None:
        """Often one shard stays as it is: of a cluster, each server loses its own tail."""
        stays = world.rng.randrange(len(world.backend.shards))
        if backup is not None and len(backup) > 1 and world.rng.random() < 0.7:
            backup = [*backup[:stays], world.backend.snapshot()[stays], *backup[stays + 1 :]]
        restore(world, backup)

    with (
        patch.object(World, "restore", restored),
        patch.object(applications, "KINDS", kinds),
        patch.object(applications, "_SHARES", [kind[0] for kind in kinds]),
        patch.object(World, "append", renamed),
        patch.object(applications.Applications, "_again", lambda self, topic, name: again(self, topic, name_of(int(name[1:])))),
        patch.object(simulate, "judge", lambda world: PersonsJudge(world).judge()),
    ):
        yield


def main(first: int, last: int, share: float = 0.05) -> int:
    harm, failed = Counter[str](), []
    with linked_worlds(share):
        for seed in range(first, last):
            outcome = simulate.simulate(seed)
            harm.update({name: n for name, n in outcome.harm.items() if n})
            if not outcome.fine:
                failed.append(seed)
                sys.stdout.write(f"{seed}: {outcome.notes[:4]}\n")
    sys.stdout.write(json.dumps({"seeds": last - first, "failed": failed, "harm": dict(harm)}) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), *map(float, sys.argv[3:4])))
