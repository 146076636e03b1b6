"""``portrait dlq``: events that could not be folded. See them, mend them, publish them again: each once."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, NamedTuple

import msgspec
import typer
from rich.table import Table

from cli import output
from cli.tasks import asked_to_stop
from schemas.event import REPLAY_OF, TIME_MS_END, Event, Rejection, decode
from schemas.identity import Namer
from schemas.outputs import DeadLetter, Replayed
from schemas.registry import DEAD_LETTERS, REPLAYED
from streams import kafka
from streams.intake import NAMER
from streams.settings import Settings, namer_of

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Events that could not be folded: list, show, mend and replay."
)

CHUNK = 1000
ATTRIBUTE = "ce_"  # prefix of the headers that carry CloudEvents attributes in binary mode

Json = Annotated[bool, typer.Option("--json", help="JSON on stdout.")]
Reason = Annotated[str | None, typer.Option(help="Only those with this reason, as `dlq list` names it.")]


class Letters(NamedTuple):
    """The dead letters by id, and the ids of those that have been replayed."""

    by_id: dict[str, DeadLetter]
    replayed: set[str]


class Mend(NamedTuple):
    """What to change before publishing again; None: as it was."""

    patch: Mapping[str, Any] | None = None
    value: bytes | None = None
    key: str | None = None
    topic: str | None = None


class Mended(NamedTuple):
    """A record that passes the check now."""

    letter: DeadLetter
    topic: str
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


@app.command("list")
def list_letters(reason: Reason = None, json: Json = False) -> None:
    """How many there are of each reason, with an example; or with --reason every single one.

    In JSON keys are base64, as they are any bytes: `portrait dlq list --reason invalid --json | jq -r '.[].key | @base64d'`.

    Exit code 0, whether there are any or not.
    """
    letters = output.run(_read(output.settings()))
    if reason is None:
        groups = grouped(letters)
        output.write_json(groups) if json else _print_groups(groups)
        return
    rows = [_summary(letter, letters) for letter in letters.by_id.values() if letter.reason == reason]
    if json:
        output.write_json(rows)
    else:
        _print_rows(rows)


@app.command()
def show(
    id: Annotated[str, typer.Argument(help="topic/partition/offset, from `dlq list --reason R`.")], json: Json = False
) -> None:
    """One dead letter in full: what is wrong, how to mend it, and the record itself (personal data). Exit code 1: not there."""
    letters = output.run(_read(output.settings()))
    letter = letters.by_id.get(id)
    if letter is None:
        output.fail(f"no dead letter {id}; portrait dlq list")
    if json:
        output.write_json(msgspec.to_builtins(letter) | {"replayed": id in letters.replayed})
        return
    for name, text in (_summary(letter, letters) | {"key": _readable(letter.key)}).items():
        output.out.print(f"[bold]{name:<9}[/bold] {output.escape(str(text))}", soft_wrap=True)
    for name, content in letter.headers:
        output.out.print(f"[bold]header[/bold]    {output.escape(f'{name}: {_readable(content)}')}", soft_wrap=True)
    output.out.print(output.escape(_readable(letter.value)), soft_wrap=True)


@app.command()
def replay(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="topic/partition/offset of each.")] = None,
    reason: Reason = None,
    all_: Annotated[bool, typer.Option("--all", help="All that have not been replayed.")] = False,
    patch: Annotated[str | None, typer.Option(help="A JSON merge patch (RFC 7396) for each event.")] = None,
    value: Annotated[str | None, typer.Option(help="The whole event anew, as JSON; for one ID.")] = None,
    key: Annotated[str | None, typer.Option(help="Another customer id.")] = None,
    topic: Annotated[str | None, typer.Option(help="Another topic than where it came from.")] = None,
    force: Annotated[
        bool,
        typer.Option("--force", help="Also those replayed before: after 16 further events they count again."),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only check.")] = False,
    json: Json = False,
) -> None:
    """Publish dead letters again, mended or because the code was mended. Each is checked first, and goes out once.

    \b
    portrait dlq replay orders/0/17
    portrait dlq replay --reason invalid --patch '{"data": {"currency": "CNY"}}'
    portrait dlq replay --reason wrong-topic --topic orders

    The record names its origin in a header, and the origin is written down as replayed: a later rebuild from the log counts it
    once. An event without a time keeps that of its first record. Ctrl-C ends it after the chunk that is under way; killed, repeat
    it at once with the same options (docs/publishing.md).

    Exit codes: 0 all replayed, 1 some were refused or not reached (each is named), 2 usage, 3 Kafka can't be reached.
    """
    chosen = [bool(ids), reason is not None, all_]
    if sum(chosen) != 1 or (value is not None and len(ids or []) != 1):
        output.fail("name IDs, or --reason, or --all; --value goes with one ID. See --help", output.USAGE)
    mend = Mend(_object(patch, "--patch"), None if value is None else msgspec.json.encode(_object(value, "--value")), key, topic)
    done, refused = output.run(_replay(output.settings(), ids or [], reason, mend, force, dry_run))
    if json:
        output.write_json({"replayed": done, "refused": refused, "dry_run": dry_run})
    else:
        for id, problem in refused.items():
            output.err.print(output.escape(f"{id}: {problem}"), soft_wrap=True)
        output.err.print(f"{len(done)} {'would be ' if dry_run else ''}replayed, {len(refused)} refused")
    raise typer.Exit(output.FAILED if refused else output.OK)


def _object(text: str | None, option: str) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        return msgspec.json.decode(text, type=dict)
    except msgspec.DecodeError as error:
        output.fail(f"{option} is no JSON object: {error}", output.USAGE)


async def _read(settings: Settings) -> Letters:
    decode_letter = msgspec.json.Decoder(DeadLetter).decode
    by_id: dict[str, DeadLetter] = {}
    with output.progress() as bar:
        task = bar.add_task("dead letters read", total=None)
        async for record in kafka.read_topic(settings.kafka, DEAD_LETTERS):
            bar.advance(task)
            try:
                letter = decode_letter(record.value or b"")
            except msgspec.DecodeError:
                output.err.print(f"{DEAD_LETTERS}/{record.partition}/{record.offset}: not of this format, left out")
                continue
            by_id[letter.id] = letter  # a worker may have published it twice
        replayed = {(record.key or b"").decode() async for record in kafka.read_topic(settings.kafka, REPLAYED) if record.value}
    return Letters(by_id, replayed)


async def _replay(
    settings: Settings, ids: Sequence[str], reason: str | None, mend: Mend, force: bool, dry_run: bool
) -> tuple[list[str], dict[str, str]]:
    """Ids that were replayed, and why others were refused."""
    letters = await _read(settings)
    refused = {id: "no such dead letter; portrait dlq list" for id in ids if id not in letters.by_id}
    ready: list[Mended] = []
    namer = namer_of(settings)
    for letter in _selected(letters, ids, reason, force):
        if letter.id in letters.replayed and not force:
            refused[letter.id] = "replayed before; --force does it again"
            continue
        mended = mended_record(letter, mend, _now_ms(), namer)
        if isinstance(mended, Rejection):
            refused[letter.id] = f"{mended.path}: {mended.message}; {mended.remedy}"
        else:
            ready.append(mended)
    done = len(ready) if dry_run else await _publish(settings, ready)
    refused |= {mended.letter.id: "interrupted before its turn; run it again" for mended in ready[done:]}
    return [mended.letter.id for mended in ready[:done]], refused


def _selected(letters: Letters, ids: Sequence[str], reason: str | None, force: bool) -> Iterable[DeadLetter]:
    if ids:
        return [letters.by_id[id] for id in dict.fromkeys(ids) if id in letters.by_id]
    return [
        letter
        for letter in letters.by_id.values()
        if (reason is None or letter.reason == reason) and (force or letter.id not in letters.replayed)
    ]


async def _publish(settings: Settings, ready: Sequence[Mended]) -> int:
    """The events first, then, acknowledged, the notes: a crash in between repeats an event, whose id is known by then.

    Asked to stop, it ends after a whole chunk. Returns how many were published and noted.
    """
    done = 0
    with output.progress() as bar, asked_to_stop() as stop:
        task = bar.add_task("replayed", total=len(ready))
        async with kafka.publisher(settings.kafka) as publisher:
            while done < len(ready) and not stop.asked:
                chunk = ready[done : done + CHUNK]
                for mended in chunk:
                    await publisher.send(mended.topic, mended.key, mended.value, mended.headers)
                await publisher.flush()
                for mended in chunk:
                    note = msgspec.json.encode(Replayed(origin=mended.letter.origin, replayed_at_ms=_now_ms()))
                    await publisher.send(REPLAYED, mended.letter.id.encode(), note)
                await publisher.flush()
                done += len(chunk)
                bar.advance(task, len(chunk))
    return done


def mended_record(letter: DeadLetter, mend: Mend, now_ms: int, namer: Namer = NAMER) -> Mended | Rejection:
    """The record to publish instead of the dead one, or what is still wrong with it. ``namer`` names identities as workers do."""
    if letter.value_truncated and mend.value is None:
        return Rejection("too-large", "value", "only its beginning was kept", "publish the event anew, or give it with --value")
    topic = mend.topic or letter.origin.topic
    key = letter.key if mend.key is None else mend.key.encode()
    headers = [(name, content) for name, content in letter.headers if name != REPLAY_OF]
    value = letter.value
    if mend.value is not None:
        value, headers = mend.value, _without_attributes(headers)
    event = _event(value, headers)
    if mend.patch is not None and event is None:
        return Rejection("not-json", "$", "no JSON object, so there is nothing to patch", "give the whole event with --value")
    if event is not None and (mend.patch is not None or "time" not in event):
        whole = merged({"time": _time_of(letter)} | event, mend.patch or {})
        if not whole.get("time"):
            return Rejection("bad-time", "$.time", "neither the event nor its record tells when", "give it one with --patch")
        value = msgspec.json.encode(whole)
        headers = _without_attributes(headers)
    found = decode(topic, key, value, headers, now_ms)
    if isinstance(found, Event):
        found = namer.named(found)
    if isinstance(found, Rejection):
        return found
    return Mended(letter, topic, key or b"", value or b"", [*headers, (REPLAY_OF, letter.id.encode())])


def _event(value: bytes | None, headers: Sequence[tuple[str, bytes]]) -> dict[str, Any] | None:
    """The event in structured form, also where the record has it in binary mode; None if it is no JSON object."""
    try:
        content = msgspec.json.decode(value or b"")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    attributes = {
        name.removeprefix(ATTRIBUTE): text.decode(errors="replace") for name, text in headers if name.startswith(ATTRIBUTE)
    }
    if attributes:
        return attributes | {"data": content}
    return content if isinstance(content, dict) else None


def _time_of(letter: DeadLetter) -> str:
    """Of its record; "" where that is none: -1 stands for "no time", and a producer may claim anything."""
    if not 0 <= letter.record_ms < TIME_MS_END:
        return ""
    return datetime.fromtimestamp(letter.record_ms / 1000, UTC).isoformat(timespec="milliseconds")


def _without_attributes(headers: Sequence[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    return [(name, content) for name, content in headers if not name.startswith(ATTRIBUTE) and name != "content-type"]


def merged(target: Any, patch: Any) -> Any:
    """JSON merge patch, RFC 7396: objects are merged, null removes, anything else replaces."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(target) if isinstance(target, Mapping) else {}
    for name, change in patch.items():
        if change is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), change)
    return result


def grouped(letters: Letters) -> list[dict[str, Any]]:
    """A row for each reason, the most frequent first; the example is the newest, one that waits if there is any."""
    waiting = Counter(letter.reason for letter in letters.by_id.values() if letter.id not in letters.replayed)
    total = Counter(letter.reason for letter in letters.by_id.values())
    by_age = sorted(letters.by_id.values(), key=lambda letter: (letter.id not in letters.replayed, letter.record_ms))
    newest = {letter.reason: letter for letter in by_age}
    return [
        {"reason": reason, "letters": count, "waiting": waiting[reason], "newest": _summary(newest[reason], letters)}
        for reason, count in total.most_common()
    ]


def _summary(letter: DeadLetter, letters: Letters) -> dict[str, Any]:
    return {
        "id": letter.id,
        "reason": letter.reason,
        "path": letter.path,
        "message": letter.message,
        "remedy": letter.remedy,
        "key": letter.key,
        "time": _time_of(letter),
        "replayed": letter.id in letters.replayed,
    }


def _print_groups(groups: Sequence[Mapping[str, Any]]) -> None:
    if not groups:
        output.out.print("no dead letters")
        return
    table = Table("reason", "letters", "waiting", "newest", "path", "what is wrong", box=None, pad_edge=False)
    for group in groups:
        example = group["newest"]
        cells = (
            group["reason"],
            str(group["letters"]),
            str(group["waiting"]),
            example["id"],
            example["path"],
            example["message"],
        )
        table.add_row(*map(output.escape, cells))
    output.out.print(table)
    output.err.print("\nMore: portrait dlq show ID    Mend: portrait dlq replay --help")


def _print_rows(rows: Sequence[Mapping[str, Any]]) -> None:
    table = Table("id", "time", "path", "what is wrong", "replayed", box=None, pad_edge=False)
    for row in rows:
        cells = (row["id"], row["time"], row["path"], row["message"], "yes" if row["replayed"] else "")
        table.add_row(*map(output.escape, cells))
    output.out.print(table)


def _readable(content: bytes | None) -> str:
    if content is None:
        return "(none)"
    try:
        return content.decode()
    except UnicodeDecodeError:
        return repr(content)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
