"""Which versions are kept, and which one scores."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from portrait.models.churn import FEATURES, MODEL, from_snapshot
from portrait.models.learner import Learner, begin, restore
from portrait.models.shelf import (
    DAYS_KEPT,
    NEWEST_KEPT,
    ORDER_KEY,
    PIN_KEY,
    WEEKS_KEPT,
    Refused,
    Shelf,
    kept_key,
    order_of,
    to_keep,
)
from portrait.structures import DAY_MS
from schemas.outputs import Order, Pin, Snapshot
from tests.corekit import HORIZON_DAYS
from tests.unit.test_models_learner import lessons, over_the_wire, signed, taught


def put(shelf: Shelf, key: str, record: Any) -> None:
    shelf.take(key.encode(), None if record is None else msgspec.json.encode(record))


def order(generation: int, version: str = "", id: str = "o1") -> Order:
    return Order(model=MODEL, id=id, generation=generation, version=version, at_ms=1)


def shelf_of(*labels: int) -> Shelf:
    shelf = Shelf(HORIZON_DAYS)
    for n in labels:
        snapshot = taught(n).snapshot({"lessons/0": n}, n)
        put(shelf, kept_key(snapshot.version), msgspec.structs.replace(snapshot, recent=[]))
        put(shelf, MODEL, snapshot)
    return shelf


def test_the_newest_scores_whatever_comes_late() -> None:
    shelf = shelf_of(20, 10)
    assert shelf.scoring is not None and shelf.scoring.version == "1.20"
    assert shelf.newest is not None and shelf.newest.version == "1.20"


def test_the_newest_has_its_lesson_ids_in_whichever_order_the_records_come() -> None:
    whole = taught(5).snapshot({}, 1)
    copy = msgspec.structs.replace(whole, recent=[])
    for records in ([(MODEL, whole), (kept_key("1.5"), copy)], [(kept_key("1.5"), copy), (MODEL, whole)]):
        shelf = Shelf()
        for key, record in records:
            put(shelf, key, record)
        assert shelf.newest == whole
    assert shelf.versions["1.5"].recent == []


def test_a_copy_stands_in_for_a_newest_that_is_broken() -> None:
    shelf = shelf_of(10)
    snapshot = taught(20).snapshot({"lessons/0": 20}, 20)
    put(shelf, kept_key("1.20"), msgspec.structs.replace(snapshot, recent=[]))
    with pytest.raises(Refused):
        put(shelf, MODEL, msgspec.structs.replace(snapshot, digest="no"))
    assert shelf.newest is not None and (shelf.newest.version, shelf.newest.offsets) == ("1.20", {"lessons/0": 20})


def test_a_pin_holds_until_it_is_taken_away_and_one_to_nothing_holds_nothing() -> None:
    shelf = shelf_of(10, 20)
    for version, scoring in (("1.10", "1.10"), ("1.99", "1.20"), ("", "1.20")):
        put(shelf, PIN_KEY, Pin(model=MODEL, version=version, at_ms=1))
        assert shelf.scoring is not None and shelf.scoring.version == scoring
    put(shelf, PIN_KEY, Pin(model=MODEL, version="1.10", at_ms=1))
    put(shelf, PIN_KEY, None)
    assert shelf.pinned == ""


def test_a_version_that_is_let_go_is_gone() -> None:
    shelf = shelf_of(10, 20)
    put(shelf, kept_key("1.10"), None)
    assert list(shelf.versions) == ["1.20"]


def test_an_order_waits_until_its_generation_has_begun() -> None:
    shelf = shelf_of(10, 20)
    put(shelf, ORDER_KEY, order(2, "1.10"))
    assert shelf.waiting == order(2, "1.10") and shelf.next_generation == 3
    begun = begin(order(2, "1.10"), shelf.newest, shelf.versions["1.10"], shelf.scoring, HORIZON_DAYS)
    put(shelf, MODEL, begun.snapshot({}, 3))
    assert shelf.waiting is None
    assert shelf.scoring is not None and shelf.scoring.version == "2.10"


def test_who_is_on_trial_does_not_score() -> None:
    shelf = shelf_of(20)
    anew = begin(order(2), shelf.newest, None, shelf.scoring, HORIZON_DAYS)
    for lesson in lessons(10):
        anew.learn(lesson)
    put(shelf, MODEL, anew.snapshot({}, 3))
    assert shelf.newest is not None and shelf.newest.version == "2.10"
    assert shelf.scoring is not None and shelf.scoring.version == "1.20"


@pytest.mark.parametrize(
    "change",
    [
        {"digest": "0" * 32},
        {"model": "value"},
        {"format": 4},
        {"scorer": {"features": ["a"]}},
        {"learner": {"watch": {"measures": 3}}},
    ],
    ids=["digest", "model", "format", "features", "watch"],
)
def test_what_is_broken_is_refused_and_changes_nothing(change: dict[str, Any]) -> None:
    shelf = shelf_of(10)
    snapshot = msgspec.structs.replace(taught(20).snapshot({}, 2), **change)
    if "digest" not in change:
        snapshot = signed(snapshot)
    with pytest.raises(Refused):
        put(shelf, MODEL, snapshot)
    assert list(shelf.versions) == ["1.10"] and shelf.newest is not None and shelf.newest.version == "1.10"


TAMPERED: dict[str, Any] = {
    "format": 1, "generation": 77, "lessons": 10**12, "trained_at_ms": -5, "offsets": {"lessons/0": 10**9}, "recent": ["x"],
    "scorer": {}, "learner": {}, "metrics": {"auc": 9.0}, "digest": "0" * 32, "ready": False, "order": "o9", "declined": "o9",
    "before": "1.1", "recent_digest": "0" * 32, "model": "value",
}  # fmt: skip


@pytest.mark.parametrize("member", Snapshot.__struct_fields__)
def test_a_snapshot_is_refused_whichever_member_was_tampered_with(member: str) -> None:
    snapshot = taught(20).snapshot({"lessons/0": 20}, 2)
    tampered = msgspec.structs.replace(snapshot, **{member: TAMPERED[member]})
    with pytest.raises(ValueError, match="model" if member == "model" else "digest"):
        restore(over_the_wire(tampered))
    shelf = shelf_of(10)
    for key in (MODEL, kept_key(tampered.version)):
        with pytest.raises(Refused, match="model" if member == "model" else "digest"):
            put(shelf, key, tampered)
    assert list(shelf.versions) == ["1.10"]


def test_the_newest_without_its_lesson_ids_is_refused_and_a_copy_is_not() -> None:
    shelf, copy = shelf_of(10), msgspec.structs.replace(taught(20).snapshot({}, 2), recent=[])
    with pytest.raises(Refused, match="digest"):
        put(shelf, MODEL, copy)
    put(shelf, kept_key("1.20"), copy)
    assert restore(shelf.versions["1.20"]).lessons == 20


def as_older_code_made_it(snapshot: Snapshot, format: int) -> dict[str, Any]:
    """Format 2 had no bounds, and the digest of format 1 was over scorer and learner alone."""
    scorer = {name: value for name, value in snapshot.scorer.items() if name not in ("low", "high")}
    old = signed(msgspec.structs.replace(snapshot, format=format, scorer=scorer))
    members = msgspec.to_builtins(old)
    return members if format > 1 else {name: members[name] for name in members if name not in ("before", "recent_digest")}


@pytest.mark.parametrize("format", [1, 2])
def test_versions_of_older_formats_are_gone_on_with_and_a_new_one_does_not_pass_for_one(format: int) -> None:
    new = taught(20).snapshot({"lessons/0": 20}, 2)
    old = as_older_code_made_it(new, format)
    shelf = shelf_of(10)
    put(shelf, kept_key("1.20"), old | {"recent": []})
    put(shelf, MODEL, old)
    assert shelf.scoring is not None and shelf.scoring.version == "1.20" and shelf.newest is not None
    again = restore(shelf.newest).snapshot({"lessons/0": 20}, 2)
    assert (again.format, again.recent, again.scorer) == (3, old["recent"], new.scorer)
    put(shelf, MODEL, again)
    with pytest.raises(Refused, match="digest"):
        put(shelf, MODEL, msgspec.to_builtins(new) | {"format": format})


def test_a_version_without_bounds_scores_as_it_did_and_the_next_one_has_them() -> None:
    """One version is one function, whichever code scores with it."""
    new = taught(300).snapshot({}, 2)
    old = msgspec.convert(as_older_code_made_it(new, 2), Snapshot)
    before, now = from_snapshot(old), from_snapshot(new)
    far = [50.0] * len(FEATURES)
    assert before.log_odds(far) == pytest.approx(before.bias + 50 * sum(before.weights))
    assert before.log_odds(far) != pytest.approx(now.log_odds(far))
    assert before.log_odds(now.means) == now.log_odds(now.means), "within them nothing is changed"
    assert restore(old).scorer() == now
    with pytest.raises(ValueError, match="low"):
        from_snapshot(msgspec.structs.replace(old, format=3))


def test_a_version_under_the_key_of_another_or_for_another_horizon_is_refused() -> None:
    shelf = shelf_of(10)
    with pytest.raises(Refused, match=r"1\.20 under the key churn@1\.30"):
        put(shelf, kept_key("1.30"), taught(20).snapshot({}, 2))
    with pytest.raises(Refused, match="horizon"):
        put(shelf, MODEL, Learner(HORIZON_DAYS + 1).snapshot({}, 2))


def at(trained_at_ms: int, lessons: int) -> Snapshot:
    empty: dict[str, Any] = {}
    return Snapshot(
        model=MODEL, generation=1, lessons=lessons, trained_at_ms=trained_at_ms, offsets={}, recent=[], scorer=empty,
        learner=empty, metrics={}, digest="",
    )  # fmt: skip


def test_ever_fewer_are_kept_further_back_and_never_too_many() -> None:
    """One every three hours for a year, each let go as the trainer would."""
    kept: dict[str, Snapshot] = {}
    for n in range(365 * 8):
        snapshot = at(n * DAY_MS // 8, n)
        kept[snapshot.version] = snapshot
        keep = to_keep(kept.values(), ["1.3"])
        kept = {version: known for version, known in kept.items() if version in keep}
        assert len(kept) <= NEWEST_KEPT + DAYS_KEPT + WEEKS_KEPT + 1
    ages = sorted((365 * 8 - 1 - snapshot.lessons) // 8 for snapshot in kept.values())
    assert "1.3" in kept, "somebody needs it"
    assert set(range(7)) <= set(ages), "one of each of the last days"
    assert [age for age in ages if 40 < age < 300], "and of weeks before"
    newest = sorted(kept.values(), key=order_of)[-NEWEST_KEPT:]
    assert [snapshot.lessons for snapshot in newest] == list(range(365 * 8 - NEWEST_KEPT, 365 * 8))


def test_versions_made_while_a_clock_ran_ahead_give_way_to_newer_ones() -> None:
    ahead = [at((1000 + n) * DAY_MS, n) for n in range(20)]
    since = [at(n * DAY_MS, n) for n in range(20, 20 + NEWEST_KEPT + DAYS_KEPT)]
    keep = to_keep([*ahead, *since], [])
    assert {snapshot.version for snapshot in since[-NEWEST_KEPT - 2 :]} <= keep
    assert to_keep([*ahead, *since[:1]], []) >= {since[0].version}
