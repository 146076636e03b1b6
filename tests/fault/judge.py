"""The verdict: everything in Redis and Kafka, once all is quiet, against the oracle's fold of the log as Kafka has it.

The log is read once for each bucket of customers, so that no more than BUCKET_EVENTS or so are in memory.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote
from zlib import crc32

import msgspec
import redis

from oracle import facts as oracle_facts
from oracle import log as oracle_log
from oracle import score
from oracle.identities import words
from oracle.refold import Place
from portrait.evolve import due_ms, external_ids
from portrait.models.churn import MODEL
from portrait.state import State, decode, facts
from portrait.tags import held
from profile_store.keys import external_field, shard_keys
from schemas.event import Event
from schemas.identity import Namer
from schemas.outputs import Action, ActionEvent, History, Lesson, Snapshot
from schemas.registry import ACTIONS, DEAD_LETTERS, EVENT_TOPICS, LESSONS, MODELS
from streams import kafka
from streams.settings import Settings
from tests.fault import commits, trace
from tests.fault.commits import Commits
from tests.fault.people import People
from tests.fault.retrace import Retrace, Stored, model_of, snapshot_key
from tests.fault.verdict import Verdict
from tests.fault.witness import Witness
from tests.persons import is_torn, unseen
from tests.simulation.rules import EVERY_COMPLAINT

KEYS = shard_keys("", 1)[0]
HORIZON_DAYS = Settings().horizon_days
CODES = {topic.name: topic.code for topic in EVENT_TOPICS}
NONCE_BYTES = 8
#: A lesson that comes again is recognised while at most so many came between.
LESSONS_HORIZON = 2000
BUCKET_EVENTS = 500_000
SHOWN, HUSHED_SHOWN = 5, 50


async def judge(
    bootstrap: str,
    redis_url: str,
    owed: Path,
    gone: Sequence[tuple[float, float]] = (),
    witnesses: Iterable[tuple[str, str]] = (),
) -> Verdict:
    """Reads everything; takes some minutes for a million events. ``gone``: when what Redis has lost was written. ``witnesses``:
    name and URL of a server for each, which must be up until the next is asked for.

    Beside ``owed`` lies the trace. Where neither is, the workers were as in production, and nothing is refolded.
    """
    verdict = Verdict()
    with redis.Redis.from_url(redis_url, protocol=2) as client:
        stored = dict(read_stored(client))
        states = {customer_id: found.state for customer_id, found in stored.items()}
        check_indexes(client, states, verdict)
        views = dict(read_views(client))
        check_views(views, states, verdict)
    verdict.effects_left = sum(bool(found.state.effects) for found in stored.values())
    snapshots = [
        msgspec.json.decode(record.value or b"", type=Snapshot)
        async for record in kafka.read_topic(bootstrap, MODELS)
        if record.key == MODEL.encode()
    ]
    traced = owed.with_name(trace.NAME)
    retrace = Retrace(traced, {snapshot_key(s): s for s in snapshots}, verdict) if traced.exists() else None
    if retrace is None and owed.exists():
        verdict.untraced = len(stored)
    seen = [load_witness(name, url, verdict) for name, url in witnesses]
    models = [score.prior_alone(HORIZON_DAYS), *(model_of(s, HORIZON_DAYS) for s in snapshots)]
    people = People(await read_links(bootstrap), models, views)
    published = await published_effects(bootstrap)
    dead = await check_customers(bootstrap, stored, people, retrace, published, seen, verdict)
    await check_dead_letters(bootstrap, dead, verdict)
    check_effects(published.keys(), owed, gone, retrace, verdict, unjudged(published, owed, people))
    await check_lessons(bootstrap, snapshots, verdict)
    if traced.exists() and (sampled := owed.with_name(commits.NAME)).exists():
        check_hushed(traced, commits.read(sampled), verdict)
    return verdict


def read_stored(client: redis.Redis) -> Iterator[tuple[str, Stored]]:
    for name in client.scan_iter(match=f"{KEYS.state.replace('[', '?')}*", count=1000):
        blob: Any = client.get(name)
        yield unquote(name.decode().removeprefix(KEYS.state)), Stored(blob[:NONCE_BYTES].hex(), decode(blob[NONCE_BYTES:]))


def effects_left(redis_url: str) -> int:
    """How many states still hold effects."""
    with redis.Redis.from_url(redis_url, protocol=2) as client:
        return sum(bool(found.state.effects) for _, found in read_stored(client))


def load_witness(name: str, url: str, verdict: Verdict) -> Witness:
    """Its indexes are checked at once: every write of states is one with that of their indexes, at any moment."""
    verdict.witnesses += 1
    notes, verdict.notes = verdict.notes, []
    with redis.Redis.from_url(url, protocol=2) as client:
        states = {customer_id: found.state for customer_id, found in read_stored(client)}
        check_indexes(client, states, verdict)
        torn = {name for name in states if is_torn(states[name].person or name, states)}
        verdict.torn += len(torn)
        check_views(dict(read_views(client)), states, verdict, torn)
        positions = {source.decode().rpartition("/"): int(at) for source, at in client.hgetall(KEYS.positions).items()}
    verdict.notes = [*notes, *(f"{name}: {note}" for note in verdict.notes)]
    return Witness(name, {(CODES[topic], int(n)): at for (topic, _, n), at in positions.items() if topic in CODES}, states)


async def check_customers(
    bootstrap: str,
    stored: dict[str, Stored],
    people: People,
    retrace: Retrace | None,
    published: Mapping[str, Action | None],
    witnesses: Sequence[Witness],
    verdict: Verdict,
) -> set[str]:
    """Every identity's facts, what was traced of those without links, and all persons. Returns the origins of what should be
    dead letters."""
    at_ms = max((found.state.moment_ms for found in stored.values()), default=0)
    buckets = 1 + sum(found.state.events for found in stored.values()) // BUCKET_EVENTS
    known = {*stored, *people.named(), *(customer_id for witness in witnesses for customer_id in witness.held)}
    actions = _by_household(published.values(), people)
    dead: set[str] = set()
    for number in range(buckets):

        def wanted(customer_id: str, number: int = number) -> bool:
            return crc32(people.household(customer_id).encode()) % buckets == number

        log = await read_events(bootstrap, lambda key: wanted(key.decode(errors="replace")), dead, verdict)
        writes = retrace.writes(lambda name: wanted(name) and not people.are_linked(name)) if retrace else {}
        everyone = log.keys() | writes.keys() | {customer_id for customer_id in known if wanted(customer_id)}
        states = {name: found.state for name in everyone if (found := stored.get(name))}
        people.judge(everyone, {name: list(log[name].values()) for name in log}, states, at_ms, verdict)
        told = {home: actions[home] for home in actions if wanted(home)}
        people.judge_actions(log, told, verdict, traced=retrace is not None)
        for customer_id in everyone:
            events, found = log.get(customer_id, {}), stored.get(customer_id)
            compare(customer_id, list(events.values()), found.state if found else None, at_ms, verdict)
            for witness in witnesses:
                witness.compare(customer_id, events, verdict)
            if retrace is not None and not people.are_linked(customer_id):
                retrace.judge(customer_id, events, writes.get(customer_id, []), found, at_ms)
        verdict.customers += len(everyone)
    return dead


def _by_household(actions: Iterable[Action | None], people: People) -> dict[str, list[Action]]:
    found: dict[str, list[Action]] = defaultdict(list)
    for action in actions:
        if action is not None:
            found[people.household(action.customer_id)].append(action)
    return found


async def read_events(
    bootstrap: str, wanted: Callable[[bytes], bool], dead: set[str], verdict: Verdict
) -> dict[str, dict[Place, Event]]:
    """The wanted keys' events that count, by customer and place. ``dead`` gets the origins of what should be dead letters."""
    reader = oracle_log.Reader(named=Namer().named)
    log: dict[str, dict[Place, Event]] = defaultdict(dict)
    for topic in EVENT_TOPICS:
        async for record in kafka.read_topic(bootstrap, topic.name):
            if not wanted(record.key or b""):
                continue
            verdict.events += 1
            found = reader.take(record)
            if isinstance(found, Event):
                log[found.customer_id][topic.code, record.partition, record.offset] = found
            elif found is not None:
                dead.add(found.origin)
    return log


async def read_links(bootstrap: str) -> list[Event]:
    """All events that say something of links; others may carry it too."""
    reader, found = oracle_log.Reader(named=Namer().named), list[Event]()
    for topic in EVENT_TOPICS:
        async for record in kafka.read_topic(bootstrap, topic.name):
            event = reader.take(record)
            if isinstance(event, Event) and any(words(event)):
                found.append(event)
    return found


def compare(customer_id: str, events: list[Event], state: State | None, at_ms: int, verdict: Verdict) -> None:
    if state is not None and state.links is not None and not state.events:
        state = None  # only links are known of it
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
    expected: dict[str, dict[Any, Any]] = {"due": {}, "risk": {}, "stage": {}, "tags": {}, "external": {}}
    for customer_id, state in states.items():
        if (due := due_ms(state)) is not None:
            expected["due"][customer_id] = due
        if state.risk is not None:
            expected["risk"][customer_id] = state.risk
        if state.stage:  # who leads elsewhere, or of whom only links are known, has none
            expected["stage"][customer_id] = state.stage
        if state.tags:
            expected["tags"][customer_id] = set(held.ids(state.tags))
        expected["external"].update({external_field(*pair): customer_id for pair in external_ids(state)})
    stored: dict[str, dict[Any, Any]] = {kind: {} for kind in expected}
    stored |= {"due": _scores(client, KEYS.due), "risk": _scores(client, KEYS.risk)}
    stored["external"] = {field.decode(): customer_id.decode() for field, customer_id in client.hgetall(KEYS.external).items()}
    for tag in client.smembers(KEYS.tags):
        for member in client.smembers(KEYS.of_tag(tag.decode())):
            stored["tags"].setdefault(member.decode(), set()).add(tag.decode())
    for stage in client.smembers(KEYS.stages):
        for member in client.smembers(KEYS.of_stage(stage.decode())):
            if member.decode() in stored["stage"]:
                verdict.indexes_wrong += 1
                verdict.notes.append(f"{member.decode()} is in two stages")
            stored["stage"][member.decode()] = stage.decode()
    for kind, wanted in expected.items():
        for customer_id in wanted.keys() | stored[kind].keys():
            if wanted.get(customer_id) != stored[kind].get(customer_id):
                verdict.indexes_wrong += 1
                pair = f"{wanted.get(customer_id)} expected, {stored[kind].get(customer_id)} stored"
                verdict.notes.append(f"index {kind}: {customer_id}: {pair}")


def read_views(client: redis.Redis) -> Iterator[tuple[str, dict[str, bytes]]]:
    for name in client.scan_iter(match=f"{KEYS.profile}*", count=1000):
        view: Any = client.hgetall(name)
        yield unquote(name.decode().removeprefix(KEYS.profile)), {field.decode(): value for field, value in view.items()}


def check_views(
    views: Mapping[str, Mapping[str, bytes]], states: Mapping[str, State], verdict: Verdict, but: Container[str] = ()
) -> None:
    """What readers see; not of those ``but``."""
    for name in sorted(views.keys() | states.keys()):
        if name in but:
            continue
        view = views.get(name, {})
        if wrong := unseen(name, states, view) if name in states else list(view):
            verdict.views_wrong += 1
            verdict.notes.append(f"readers see something else of {name} than its state shows: {wrong}")


def _scores(client: redis.Redis, key: str) -> dict[str, float]:
    return {member.decode(): score for member, score in client.zrange(key, 0, -1, withscores=True)}


async def check_dead_letters(bootstrap: str, dead: set[str], verdict: Verdict) -> None:
    letters = {(record.key or b"").decode() async for record in kafka.read_topic(bootstrap, DEAD_LETTERS)}
    verdict.dead_letters, verdict.dead_letters_wrong = len(dead), len(dead ^ letters)
    if dead ^ letters:
        verdict.notes.append(f"dead letters: missing {sorted(dead - letters)[:SHOWN]}, extra {sorted(letters - dead)[:SHOWN]}")


async def published_effects(bootstrap: str) -> dict[str, Action | None]:
    """All actions by their ids, and None for each id of a lesson."""
    lessons = {msgspec.json.decode(record.value or b"")["id"]: None async for record in kafka.read_topic(bootstrap, LESSONS)}
    actions = [
        msgspec.json.decode(record.value or b"", type=ActionEvent).data async for record in kafka.read_topic(bootstrap, ACTIONS)
    ]
    return lessons | {action.id: action for action in actions}


class Owed(NamedTuple):
    """An effect that a committed state held."""

    at_s: float
    id: str
    customer_id: str


def read_owed(owed: Path) -> list[Owed]:
    lines = owed.read_text().splitlines() if owed.exists() else ()
    found = [line.split(" ", 3) for line in lines]
    return [Owed(int(at_ms) / 1000, id_, customer_id) for at_ms, _, id_, customer_id in found]


def unjudged(published: Mapping[str, Action | None], owed: Path, people: People) -> set[str]:
    """Ids that the refold does not know: of a rule of the harness's own, and what states held that have links."""
    own = {id_ for id_, action in published.items() if action is not None and action.rule == EVERY_COMPLAINT.name}
    return own | {effect.id for effect in read_owed(owed) if people.are_linked(effect.customer_id)}


def check_effects(
    published: Set[str],
    owed: Path,
    gone: Sequence[tuple[float, float]],
    retrace: Retrace | None,
    verdict: Verdict,
    unjudged: Set[str] = frozenset(),
) -> None:
    """Every id that a committed state held was published, unless Redis lost that state first; and so was every id that the oracle
    raises when it refolds the history that survived. Nothing else was, but what a history raises that was taken back, and what
    the refold does not judge."""
    held = {effect.id: effect.at_s for effect in read_owed(owed)}
    verdict.actions = len(published)
    missing = retrace.owed - published if retrace else set[str]()
    for id_ in held.keys() - published:
        if any(since <= held[id_] <= until for since, until in gone) and id_ not in missing:
            verdict.gone_with_a_tail += 1
        else:
            missing.add(id_)
    verdict.actions_missing += len(missing)
    verdict.notes += [
        f"never published: {id_}, {'held by a state' if id_ in held else 'only refolded'}" for id_ in sorted(missing)
    ]
    if retrace is not None:
        wrong = published - retrace.raised - unjudged
        verdict.wrong_actions += len(wrong)
        verdict.actions_extra = len(published - retrace.known - wrong - unjudged)
        verdict.notes += [f"published, and nothing raises it: {id_}" for id_ in sorted(wrong)]


def check_hushed(traced: Path, sampled: Commits, verdict: Verdict) -> None:
    for line in trace.read(traced):
        for wrong in sampled.wrongly_hushed(line) if isinstance(line, trace.Attempt) else ():
            verdict.wrongly_hushed += 1
            if verdict.wrongly_hushed <= HUSHED_SHOWN:
                verdict.notes.append(f"passed for published before: {wrong}")


async def check_lessons(bootstrap: str, snapshots: Sequence[Snapshot], verdict: Verdict) -> None:
    """The newest snapshot has learned what stands before its offsets: each once, if it came again within the horizon."""
    newest = max(snapshots, key=lambda snapshot: (snapshot.generation, snapshot.lessons), default=None)
    if newest is None:
        return
    learned: list[str] = []
    async for record in kafka.read_topic(bootstrap, LESSONS):
        lesson = msgspec.json.decode(record.value or b"", type=History | Lesson)
        before = record.offset < newest.offsets[f"{record.topic}/{record.partition}"]
        if before and lesson.id not in learned[-LESSONS_HORIZON:]:
            learned.append(lesson.id)
    verdict.lessons, verdict.lessons_again = newest.lessons, len(learned) - len(set(learned))
    verdict.lessons_wrong = abs(len(learned) - newest.lessons)
    if verdict.lessons_wrong:
        verdict.notes.append(f"lessons: {len(learned)} before the snapshot, {newest.lessons} learned")
