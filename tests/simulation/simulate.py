"""One seed from beginning to end."""

from __future__ import annotations

import contextlib
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from unittest.mock import patch

import structlog

from portrait import settle
from streams import loop, profiles
from tests.simulation.clockwork import Deadlock, run
from tests.simulation.fleet import Fleet, Stuck, finish
from tests.simulation.judge import judge
from tests.simulation.persons import PersonsJudge
from tests.simulation.rules import EVERY_COMPLAINT, EVERY_SILENCE
from tests.simulation.shape import Faults, Shape, draw
from tests.simulation.world import Died, World

Draw = Callable[[int], tuple[Shape, Faults]]

#: A command is on its way at once here: only the order of things matters.
SEND_TURNS = 2
#: The longest seeds take a few seconds.
HANG_CPU_S = 60.0


@dataclass
class Outcome:
    seed: int
    harm: dict[str, int]
    notes: list[str]
    counts: Counter[str]
    story: list[str] = field(default_factory=list)

    @property
    def fine(self) -> bool:
        return not any(self.harm.values())


class Hang(KeyboardInterrupt):
    """A step that does not end. An interrupt, for these alone leave an event loop at once, whatever its tasks catch."""


@contextlib.contextmanager
def impatient() -> Iterator[None]:
    """Raises Hang after so much of this process's own time that a seed can't need it: nothing in a seed waits for another."""

    def give_up(*_: object) -> None:
        raise Hang(f"no end after {HANG_CPU_S:.0f} s")

    before = signal.signal(signal.SIGPROF, give_up)
    signal.setitimer(signal.ITIMER_PROF, HANG_CPU_S, HANG_CPU_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.signal(signal.SIGPROF, before)


@contextlib.contextmanager
def scaled(shape: Shape) -> Iterator[None]:
    """The product's constants at the size of the simulation, two rules more, and no cap on a state's effects."""
    rules = (*settle.RULES, EVERY_COMPLAINT, EVERY_SILENCE)
    structlog_before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50), logger_factory=structlog.ReturnLoggerFactory())
    with (
        patch.object(profiles, "PIECE", shape.piece),
        patch.object(profiles, "SEND_TURNS", SEND_TURNS),
        patch.object(loop, "TICKS_AT_ONCE", shape.ticks_at_once),
        patch.object(settle, "EFFECTS_MAX", 10_000),
        patch.object(settle, "LESSONS_MAX", 10_000),
        patch.object(settle, "RULES", rules),
    ):
        try:
            yield
        finally:
            structlog.configure(**structlog_before)


def live(world: World) -> None:
    """Until all is over and quiet. Raises Stuck or Deadlock if it never is."""

    async def life() -> None:
        await Fleet(world).live()
        await finish(world)

    with scaled(world.shape):
        run(life())


def simulate(seed: int, *, told: bool = False, drawn: Draw = draw) -> Outcome:
    shape, faults = drawn(seed)
    world = World(seed, shape, faults, told=told)
    stuck = ""
    try:
        with impatient():
            live(world)
    except (Stuck, Deadlock, Hang, Died) as error:
        stuck = repr(error)
    verdict = PersonsJudge(world).judge() if shape.links else judge(world)
    if stuck:
        verdict.stuck = 1
        verdict.notes.insert(0, f"stuck: {stuck}")
    world.count("events", sum(record is not None for records in world.log.values() for record in records))
    world.count("actions", len(world.actions))
    world.count("dead_letters", len(world.dead_letters))
    return Outcome(seed, verdict.harm, verdict.notes, world.counts, world.story or [])
