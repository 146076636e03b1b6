"""The simulated population: the same bytes from the same seed, valid events, and a truth that the events agree with."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path
from random import Random

import pytest
from typer.testing import CliRunner

from cli.main import app
from cli.outlet import Parcel, pour, speed_of
from cli.parcel import json_line
from cli.population import DAY_MS, Emitted, Population, Truth
from cli.population.mess import mess
from cli.simulate import Fed, feed, parcel_of, population_of
from schemas.event import Rejection, decode
from schemas.registry import EVENT_TOPICS, TYPES

END_MS = 1_767_225_600_000


def _population(customers: int = 40, days: int = 120, seed: int = 1) -> Population:
    return population_of(customers=customers, days=days, seed=seed, end_ms=END_MS)


@pytest.fixture(scope="module")
def world() -> tuple[list[Emitted], list[Truth]]:
    population = _population(customers=500, days=400, seed=11)
    return list(population.history()), list(population.truth())


def test_the_same_seed_gives_the_same_bytes_whatever_the_hash_seed() -> None:
    script = (
        "import hashlib; from cli.simulate import parcel_of, population_of\n"
        f"people = population_of(customers=20, days=60, seed=5, end_ms={END_MS})\n"
        "digest = hashlib.sha256()\n"
        "for event in people.history(): digest.update(repr(parcel_of(event)).encode())\n"
        "print(digest.hexdigest(), list(people.truth()))"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("0", "1")
    }
    assert len(runs) == 1
    assert list(_population(seed=1).history()) != list(_population(seed=2).history())


def test_every_event_fits_the_contract_and_every_type_occurs(world: tuple[list[Emitted], list[Truth]]) -> None:
    types: Counter[str] = Counter()
    for parcel, emitted in ((parcel_of(event), event) for event in world[0]):
        decoded = decode(parcel.topic, parcel.key, parcel.value, (), parcel.time_ms)
        assert not isinstance(decoded, Rejection), decoded
        assert decoded.time_ms == emitted.time_ms
        types[emitted.event["type"]] += 1
    assert set(types) == set(TYPES)
    assert {event.topic for event in world[0]} == {topic.name for topic in EVENT_TOPICS}


def test_events_come_in_time_order_with_ids_of_their_own(world: tuple[list[Emitted], list[Truth]]) -> None:
    times = [event.time_ms for event in world[0]]
    assert times == sorted(times)
    assert times[0] >= END_MS - 400 * DAY_MS and times[-1] < END_MS
    assert len({event.event["id"] for event in world[0]}) == len(world[0])


def test_the_population_speaks_two_languages_at_local_times(world: tuple[list[Emitted], list[Truth]]) -> None:
    texts = [text for event in world[0] if isinstance(text := event.event["data"].get("text"), str)]
    chinese = sum(any("\u4e00" <= letter <= "\u9fff" for letter in text) for text in texts)
    assert 0.2 < chinese / len(texts) < 0.9
    assert len(set(texts)) > len(texts) / 2
    assert {event.event["time"][-6:] for event in world[0]} >= {"+08:00", "+00:00", "-05:00", "+10:00"}


def test_nothing_is_bought_between_leaving_and_coming_back(world: tuple[list[Emitted], list[Truth]]) -> None:
    orders = defaultdict(list)
    for event in world[0]:
        if event.event["type"] == "order.placed":
            orders[event.key].append(event.time_ms)
    for truth in world[1]:
        if truth.churned_at_ms is not None:
            back_ms = truth.returned_at_ms or END_MS
            assert not any(truth.churned_at_ms < at_ms < back_ms for at_ms in orders[truth.customer_id])
            assert min(orders[truth.customer_id]) <= truth.churned_at_ms  # only a buyer can leave
        if truth.returned_at_ms is not None:
            assert any(at_ms >= truth.returned_at_ms for at_ms in orders[truth.customer_id])


def test_some_leave_for_each_cause_and_some_come_back(world: tuple[list[Emitted], list[Truth]]) -> None:
    causes = Counter(truth.cause for truth in world[1])
    assert all(causes[cause] >= 10 for cause in ("service", "price", "rival", "need"))
    assert 0.2 < 1 - causes[None] / len(world[1]) < 0.6
    assert sum(truth.returned_at_ms is not None for truth in world[1]) >= 10
    assert len({truth.persona for truth in world[1]}) == 11


def _warned(events: list[Emitted], from_ms: int, until_ms: int) -> set[str]:
    """Customers with a bad sign in the time: late parcel, complaint that goes on, rival's name, refusal, emptied cart."""
    warned = set()
    for event in events:
        data, type_ = event.event["data"], event.event["type"]
        if not from_ms <= event.time_ms < until_ms:
            continue
        late = type_ == "order.delivered" and event.event["time"] > data["promised_at"]
        rival = event.topic == "social-mentions" and (
            len(data.get("brands", ())) > 1 or data.get("account") in data.get("brands", ())
        )
        removed = type_ == "cart.changed" and data["action"] == "removed"
        if late or rival or removed or type_ in ("complaint.updated", "contact.refused"):
            warned.add(event.key)
    return warned


def test_the_causes_show_before_customers_leave(world: tuple[list[Emitted], list[Truth]]) -> None:
    events, truths = world
    left = {True: [0, 0], False: [0, 0]}
    for moment_ms in range(END_MS - 300 * DAY_MS, END_MS - 30 * DAY_MS, 30 * DAY_MS):
        warned = _warned(events, moment_ms - 30 * DAY_MS, moment_ms)
        known = {event.key for event in events if event.time_ms < moment_ms and event.event["type"] == "order.placed"}
        for truth in truths:
            if truth.customer_id in known and not (truth.churned_at_ms and truth.churned_at_ms < moment_ms):
                row = left[truth.customer_id in warned]
                row[0] += truth.churned_at_ms is not None and truth.churned_at_ms < moment_ms + 30 * DAY_MS
                row[1] += 1
    with_sign, without = (left[sign][0] / left[sign][1] for sign in (True, False))
    assert with_sign > 2 * without  # signs tell
    assert with_sign < 0.6  # but are not certain


def test_a_mess_repeats_delays_and_spoils_but_loses_nothing() -> None:
    clean = [parcel_of(event) for event in _population().history()]
    messy = list(mess(clean, Random(1), duplicates=0.1, disorder=0.1, poison=0.05))
    good = [p for p in messy if not isinstance(decode(p.topic, p.key, p.value, (), p.time_ms), Rejection)]
    spoiled = len(messy) - len(good)
    assert set(good) == set(clean)
    assert 0.05 < len(good) / len(clean) - 1 < 0.15
    assert 0.02 < spoiled / len(clean) < 0.08
    assert [p.time_ms for p in good] != sorted(p.time_ms for p in good)


def test_every_kind_of_poison_is_rejected() -> None:
    clean = [parcel_of(event) for event in _population(customers=10, days=60).history()]
    for poisoned in mess(clean, Random(2), duplicates=0, disorder=1, poison=1):
        decoded = decode(poisoned.topic, poisoned.key, poisoned.value, (), poisoned.time_ms)
        assert isinstance(decoded, Rejection) or poisoned in clean


def test_feed_publishes_the_history_and_goes_on_in_the_present() -> None:
    published: list[Parcel] = []
    clock_ms = [END_MS]
    fed = Fed()

    async def publish(batch: list[Parcel]) -> None:
        published.extend(batch)

    async def sleep(seconds: float) -> None:
        clock_ms[0] += round(seconds * 1000)
        if fed.live >= 2000:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(feed(publish, _population(), live_rate=50, now_ms=lambda: clock_ms[0], sleep=sleep, fed=fed))  # type: ignore[arg-type]
    assert fed.history == len(list(_population().history()))
    live = published[fed.history :]
    assert len(live) == fed.live == 2000
    assert 39_000 <= live[-1].time_ms - END_MS <= 41_000  # 2,000 at 50 a second
    for parcel in live:
        assert not isinstance(decode(parcel.topic, parcel.key, parcel.value, (), parcel.time_ms), Rejection)
    assert len({parcel.topic for parcel in live}) >= 5


def test_live_goes_on_for_ever_even_when_everybody_has_left() -> None:
    population = _population(customers=1, days=2000, seed=3)
    list(population.history())
    live = population.live(lambda: END_MS, rate=10)
    assert len([next(live) for _ in range(500)]) == 500


def test_pour_keeps_the_pace_of_what_happened() -> None:
    clock_ms, batches = [0], []

    async def publish(batch: list[Parcel]) -> None:
        batches.append((clock_ms[0], [parcel.time_ms for parcel in batch]))

    async def sleep(seconds: float) -> None:
        clock_ms[0] += round(seconds * 1000)

    parcels = [Parcel(at_ms, "orders", b"C1", b"{}") for at_ms in (1000, 1000, 61_000, 121_000)]
    asyncio.run(pour(parcels, publish, speed=speed_of("60x"), now_ms=lambda: clock_ms[0], sleep=sleep))  # type: ignore[arg-type]
    assert batches == [(0, [1000, 1000]), (1000, [61_000]), (2000, [121_000])]


@pytest.mark.parametrize("text", ["", "fast", "0", "-1x", "nan", "inf"])
def test_a_speed_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="--speed"):
        speed_of(text)


def test_a_line_names_topic_and_key_and_holds_what_is_no_json() -> None:
    line = json.loads(json_line(Parcel(1, "orders", "客户".encode(), b'{"id":"1"}')))
    assert line == {"topic": "orders", "key": "客户", "id": "1"}
    assert json.loads(json_line(Parcel(1, "orders", None, b"[["))) == {"topic": "orders", "key": None, "base64": "W1s="}


def test_the_verb_writes_events_and_the_truth(tmp_path: Path) -> None:
    out, truth = tmp_path / "events.jsonl", tmp_path / "truth.jsonl"
    arguments = [
        "--customers",
        "20",
        "--days",
        "60",
        "--end",
        "2026-01-01T00:00:00Z",
        "--out",
        str(out),
        "--truth",
        str(truth),
        "--json",
    ]
    first = CliRunner().invoke(app, ["simulate", *arguments], catch_exceptions=False)
    written = out.read_bytes()
    CliRunner().invoke(app, ["simulate", *arguments], catch_exceptions=False)
    assert written == out.read_bytes()
    told = json.loads(first.stdout.splitlines()[-1])
    assert told["history"] == len(written.splitlines()) == sum(told["topics"].values())
    assert {row["customer_id"] for row in map(json.loads, truth.read_text().splitlines())} == {f"C{n:06d}" for n in range(1, 21)}


def test_only_chinese_speakers_use_wechat() -> None:
    languages: dict[str, str] = {}
    used: dict[str, set[str]] = {"zh": set(), "en": set()}
    for emitted in Population(Random(5), customers=60, start_ms=0, end_ms=120 * DAY_MS).history():
        data = emitted.event["data"]
        languages.setdefault(emitted.key, data.get("attributes", {}).get("language", ""))
        if emitted.key in languages and "channel" in data and languages[emitted.key]:
            used[languages[emitted.key]].add(data["channel"])
    assert "wechat" in used["zh"]
    assert "wechat" not in used["en"]
    assert "web" in used["en"]
