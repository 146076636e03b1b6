"""``python -m tests.simulation --seeds 10000``: see the package. The last line is JSON; exit code 1 if anything was wrong."""

from __future__ import annotations

import argparse
import json
import multiprocessing
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


def replay(seed: int) -> int:
    """Tell one seed step by step."""
    shape, faults = draw(seed)
    outcome = simulate(seed, told=True)
    sys.stdout.write("\n".join(outcome.story) + f"\n\n{pformat(shape)}\n{pformat(faults)}\n\n")
    sys.stdout.write("\n".join(outcome.notes) + "\n" + json.dumps({"seed": seed, **outcome.harm, **outcome.counts}) + "\n")
    return 0 if outcome.fine else 1


def many(first: int, seeds: int, jobs: int) -> int:
    began_s, harm, counts, failures = time.monotonic(), Counter[str](), Counter[str](), list[Outcome]()
    with multiprocessing.Pool(jobs) as pool, progress() as bar:
        task = bar.add_task("seeds", total=seeds)
        for outcome in pool.imap_unordered(simulate, range(first, first + seeds), SEEDS_AT_ONCE):
            bar.advance(task)
            harm.update(outcome.harm)
            counts.update(outcome.counts)
            if not outcome.fine:
                failures.append(outcome)
                wrong = {name: n for name, n in outcome.harm.items() if n}
                err.print(
                    f"seed {outcome.seed}: {wrong}; again: python -m tests.simulation --seed {outcome.seed}", soft_wrap=True
                )
    summary = {"seeds": seeds, "from": first, "failures": len(failures), "failed": sorted(o.seed for o in failures)[:SHOWN]}
    summary |= {name: harm[name] for name in HARM} | {name: counts[name] for name in FAULTS}
    sys.stdout.write(json.dumps(summary | {"seconds": round(time.monotonic() - began_s, 1)}) + "\n")
    return 1 if failures else 0


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
