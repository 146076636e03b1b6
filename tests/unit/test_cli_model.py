"""``portrait model`` over a topic in memory, and its report."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest
from typer.testing import CliRunner

from cli import output, report, words
from cli import shelf as shelf_module
from cli.model import app
from cli.report import Stages, page
from cli.shelf import Read
from cli.words import MEANINGS, weights
from portrait.models import start as starts
from portrait.models.churn import FEATURES, MODEL
from portrait.models.learner import Learner, begin, restore
from portrait.models.measures import WEEK_MS
from portrait.models.shelf import ORDER_KEY, PIN_KEY, Shelf, kept_key
from portrait.models.trial import Trial
from portrait.models.watch import INPUTS, Alarm
from schemas.outputs import Order, Pin, Snapshot
from tests.corekit import HORIZON_DAYS
from tests.unit.test_models_learner import lessons, signed, taught


class Topic:
    """``answers``: a trainer that obeys each order as it comes."""

    def __init__(self) -> None:
        self.records: list[tuple[bytes, bytes | None]] = []
        self.answers = True

    def put(self, key: str, record: Any) -> None:
        self.records.append((key.encode(), msgspec.json.encode(record)))

    def publish(self, snapshot: Snapshot) -> None:
        self.put(kept_key(snapshot.version), msgspec.structs.replace(snapshot, recent=[]))
        self.put(MODEL, snapshot)

    def shelf(self) -> Shelf:
        shelf = Shelf(HORIZON_DAYS)
        for record in self.records:
            shelf.take(*record)
        return shelf

    async def read(self, bootstrap: str, topic: str) -> AsyncIterator[Any]:
        for offset, (key, value) in enumerate(list(self.records)):
            yield SimpleNamespace(key=key, value=value, offset=offset)

    @asynccontextmanager
    async def publisher(self, bootstrap: str) -> AsyncIterator[Any]:
        yield self

    async def send(self, topic: str, key: bytes, value: bytes) -> None:
        self.records.append((key, value))
        shelf = self.shelf()
        if self.answers and shelf.waiting:
            source = shelf.versions.get(shelf.waiting.version)
            self.publish(begin(shelf.waiting, shelf.newest, source, shelf.scoring, HORIZON_DAYS).snapshot({}, 9))


@pytest.fixture
def topic(monkeypatch: pytest.MonkeyPatch) -> Iterator[Topic]:
    topic = Topic()
    monkeypatch.setenv("PORTRAIT_HORIZON_DAYS", str(HORIZON_DAYS))
    monkeypatch.setattr(shelf_module.kafka, "read_topic", topic.read)
    monkeypatch.setattr(shelf_module.kafka, "publisher", topic.publisher)
    for n in (10, 20, 30):
        topic.publish(taught(n).snapshot({"lessons/0": n}, n))
    yield topic


def says(*given: str, code: int = output.OK) -> Any:
    done = CliRunner().invoke(app, [*given, "--json"])
    assert done.exit_code == code, done.output
    return json.loads(done.stdout) if done.stdout else done.stderr


def test_versions_are_listed_newest_first_with_what_each_is(topic: Topic) -> None:
    topic.put(PIN_KEY, Pin(model=MODEL, version="1.20", at_ms=1))
    listed = says("list")
    assert (listed["scoring"], listed["pinned"], listed["refused"]) == ("1.20", "1.20", {})
    assert [(row["version"], row["is"]) for row in listed["versions"]] == [
        ("1.30", ["newest"]),
        ("1.20", ["scoring", "pinned"]),
        ("1.10", []),
    ]
    assert listed["versions"][0]["auc"] == pytest.approx(taught(30).metrics()["auc"])
    shown = CliRunner().invoke(app, ["list"])
    assert shown.exit_code == output.OK and "scoring, pinned" in shown.stdout


def test_an_auc_of_one_class_alone_is_shown_as_not_known(topic: Topic) -> None:
    topic.records.clear()
    learner = Learner(HORIZON_DAYS)
    for lesson in lessons(20):
        learner.learn(msgspec.structs.replace(lesson, churned=True))
    topic.publish(learner.snapshot({}, 1))
    assert says("list")["versions"][0]["auc"] is None
    assert [week["auc"] for week in says("show")["by_week"]] == [None]
    assert CliRunner().invoke(app, ["list"]).exit_code == output.OK
    html = page(Read(topic.shelf(), {}), Stages({}, {}, 0), 2)
    assert "AUC: 0.5 is chance" not in html and "log-loss: less is better" in html


def test_of_no_version_the_list_says_where_scores_come_from(topic: Topic) -> None:
    topic.records.clear()
    assert says("list")["versions"] == []
    assert "prior" in CliRunner().invoke(app, ["list"]).stderr
    assert "prior" in says("show", code=output.FAILED)


def test_what_is_broken_is_named_and_forgotten_once_it_is_whole_again(topic: Topic) -> None:
    topic.records.append((MODEL.encode(), b"{}"))
    assert list(says("list")["refused"]) == [MODEL]
    topic.publish(taught(40).snapshot({}, 40))
    assert says("list")["refused"] == {}


def test_a_version_is_shown_in_words(topic: Topic) -> None:
    shown = says("show", "1.30")
    assert {weight["feature"] for weight in shown["weights"]} == set(FEATURES)
    assert all(weight["words"] and weight["meaning"] for weight in shown["weights"])
    assert sum(group["weight"] for group in shown["calibration"]) == pytest.approx(30, rel=0.01)
    assert "leave" in " ".join(shown["prior_words"])
    assert says("show")["version"] == "1.30"
    told = CliRunner().invoke(app, ["show"]).stdout
    assert "Calibration" in told and "prior:" in told
    assert "not kept" in says("show", "1.7", code=output.FAILED)


def test_every_feature_has_a_meaning_and_a_weight_that_raises_the_odds_says_so() -> None:
    assert set(MEANINGS) == set(FEATURES)
    told = {weight.feature: weight for weight in weights(taught(600).snapshot({}, 1))}
    assert told["complaints_open"].odds > 1 and "more likely" in told["complaints_open"].words


def test_a_version_is_pinned_and_the_pin_taken_away(topic: Topic) -> None:
    assert says("pin", "1.10") == {"pinned": "1.10", "scoring": "1.10"}
    assert topic.shelf().pinned == "1.10"
    assert says("pin", "--none") == {"pinned": None, "scoring": "1.30"}
    assert topic.shelf().pinned == ""


@pytest.mark.parametrize("given", [["pin"], ["pin", "1.10", "--none"]])
def test_a_pin_without_a_version_or_with_both_is_refused(topic: Topic, given: list[str]) -> None:
    before = list(topic.records)
    says(*given, code=output.USAGE)
    assert topic.records == before


def test_what_is_not_kept_is_neither_pinned_nor_gone_back_to(topic: Topic) -> None:
    before = list(topic.records)
    for verb in ("pin", "rollback"):
        assert "not kept" in says(verb, "1.7", code=output.FAILED)
    assert topic.records == before


def test_a_rollback_is_a_new_generation_and_by_itself_goes_one_version_back(topic: Topic) -> None:
    assert says("rollback") == {"generation": 2, "from": "1.20", "begun": "2.20", "declined": False}
    assert says("rollback", "1.10") == {"generation": 3, "from": "1.10", "begun": "3.10", "declined": False}
    assert says("list")["scoring"] == "3.10"


def test_there_may_be_nothing_to_go_back_to(topic: Topic) -> None:
    topic.records[:] = topic.records[:2]
    assert "no older version" in says("rollback", code=output.FAILED)


def test_learning_anew_leaves_the_old_version_scoring_and_what_is_on_trial_is_no_way_back(topic: Topic) -> None:
    assert says("retrain") == {"generation": 2, "from": None, "begun": "2.0", "declined": False}
    listed = says("list")
    assert (listed["scoring"], listed["versions"][0]["is"]) == ("1.30", ["newest", "on trial"])
    assert "on trial" in says("rollback", "2.0", code=output.FAILED)
    assert says("rollback", "1.30")["begun"] == "3.30"


def version(generation: int, learned: int, *, before: str = "", ready: bool = True) -> Snapshot:
    learner = taught(learned, seed=generation)
    learner.generation, learner.before = generation, before
    if not ready:
        learner.trial = Trial(before, learned + 1, {})
    return learner.snapshot({}, learned)


def test_after_a_retrain_a_version_back_is_the_one_that_scored_before_it(topic: Topic) -> None:
    for each in (version(2, 5, before="1.30", ready=False), version(2, 25, before="1.30")):
        topic.publish(each)
    assert says("rollback")["from"] == "1.30", "not 1.20, which has fewer lessons; nor 2.5, which never scored"


def test_a_version_back_is_of_the_same_generation_if_there_is_one(topic: Topic) -> None:
    for n in (15, 25, 27):
        topic.publish(version(2, n, before="1.30"))
    assert says("rollback")["from"] == "2.25"
    assert says("rollback")["from"] == "2.15", "3.25 is 2.25 again: a version back is not that"
    topic.publish(version(5, 40, before="2.15"))
    assert says("rollback")["from"] == "2.15"


@pytest.mark.parametrize("before", ["", "1.7", "2.25", "3.1"], ids=["not recorded", "not kept", "itself", "later"])
def test_where_it_is_not_known_what_scored_before_rollback_names_what_there_is(topic: Topic, before: str) -> None:
    topic.publish(version(2, 25, before=before))
    records = list(topic.records)
    told = " ".join(says("rollback", code=output.FAILED).split())
    assert "of 1.30, 1.20, 1.10:" in told and topic.records == records


def test_a_generation_remembers_what_it_came_of(topic: Topic) -> None:
    says("retrain")
    assert topic.shelf().newest.before == "1.30"  # type: ignore[union-attr]
    again = restore(topic.shelf().newest)  # type: ignore[arg-type]
    assert again.before == again.snapshot({}, 9).before == "1.30"
    says("rollback", "1.20")
    assert topic.shelf().newest.before == "1.20"  # type: ignore[union-attr]


def test_an_order_that_no_trainer_takes_stands_and_is_told(topic: Topic) -> None:
    topic.answers = False
    assert says("retrain", "--wait", "0.1", code=output.FAILED) == {
        "generation": 2,
        "from": None,
        "begun": None,
        "declined": False,
    }
    assert says("retrain", "--wait", "0") == {"generation": 3, "from": None, "begun": None, "declined": False}
    assert "is a worker running?" in CliRunner().invoke(app, ["rollback", "--wait", "0.1"]).stderr
    assert "is ordered" in CliRunner().invoke(app, ["list"]).stderr


def test_an_order_that_the_trainer_declines_is_told_at_once_and_does_not_wait(topic: Topic) -> None:
    topic.answers = False
    send = topic.send

    async def declining(name: str, key: bytes, value: bytes) -> None:
        await send(name, key, value)
        newest, order = topic.shelf().newest, topic.shelf().waiting
        assert newest is not None and order is not None
        topic.publish(signed(msgspec.structs.replace(newest, declined=order.id)))

    topic.send = declining  # type: ignore[method-assign]
    assert says("rollback", code=output.FAILED) == {"generation": 2, "from": "1.20", "begun": None, "declined": True}
    told = CliRunner().invoke(app, ["rollback"])
    assert told.exit_code == output.FAILED and "declined" in told.stderr
    assert "is ordered" not in CliRunner().invoke(app, ["list"]).stderr


def test_what_a_version_has_learned_is_exported_and_another_shop_starts_from_it(topic: Topic, tmp_path: Path) -> None:
    file = tmp_path / "other[1].json"
    done = CliRunner().invoke(app, ["export", "1.20", "--to", str(file)])
    assert done.exit_code == output.OK and "other[1].json: version 1.20" in done.stderr
    given = starts.read(file.read_bytes())
    assert given == starts.export(topic.shelf().versions["1.20"])
    assert starts.read(CliRunner().invoke(app, ["export"]).stdout.encode()).version == "1.30"
    assert says("start", str(file)) == {"generation": 2, "from": given.digest, "begun": "2.0", "declined": False}
    listed = says("list")
    assert listed["scoring"] == "1.30" and listed["versions"][0]["is"] == ["newest", "on trial"]
    assert "begun from" in CliRunner().invoke(app, ["start", str(file)]).stderr


def test_what_can_not_be_started_from_is_refused_and_nothing_is_ordered(topic: Topic, tmp_path: Path) -> None:
    before, file = list(topic.records), tmp_path / "other.json"
    assert "No such file" in says("start", str(file), code=output.USAGE)
    whole = CliRunner().invoke(app, ["export"]).stdout
    file.write_text(whole.replace('"1.30"', '"1.31"'))
    assert "was changed since it was exported" in says("start", str(file), code=output.USAGE)
    file.write_text(whole[:-5])
    assert "not what `portrait model export` writes" in says("start", str(file), code=output.USAGE)
    assert "is not kept" in CliRunner().invoke(app, ["export", "1.7"]).stderr
    assert topic.records == before


def test_an_order_whose_place_another_took_is_not_called_done(topic: Topic) -> None:
    topic.answers = False
    topic.put(ORDER_KEY, Order(model=MODEL, id="theirs", generation=1, version="", at_ms=1))
    send = topic.send

    async def overtaken(name: str, key: bytes, value: bytes) -> None:
        await send(name, key, value)
        learner = taught(40)
        learner.generation, learner.order = 2, "theirs"
        topic.publish(learner.snapshot({}, 9))

    topic.send = overtaken  # type: ignore[method-assign]
    assert says("retrain", code=output.FAILED)["begun"] is None


# The report


class Tags(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


def rich_read() -> Read:
    learner = taught(0)
    for i, lesson in enumerate(lessons(900)):
        learner.learn(msgspec.structs.replace(lesson, scored_at_ms=(2800 + i // 50) * WEEK_MS))
    learner.watch._alarm(Alarm(INPUTS, 2810, 500, {"visits7": 1.2}))
    topic = Topic()
    topic.publish(learner.snapshot({}, 1))
    return Read(topic.shelf(), {})


STAGES = Stages({"new": 5, "growing": 3}, {("new", "growing"): 4, ("growing", "declining"): 2}, 8)


def test_the_report_holds_all_it_shows_and_runs_nothing() -> None:
    html = page(rich_read(), STAGES, 2_000_000_000_000)
    tags = Tags(html).seen
    assert not {"script", "link", "img", "iframe", "object"} & {tag for tag, _ in tags}
    assert not [attrs for _, attrs in tags if {"src", "href", "onload"} & attrs.keys()]
    assert "url(" not in html and "@import" not in html
    figures = [attrs for tag, attrs in tags if tag == "svg"]
    assert len(figures) == 7 and all(attrs["role"] == "img" for attrs in figures)
    assert [tag for tag, _ in tags].count("details") == len(figures), "a table behind each"
    assert "prefers-color-scheme: dark" in html


def test_its_pictures_are_whole_and_within_their_frames() -> None:
    html = page(rich_read(), STAGES, 2_000_000_000_000)
    for part in html.split("<svg ")[1:]:
        tree = ElementTree.fromstring(f"<svg {part.split('</svg>')[0]}</svg>")
        width, height = (float(size) for size in tree.attrib["viewBox"].split()[2:])
        assert tree.findtext("title") and tree.findtext("desc")
        for element in tree.iter():
            for x, most in (("x", width), ("cx", width), ("y", height), ("cy", height), ("x1", width), ("y1", height)):
                assert -1 <= float(element.attrib.get(x, 0)) <= most + 1, ElementTree.tostring(element)
            assert float(element.attrib.get("width", 0)) >= 0 and float(element.attrib.get("height", 0)) >= 0


def test_the_report_tells_the_numbers_of_the_snapshot() -> None:
    read = rich_read()
    html = page(read, STAGES, 2_000_000_000_000)
    newest = read.shelf.newest
    assert newest is not None
    assert f"{newest.metrics['auc']:.3f}" in html and "visits7 +1.20" in html
    for week_ms, figures in words.by_week(newest):
        assert f"<td>{report.date(week_ms)}</td>" in html and f"<td>{figures['log_loss']:.4f}</td>" in html


def test_a_report_of_nothing_is_a_page_too() -> None:
    html = page(Read(Shelf(), {}), Stages({}, {}, 0), 1)
    assert "No version yet" in html and "Nothing to show yet" in html


def test_the_report_is_written_to_its_file(topic: Topic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def stages(settings: Any, sample: int) -> Stages:
        return STAGES

    monkeypatch.setattr(report, "read_stages", stages)
    out = tmp_path / "r.html"
    assert CliRunner().invoke(app, ["report", "--out", str(out)]).exit_code == output.OK
    assert "Version 1.30 scores" in out.read_text()
    assert CliRunner().invoke(app, ["report", "--out", "-"]).stdout.startswith("<!doctype html>")
    assert CliRunner().invoke(app, ["report", "--out", str(tmp_path / "no" / "r.html")]).exit_code == output.USAGE


def test_a_customers_moves_are_those_between_the_stages_that_the_profile_shows() -> None:
    shown = {"stage": "dormant", "before": [["declining", 2], ["growing", 1]]}
    assert report._moves(shown) == [("growing", "declining"), ("declining", "dormant")]
    assert report._moves({"stage": "new"}) == []
