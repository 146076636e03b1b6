"""``python -m bench.observer --seconds S --out FILE``: sees when events can be read, in a process of its own.

Every commit is announced on the channel of changes, by the script that writes the states, the views and the positions at once. So
after an announcement the positions are read: all events before them are in profiles that can be read now. What comes out are
the moments (after the reply) and the positions; the observer's own delay counts against us.
"""

from __future__ import annotations

import argparse
import os
import threading
import time

import msgspec
import redis

from bench.reads import Reads, summary
from profile_store.keys import ShardKeys
from profile_store.reader import ProfileReader
from streams.settings import load

READS_PER_S = 20
POLL_S = 0.5


class Seen(msgspec.Struct, frozen=True):
    """A moment on the monotonic clock, and the next offset of each partition ("topic/partition")."""

    at_ns: int
    positions: dict[str, int]


class Observed(msgspec.Struct, frozen=True):
    seen: list[Seen]
    reads: Reads


def observe(url: str, stop: threading.Event) -> list[Seen]:
    """Until ``stop``. Only what has changed is kept."""
    keys = ShardKeys("", 0)
    client = redis.Redis.from_url(url, protocol=2)
    listener = client.pubsub(ignore_subscribe_messages=True)
    listener.subscribe(keys.changes)
    known: dict[bytes, bytes] = {}
    seen = []
    while not stop.is_set():
        if listener.get_message(timeout=POLL_S) is None:
            continue
        while listener.get_message(timeout=0) is not None:
            pass  # announced before the positions are read: covered by them
        found: dict[bytes, bytes] = client.hgetall(keys.positions)  # type: ignore[assignment]
        now_ns = time.monotonic_ns()
        changed = {field.decode(): int(value) for field, value in found.items() if known.get(field) != value}
        known = found
        if changed:
            seen.append(Seen(now_ns, changed))
    return seen


def read_now_and_then(url: str, stop: threading.Event, took_ms: list[float]) -> None:
    """A customer-service tool beside the writers: READS_PER_S reads of those at risk."""
    with ProfileReader(url) as reader:
        ids = [customer_id for customer_id, _ in reader.top_risk(5000)]
        turn = 0
        while ids and not stop.wait(1 / READS_PER_S):
            turn += 1
            began = time.perf_counter()
            reader.get(ids[turn * 7919 % len(ids)])
            took_ms.append((time.perf_counter() - began) * 1000)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.observer")
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--out", required=True)
    given = parser.parse_args()
    url = load(os.environ).redis
    stop = threading.Event()
    took_ms: list[float] = []
    reading = threading.Thread(target=read_now_and_then, args=(url, stop, took_ms))
    threading.Timer(given.seconds, stop.set).start()
    reading.start()
    print("ready", flush=True)
    seen = observe(url, stop)
    reading.join()
    with open(given.out, "wb") as out:
        out.write(msgspec.msgpack.encode(Observed(seen, summary(took_ms))))
    print("done", flush=True)


if __name__ == "__main__":
    main()
