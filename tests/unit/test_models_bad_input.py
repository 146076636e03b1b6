"""Whatever comes, a score is a probability that says how sure it is, and the model goes on learning."""

from __future__ import annotations

from math import isfinite

import msgspec
import pytest

from portrait import settle
from portrait.evolve import published
from portrait.models.churn import FEATURES, Scorer, fresh, from_snapshot
from portrait.models.learner import Learner, restore
from schemas.outputs import History, Lesson, Snapshot
from schemas.registry import LESSONS
from tests.corekit import HORIZON_DAYS, Customer, click, order
from tests.unit.test_models_learner import lessons, over_the_wire, signed, taught

AMOUNT_MINOR_MAX = 10**13  # the contract takes no more


def sound(customer: Customer) -> float:
    """The risk that readers are shown, and all that is said with it."""
    risk = float(customer.fields["churn_risk"])
    assert isfinite(risk) and 0.0 <= risk <= 1.0
    told = msgspec.json.decode(customer.fields["risk"])
    sure = told.get("sure", {"of": 0, "low": 0.0, "high": 1.0})
    assert sure["of"] >= 0 and 0.0 <= sure["low"] <= sure["high"] <= 1.0
    assert all(0.0 <= lever["churn"] < told["churn"] for lever in told.get("levers", []))
    return risk


def one_class(churned: bool) -> Learner:
    learner = Learner(HORIZON_DAYS)
    for lesson in lessons(500):
        learner.learn(msgspec.structs.replace(lesson, churned=churned, risk=0.5))
    return learner


@pytest.fixture(params=["no labels", "left alone", "stayed alone", "both"])
def scorer(request: pytest.FixtureRequest) -> Scorer:
    made = {
        "no labels": lambda: fresh(HORIZON_DAYS),
        "left alone": lambda: one_class(True).scorer(),
        "stayed alone": lambda: one_class(False).scorer(),
        "both": lambda: taught(300).scorer(),
    }
    return made[request.param]()


def test_a_customer_with_one_event(scorer: Scorer) -> None:
    customer = Customer(scorer)
    customer.sees(order(0))
    sound(customer)
    customer = Customer(scorer)
    customer.sees(click(0))
    assert "churn_risk" not in customer.fields, "nothing is said of who never bought"


@pytest.mark.parametrize("amount_minor", [0, 1, AMOUNT_MINOR_MAX])
def test_absurd_amounts(scorer: Scorer, amount_minor: int) -> None:
    customer = Customer(scorer)
    customer.sees(*(order(day, amount_minor=amount_minor) for day in range(0, 90, 9)))
    sound(customer)


def test_clocks_that_jump(scorer: Scorer) -> None:
    """A time years ahead, a clock years ahead, a clock behind, and an order of years ago."""
    customer = Customer(scorer)
    customer.sees(order(0), now=0)
    for event, now in ((order(4000), 1), (order(2), 5000), (order(3), -3000), (order(-4000), 5001)):
        customer.sees(event, now=now)
        sound(customer)
    customer.waits_until(-100)
    customer.waits_until(9000)
    sound(customer)


def test_years_of_silence(scorer: Scorer) -> None:
    customer = Customer(scorer)
    customer.sees(*(order(day) for day in range(0, 60, 2)))
    before = sound(customer)
    for day in (100, 425, 3000):
        customer.waits_until(day)
        after = sound(customer)
    assert after > before or scorer.weights[FEATURES.index("prior")] < 0.5


def test_one_class_alone_is_learned_without_certainty_and_ranks_nothing() -> None:
    for churned in (True, False):
        learner = one_class(churned)
        assert "auc" not in learner.metrics()
        (told,) = [each for each in learner.scorer().sure if each.of]
        assert (told.low > 0.95) if churned else (told.high < 0.05), "of these, all or none left"
        assert over_the_wire(learner.snapshot({}, 0)) == learner.snapshot({}, 0), "all of it is finite"


def without(snapshot: Snapshot, name: str, instead: str) -> Snapshot:
    """As code would have made it that knew the feature ``instead`` in place of ``name``."""
    scorer = snapshot.scorer | {"features": [instead if each == name else each for each in snapshot.scorer["features"]]}
    learner = dict(snapshot.learner)
    for part in ("weights", "g2", "counts", "means", "vars"):
        learner[part] = {instead if each == name else each: value for each, value in learner[part].items()}
    return signed(msgspec.structs.replace(snapshot, scorer=scorer, learner=learner))


def test_a_snapshot_of_code_with_other_features_scores_and_is_learned_from() -> None:
    """One feature has vanished since, another is new: the rest goes on."""
    name, at = "complaints_open", FEATURES.index("complaints_open")
    whole = over_the_wire(taught(400).snapshot({}, 0))
    other, known = over_the_wire(without(whole, name, "moon")), from_snapshot(whole)
    scorer = from_snapshot(other)
    assert scorer.weights == [0.0 if i == at else weight for i, weight in enumerate(known.weights)]
    average = list(known.means)
    assert scorer.risk(average) == pytest.approx(known.risk(average)), "what it knew of the moon counts as the average"
    learner = restore(other)
    assert learner.scorer().weights == pytest.approx(scorer.weights)
    for lesson in lessons(600, seed=5):
        assert learner.learn(lesson)
    assert learner.scorer().weights[at] > 0.2, "it learns the new one"
    again = learner.snapshot({}, 1)
    assert again.version == "1.1000" and "moon" in again.learner["weights"], "whoever goes back to that code finds it"
    assert restore(over_the_wire(again)).scorer() == learner.scorer()


def test_lessons_that_lack_a_feature_are_learned_and_leave_it_as_it_is() -> None:
    """They were scored by code that did not know it; all other code's labels would wait for a horizon."""
    learner, old = taught(300), [msgspec.structs.replace(lesson, id=f"old-{lesson.id}") for lesson in lessons(200, seed=4)]
    at = FEATURES.index("rivals90")
    before = learner.scorer()
    for lesson in old:
        assert learner.learn(
            msgspec.structs.replace(lesson, features={k: v for k, v in lesson.features.items() if k != "rivals90"})
        )
    after = learner.scorer()
    assert after.weights[at] == before.weights[at] and after.means[at] == before.means[at]
    assert after.weights[FEATURES.index("recency")] != before.weights[FEATURES.index("recency")]


def test_a_lesson_without_the_prior_or_a_snapshot_without_it_is_of_another_model() -> None:
    (lesson,) = lessons(1)
    assert not Learner(HORIZON_DAYS).learn(msgspec.structs.replace(lesson, features={"moon": 1.0}))
    with pytest.raises(ValueError, match="other features"):
        restore(without(taught(10).snapshot({}, 0), "prior", "moon"))


@pytest.mark.parametrize("amount_minor", [0, AMOUNT_MINOR_MAX])
def test_what_workers_tell_of_absurd_customers_is_within_the_bounds_of_a_lesson(
    monkeypatch: pytest.MonkeyPatch, amount_minor: int
) -> None:
    monkeypatch.setattr(settle, "HISTORY_ONE_IN", 1)
    customer, told = Customer(taught(100).scorer()), list[bytes]()

    def tells() -> None:
        told.extend(effect.value for effect in customer.known.effects if effect.topic == LESSONS)
        published(customer.known)

    customer.sees(*(order(day / 50, id=f"early{day}", amount_minor=amount_minor) for day in range(1000)), now=21)
    for event, now in ((order(4000), 22), (order(24), 5000), (order(3), -3000), (order(-4000), 25), (click(9000), 9000)):
        customer.sees(event, now=now)
        tells()
    for day in range(9000, 9400):
        customer.waits_until(day)
        tells()
    decode = msgspec.json.Decoder(History | Lesson).decode
    assert {type(decode(value)) for value in told} == {History, Lesson}, "none is refused, and there are some of both"
