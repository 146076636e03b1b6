"""The verdict: everything in Redis and Kafka, once all is quiet, against the oracle's fold of the log as Kafka has it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import msgspec
import redis

from oracle import facts as oracle_facts
from oracle import log as oracle_log
from portrait.evolve import due_ms
from portrait.state import State, decode, facts
from profile_store.keys import shard_keys
from schemas.event import Event
from schemas.outputs import Lesson, Snapshot
from schemas.registry import ACTIONS, DEAD_LETTERS, EVENT_TOPICS, LESSONS, MODELS
from streams import kafka

KEYS = shard_keys("", 1)[0]
NONCE_BYTES = 8
#: A lesson that comes again is recognised while at most so many came between.
LESSONS_HORIZON = 2000
SHOWN = 5


class Verdict(msgspec.Struct, kw_only=True):
    """Counts of what is wrong; ``notes`` say what, without end."""

    events: int = 0  # records in the log
    customers: int = 0
    lost: int = 0
    double: int = 0
    facts_differ: int = 0  # customers with as many events as the oracle has, and other facts
    dead_letters: int = 0
    dead_letters_wrong: int = 0  # missing and extra
    indexes_wrong: int = 0
    effects_left: int = 0
    actions: int = 0  # distinct ids of actions and lessons in Kafka
    actions_missing: int = 0
    gone_with_a_tail: int = 0  # ids that were not published when Redis lost the states that held them
    actions_extra: int = 0  # ids that no committed state is known to have held
    lessons: int = 0
    lessons_wrong: int = 0  # how many more or fewer the last snapshot has learned than stand before its offsets
    lessons_again: int = 0  # came once more, with more than LESSONS_HORIZON others between
    notes: list[str] = []

    @property
    def fine(self) -> bool:
        wrong = (self.lost, self.double, self.facts_differ, self.dead_letters_wrong, self.indexes_wrong)
        return not any((*wrong, self.effects_left, self.actions_missing, self.lessons_wrong))


async def judge(bootstrap: str, redis_url: str, owed: Path, gone: Sequence[tuple[float, float]] = ()) -> Verdict:
    """Reads everything; takes about a minute for a million events. ``gone``: when what Redis has lost was written."""
    verdict = Verdict()
    with redis.Redis.from_url(redis_url, protocol=2) as client:
        states = dict(read_states(client))
        check_indexes(client, states, verdict)
    verdict.effects_left = sum(bool(state.effects) for state in states.values())
    at_ms = max((state.moment_ms for state in states.values()), default=0)
    dead = await check_facts(bootstrap, states, at_ms, verdict)
    letters = {(record.key or b"").decode() async for record in kafka.read_topic(bootstrap, DEAD_LETTERS)}
    verdict.dead_letters, verdict.dead_letters_wrong = len(dead), len(dead ^ letters)
    if dead ^ letters:
        verdict.notes.append(f"dead letters: missing {sorted(dead - letters)[:SHOWN]}, extra {sorted(letters - dead)[:SHOWN]}")
    await check_effects(bootstrap, owed, gone, verdict)
    await check_lessons(bootstrap, verdict)
    return verdict


def read_states(client: redis.Redis) -> Iterator[tuple[str, State]]:
    for name in client.scan_iter(match=f"{KEYS.state.replace('[', '?')}*", count=1000):
        blob: Any = client.get(name)
        yield unquote(name.decode().removeprefix(KEYS.state)), decode(blob[NONCE_BYTES:])


def effects_left(redis_url: str) -> int:
    """How many states still hold effects."""
    with redis.Redis.from_url(redis_url, protocol=2) as client:
        return sum(bool(state.effects) for _, state in read_states(client))


async def check_facts(bootstrap: str, states: dict[str, State], at_ms: int, verdict: Verdict) -> set[str]:
    """Every customer's facts. Returns the origins of what should be dead letters."""
    reader, dead = oracle_log.Reader(), set()
    events: dict[str, list[Event]] = defaultdict(list)
    for topic in EVENT_TOPICS:
        async for record in kafka.read_topic(bootstrap, topic.name):
            verdict.events += 1
            found = reader.take(record)
            if isinstance(found, Event):
                events[found.customer_id].append(found)
            elif found is not None:
                dead.add(found.origin)
    verdict.customers = len(events.keys() | states.keys())
    for customer_id in events.keys() | states.keys():
        compare(customer_id, events.get(customer_id, []), states.get(customer_id), at_ms, verdict)
    return dead


def compare(customer_id: str, events: list[Event], state: State | None, at_ms: int, verdict: Verdict) -> None:
    expected = oracle_facts.facts(events, at_ms) if events else b""
    found = facts(state, at_ms) if state else b""
    if expected == found:
        return
    count = state.events if state else 0
    verdict.lost += max(0, len(events) - count)
    verdict.double += max(0, count - len(events))
    if count == len(events):
        audit = sum(int.from_bytes(event.hash, "little") for event in events) % 2**64
        if state and state.audit != audit:
            verdict.lost += 1
            verdict.double += 1
        else:
            verdict.facts_differ += 1
    verdict.notes.append(f"{customer_id}: {len(events)} events, {count} in the state\n  {expected[:300]!r}\n  {found[:300]!r}")


def check_indexes(client: redis.Redis, states: dict[str, State], verdict: Verdict) -> None:
    """What each index must hold, according to the states."""
    expected: dict[str, dict[Any, Any]] = {"due": {}, "risk": {}, "stage": {}, "profile": {}}
    for customer_id, state in states.items():
        if (due := due_ms(state)) is not None:
            expected["due"][customer_id] = due
        if state.risk is not None:
            expected["risk"][customer_id] = state.risk
        expected["stage"][customer_id] = state.stage
        expected["profile"][customer_id] = (state.version, state.stage, None if state.risk is None else f"{state.risk:.4f}")
    stored = {"due": _scores(client, KEYS.due), "risk": _scores(client, KEYS.risk), "stage": {}, "profile": {}}
    for stage in client.smembers(KEYS.stages):
        for member in client.smembers(KEYS.of_stage(stage.decode())):
            if member.decode() in stored["stage"]:
                verdict.indexes_wrong += 1
                verdict.notes.append(f"{member.decode()} is in two stages")
            stored["stage"][member.decode()] = stage.decode()
    for name in client.scan_iter(match=f"{KEYS.profile}*", count=1000):
        version, stage, risk = client.hmget(name, "version", "stage", "churn_risk")
        found = int(version or 0), (stage or b"").decode(), risk.decode() if risk else None
        stored["profile"][unquote(name.decode().removeprefix(KEYS.profile))] = found
    for kind, wanted in expected.items():
        for customer_id in wanted.keys() | stored[kind].keys():
            if wanted.get(customer_id) != stored[kind].get(customer_id):
                verdict.indexes_wrong += 1
                pair = f"{wanted.get(customer_id)} expected, {stored[kind].get(customer_id)} stored"
                verdict.notes.append(f"index {kind}: {customer_id}: {pair}")


def _scores(client: redis.Redis, key: str) -> dict[str, float]:
    return {member.decode(): score for member, score in client.zrange(key, 0, -1, withscores=True)}


async def check_effects(bootstrap: str, owed: Path, gone: Sequence[tuple[float, float]], verdict: Verdict) -> None:
    """Every id that a committed state held was published, unless Redis lost that state first."""
    committed: dict[str, tuple[str, float]] = {}
    for line in owed.read_text().splitlines() if owed.exists() else ():
        at_ms, topic, id_ = line.split()
        committed[id_] = topic, int(at_ms) / 1000
    published: set[str] = set()
    for topic in (ACTIONS, LESSONS):
        published |= {msgspec.json.decode(record.value or b"")["id"] async for record in kafka.read_topic(bootstrap, topic)}
    verdict.actions, verdict.actions_extra = len(published), len(published - committed.keys())
    for id_ in sorted(committed.keys() - published):
        topic, at_s = committed[id_]
        lost = any(since <= at_s <= until for since, until in gone)
        verdict.gone_with_a_tail += lost
        verdict.actions_missing += not lost
        verdict.notes.append(f"never published{', gone with a tail' if lost else ''}: {topic} {id_}, committed at {at_s:.3f}")


async def check_lessons(bootstrap: str, verdict: Verdict) -> None:
    """The newest snapshot has learned what stands before its offsets: each once, if it came again within the horizon."""
    newest: Snapshot | None = None
    async for record in kafka.read_topic(bootstrap, MODELS):
        snapshot = msgspec.json.decode(record.value or b"", type=Snapshot)
        if newest is None or (snapshot.generation, snapshot.lessons) > (newest.generation, newest.lessons):
            newest = snapshot
    if newest is None:
        return
    learned: list[str] = []
    async for record in kafka.read_topic(bootstrap, LESSONS):
        lesson = msgspec.json.decode(record.value or b"", type=Lesson)
        before = record.offset < newest.offsets[f"{record.topic}/{record.partition}"]
        if before and lesson.id not in learned[-LESSONS_HORIZON:]:
            learned.append(lesson.id)
    verdict.lessons, verdict.lessons_again = newest.lessons, len(learned) - len(set(learned))
    verdict.lessons_wrong = abs(len(learned) - newest.lessons)
    if verdict.lessons_wrong:
        verdict.notes.append(f"lessons: {len(learned)} before the snapshot, {newest.lessons} learned")
