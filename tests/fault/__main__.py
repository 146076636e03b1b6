"""``python -m tests.fault --kills 100 --seed 1``: see the package. The last line is JSON; exit code 1 if anything was wrong.

Ctrl-C, kill -9 or a crash of the machine end a sitting, not the run: ``python -m tests.fault --resume DIR`` goes on.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import json
import logging
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from tests.fault.faults import FAULTS, numbers
from tests.fault.run import Options, fault_run
from tests.servers_kafka import Broker, NativeKafka, start_kafka

INTERRUPTED = 130
#: Data of the servers, in the run's directory.
BROKER, STORE = "broker", "store"


def main() -> int:
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # that the broker is away is no news here
    options, directory = arguments()
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            sys.exit(f"{directory} is in use by another run")
        (directory / "options.json").write_bytes(msgspec.json.encode(options))
        sys.stderr.write(f"seed {options.seed}, directory {directory}\n{options.faults}\n")
        try:
            summary, fine = sitting(options, directory)
        except (KeyboardInterrupt, asyncio.CancelledError):
            sys.stderr.write(f"\ninterrupted; to go on: make fault RESUME={directory}\n")
            return INTERRUPTED
    if fine:  # else they are evidence
        for data in (BROKER, STORE):
            shutil.rmtree(directory / data, ignore_errors=True)
    sys.stdout.write(json.dumps(summary) + "\n")
    return 0 if fine else 1


def sitting(options: Options, directory: Path) -> tuple[dict[str, Any], bool]:
    with start_kafka(directory / BROKER) as broker:
        if not isinstance(broker, NativeKafka):
            sys.stderr.write(f"{broker.name}: what it holds does not outlive the sitting, so this run can't be resumed\n")
            if any((directory / name).exists() for name in ("journal.jsonl", STORE)):
                sys.exit("the run in this directory was made with another broker")
            if "memory" in broker.name:
                options.faults["broker_kill"] = 0
        return asyncio.run(_cancelled_by_sigterm(options, directory, broker))


async def _cancelled_by_sigterm(options: Options, directory: Path, broker: Broker) -> tuple[dict[str, Any], bool]:
    running = asyncio.ensure_future(fault_run(options, directory, broker))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    return await running


def arguments() -> tuple[Options, Path]:
    parser = options_parser()
    given = parser.parse_args()
    if given.resume:
        kept = given.resume / "options.json"
        if not kept.exists():
            parser.error(f"there is no run in {given.resume}")
        return msgspec.json.decode(kept.read_bytes(), type=Options), given.resume
    if given.dir and (given.dir / "options.json").exists():
        parser.error(f"there is a run in {given.dir} already: --resume {given.dir}")
    options = Options(
        seed=given.seed,
        faults=numbers(given.kills, {name: getattr(given, name) for name in FAULTS if name != "kill"}),
        workers=given.workers,
        rate=given.rate,
        customers=given.customers,
        partitions=given.partitions,
        pause_s=given.pause,
        redis=given.redis,
        clock=given.clock,
        patience_s=given.patience,
        links=given.links,
        unlinks=given.unlinks,
    )
    return options, given.dir or Path(tempfile.mkdtemp(prefix="portrait-fault-"))


def options_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.fault", description=__doc__)
    parser.add_argument(
        "--resume", type=Path, metavar="DIR", help="go on with the run in this directory, as it was asked for then"
    )
    parser.add_argument("--kills", type=int, default=20, help="kill -9 of workers, a third of them at named points")
    parser.add_argument("--seed", type=int, default=1, help="of the load and of the order of the faults")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rate", type=float, default=2100, help="events a second, outages of the broker made up for")
    parser.add_argument("--customers", type=int, default=2000)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--pause", type=float, default=6.0, help="at most so many seconds from one fault to the next")
    parser.add_argument(
        "--patience", type=float, default=45.0, help="a fault not recovered from for so many seconds slows the others down"
    )
    parser.add_argument("--links", type=float, default=0.05, help="share of links between identities in the load; 0: none")
    parser.add_argument("--unlinks", type=float, default=0.01, help="share of links taken back")
    parser.add_argument("--redis", choices=("redis", "valkey"), default="redis")
    parser.add_argument("--clock", choices=("stream", "wall"), default="stream")
    parser.add_argument("--dir", type=Path, help="journal, logs, data of the servers, verdict; a new directory if not given")
    for name in FAULTS:
        if name != "kill":
            parser.add_argument(f"--{name.replace('_', '-')}", type=int, metavar="N", help="0: never")
    return parser


if __name__ == "__main__":
    sys.exit(main())
