"""``portrait publish``: events into Kafka, checked first, acknowledged at the end."""

from __future__ import annotations

import asyncio
import io
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, BinaryIO, NamedTuple
from uuid import uuid4

import msgspec
import typer

from cli import output
from schemas.cleaning import NONE_REFUSED, Refused
from schemas.event import Event, Rejection, decode
from schemas.identity import Namer, is_bare_address, others_of
from schemas.registry import TYPES
from streams import kafka
from streams.settings import Settings, namer_of

SOURCE = "/portrait/publish"
CHUNK_BYTES = 1 << 16
#: Whether an address can be one can be told without the workers' key.
CHECKING_KEY = "nobody reads what is hashed"
IN_CLEAR = (
    "name an e-mail address or a telephone number as a customer id, which stays in the clear: say email:ADDRESS or "
    "phone:NUMBER, or a kind (docs/publishing.md)"
)


class Ready(NamedTuple):
    """A record to send. ``time_ms``: the event's own time. ``left_out``: fields of values that workers will leave out;
    ``in_clear``: it names an address as a customer id."""

    topic: str
    key: bytes | None
    value: bytes
    time_ms: int
    left_out: Refused = NONE_REFUSED
    in_clear: bool = False


class Counts(msgspec.Struct):
    """Of lines: ``left_out`` and ``in_clear`` were sent, with a warning."""

    sent: int = 0
    refused: int = 0
    left_out: int = 0
    in_clear: int = 0


class Defaults(NamedTuple):
    """What options say about every line."""

    key: str | None = None
    topic: str | None = None
    check: bool = True
    event_time: bool = False
    namer: Namer = Namer(CHECKING_KEY.encode())


def command(
    file: Annotated[Path | None, typer.Argument(help="JSON lines; - or nothing: standard input.", allow_dash=True)] = None,
    key: Annotated[str | None, typer.Option(help="The customer id, where a line has no field `key`.")] = None,
    type_: Annotated[str | None, typer.Option("--type", help="Publish one event of this type, from options alone.")] = None,
    data: Annotated[str, typer.Option(help="With --type: its data, a JSON object.")] = "{}",
    time_: Annotated[str | None, typer.Option("--time", help="With --type: when it happened. Now, if not given.")] = None,
    topic: Annotated[str | None, typer.Option(help="Where the type does not tell it.")] = None,
    check: Annotated[bool, typer.Option("--check/--no-check", help="--no-check: send what is wrong, too.")] = True,
    event_time: Annotated[
        bool, typer.Option("--event-time", help="Records carry the event's time (topics create --create-time).")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="The counts as JSON on stdout.")] = False,
) -> None:
    """Publish events: a file or pipe of JSON lines, or one event from options.

    \b
    portrait publish --key C1 --type rating.given --data '{"stars": 2}'
    portrait publish events.jsonl
    cat events.jsonl | portrait publish --key C1

    A line is a CloudEvents 1.0 object: at least `type` and `data`. Fields `key` (the customer; or else --key, or `subject`)
    and `topic` are taken out of it; a missing id, time, source and specversion are filled in. Bad lines are named and
    left out, the others are sent. Ends when the broker has acknowledged all.

    Exit codes: 0 all sent, 1 lines were left out, 2 usage, 3 Kafka can't be reached.
    """
    settings = output.settings()
    namer = namer_of(msgspec.structs.replace(settings, identity_key=settings.identity_key or CHECKING_KEY))
    defaults = Defaults(key, topic, check, event_time, namer)
    with _opened(file, _one(type_, data, time_) if type_ else None) as (stream, size):
        counts = output.run(_publish(settings, stream, size, defaults))
    if json:
        output.write_json(counts)
    else:
        output.err.print(f"{counts.sent} sent" + (f", [red]{counts.refused} refused[/red]" if counts.refused else ""))
    if counts.in_clear:
        output.err.print(f"{counts.in_clear} of these {IN_CLEAR}", soft_wrap=True)
    raise typer.Exit(output.FAILED if counts.refused else output.OK)


def _one(type_: str, data: str, time_: str | None) -> bytes:
    try:
        payload = msgspec.json.decode(data)
    except msgspec.DecodeError as error:
        output.fail(f"--data is not JSON: {error}", output.USAGE)
    return msgspec.json.encode({"type": type_, "data": payload} | ({"time": time_} if time_ else {}))


@contextmanager
def _opened(file: Path | None, one: bytes | None) -> Iterator[tuple[BinaryIO, int | None]]:
    """The input, and its size in bytes if that can be known."""
    if one is not None:
        yield io.BytesIO(one), len(one)
    elif file is None or str(file) == "-":
        if sys.stdin.isatty():
            output.fail("nothing to publish: name a FILE, pipe JSON lines in, or give --key and --type. See --help", output.USAGE)
        yield sys.stdin.buffer, None
    else:
        try:
            opened = file.open("rb")
        except OSError as error:
            output.fail(f"{file}: {error.strerror}", output.USAGE)
        with opened:
            yield opened, file.stat().st_size


async def _lines(stream: BinaryIO) -> AsyncIterator[bytes]:
    """Lines as they come: what a slow pipe has brought is on its way before the next line is there."""
    rest = b""
    while chunk := await asyncio.to_thread(getattr(stream, "read1", stream.read), CHUNK_BYTES):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line
    yield rest


async def _publish(settings: Settings, stream: BinaryIO, size: int | None, defaults: Defaults) -> Counts:
    counts = Counts()
    with output.progress() as bar:
        task = bar.add_task("bytes published", total=size)
        async with kafka.publisher(settings.kafka) as publisher:
            number = 0
            async for line in _lines(stream):
                number += 1
                bar.advance(task, len(line) + 1)
                if not line.strip():
                    continue
                ready = prepare(line, defaults, time.time_ns() // 1_000_000)
                if isinstance(ready, Rejection):
                    counts.refused += 1
                    _tell(number, f"{ready.path}: {ready.message}; {ready.remedy}")
                    continue
                if ready.left_out:
                    counts.left_out += 1
                    _tell(number, f"sent, but what can't be right is left out by workers, in {', '.join(ready.left_out)}")
                stamp = ready.time_ms if defaults.event_time else None
                await publisher.send(ready.topic, ready.key, ready.value, timestamp_ms=stamp)
                counts.sent += 1
                counts.in_clear += ready.in_clear
    return counts


def _tell(number: int, message: str) -> None:
    output.err.print(output.escape(f"line {number}: {message}"), soft_wrap=True)


def prepare(line: bytes, defaults: Defaults, now_ms: int) -> Ready | Rejection:
    """A line as it will be sent, or why not. With ``check`` off only what leaves no topic is refused."""
    try:
        event: Any = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        event = None
        problem = Rejection("not-json", "$", str(error), "one JSON object a line, in UTF-8")
    else:
        problem = Rejection("not-json", "$", f"a {type(event).__name__}", "one JSON object a line")
    if not isinstance(event, dict):
        if defaults.check or not defaults.topic:
            return problem
        return Ready(defaults.topic, _key_bytes(defaults.key), line, now_ms)
    topic, key = event.pop("topic", None) or defaults.topic, event.pop("key", None) or defaults.key or event.get("subject")
    name = event.get("type")
    if not topic and isinstance(name, str) and name in TYPES:
        topic = TYPES[name][0].name
    if not isinstance(topic, str):
        return Rejection("unknown-type", "$.type", f"{name!r} is not known", f"one of {', '.join(TYPES)}; or name the topic")
    if not isinstance(key, str) and defaults.check:
        return Rejection("bad-key", "key", "no customer is named", "add a field `key` (a string), or say --key")
    return _checked(topic, _key_bytes(key), complete(event, now_ms), defaults, now_ms)


def _key_bytes(key: Any) -> bytes | None:
    """Bytes of the command line that are no UTF-8 stay as they were, for the check to find."""
    return key.encode(errors="surrogateescape") if isinstance(key, str) else None


def _checked(topic: str, key: bytes | None, event: dict[str, Any], defaults: Defaults, now_ms: int) -> Ready | Rejection:
    value = msgspec.json.encode(event)
    time_ms = _time_ms(event, now_ms)
    if not defaults.check:
        return Ready(topic, key, value, time_ms)
    found = decode(topic, key, value, (), time_ms if defaults.event_time else now_ms)
    if isinstance(found, Event):
        found = defaults.namer.named(found)
    if isinstance(found, Rejection):
        return found
    in_clear = any(map(is_bare_address, (found.customer_id, *others_of(found))))
    return Ready(topic, key, value, time_ms, found.refused, in_clear)


def complete(event: dict[str, Any], now_ms: int) -> dict[str, Any]:
    """With the attributes that CloudEvents requires, where they are missing. The time carries this machine's offset."""
    now = datetime.fromtimestamp(now_ms / 1000).astimezone()
    required = {"specversion": "1.0", "id": str(uuid4()), "source": SOURCE, "time": now.isoformat(timespec="milliseconds")}
    return required | event


def _time_ms(event: dict[str, Any], now_ms: int) -> int:
    try:
        return max(0, int(datetime.fromisoformat(event["time"]).timestamp() * 1000))
    except (ValueError, TypeError, OverflowError, OSError):
        return now_ms
