"""How soon readers see a link, and the end of one: from the intended moment of publishing it, beside a steady load.

The worker is `portrait worker` as it is, with an earlier population in the store, among it the cookies that are linked, each to a
customer of its own, and then parted again. ``python -m bench.linking --seed S --links N --out FILE`` is the process that links
and looks: word *n* is meant for the moment start + *n* / `LINKS_PER_S`, and is seen when `ProfileReader` leads from the cookie to
the customer, or no longer does. Its own delay counts against us.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain, islice
from pathlib import Path

import msgspec

from bench.events import SPAN_MS, Made, events
from bench.figures import quantile
from bench.latency import SLACK_S, WARM_UP_S, serving
from bench.preload import producer
from bench.processes import child
from bench.servers import Servers
from profile_store.reader import ProfileReader
from schemas.identity import ANONYMOUS
from schemas.registry import TYPES
from streams.settings import load

LINKS_PER_S = 10
#: After which nobody waits for a word any longer.
UNSEEN_S = 60.0
#: Between two looks.
LOOK_S = 0.002
LINKED, UNLINKED = "identity.linked", "identity.unlinked"
LINK_TOPIC = TYPES[LINKED][0].name


class Pair(msgspec.Struct, frozen=True):
    cookie: str
    customer: str


class Seen(msgspec.Struct, frozen=True):
    """Milliseconds until each was seen."""

    links_ms: list[float]
    unlinks_ms: list[float]


class Linking(msgspec.Struct, frozen=True, kw_only=True):
    links: int  # and as many that were taken back
    links_beside_events_per_s: int
    link_p50_ms: float
    link_p99_ms: float
    link_max_ms: float
    unlink_p50_ms: float
    unlink_p99_ms: float
    unlink_max_ms: float


def run(servers: Servers, rate: int, seconds: int, warm_up: int, seed: int, say: Callable[[str], None]) -> Linking:
    """Half of ``seconds`` is linked, then half of it parted, beside ``rate`` events a second."""
    links = seconds * LINKS_PER_S // 2
    now_ms = time.time_ns() // 1_000_000
    earlier = list(events(warm_up, seed=seed, start_ms=now_ms - SPAN_MS, end_ms=now_ms))
    clicks = (_click(pair.cookie, number, now_ms) for number, pair in enumerate(pairs(earlier, links)))
    with serving(servers, chain(earlier, clicks), warm_up + links, say) as settings, tempfile.TemporaryDirectory() as directory:
        out, sent = Path(directory) / "seen", Path(directory) / "sent.npz"
        load = ["--rate", str(rate), "--warm-up", str(WARM_UP_S), "--seconds", str(seconds + int(SLACK_S))]
        asked = ["--seed", str(seed), "--events", str(warm_up), "--links", str(links), "--out", str(out)]
        with child("bench.publisher", *load, "--seed", str(seed + 1), "--out", str(sent), **settings) as publisher:
            publisher.line(SLACK_S)
            with child("bench.linking", *asked, **settings) as linker:
                linker.line(seconds + 2 * UNSEEN_S + SLACK_S)
            if not publisher.alive():
                raise RuntimeError("links were still waited for when the load was over")
        return _figures(msgspec.msgpack.decode(out.read_bytes(), type=Seen), rate)


def _figures(seen: Seen, rate: int) -> Linking:
    return Linking(
        links=len(seen.links_ms),
        links_beside_events_per_s=rate,
        link_p50_ms=quantile(seen.links_ms, 0.5),
        link_p99_ms=quantile(seen.links_ms, 0.99),
        link_max_ms=quantile(seen.links_ms, 1.0),
        unlink_p50_ms=quantile(seen.unlinks_ms, 0.5),
        unlink_p99_ms=quantile(seen.unlinks_ms, 0.99),
        unlink_max_ms=quantile(seen.unlinks_ms, 1.0),
    )


def pairs(earlier: Sequence[Made], count: int) -> list[Pair]:
    """The first ``count`` customers of these events, each with a cookie of their own. Raises ValueError if they are fewer."""
    customers = list(islice(dict.fromkeys(event.key.decode() for event in earlier), count))
    if len(customers) < count:
        raise ValueError(f"{len(customers)} customers are too few for {count} links")
    return [Pair(f"{ANONYMOUS}:bench-{number:04x}-{customer}", customer) for number, customer in enumerate(customers)]


def _click(cookie: str, number: int, now_ms: int) -> Made:
    data = {"session": f"s-{number}", "channel": "web", "device": "phone", "sku": f"sku-{number}", "category": "home"}
    return _event(cookie, "item.viewed", f"click-{number}", now_ms, data)


def _event(key: str, type_: str, id_: str, now_ms: int, data: dict[str, str]) -> Made:
    moment = datetime.fromtimestamp(now_ms / 1000, UTC).isoformat(timespec="milliseconds")
    envelope = {"specversion": "1.0", "id": id_, "source": "/bench/links", "type": type_, "time": moment, "data": data}
    return Made(TYPES[type_][0].name, key.encode(), msgspec.json.encode(envelope))


def words(known: Sequence[Pair], type_: str) -> Iterator[Made]:
    """What is said of each pair, with the time of its being said."""
    for pair in known:
        data = {"other": pair.cookie, "kind": ANONYMOUS}
        yield _event(pair.customer, type_, f"{type_}-{pair.cookie}", time.time_ns() // 1_000_000, data)


def measure(bootstrap: str, reader: ProfileReader, known: Sequence[Pair], type_: str) -> list[float]:
    """Milliseconds until readers saw each of these words. Raises RuntimeError if one is never seen."""
    sender, saying = producer(bootstrap, **{"linger.ms": 0}), words(known, type_)
    began_ns = time.monotonic_ns()
    intended_ns = [began_ns + number * 1_000_000_000 // LINKS_PER_S for number in range(len(known))]
    took_ms, waiting, said = dict[int, float](), list[int](), 0
    while len(took_ms) < len(known):
        while said < len(known) and intended_ns[said] <= time.monotonic_ns():
            word = next(saying)
            sender.produce(word.topic, word.value, word.key)
            waiting.append(said)
            said += 1
        sender.poll(0)
        found = reader.get_many([known[number].cookie for number in waiting]) if waiting else []
        now_ns = time.monotonic_ns()
        for number, profile in zip(list(waiting), found, strict=True):
            pair = known[number]
            if profile is not None and profile.id == (pair.customer if type_ == LINKED else pair.cookie):
                took_ms[number] = (now_ns - intended_ns[number]) / 1e6
                waiting.remove(number)
        if waiting and now_ns - intended_ns[waiting[0]] > UNSEEN_S * 1e9:
            raise RuntimeError(f"readers have not seen {type_} of {known[waiting[0]].cookie} within {UNSEEN_S:.0f} s")
        time.sleep(LOOK_S)
    return list(took_ms.values())


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.linking")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--events", type=int, required=True, help="of the earlier population")
    parser.add_argument("--links", type=int, required=True)
    parser.add_argument("--out", required=True)
    given = parser.parse_args()
    settings = load(os.environ)
    known = pairs(list(events(given.events, seed=given.seed)), given.links)
    with ProfileReader(settings.redis) as reader:
        seen = Seen(*(measure(settings.kafka, reader, known, type_) for type_ in (LINKED, UNLINKED)))
    Path(given.out).write_bytes(msgspec.msgpack.encode(seen))
    print("done", flush=True)


if __name__ == "__main__":
    main()
