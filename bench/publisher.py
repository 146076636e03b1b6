"""``python -m bench.publisher --rate R --warm-up W --seconds S --out FILE``: an open loop, in a process of its own.

Event n is meant for the moment start + n / R. When the publisher is late the moment stays as it was, so that a wait anywhere
counts for every event that it holds up. The events of the first W seconds count for nothing: a broker that has just started
compiles its code then. Prints "start" with the first event that counts, "done" when all are acknowledged.
"""

from __future__ import annotations

import argparse
import os
import time
from functools import partial
from itertools import chain
from typing import Any

import numpy as np

from bench.events import Made, events
from bench.preload import producer
from streams.settings import load

LEAD_S = 2.0  # to make the events, before the first is due


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.publisher")
    parser.add_argument("--rate", type=int, required=True)
    parser.add_argument("--warm-up", type=int, required=True)
    parser.add_argument("--seconds", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--out", required=True)
    given = parser.parse_args()
    skipped = given.rate * given.warm_up
    count = skipped + given.rate * given.seconds
    origins: list[tuple[str, int, int, int]] = [("", 0, 0, 0)] * count
    intended_ns = publish(load(os.environ).kafka, given.rate, skipped, given.seed, origins)
    topic, partition, offset, acked_ns = (np.array(column) for column in zip(*origins[skipped:], strict=True))
    np.savez(given.out, topic=topic, partition=partition, offset=offset, acked_ns=acked_ns, intended_ns=intended_ns[skipped:])
    print("done", flush=True)


def publish(bootstrap: str, rate: int, skipped: int, seed: int, origins: list[tuple[str, int, int, int]]) -> np.ndarray:
    """Where each event went, and when that was known, comes into ``origins``. Returns the intended moments, monotonic ns."""
    count = len(origins)
    began_ns, wall_ms = time.monotonic_ns() + int(LEAD_S * 1e9), time.time_ns() // 1_000_000 + int(LEAD_S * 1000)
    made = events(count, seed=seed, start_ms=wall_ms, end_ms=wall_ms + count * 1000 // rate)
    first = next(made)  # the dice are thrown now
    intended_ns = began_ns + np.arange(count, dtype=np.int64) * 1_000_000_000 // rate
    sender = producer(bootstrap, **{"linger.ms": 0})

    def delivered(number: int, error: Any, message: Any) -> None:
        if error is not None:
            raise SystemExit(f"an event was not taken: {error}")
        origins[number] = (message.topic(), message.partition(), message.offset(), time.monotonic_ns())

    for number, event in enumerate(chain([first], made)):
        while (early_s := (intended_ns[number] - time.monotonic_ns()) / 1e9) > 0:
            sender.poll(0)
            time.sleep(min(early_s, 0.001))
        _send(sender, event, partial(delivered, number))
        if number == skipped:
            print("start", flush=True)
    sender.flush()
    return intended_ns


def _send(sender: Any, event: Made, on_delivery: Any) -> None:
    sender.produce(event.topic, event.value, event.key, on_delivery=on_delivery)
    sender.poll(0)


if __name__ == "__main__":
    main()
