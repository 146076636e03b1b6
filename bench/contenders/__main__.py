"""``python -m bench.contenders NAME --events N``: one contender as a process of its own, with PORTRAIT_* as settings.

Prints one line, a `bench.meter.Measured`, when it is done with its events, and goes on until it is ended.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from importlib import import_module

from bench.contenders.task import Task
from streams.logging import configure
from streams.settings import load

CONTENDERS = {
    "ours": "bench.contenders.ours",
    "faust": "bench.contenders.faust_noop",
    "faust-uvloop": "bench.contenders.faust_noop",
    "naive": "bench.contenders.naive",
    "quix": "bench.contenders.quix",
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.contenders")
    parser.add_argument("name", choices=CONTENDERS)
    parser.add_argument("--events", type=int, required=True)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--sample", action="store_true")
    given = parser.parse_args()
    settings = load(os.environ)
    configure(settings.log_level)
    run: Callable[[Task], None] = import_module(CONTENDERS[given.name]).run
    run(Task(settings, given.events, given.workers, given.sample, given.name != "faust"))


if __name__ == "__main__":
    main()
