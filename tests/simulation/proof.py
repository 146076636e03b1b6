"""The proof of the proof: ``python -m tests.simulation.proof`` takes out each mechanism in turn, and the simulation must notice.

Each runs from seed 0 until the counter that it predicts is greater than 0. The control runs the same worlds, as many as the
slowest needed, with nothing taken out. The last line is JSON; exit code 1 if something was not noticed in time, or the control
is not clean.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
from collections import Counter
from functools import partial
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from cli.output import err, progress
from tests.simulation.judge import HARM
from tests.simulation.mechanisms import MECHANISMS as OF_ONE
from tests.simulation.mechanisms import Mechanism
from tests.simulation.person_mechanisms import PERSON_MECHANISMS
from tests.simulation.simulate import Draw, simulate

MECHANISMS = (*OF_ONE, *PERSON_MECHANISMS)
WIDTH = 180  # of the table where stderr is no terminal


class Proof(NamedTuple):
    """``seed`` at which it showed, None: not in time. ``harm``: all counters, summed over the seeds up to there."""

    name: str
    seed: int | None
    harm: dict[str, int]


def prove(mechanism: Mechanism, first: int = 0) -> Proof:
    """Take it out, and run seeds until it shows."""
    harm = Counter[str]()
    with mechanism.removed():
        for seed in range(first, first + mechanism.within):
            found = simulate(seed, drawn=mechanism.drawn).harm
            harm.update(found)
            if found[mechanism.counter]:
                return Proof(mechanism.name, seed, dict(harm))
    return Proof(mechanism.name, None, dict(harm))


def _prove_number(number: int, first: int) -> Proof:
    return prove(MECHANISMS[number], first)


def _worlds(proofs: dict[str, Proof], first: int) -> dict[Draw, range]:
    """The seeds that were needed of each kind of world."""
    needed: dict[Draw, range] = {}
    for mechanism in MECHANISMS:
        seed, so_far = proofs[mechanism.name].seed, needed.get(mechanism.drawn, range(first, first))
        needed[mechanism.drawn] = range(first, max(so_far.stop, first if seed is None else seed + 1))
    return needed


def _table(proofs: dict[str, Proof], control: dict[str, int], seeds: int) -> Table:
    table = Table("mechanism", "taken out", "must show", "within", "at seed", "what went wrong until then")
    for mechanism in MECHANISMS:
        proof = proofs[mechanism.name]
        seed = "[red]never[/red]" if proof.seed is None else str(proof.seed)
        row = (mechanism.name, mechanism.taken_out, mechanism.counter, str(mechanism.within), seed)
        table.add_row(*row, _wrong(proof.harm))
    table.add_row("control", "nothing", "nothing", str(seeds), "", _wrong(control))
    return table


def _wrong(harm: dict[str, int]) -> str:
    return ", ".join(f"{name} {n}" for name, n in harm.items() if n) or "nothing"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.proof", description=__doc__)
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first seed")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    given = parser.parse_args()
    with multiprocessing.Pool(given.jobs) as pool, progress() as bar:
        task = bar.add_task("mechanisms", total=len(MECHANISMS))
        proofs: dict[str, Proof] = {}
        for proof in pool.imap_unordered(partial(_prove_number, first=given.first), range(len(MECHANISMS))):
            proofs[proof.name] = proof
            bar.advance(task)
        worlds = _worlds(proofs, given.first)
        seeds = sum(map(len, worlds.values()))
        task = bar.add_task("control", total=seeds)
        control = Counter[str]()
        for drawn, of_worlds in worlds.items():
            for outcome in pool.imap_unordered(partial(simulate, drawn=drawn), of_worlds):
                control.update(outcome.harm)
                bar.advance(task)
    Console(stderr=True, width=None if err.is_terminal else WIDTH).print(_table(proofs, dict(control), seeds))
    unnoticed = [proof.name for proof in proofs.values() if proof.seed is None]
    summary = {"mechanisms": len(MECHANISMS), "unnoticed": unnoticed, "seeds_control": seeds}
    summary |= {"control": {name: control[name] for name in HARM}}
    summary |= {"proofs": {m.name: {"counter": m.counter, "seed": proofs[m.name].seed} for m in MECHANISMS}}
    sys.stdout.write(json.dumps(summary) + "\n")
    return 1 if unnoticed or any(control.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
