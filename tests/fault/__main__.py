"""``python -m tests.fault --kills 100 --seed 1``: see the package. The last line is JSON; exit code 1 if anything was wrong."""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
from pathlib import Path

from tests.fault.faults import SHARES, numbers
from tests.fault.run import Options, fault_run
from tests.servers_kafka import start_kafka


def options() -> Options:
    parser = argparse.ArgumentParser(prog="python -m tests.fault", description=__doc__)
    parser.add_argument("--kills", type=int, default=20, help="kill -9 of workers, a third of them at named points")
    parser.add_argument("--seed", type=int, default=1, help="of the load and of the order of the faults")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rate", type=float, default=2000, help="events a second")
    parser.add_argument("--customers", type=int, default=2000)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--pause", type=float, default=6.0, help="at most so many seconds from one fault to the next")
    parser.add_argument("--redis", choices=("redis", "valkey"), default="redis")
    parser.add_argument("--clock", choices=("stream", "wall"), default="stream")
    parser.add_argument("--dir", type=Path, help="journal, logs of the workers, verdict; a new directory if not given")
    for fault in SHARES:
        parser.add_argument(f"--{fault.replace('_', '-')}", type=int, metavar="N", help="0: never")
    given = parser.parse_args()
    directory = given.dir or Path(tempfile.mkdtemp(prefix="portrait-fault-"))
    directory.mkdir(parents=True, exist_ok=True)
    return Options(
        seed=given.seed,
        faults=numbers(given.kills, {fault: getattr(given, fault) for fault in SHARES}),
        workers=given.workers,
        rate=given.rate,
        customers=given.customers,
        partitions=given.partitions,
        pause_s=given.pause,
        redis=given.redis,
        clock=given.clock,
        directory=directory,
    )


def main() -> int:
    chosen = options()
    sys.stderr.write(f"seed {chosen.seed}, directory {chosen.directory}\n{chosen.faults}\n")
    with start_kafka() as broker:
        if "memory" in broker.name:
            sys.stderr.write(f"{broker.name} forgets everything when killed: no broker_kill\n")
            chosen.faults["broker_kill"] = 0
        summary, fine = asyncio.run(fault_run(chosen, broker, random.Random(chosen.seed)))
    sys.stdout.write(json.dumps(summary) + "\n")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
