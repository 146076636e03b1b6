"""``python -m tests.simulation --seeds 10000``: see the package. The last line is JSON; exit code 1 if anything was wrong.

Ctrl-C ends it with the line for the seeds done so far, which says where to go on, and exit code 130.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import signal
import sys
import time
from collections import Counter
from pprint import pformat

from cli.output import err, progress
from tests.simulation.judge import HARM
from tests.simulation.shape import draw
from tests.simulation.simulate import Outcome, simulate

FAULTS = (
    "events", "actions", "dead_letters", "crashes", "split", "uncertain", "conflicts", "rebalances", "zombies", "pauses",
    "restarts", "redelivered", "away", "full", "lost_tails", "backups", "wipes", "gone_with_a_tail", "grown", "commits_failed",
    "duplicates", "late", "poison",
)  # fmt: skip
SEEDS_AT_ONCE = 10
SHOWN = 20
INTERRUPTED = 130


def replay(seed: int) -> int:
    """Tell one seed step by step."""
    shape, faults = draw(seed)
    outcome = simulate(seed, told=True)
    sys.stdout.write("\n".join(outcome.story) + f"\n\n{pformat(shape)}\n{pformat(faults)}\n\n")
    sys.stdout.write("\n".join(outcome.notes) + "\n" + json.dumps({"seed": seed, **outcome.harm, **outcome.counts}) + "\n")
    return 0 if outcome.fine else 1


def many(first: int, seeds: int, jobs: int) -> int:
    began_s, tally = time.monotonic(), Tally()
    with multiprocessing.Pool(jobs, _leave_signals_to_the_parent) as pool, progress() as bar:
        task = bar.add_task("seeds", total=seeds)
        try:
            for outcome in pool.imap(simulate, range(first, first + seeds), SEEDS_AT_ONCE):  # in order: a rest is one range
                tally.take(outcome)
                bar.advance(task)
            left = 0
        except KeyboardInterrupt:
            left = seeds - tally.seeds
    summary = {"seeds": tally.seeds, "from": first, **tally.summary(), "seconds": round(time.monotonic() - began_s, 1)}
    if left:
        following = first + tally.seeds
        err.print(f'interrupted; the rest: make simulate SEEDS={left} ARGS="--from {following}"', soft_wrap=True)
        summary |= {"interrupted_before": following, "left": left}
    sys.stdout.write(json.dumps(summary) + "\n")
    return INTERRUPTED if left else 1 if tally.failed else 0


def _leave_signals_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


class Tally:
    """What the seeds came to."""

    def __init__(self) -> None:
        self.seeds = 0
        self.failed: list[int] = []
        self._harm, self._counts = Counter[str](), Counter[str]()

    def take(self, outcome: Outcome) -> None:
        self.seeds += 1
        self._harm.update(outcome.harm)
        self._counts.update(outcome.counts)
        if not outcome.fine:
            self.failed.append(outcome.seed)
            wrong = {name: n for name, n in outcome.harm.items() if n}
            err.print(f"seed {outcome.seed}: {wrong}; again: python -m tests.simulation --seed {outcome.seed}", soft_wrap=True)

    def summary(self) -> dict[str, object]:
        failures: dict[str, object] = {"failures": len(self.failed), "failed": self.failed[:SHOWN]}
        return failures | {name: self._harm[name] for name in HARM} | {name: self._counts[name] for name in FAULTS}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many")
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first of them")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--seed", type=int, help="only this one, told step by step")
    given = parser.parse_args()
    return replay(given.seed) if given.seed is not None else many(given.first, given.seeds, given.jobs)


if __name__ == "__main__":
    sys.exit(main())
