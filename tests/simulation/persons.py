"""Who is one person in the end, and what is seen of them: the judge of worlds in which identities are linked and parted.

It asks who is one person, what is shown of them, where the others lead, and for every fragment's facts, against the oracle.
What justifies a single action of a person that came about meanwhile it does not ask; only that none is missing that a complaint
raises.

``python -m tests.simulation.persons FIRST LAST`` runs such worlds, with ``crowds`` after it those that begin with a crowd,
and with ``idle`` those in which anonymous fragments expire.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from typing import Any

from oracle.tools import day_of, of_type
from portrait.evolve import due_ms
from portrait.expiry import is_idle
from schemas.complaints import ComplaintOpened
from tests import persons
from tests.simulation.judge import Judge, Verdict
from tests.simulation.shape import DAY_MS


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
        self._idle()
        left = [name for name, state in self.states.items() if state.effects]
        self._add("effects_left", len(left), f"effects are still kept by {left}")
        self._add("died", len(self.world.deaths), f"workers ended themselves: {self.world.deaths}")
        return self.verdict

    def _persons(self) -> None:
        own = {name: [counted.event for counted in events] for name, events in self.events.items()}
        of_person = persons.persons([event for events in own.values() for event in events])
        goes_by = {name: self._view(name).get("goes_by", b"").decode() for name in self.states}
        days = [day_of(self.settled_ms), day_of(self.settled_ms + 2000)]
        for person, members in persons.groups(of_person, {*of_person, *own}).items():
            if missing := [name for name in members if name not in self.states]:
                self._add("lost", len(missing), f"no state of {missing}")
                continue
            wrong = list(persons.leads(person, members, self.states, goes_by))
            if events := [event for name in members for event in own.get(name, [])]:
                wrong += persons.shown(person, self.states[person], self._view(person), events, days)
            for counter, note in wrong:
                self._add(counter, 1, note)
        astray = sorted(self.world.astray)
        self._add("views_wrong", len(astray), f"at some moment readers saw something else of {astray} than where they lead")
        for name in self.states:
            wrong_fields = persons.unseen(name, self.states, self._view(name))
            self._add("views_wrong", bool(wrong_fields), f"readers see something else of {name}: {wrong_fields}")

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

    def _idle(self) -> None:
        """Whoever was idle for long enough is empty."""
        idle_ms = self.world.shape.idle_days * DAY_MS
        idle = [name for name, state in self.states.items() if ":" in name and is_idle(state, idle_ms, self.settled_ms)]
        self._add("not_expired", len(idle), f"{idle} have not expired")
        seen = {name for shard in self.world.backend.shards for name, view in shard.profiles.items() if view} - self.states.keys()
        self._add("views_wrong", len(seen), f"something is shown of {sorted(seen)}, of whom nothing is known")

    def _told(self) -> None:
        """Every complaint has raised an action, whoever its customer went by."""
        told = {id_ for a in self.actions.values() if a.rule == "every-complaint" for id_ in a.episode.split(",")}
        every = [counted.event for events in self.events.values() for counted in events]
        untold = {event.data.complaint_id for event in of_type(every, ComplaintOpened)} - told
        owed = self.world.owed - self.world.actions.keys() - self.world.lessons
        self._add("actions_missing", len(untold) + len(owed), f"complaints {sorted(untold)}; {len(owed)} that states held")


def main(first: int, last: int, worlds: str = "linked") -> int:
    from tests.simulation.shape import draw_crowds, draw_idle, draw_linked
    from tests.simulation.simulate import simulate

    harm, failed = Counter[str](), []
    for seed in range(first, last):
        outcome = simulate(seed, drawn={"crowds": draw_crowds, "idle": draw_idle}.get(worlds, draw_linked))
        harm.update({name: n for name, n in outcome.harm.items() if n})
        if not outcome.fine:
            failed.append(seed)
            sys.stdout.write(f"{seed}: {outcome.notes[:4]}\n")
    sys.stdout.write(json.dumps({"seeds": last - first, "failed": failed, "harm": dict(harm)}) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:4]))
