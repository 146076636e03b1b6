"""show, top and watch over a reader that needs no server; what `up` makes of its worker's figures, settings and end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from msgspec import structs
from typer.testing import CliRunner

from cli import child, main, output, present, show, tasks, top, up, watch
from portrait.state import State, encode
from profile_store.contract import ABSENT, Loaded, StoreUnavailable
from profile_store.reader import RESYNC, Change, Profile
from schemas import examples
from streams import tasks as ending
from streams.kafka import KafkaProblem
from streams.settings import Settings


def profile(id_: str, stage: str = "growing", risk: float | None = 0.5, version: int = 1, **dims: object) -> Profile:
    return Profile(id_, version, 1_795_000_000_000, stage, risk, dims)


class Reader:
    """As much of AsyncProfileReader as the verbs use, over these profiles."""

    def __init__(self, *profiles: Profile) -> None:
        self.profiles = {p.id: p for p in profiles}
        self.announced: asyncio.Queue[Change] = asyncio.Queue()
        self.away = 0
        self.states: dict[str, Loaded] = {}

    async def __aenter__(self) -> Reader:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def get(self, id_: str) -> Profile | None:
        return self.profiles.get(id_)

    async def get_many(self, ids: Sequence[str]) -> list[Profile | None]:
        if self.away:
            self.away -= 1
            raise StoreUnavailable("away")
        return [self.profiles.get(id_) for id_ in ids]

    async def state_of(self, id_: str) -> Loaded:
        return self.states.get(id_, ABSENT)

    async def by_external_id(self, system: str, external_id: str) -> Profile | None:
        found = (p for p in self.profiles.values() if p.dims.get("basic", {}).get("external_ids", {}).get(system) == external_id)
        return next(found, None)

    async def stage_counts(self) -> dict[str, int]:
        return {p.stage: 1 for p in self.profiles.values()}

    async def top_risk(self, n: int, stage: str | None = None) -> list[tuple[str, float]]:
        risks = [(p.id, p.churn_risk) for p in self.profiles.values() if p.churn_risk and stage in (None, p.stage)]
        return sorted(risks, key=lambda item: -item[1])[:n]

    async def changes(self) -> AsyncIterator[Change]:
        yield RESYNC
        while True:
            yield await self.announced.get()

    def changed(self, new: Profile) -> None:
        self.profiles[new.id] = new
        self.announced.put_nowait(Change(new.id, new.version))


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Reader:
    made = Reader(
        profile("C1", "declining", 0.9, basic={"external_ids": {"crm": "00042"}, "attributes": {"language": "zh"}}),
        profile("C2", "churned", 0.99),
        profile("C3", "growing", 0.2),
        profile("C4", "prospect", None),
    )

    async def no_actions(settings: Settings, customer_id: str) -> list:
        raise KafkaProblem("no Kafka answers")

    monkeypatch.setattr(show, "state_reader", lambda settings: made)
    monkeypatch.setattr(top, "reader", lambda settings: made)
    monkeypatch.setattr(show, "_actions_of", no_actions)
    return made


def invoke(*words: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(main.app, list(words))
    return result.exit_code, result.stdout, result.stderr


# -- show --------------------------------------------------------------------------------------------------------------------


def test_json_has_the_fields_of_the_hash(reader: Reader) -> None:
    code, out, _ = invoke("show", "C1", "--json")
    assert code == output.OK
    shown = json.loads(out)
    assert (shown["id"], shown["stage"], shown["churn_risk"], shown["version"]) == ("C1", "declining", 0.9, 1)
    assert shown["basic"]["external_ids"] == {"crm": "00042"}


def test_one_field_is_that_field_alone(reader: Reader) -> None:
    assert json.loads(invoke("show", "C1", "--field", "basic")[1])["external_ids"] == {"crm": "00042"}
    code, out, err = invoke("show", "C1", "--field", "shoe_size")
    assert (code, out) == (output.FAILED, "")
    assert "basic" in err


def test_an_external_id_leads_to_its_customer(reader: Reader) -> None:
    assert json.loads(invoke("show", "crm:00042", "--external", "--json")[1])["id"] == "C1"
    assert invoke("show", "crm:1", "--external")[0] == output.FAILED
    assert invoke("show", "00042", "--external")[0] == output.USAGE


def test_an_unknown_customer_is_told_on_stderr(reader: Reader) -> None:
    code, out, err = invoke("show", "C9")
    assert (code, out) == (output.FAILED, "")
    assert "C9" in err


def test_without_kafka_the_person_is_shown_all_the_same(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    printed = []
    monkeypatch.setattr(output.out, "print", printed.append)
    code, _, _ = invoke("show", "C1")
    assert code == output.OK
    assert printed


def test_what_was_raised_under_any_of_their_identities_is_theirs(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the merge the device was a customer of its own, and a call to it may still be due."""
    raised = [
        (name, structs.replace(examples.ACTION.data, id=f"A{number}", customer_id=name, raised_at_ms=number))
        for number, name in enumerate(("C1", "device:d1", "C2", "device:d1"))
    ]

    async def read_topic(kafka: str, topic: str) -> AsyncIterator[Any]:
        for name, action in raised:
            event = structs.replace(examples.ACTION, data=action)
            yield SimpleNamespace(key=name.encode(), value=msgspec.json.encode(event))

    monkeypatch.undo()
    monkeypatch.setattr(show, "state_reader", lambda settings: reader)
    monkeypatch.setattr(show.kafka, "read_topic", read_topic)
    for state, ids in (
        (State(members=["C1", "device:d1"]), ["A3", "A1", "A0"]), (State(), ["A0"]), (None, ["A0"]),
    ):  # fmt: skip
        reader.states["C1"] = Loaded(b"n", b"not a state" if state is None else encode(state))
        _, actions = asyncio.run(show._read(Settings(), "C1", external=False, with_actions=True))
        assert [action.id for action in actions or ()] == ids


# -- top ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "ids"),
    [
        ([], ["C1", "C3"]),
        (["-n", "1"], ["C1"]),
        (["--all"], ["C2", "C1", "C3"]),
        (["--stage", "growing"], ["C3"]),
        (["--stage", "churned"], ["C2"]),
        (["--stage", "dormant"], []),
    ],
)
def test_the_riskiest_come_first_and_who_has_left_does_not_count(reader: Reader, words: list[str], ids: list[str]) -> None:
    code, out, _ = invoke("top", "--json", *words)
    assert code == output.OK
    assert [row["id"] for row in json.loads(out)] == ids


def test_a_stage_that_is_none_is_a_usage_error(reader: Reader) -> None:
    code, _, err = invoke("top", "--stage", "happy")
    assert code == output.USAGE
    assert "declining" in err


# -- watch -------------------------------------------------------------------------------------------------------------------


async def collect(follower: watch.Follower, n: int) -> list[watch.Move]:
    found: list[watch.Move] = []
    async with aclosing(follower.moves()) as moves:
        async for move in moves:
            found.append(move)
            if len(found) == n:
                break
    return found


def follow(reader: Reader, n: int, *ids: str, known: Sequence[Profile] = ()) -> list[watch.Move]:
    follower = watch.Follower(reader, ids)  # type: ignore[arg-type]
    follower.knows(known)
    return asyncio.run(asyncio.wait_for(collect(follower, n), 10))


def test_named_customers_are_shown_first_as_they_are() -> None:
    (move,) = follow(Reader(profile("C1"), profile("C2")), 1, "C2")
    assert (move.profile.id, move.stage_before, move.moved) == ("C2", None, False)


def test_a_move_is_told_against_what_was_known() -> None:
    reader, before = Reader(), profile("C1", "growing", 0.4)
    reader.changed(profile("C1", "declining", 0.6, version=2))
    (move,) = follow(reader, 1, known=[before])
    assert (move.stage_before, move.risk_before, move.moved) == ("growing", 0.4, True)


def test_others_than_those_named_are_not_shown() -> None:
    reader = Reader(profile("C1"))
    reader.changed(profile("C2"))
    reader.changed(profile("C1", "declining", version=2))
    moves = follow(reader, 1, "C1")
    assert {move.profile.id for move in moves} == {"C1"}


def test_after_a_lost_connection_what_is_known_is_read_again() -> None:
    known = profile("C1", "growing", 0.4)
    missed = Reader(profile("C1", "declining", 0.6, version=5))
    (move,) = follow(missed, 1, known=[known])  # RESYNC alone: the announcement was lost
    assert move.profile.version == 5


def test_an_announcement_that_brings_nothing_new_makes_no_line() -> None:
    reader = Reader(profile("C1", version=3), profile("C2"))
    reader.announced.put_nowait(Change("C1", 3))
    reader.announced.put_nowait(Change("C2", 1))
    (move,) = follow(reader, 1, known=[profile("C1", version=3)])
    assert move.profile.id == "C2"


def test_redis_away_for_a_moment_loses_no_move(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "RETRY_S", 0)
    reader = Reader()
    reader.away = 3
    reader.changed(profile("C1"))
    (move,) = follow(reader, 1)
    assert move.profile.id == "C1"


# -- up ----------------------------------------------------------------------------------------------------------------------

METRICS = """\
# TYPE portrait_arrivals_total counter
portrait_arrivals_total{outcome="folded"} 120.0
portrait_arrivals_total{outcome="repeated"} 7.0
# TYPE portrait_published_total counter
portrait_published_total{topic="retention-actions"} 3.0
portrait_published_total{topic="lessons"} 40.0
# TYPE portrait_lag_records gauge
portrait_lag_records{partition="0",topic="clicks"} 2.0
portrait_lag_records{partition="1",topic="orders"} 5.0
portrait_lag_records{partition="0",topic="lessons"} 100.0
# TYPE portrait_ticks_total counter
portrait_ticks_total 11.0
# TYPE portrait_model_info gauge
portrait_model_info{version="0.0"} 0.0
portrait_model_info{version="1.40"} 1.0
"""


def test_figures_count_what_was_folded_and_published_and_no_lessons() -> None:
    found = child.read_figures(METRICS)
    assert (found.folded, found.actions, found.lag, found.ticks, found.model) == (120, 3, 7, 11, "1.40")


def test_the_workers_environment_has_our_settings_and_no_file_over_them() -> None:
    environ = {"PORTRAIT_REDIS_FILE": "/run/secrets/redis", "PORTRAIT_PREFIX": "old", "PATH": "/bin"}
    made = child.environment(Settings(redis="redis://127.0.0.1:1/0", prefix="new"), environ)
    assert made["PORTRAIT_REDIS"] == "redis://127.0.0.1:1/0"
    assert made["PORTRAIT_PREFIX"] == "new"
    assert made["PATH"] == "/bin"
    assert "PORTRAIT_REDIS_FILE" not in made


def test_lines_to_paste_name_the_servers_only_where_they_must() -> None:
    assert "export" not in " ".join(up.pasteable(None))
    lines = up.pasteable(Settings(kafka="127.0.0.1:1", redis="redis://127.0.0.1:2/0"))
    assert lines[0] == "export PORTRAIT_KAFKA=127.0.0.1:1 PORTRAIT_REDIS=redis://127.0.0.1:2/0"


def test_every_stage_of_the_contract_has_a_colour() -> None:
    from portrait.lifecycle import STAGES

    assert set(present.STAGES) == set(STAGES)


def test_a_task_ends_though_it_loses_a_cancel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ending, "AGAIN_S", 0.01)
    lost = []

    async def careless() -> None:
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                if len(lost) == 2:
                    raise
                lost.append(1)

    async def scene() -> None:
        task = asyncio.ensure_future(careless())
        await asyncio.sleep(0)
        await asyncio.wait_for(ending.end([task]), 10)
        assert task.cancelled()

    asyncio.run(scene())
    assert len(lost) == 2


def test_asked_to_stop_first_the_process_leaves_with_the_signals_code() -> None:
    async def scene() -> None:
        stop = tasks.Stop()
        assert await stop.unless(asyncio.sleep(0, "done")) == "done"
        stop.ask(15)
        await stop.unless(asyncio.sleep(3600))

    with pytest.raises(SystemExit) as left:
        asyncio.run(scene())
    assert left.value.code == 143
