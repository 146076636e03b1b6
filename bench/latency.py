"""From the intended moment of publishing to readable in Redis, in an open loop, with an AOF rewrite in the middle.

The worker is `portrait worker` as it is, with an earlier population in the store. Publisher and observer are processes too.
"""

from __future__ import annotations

import contextlib
import secrets
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec
import numpy as np

from bench.events import SPAN_MS, Made, events
from bench.figures import quantile
from bench.observer import Observed, Seen
from bench.preload import preload
from bench.processes import child
from bench.reads import Reads
from bench.servers import Servers
from profile_store.keys import ShardKeys

FOLD_TIMEOUT_S = 240.0
WARM_UP_S = 10
SETTLE_S = 3.0
SLACK_S = 30.0
#: The rewrite begins after this share of the time.
REWRITE_AT = 0.4
KEYS = ShardKeys("", 0)


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds from the intended moment of publishing to readable."""

    events: int
    per_s: int
    seconds: int
    profiles: int  # in the store at the end
    p50_ms: float
    p99_ms: float
    p999_ms: float
    max_ms: float
    acked_p50_ms: float  # of it until the broker's acknowledgement was back at the publisher
    acked_p99_ms: float
    rewrite_ms: float  # how long the AOF rewrite took
    rewrite_p99_ms: float  # of the events that were meant for that time
    reads: Reads  # beside all that


def run(servers: Servers, rate: int, seconds: int, warm_up: int, seed: int, say: Callable[[str], None]) -> Latency:
    now_ms = time.time_ns() // 1_000_000
    earlier = events(warm_up, seed=seed, start_ms=now_ms - SPAN_MS, end_ms=now_ms)
    with serving(servers, earlier, warm_up, say) as settings, tempfile.TemporaryDirectory() as directory:
        return _measure(servers, settings, Path(directory), rate, seconds, seed + 1, say)


@contextlib.contextmanager
def serving(servers: Servers, earlier: Iterable[Made], count: int, say: Callable[[str], None]) -> Iterator[dict[str, str]]:
    """A worker that has folded these ``count`` earlier events; gives the settings that others find it by."""
    servers.fresh_topics()
    with servers.store.client() as client:
        client.flushall()
    preload(servers.kafka, earlier)
    settings = {
        "kafka": servers.kafka,
        "redis": servers.store.url,
        "group": f"bench-{secrets.token_hex(4)}",
        "http_port": "-1",
        "log_level": "WARNING",
    }
    with child("cli.main", "worker", **settings):
        _wait_until_folded(servers, count)
        say(f"{count:,} earlier events are folded")
        time.sleep(SETTLE_S)
        yield settings


def _measure(
    servers: Servers, settings: dict[str, str], directory: Path, rate: int, seconds: int, seed: int, say: Callable[[str], None]
) -> Latency:
    sent, observed = directory / "sent.npz", directory / "observed"
    asked = ["--rate", str(rate), "--warm-up", str(WARM_UP_S), "--seconds", str(seconds), "--seed", str(seed), "--out", str(sent)]
    watching = ["--seconds", str(WARM_UP_S + seconds + 10), "--out", str(observed)]
    with child("bench.observer", *watching, **settings) as observer:
        observer.line(SLACK_S)
        with child("bench.publisher", *asked, **settings) as publisher:
            publisher.line(SLACK_S)
            time.sleep(seconds * REWRITE_AT)
            rewrite_ns = _rewrite(servers)
            say(f"AOF rewritten in {(rewrite_ns[1] - rewrite_ns[0]) / 1e9:.1f} s")
            publisher.line(seconds + SLACK_S)
            observer.line(seconds + SLACK_S)
    found = msgspec.msgpack.decode(observed.read_bytes(), type=Observed)
    sent_events = dict(np.load(sent))
    acked_ms = (sent_events["acked_ns"] - sent_events["intended_ns"]) / 1e6
    took_ms, intended_ns = waits(sent_events, found.seen)
    inside = took_ms[(intended_ns >= rewrite_ns[0]) & (intended_ns <= rewrite_ns[1])]
    with servers.store.client() as client:
        profiles = int(client.zcard(KEYS.due))
    return Latency(
        events=len(took_ms),
        per_s=rate,
        seconds=seconds,
        profiles=profiles,
        p50_ms=quantile(took_ms, 0.5),
        p99_ms=quantile(took_ms, 0.99),
        p999_ms=quantile(took_ms, 0.999),
        max_ms=quantile(took_ms, 1.0),
        acked_p50_ms=quantile(acked_ms, 0.5),
        acked_p99_ms=quantile(acked_ms, 0.99),
        rewrite_ms=round((rewrite_ns[1] - rewrite_ns[0]) / 1e6),
        rewrite_p99_ms=quantile(inside, 0.99) if len(inside) else 0.0,
        reads=found.reads,
    )


def waits(sent: dict[str, np.ndarray], seen: list[Seen]) -> tuple[np.ndarray, np.ndarray]:
    """(milliseconds until readable, intended moment in ns) of each event. Raises RuntimeError if one was never readable."""
    took_ms, intended_ns = [], []
    names = np.char.add(np.char.add(sent["topic"], "/"), sent["partition"].astype(str))
    for name in np.unique(names):
        mine = names == name
        steps = [(look.positions[name], look.at_ns) for look in seen if name in look.positions]
        nexts, moments = (np.array(column, dtype=np.int64) for column in zip(*(steps or [(0, 0)]), strict=True))
        first = np.searchsorted(nexts, sent["offset"][mine], side="right")  # the first look at a position beyond the event
        if (first >= len(nexts)).any():
            raise RuntimeError(f"{int((first >= len(nexts)).sum())} events of {name} never came to be readable")
        took_ms.append((moments[first] - sent["intended_ns"][mine]) / 1e6)
        intended_ns.append(sent["intended_ns"][mine])
    return np.concatenate(took_ms), np.concatenate(intended_ns)


def _rewrite(servers: Servers) -> tuple[int, int]:
    """Begin an AOF rewrite and wait for its end. Returns both moments, monotonic nanoseconds."""
    with servers.store.client() as client:
        began_ns = time.monotonic_ns()
        client.bgrewriteaof()
        while client.info("persistence")["aof_rewrite_in_progress"]:
            time.sleep(0.02)
        return began_ns, time.monotonic_ns()


def _wait_until_folded(servers: Servers, count: int) -> None:
    """Until all are in the store and nobody is due who should have been ticked."""
    deadline_s = time.monotonic() + FOLD_TIMEOUT_S
    with servers.store.client() as client:
        while time.monotonic() < deadline_s:
            folded = sum(map(int, client.hvals(KEYS.positions)))
            late = int(client.zcount(KEYS.due, "-inf", time.time_ns() // 1_000_000 - 10_000))
            if folded >= count and not late:
                return
            time.sleep(0.2)
    raise RuntimeError(f"the worker did not fold {count} events within {FOLD_TIMEOUT_S:.0f} s")
