"""Learning from the log: where it goes on, what it stores, and what workers do with what was adopted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import msgspec
import pytest

from cli.doctor import check_texts
from language import force
from language.force import SHIPPED, adopted_from, come_into_force
from language.learned import pack, unpack
from language.learner import Learner
from language.understand import understand
from portrait.models.shelf import Shelf
from streams.learning import ADOPTED_KEY, KEY, REBUILT_KEY, CantLearn, FileStore, Learning, learner_of
from streams.log import TP
from streams.metrics import Metrics
from streams.texts import TextModels
from tests.unit.test_language_learner import PLAIN, SLANG, taught
from tests.unit.test_language_learner import lessons as some

FEEDBACK, COMPLAINTS = ("feedback", 0), ("complaints", 0)


class KeptLog:
    """What the broker has. ``fails_at``: the connection is lost after so many records."""

    def __init__(self, records: Sequence[Any], *, fails_at: int | None = None) -> None:
        self.records, self.fails_at, self.beginning = records, fails_at, 0

    async def bounds(self, partitions: Sequence[TP]) -> tuple[Mapping[TP, int], Mapping[TP, int]]:
        ends = {tp: sum(1 for record in self.records if (record.topic, record.partition) == tp) for tp in partitions}
        return dict.fromkeys(partitions, self.beginning), ends

    async def between(self, starts: Mapping[TP, int], ends: Mapping[TP, int]) -> AsyncIterator[Any]:
        read = 0
        for record in self.records:
            tp = record.topic, record.partition
            if starts[tp] <= record.offset < ends[tp]:
                if read == self.fails_at:
                    raise ConnectionError
                read += 1
                yield record


def rating(offset: int, id: int, stars: int, text: str) -> Any:
    event = {"specversion": "1.0", "id": str(id), "source": "/t", "type": "rating.given", "time": "2026-01-01T00:00:00Z"}
    value = json.dumps(event | {"data": {"stars": stars, "text": text}}).encode()
    key = f"C{id}".encode()
    return SimpleNamespace(
        topic="feedback", partition=0, offset=offset, timestamp=1_800_000_000_000, key=key, value=value, headers=()
    )


def complaint(offset: int, number: int, type_: str, **data: Any) -> Any:
    """About complaint ``number``, of one customer each."""
    opened = f"2026-01-01T00:00:{number:02d}Z"
    later = {} if type_ == "complaint.opened" else {"opened_at": opened}
    event = {"specversion": "1.0", "id": f"{number} {type_}", "source": "/t", "type": type_, "time": opened}
    value = json.dumps(event | {"data": {"complaint_id": str(number), **later, **data}}).encode()
    key = f"C{number}".encode()
    return SimpleNamespace(
        topic="complaints", partition=0, offset=offset, timestamp=1_800_000_000_000, key=key, value=value, headers=()
    )


def complaints_named_later(n: int) -> list[Any]:
    """Opened without a category; later an agent names it, in an update or in the resolution."""
    opened = [complaint(i, i, "complaint.opened", text="海外仓清关卡住了") for i in range(n)]
    kinds = ("complaint.updated", "complaint.resolved")
    return opened + [complaint(n + i, i, kinds[i % 2], category="late-delivery") for i in range(n)]


def ratings(n: int) -> list[Any]:
    return [rating(i, i, 5 if i % 2 else 1, (SLANG if i % 2 else PLAIN)[i // 2 % 5]) for i in range(n)]


def learning(log: KeptLog, store: FileStore, learner: Learner, **more: Any) -> Learning:
    again = KeptLog(log.records)
    return Learning(log, again, [FEEDBACK, COMPLAINTS], store, learner, **more)  # type: ignore[arg-type]


def run(log: KeptLog, store: FileStore, **more: Any) -> Learner:
    async def work() -> Learner:
        one = learning(log, store, await learner_of(store), **more)
        try:
            await one.to_the_end()
            await one.save()
        except ConnectionError:
            pass
        return await learner_of(store)

    return asyncio.run(work())


@pytest.fixture(autouse=True)
def nothing_in_force() -> Iterator[None]:
    yield
    come_into_force(None)


def test_a_log_is_learned_once_however_often_one_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.learning.SAVE_LESSONS", 7)
    log = KeptLog(ratings(60))
    whole = run(log, FileStore(tmp_path / "whole"))
    assert whole.lessons == 60 and whole.offsets == {"feedback/0": 60, "complaints/0": 0}
    store = FileStore(tmp_path / "broken off")
    for fails_at in (25, 3, 0, 17, None):
        log.fails_at = fails_at
        part = run(log, store)
    assert pack(part) == pack(whole)
    assert pack(run(log, store)) == pack(whole), "nothing new"


def test_asked_to_stop_it_goes_on_there(tmp_path: Path) -> None:
    log, store = KeptLog(ratings(30)), FileStore(tmp_path / "s")
    seen = iter([False] * 9 + [True])
    assert run(log, store, stop=lambda: next(seen)).offsets == {"feedback/0": 10}
    assert pack(run(log, store)) == pack(run(log, FileStore(tmp_path / "whole")))


def test_a_retry_and_what_is_no_event_teach_nothing(tmp_path: Path) -> None:
    records = ratings(20)
    again = rating(20, 3, 5, SLANG[0])
    broken = SimpleNamespace(**(vars(records[0]) | {"offset": 21, "value": b"{"}))
    learner = run(KeptLog([*records, again, broken]), FileStore(tmp_path / "s"))
    assert learner.lessons == 20 and learner.offsets["feedback/0"] == 22


def test_a_category_that_is_named_later_teaches_the_opening(tmp_path: Path) -> None:
    log, store = KeptLog(complaints_named_later(30)), FileStore(tmp_path / "s")
    seen = iter([False] * 39 + [True])
    part = run(log, store, stop=lambda: next(seen))
    assert (part.lessons, len(part.open)) == (10, 20), "the opened ones wait, without their texts"
    assert "清关".encode() not in (tmp_path / "s").read_bytes()
    learner = run(log, store)
    assert (learner.lessons, len(learner.open)) == (30, 0)
    assert learner.answers == {"complaints zh": {"delivery": 30}}
    assert pack(learner) == pack(run(log, FileStore(tmp_path / "whole")))


def test_an_opening_that_has_expired_teaches_nothing(tmp_path: Path) -> None:
    log, store = KeptLog(complaints_named_later(10)), FileStore(tmp_path / "s")
    seen = iter([False] * 9 + [True])
    assert len(run(log, store, stop=lambda: next(seen)).open) == 10
    log.beginning = 5
    assert run(log, store).lessons == 5


def test_no_more_complaints_wait_than_may(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("language.learner.OPEN_MAX", 7)
    assert run(KeptLog(complaints_named_later(20)), FileStore(tmp_path / "s")).lessons == 7


def test_another_log_is_refused_and_an_expired_beginning_is_not(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "s")
    run(KeptLog(ratings(20)), store)
    with pytest.raises(CantLearn, match="--again"):
        run(KeptLog(ratings(5)), store)
    late = KeptLog(ratings(20))
    late.beginning = 12
    assert run(late, FileStore(tmp_path / "late")).lessons == 8


def test_a_file_is_written_whole(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "s")
    run(KeptLog(ratings(20)), store)
    assert [path.name for path in tmp_path.iterdir()] == ["s"]
    assert unpack((tmp_path / "s").read_bytes()).lessons == 20


class Refused(Exception): ...


def refuse(why: str) -> NoReturn:
    raise Refused(why)


def record(key: str, value: bytes | None) -> Any:
    return SimpleNamespace(key=key.encode(), value=value, offset=0)


def test_workers_understand_with_what_was_adopted_last() -> None:
    document = msgspec.json.encode(adopted_from(taught(some(100))))
    metrics = Metrics()
    texts, before = TextModels(refuse, metrics), understand(SLANG[0])
    assert texts.take(record(ADOPTED_KEY, b"{broken, but an older one}")) and texts.take(record(KEY, b"what was learned"))
    assert not texts.take(record("churn", b"{}"))
    texts.take(record(ADOPTED_KEY, document))
    assert force.version() == SHIPPED, "not before all has been read"
    texts.begin()
    assert force.version() != SHIPPED and understand(SLANG[0]).tone > 20
    assert metrics.registry.get_sample_value("portrait_texts_info", {"version": force.version()}) == 1
    texts.take(record(ADOPTED_KEY, None))
    assert force.version() == SHIPPED and understand(SLANG[0]) == before
    with pytest.raises(Refused, match="adopt --shipped"):
        texts.take(record(ADOPTED_KEY, document.replace(b'"lessons":100', b'"lessons":101')))
    assert force.version() == SHIPPED


def test_the_doctor_tells_a_mixture_and_what_is_broken() -> None:
    document = msgspec.json.encode(adopted := adopted_from(taught(some(100))))
    assert check_texts({}).level == check_texts({KEY: b"what was learned"}).level == "OK"
    assert check_texts({ADOPTED_KEY: document}).level == "WARN"
    assert check_texts({ADOPTED_KEY: document, REBUILT_KEY: adopted.version.encode()}).level == "OK"
    assert check_texts({REBUILT_KEY: adopted.version.encode()}).level == "WARN"
    assert check_texts({ADOPTED_KEY: document[:-2]}).level == "FAIL"


def test_the_churn_models_shelf_leaves_them_alone() -> None:
    shelf = Shelf()
    for key in (KEY, ADOPTED_KEY):
        shelf.take(key.encode(), b"no snapshot")
    assert not shelf.versions
