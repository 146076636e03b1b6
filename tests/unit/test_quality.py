"""How good the data are: what is counted of states, and what `portrait quality` prints and refuses."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli import main, quality
from portrait.components import COMPONENTS, READS
from portrait.dimensions.base import Facts
from portrait.dimensions.registry import DIMENSIONS
from portrait.features.registry import FEATURES
from portrait.identity.links import Link, Links
from portrait.journey import journey
from portrait.models import churn
from portrait.quality import COUNTED, Assessment
from portrait.state import State, encode
from portrait.structures import DAY_MS
from profile_store.contract import Loaded
from schemas.attributes import ATTRIBUTES
from schemas.cleaning import FIELDS
from schemas.examples import event as example
from schemas.profile import Profile
from schemas.registry import TYPES
from streams.intake import take_in
from streams.metrics import Metrics
from tests.corekit import DAY0, Customer, click, event, order
from tests.property.lives import LogRecord

RUNNER = CliRunner()


def state(*events: Any, now: float = 10) -> State:
    customer = Customer()
    customer.sees(*events, now=now)
    return customer.known


def known() -> State:
    return state(
        order(2, payment_method="alipay"),
        click(8),
        event("item.viewed", 9, sku="A", region="上海", brand="null"),
        event("attributes.changed", 1, attributes={"age": "300", "gender": "F", "phone": "110"}),
        event("attributes.changed", 3, attributes={"gender": "M"}, system="partner:x"),
    )


def assessed(*states: State) -> Assessment:
    found = Assessment(DAY0 + 10)
    for each in states:
        found.take(each)
    return found


def test_completeness_is_the_share_of_customers_of_whom_it_tells_anything() -> None:
    found = assessed(known(), state(click(9)))
    assert found.customers == 2
    assert found.components["basic"].complete == 0.5
    assert found.components["behaviour"].complete == 1.0
    assert found.components["needs and pain points"].complete == 0.0
    assert found.components["rivals"].complete == 0.0


def test_freshness_is_the_age_of_the_newest_evidence() -> None:
    found = assessed(known(), state(order(-35), now=10)).components["consumption"]
    assert found.ages == {8: 1, 45: 1}
    assert (found.median_age_days, found.fresh) == (8, 0.5)


def test_validity_is_the_share_of_values_that_were_not_refused() -> None:
    found = assessed(known())
    assert (found.components["basic"].accepted, found.components["basic"].refused) == (1, 2)
    assert found.components["basic"].valid == pytest.approx(1 / 3)
    assert found.components["scenario and context"].valid == 1.0
    assert found.components["lifecycle"].valid is None
    assert found.worst_fields(9) == [("age", 0, 1), ("brand", 0, 1), ("phone", 0, 1)]
    assert found.worst_sources(9) == [("/tests", 5, 3)]
    assert dict(found.disputed) == {"gender": 1}


def test_nobody_has_neither_shares_nor_ages() -> None:
    empty = Assessment(DAY0).components["basic"]
    assert (empty.complete, empty.valid, empty.fresh, empty.median_age_days) == (None, None, None, None)


def test_components_name_what_there_is() -> None:
    assert len([component for component in COMPONENTS if component.main]) == 9
    members = {d.name: set(d.contract.__struct_fields__) for d in DIMENSIONS}
    features = {feature.name for feature in FEATURES}
    for component in COMPONENTS:
        for field in component.fields:
            name, _, member = field.partition(".")
            assert name in members or name in Profile.__struct_fields__, field
            assert not member or name not in members or member in members[name], field
        assert set(component.features) <= features
        for test in component.tests:
            assert (Path(__file__).parent / test).exists(), test
    checked = [field for component in COMPONENTS for field in component.checked]
    assert len(checked) == len(set(checked))
    assert set(checked) == FIELDS, "each field that cleaning may refuse belongs to one component"
    assert set(checked) - ATTRIBUTES - COUNTED.keys() <= {"resolution", "rivals"}, "what is accepted of the others is counted"


class Noting:
    """The parts of a state, noting which are read."""

    def __init__(self, parts: Any) -> None:
        self._parts = parts
        self.read: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        self.read.add(name)
        return getattr(self._parts, name)


def test_components_name_the_events_of_all_that_their_fields_read() -> None:
    customer = Customer()
    for n, kind in enumerate(TYPES):
        data = example(kind)["data"]
        data.pop("name", None)
        customer.sees(event(kind, 700 + n, **data))  # after what the examples refer to
    state, today = customer.known, DAY0 + 760
    for dimension in DIMENSIONS:
        noting = Noting(state.parts)
        dimension.derive(Facts(noting, state.stage, today, today * DAY_MS, state.rhythm))
        assert noting.read <= set(READS[dimension.name]), dimension.name
    for name, look in {
        "risk": lambda parts: churn.features(parts, state.rhythm, today, churn.fresh(60)),
        "journey": lambda parts: journey(parts, state.rhythm.count, state.stage, today),
    }.items():
        noting = Noting(state.parts)
        assert look(noting) is not None
        assert noting.read <= set(READS[name]), name
    for name, features in READS.items():
        assert set(features) <= set(READS[name.partition(".")[0]]), f"{name}: a member reads no more than the whole"


class Reader:
    """As much of StateReader as the verb uses."""

    states: list[tuple[str, State]] = []

    def __init__(self, *_: Any, **__: Any) -> None: ...

    async def __aenter__(self) -> Reader:
        return self

    async def __aexit__(self, *_: object) -> None: ...

    async def count(self) -> int:
        return len(self.states)

    async def scan_states(self) -> AsyncIterator[tuple[str, Loaded]]:
        for customer_id, found in self.states:
            yield customer_id, Loaded(b"", encode(found))


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> type[Reader]:
    monkeypatch.setattr(quality, "StateReader", Reader)
    monkeypatch.setattr(Reader, "states", [("C1", known()), ("C2", state(click(9))), ("C1", known())])
    return Reader


def test_the_verb_tells_each_component_once_and_each_customer_once(reader: type[Reader]) -> None:
    done = RUNNER.invoke(main.app, ["quality", "--json"])
    found = json.loads(done.stdout)
    assert (done.exit_code, found["customers"]) == (0, 2)
    assert [row["name"] for row in found["dimensions"]] == [component.name for component in COMPONENTS]
    assert found["dimensions"][0]["complete"] == 0.5
    assert found["disputed"] == {"gender": 1}


@pytest.mark.parametrize(
    ("lang", "words"),
    [
        ("en", ("2 customers", "complete", "brand relationship", "1 of 1 refused")),
        ("zh", ("2 位客户", "完整度", "品牌关系", "说法不一")),
    ],
)
def test_the_table_speaks_both_languages(reader: type[Reader], lang: str, words: tuple[str, ...]) -> None:
    done = RUNNER.invoke(main.app, ["quality", "--lang", lang])
    assert done.exit_code == 0
    assert all(word in done.stdout for word in words)


def test_the_figures_are_metrics_too(reader: type[Reader]) -> None:
    done = RUNNER.invoke(main.app, ["quality", "--prometheus"])
    assert done.exit_code == 0
    assert 'portrait_quality_complete{dimension="basic"} 0.5' in done.stdout
    assert "portrait_quality_customers 2.0" in done.stdout
    assert 'portrait_quality_valid{dimension="lifecycle"}' not in done.stdout, "nothing of it is checked"


def test_ids_that_stand_in_the_clear_are_counted_and_not_shown(reader: type[Reader], monkeypatch: pytest.MonkeyPatch) -> None:
    ids = ("lin@shop.cn", "+8613800138001", "13800138001", "@lin", "email:~" + "0" * 32)
    monkeypatch.setattr(Reader, "states", [(name, state(click(9))) for name in ids])
    assert json.loads(RUNNER.invoke(main.app, ["quality", "--json"]).stdout)["ids_in_clear"] == 2
    assert "portrait_quality_ids_in_clear 2.0" in RUNNER.invoke(main.app, ["quality", "--prometheus"]).stdout
    told = RUNNER.invoke(main.app, ["quality"]).stdout
    assert "2 customer ids look like" in told and "lin@" not in told


def test_identities_that_made_a_link_are_accepted_and_others_refused() -> None:
    bad = state(event("app.opened", 1, channel="app"))
    bad.links = Links({name: Link(1, 7, True, carried=carried) for name, carried in (("a", True), ("b", True), ("c", False))})
    assert bad.parts.sources is not None
    bad.parts.sources.refused = {"identities": 1}
    assert assessed(bad).worst_fields(3) == [("identities", 2, 1)]


def test_a_sample_is_no_more_than_was_asked_for(reader: type[Reader]) -> None:
    done = RUNNER.invoke(main.app, ["quality", "--sample", "1"])
    assert "1 customers, the first that were found" in done.stdout


def test_without_profiles_it_says_so(reader: type[Reader], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Reader, "states", [])
    done = RUNNER.invoke(main.app, ["quality"])
    assert done.exit_code == 1
    assert "there are no profiles yet" in done.stderr


def test_a_worker_counts_what_it_refused_and_no_name_that_somebody_chose() -> None:
    sent = {"specversion": "1.0", "id": "1", "source": "/crm", "type": "attributes.changed"}
    value = json.dumps({**sent, "data": {"attributes": {"age": "300", "my dear": "null"}}}).encode()
    records = {("customers", 0): [LogRecord("customers", 0, 0, 1_000_000, b"C1", value)]}
    metrics = Metrics()
    metrics.batch(records, take_in(records, ()))
    counted = {
        s.labels["field"]: s.value
        for f in metrics.registry.collect()
        for s in f.samples
        if s.name == "portrait_refused_values_total"
    }
    assert counted == {"age": 1.0, "other": 1.0}
