"""``portrait doctor``: what is wrong with my Kafka, Redis, versions, lag, and how to mend it. It only reads."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Literal

import msgspec
import typer

from cli import output
from cli.positions import stored_positions
from cli.shelf import read_shelf
from cli.topics import by_problem, differences
from language.learned import Unusable
from profile_store.contract import TP, Position, StoreError, StoreRefused
from profile_store.diagnosis import ServerFacts, server_facts
from schemas.registry import DEAD_LETTERS, EVENT_TOPICS, EXPIRED, REPLAYED
from streams import kafka
from streams.kafka import Lag
from streams.learning import records
from streams.settings import Settings, SettingsError, load
from streams.texts import standing
from streams.topics import plan
from streams.versions import missing_compiled

#: Exactly these were tested: one file of ours uses their internals.
EXACT = {"faust-streaming": "0.15.3", "aiokafka": "0.14.0"}
SHOWN = ("mode-streaming", "msgspec", "redis", "hiredis", "river", "uvloop")
LAG_RECORDS_HIGH = 100_000
MEMORY_SHARE_HIGH = 0.8
REDIS_MIN = (6, 2)
#: A profile's fields stay below it; a hash with a longer one loses its compact form.
HASH_VALUE_BYTES_MIN = 1024
EVENT_NAMES = [topic.name for topic in EVENT_TOPICS]
LISTED_MAX = 8

Level = Literal["OK", "WARN", "FAIL"]
COLOURS: Mapping[Level, str] = {"OK": "green", "WARN": "yellow", "FAIL": "red"}


class Finding(msgspec.Struct, frozen=True):
    """One line: what was looked at, what was found, and what to do about it ("" if nothing)."""

    level: Level
    about: str
    found: str
    remedy: str = ""


def command(json: Annotated[bool, typer.Option("--json", help="A JSON list on stdout.")] = False) -> None:
    """What is wrong with my Kafka, Redis, versions, lag, and how to mend it. It changes nothing.

    Exit codes: 0 no FAIL (there may be warnings), 1 a FAIL.
    """
    findings = output.run(_all())
    if json:
        output.write_json(findings)
    else:
        for f in findings:
            output.out.print(f"[{COLOURS[f.level]}]{f.level:<4}[/] {f.about:<14} {output.escape(f.found)}", soft_wrap=True)
            if f.remedy:
                output.out.print(f"{'':<19} -> {output.escape(f.remedy)}", soft_wrap=True)
    raise typer.Exit(output.FAILED if any(f.level == "FAIL" for f in findings) else output.OK)


async def _all() -> list[Finding]:
    findings = list(check_versions())
    try:
        settings = load(os.environ)
    except SettingsError as error:
        return [*findings, Finding("FAIL", "settings", str(error), "correct the variable; portrait worker --help lists them")]
    findings.append(Finding("OK", "settings", f"group {settings.group}, {settings.shards} shard(s), clock {settings.clock}"))
    findings.append(check_identities(settings))
    positions: dict[TP, Position] | None = None
    try:
        findings += check_server(await server_facts(settings.redis, cluster=settings.cluster))
        positions = await stored_positions(settings)
    except StoreRefused as error:
        findings.append(Finding("FAIL", "redis", str(error)))  # which says how to mend it
    except StoreError as error:
        findings.append(Finding("FAIL", "redis", str(error), "start it, or set PORTRAIT_REDIS=redis://HOST:6379/0"))
    try:
        findings += [finding async for finding in _check_kafka(settings, positions)]
    except kafka.KafkaProblem as problem:
        findings.append(Finding("FAIL", "kafka", str(problem), "start it, or set PORTRAIT_KAFKA=HOST:9092"))
    return findings


def check_versions() -> Iterator[Finding]:
    """Python and packages."""
    level: Level = "OK" if sys.version_info[:2] == (3, 11) else "WARN"
    remedy = "" if level == "OK" else "tested with Python 3.11 only"
    yield Finding(level, "python", platform.python_version(), remedy)
    found = {name: _version(name) for name in (*EXACT, *SHOWN)}
    wrong = [f"{name}=={wanted}" for name, wanted in EXACT.items() if found[name] != wanted]
    text = ", ".join(f"{name} {number}" for name, number in found.items())
    yield Finding("FAIL" if wrong else "OK", "packages", text, f"pip install {' '.join(wrong)}" if wrong else "")
    if missing := missing_compiled():
        remedy = "install wheels instead of building: pip install --only-binary :all: faust-streaming aiokafka"
        yield Finding("WARN", "compiled parts", f"missing: {', '.join(missing)}", remedy)
    else:
        yield Finding("OK", "compiled parts", "Faust's and aiokafka's are there")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"


def check_server(facts: ServerFacts) -> Iterator[Finding]:
    """Redis or Valkey: version, eviction, memory, persistence, compact hashes."""
    numbers = tuple(int(part) for part in facts.version.split(".")[:2] if part.isdigit())
    old = facts.kind == "Redis" and numbers < REDIS_MIN
    yield Finding(
        "FAIL" if old else "OK", "redis", f"{facts.kind} {facts.version}", "6.2 or later is needed, or any Valkey" if old else ""
    )
    if facts.memory_bytes_max and facts.policy != "noeviction":
        remedy = "CONFIG SET maxmemory-policy noeviction: an evicted profile looks like a new customer"
        yield Finding("FAIL", "eviction", facts.policy, remedy)
    else:
        yield Finding("OK", "eviction", facts.policy or "unknown")
    share = facts.memory_bytes / facts.memory_bytes_max if facts.memory_bytes_max else 0.0
    full = share > MEMORY_SHARE_HIGH
    limit = f" of {_mb(facts.memory_bytes_max)}" if facts.memory_bytes_max else ", no limit"
    remedy = "raise maxmemory before it is full: workers wait when Redis refuses writes" if full else ""
    yield Finding("WARN" if full else "OK", "memory", f"{_mb(facts.memory_bytes)}{limit}", remedy)
    if facts.append_only:
        yield Finding("OK", "persistence", f"AOF, fsync {facts.fsync or 'unknown'}")
    else:
        remedy = "appendonly yes, appendfsync everysec: without it a restart folds the whole log again"
        yield Finding("WARN", "persistence", "no AOF", remedy)
    longest = facts.hash_value_bytes_max
    if longest is not None and longest < HASH_VALUE_BYTES_MIN:
        remedy = f"CONFIG SET hash-max-listpack-value {HASH_VALUE_BYTES_MIN}: profiles keep their compact form"
        yield Finding("WARN", "hashes", f"hash-max-listpack-value {longest}", remedy)
    else:
        yield Finding("OK", "hashes", f"hash-max-listpack-value {longest or 'unknown'}")


def _mb(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"


async def _check_kafka(settings: Settings, positions: Mapping[TP, Position] | None) -> AsyncIterator[Finding]:
    async with kafka.admin(settings.kafka) as admin:
        brokers = await admin.brokers()
        yield Finding("OK", "kafka", f"{brokers.size} broker(s) at {settings.kafka}, speaking like Kafka {brokers.speaks_like}")
        plans = plan(settings, create_time=settings.clock == "stream")
        states = await admin.topics([p.name for p in plans])
        for finding in check_topics(plans, states, brokers.stamps):
            yield finding
        lags = await admin.lags(settings.group, EVENT_NAMES)
        letters = await admin.lags(settings.group, [DEAD_LETTERS, REPLAYED])
        expired = await admin.lags(settings.group, [EXPIRED])
    for finding in check_lag(lags, positions):
        yield finding
    yield check_dead_letters(letters)
    if expired:  # or it is missing, which is told
        yield check_expired(expired)
    yield await _check_model(settings)
    yield check_texts(await records(settings.kafka))


def check_topics(
    plans: Sequence[kafka.TopicPlan], states: Mapping[str, kafka.TopicState], stamps: bool = True
) -> Iterator[Finding]:
    """They exist, with the time and the retention that the guarantees need."""
    if missing := [p.name for p in plans if p.name not in states]:
        yield Finding("FAIL", "topics", f"missing: {', '.join(missing)}", "portrait topics create")
    found = by_problem({p.name: differences(p, states[p.name], stamps=stamps) for p in plans if p.name in states})
    for problem, names in found.items():
        what, _, remedy = problem.partition(": ")
        yield Finding("WARN", "topics", f"{', '.join(names)}: {what}", remedy)
    if not missing and not found:
        yield Finding("OK", "topics", f"all {len(plans)}, with time and retention as planned")


def check_lag(lags: Mapping[TP, Lag], positions: Mapping[TP, Position] | None) -> Iterator[Finding]:
    """How far the workers are, by Kafka's offsets, and whether Redis agrees."""
    behind = {tp: lag.records for tp, lag in lags.items() if lag.records}
    text = _partitions({tp: f"{records:,}" for tp, records in behind.items()})
    if behind and all(lag.committed is None for lag in lags.values()):
        yield Finding("WARN", "lag", f"{sum(behind.values()):,} records wait, and none was ever committed", "portrait worker")
    elif sum(behind.values()) > LAG_RECORDS_HIGH:
        yield Finding("WARN", "lag", text, "is a worker running? More of them share the partitions: portrait worker")
    else:
        yield Finding("OK", "lag", text or "none: read to the end")
    if positions is None:
        return
    lost = {tp: f"starts at {lag.start}" for tp, lag in lags.items() if _hole(lag, positions.get(tp))}
    if lost:
        remedy = (
            "records went before they were folded: restore a newer Redis backup, if there is one; keep more (portrait topics)"
        )
        yield Finding("FAIL", "positions", f"the log no longer has what Redis needs next: {_partitions(lost)}", remedy)
    ahead = {
        tp: f"{at.next_offset} of {lags[tp].end}" for tp, at in positions.items() if tp in lags and at.next_offset > lags[tp].end
    }
    if ahead:
        remedy = 'a topic was made anew, or this is another Kafka: see "When workers refuse the log" in docs/operating.md'
        yield Finding("FAIL", "positions", f"Redis is past the end of the log: {_partitions(ahead)}", remedy)
    older = {tp: f"{lag.committed}" for tp, lag in lags.items() if _older(lag, positions.get(tp))}
    if older and not lost:
        remedy = "Redis lost its tail or was restored: a running worker catches up by itself, without repeating actions"
        yield Finding("WARN", "positions", f"Redis is behind what Kafka has as committed: {_partitions(older)}", remedy)
    if not lost and not ahead and not older:
        yield Finding("OK", "positions", f"Redis and Kafka agree on {len(lags)} partitions")


def _hole(lag: Lag, position: Position | None) -> bool:
    """What is to be folded next has been deleted from the log."""
    return lag.start > (position.next_offset if position else 0)


def _older(lag: Lag, position: Position | None) -> bool:
    return lag.committed is not None and (position.next_offset if position else 0) < lag.committed


def _partitions(texts: Mapping[TP, str]) -> str:
    shown = [f"{topic}/{partition} {text}" for (topic, partition), text in list(texts.items())[:LISTED_MAX]]
    return ", ".join(shown) + (f" and {len(texts) - LISTED_MAX} more" if len(texts) > LISTED_MAX else "")


def check_dead_letters(lags: Mapping[TP, Lag]) -> Finding:
    """By counting records: replayed more than once counts twice, so "about"."""
    count = {name: sum(lag.end - lag.start for tp, lag in lags.items() if tp[0] == name) for name in (DEAD_LETTERS, REPLAYED)}
    waiting = max(0, count[DEAD_LETTERS] - count[REPLAYED])
    if waiting:
        return Finding("WARN", "dead letters", f"about {waiting:,} wait", "portrait dlq list")
    return Finding("OK", "dead letters", "none wait")


def check_expired(lags: Mapping[TP, Lag]) -> Finding:
    """What has expired is void for as long as the topic says so: its records must all be there."""
    lost = {tp: f"starts at {lag.start}" for tp, lag in lags.items() if lag.start}
    if lost:
        remedy = "keep it for ever (portrait topics list); whoever these were about comes back when the log is folded again"
        return Finding("FAIL", "expired", f"records are gone: {_partitions(lost)}", remedy)
    return Finding("OK", "expired", f"{sum(lag.end for lag in lags.values()):,} times that a fragment expired, none forgotten")


def check_identities(settings: Settings) -> Finding:
    """Whether addresses and numbers can be named."""
    if settings.identity_key:
        return Finding("OK", "identities", f"email: and phone: as hashes under a key, numbers of country {settings.country}")
    text = "no PORTRAIT_IDENTITY_KEY: events of email: and phone: become dead letters. Set it before you publish such"
    return Finding("OK", "identities", text)


async def _check_model(settings: Settings) -> Finding:
    shelf, refused = await read_shelf(settings)
    if shelf.pinned and shelf.pinned not in shelf.versions:
        return Finding("WARN", "model", f"version {shelf.pinned} is pinned, but not kept", "portrait model pin --none")
    if problems := [why for key, why in refused.items() if "@" not in key]:
        return Finding("WARN", "model", problems[0], "do all workers run this version? portrait model list")
    scoring = shelf.scoring
    if scoring is None:
        return Finding("OK", "model", "none yet: scores come from the prior until labels mature")
    minutes = (time.time_ns() // 1_000_000 - scoring.trained_at_ms) / 60_000
    metrics = ", ".join(f"{name} {value:.4g}" for name, value in sorted(scoring.metrics.items()))
    pinned = " (pinned)" if shelf.pinned else ""
    return Finding("OK", "model", f"{scoring.model} {scoring.version}{pinned}, {minutes:,.0f} min old ({metrics})")


def check_texts(found: Mapping[str, bytes]) -> Finding:
    """Of the models of texts: what is in force, and whether profiles hold what was understood with others."""
    try:
        stands = standing(found)
    except Unusable as error:
        remedy = "portrait language adopt, or portrait language adopt --shipped: workers refuse to start with it"
        return Finding("FAIL", "texts", f"what was adopted can't be used: {error}", remedy)
    if stands.in_force != stands.rebuilt:
        text = f"understood with {stands.in_force}, and profiles were last made anew with {stands.rebuilt}"
        return Finding("WARN", "texts", text, "portrait rebuild --all: until then older texts stand as they were understood then")
    return Finding("OK", "texts", f"understood with {stands.in_force}")
