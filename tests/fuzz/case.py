"""One input of the fuzzers: records of one log, and how they come in. As bytes it is msgpack, so that a file replays it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from random import Random
from typing import Annotated

import msgspec
from msgspec import Meta

from schemas import examples
from schemas.event import VALUE_BYTES_MAX
from schemas.registry import BY_NAME
from tests.fuzz.odd import deep
from tests.property.lives import Author

NOW_MS = 1_790_000_000_000
PARTITIONS = 2
GOLDEN = Path(__file__).parents[1] / "golden" / "events.jsonl"

Int64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]


class Sent(msgspec.Struct, array_like=True, frozen=True):
    """A record as a producer wrote it."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]] = []
    timestamp: Int64 = NOW_MS  # epoch ms; under CreateTime the producer may claim anything
    partition: Annotated[int, Meta(ge=0, lt=PARTITIONS)] = 0
    ends_batch: bool = False  # what follows comes with another poll


class Case(msgspec.Struct, array_like=True, frozen=True):
    """All that happens in one execution."""

    sent: list[Sent]
    stream_clock: bool = False
    shards: Annotated[int, Meta(ge=1, le=3)] = 1


_decode = msgspec.msgpack.Decoder(Case).decode
pack = msgspec.msgpack.Encoder().encode


def unpack(data: bytes) -> Case:
    """Any bytes are a case: what is none is taken for the value of one record."""
    try:
        return _decode(data)
    except (msgspec.DecodeError, RecursionError):
        return Case([Sent("clicks", b"C1", data)])


def seeds() -> Iterator[Case]:
    """What mutation starts from: golden events (every type, in both modes, and its least form), short lives, hostile values."""
    golden = [_golden(line) for line in GOLDEN.read_text().splitlines()]
    for topic in BY_NAME:
        of_topic = [sent for sent in golden if sent.topic == topic]
        yield from (Case(of_topic[at : at + 3]) for at in range(0, len(of_topic), 3))
    yield from lives()
    for topic, value in zip(cycle(BY_NAME), hostile(), strict=False):
        yield Case([Sent(topic, b"C1", value)], stream_clock=True)


def _golden(line: str) -> Sent:
    there = msgspec.json.decode(line)
    headers: list[tuple[str, bytes | None]] = [(name, content.encode()) for name, content in there["headers"].items()]
    return Sent(there["topic"], there["key"].encode(), there["value"].encode(), headers, there["record_ms"])


def lives() -> Iterator[Case]:
    """Some events of one or two customers, so that they meet in a state."""
    for seed in range(6):
        rng = Random(seed)
        author = Author(rng, words=4, days=400)
        sent = []
        for _ in range(30):
            event = author.write()
            sent.append(
                Sent(
                    event.topic,
                    rng.choice((b"C1", b"C2")),
                    event.value,
                    partition=rng.randrange(PARTITIONS),
                    ends_batch=rng.random() < 0.2,
                )
            )
        yield Case(sent, stream_clock=seed % 2 == 1, shards=1 + seed % 3)


def hostile() -> Iterator[bytes | None]:
    """Values that must do no harm."""
    page = json.dumps(examples.event("page.viewed"))
    yield from (None, b"", b"null", b"[]", b"{", b"\xff\xfe", b"\xef\xbb\xbf" + page.encode(), b"x" * (VALUE_BYTES_MAX + 1))
    yield b" " * VALUE_BYTES_MAX
    yield deep(b"[", b"]", 100_000)
    yield deep(b'{"data":', b"}", 30_000)
    yield page.replace('"page"', '"page":"\\ud800","page"').encode()
    yield page.replace('"id"', '"id":"first","id"').encode()
    yield page.replace('"time"', '"nan":NaN,"inf":-Infinity,"huge":1e999999,"time"').encode()
    yield page.replace('"dwell_ms"', f'"dwell_ms":{"9" * 4000},"dwell_ms"').encode()
    yield page.replace("/running/shoes", "😀" * 60_000).encode()
    yield base64.b64encode(bytes(range(256)))


def readable(case: Case) -> str:
    """For a report: a line a record, cut where it is long."""
    head = f"clock {'stream' if case.stream_clock else 'wall'}, {case.shards} shard(s), {len(case.sent)} record(s)"
    lines = [
        f"{s.topic}/{s.partition} at {s.timestamp} key={s.key!r:.80} headers={s.headers!r:.200} value={s.value!r:.400}"
        for s in case.sent
    ]
    return "\n".join([head, *lines])
