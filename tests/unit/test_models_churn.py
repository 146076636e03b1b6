"""The churn score: what River computes, folded into one weight a feature; its features, reasons and refusals."""

from __future__ import annotations

from math import exp, log

import msgspec
import pytest

from portrait.models.churn import FEATURES, THEMES, Scorer, features, fresh, from_snapshot
from portrait.models.learner import Learner
from portrait.models.prior import START, logits
from portrait.models.reasons import REASONS_MAX, levers, reasons
from portrait.state import State
from schemas.outputs import Lever
from tests.corekit import DAY0, HORIZON_DAYS, Customer, at, click, complaint, event, order, rfc3339
from tests.unit.test_core_voice import BAD, GOOD
from tests.unit.test_models_learner import lessons, taught


def features_of(customer: Customer, day: int) -> dict[str, float]:
    x = features(customer.known.parts, customer.known.rhythm, DAY0 + day, fresh(HORIZON_DAYS))
    assert x is not None
    return dict(zip(FEATURES, x, strict=True))


def test_before_the_first_label_the_score_is_the_priors() -> None:
    customer = Customer()
    customer.sees(order(0), order(20))
    customer.waits_until(50)
    logit = logits(START, 2, 30, 50, HORIZON_DAYS).none
    assert customer.known.risk == pytest.approx(1 / (1 + exp(-logit)), abs=1e-12)


def test_the_folded_scorer_gives_what_rivers_pipeline_gives() -> None:
    learner = taught(300)
    scorer = learner.scorer()
    for lesson in lessons(100, seed=2):
        seen = {name: (lesson.features[name] - of.mean) / of.scale for name, of in learner.scaling.of.items()}
        expected = learner.model.predict_proba_one(seen | {"prior": lesson.features["prior"]})[True]
        assert scorer.risk(list(lesson.features.values())) == pytest.approx(expected, abs=1e-9)


def test_a_feature_that_never_varied_has_no_say() -> None:
    learner = Learner(HORIZON_DAYS)
    for lesson in lessons(50):
        learner.learn(msgspec.structs.replace(lesson, features=lesson.features | {"refused30": 0.0}))
    assert learner.scorer().weights[FEATURES.index("refused30")] == 0.0


def test_the_first_customer_who_shows_a_feature_does_not_move_all_others() -> None:
    learner = Learner(HORIZON_DAYS)
    for lesson in lessons(2000):
        learner.learn(msgspec.structs.replace(lesson, features=lesson.features | {"rivals90": 0.0}))
    before = learner.scorer().weights[FEATURES.index("rivals90")]
    (last,) = lessons(1, seed=9)
    learner.learn(msgspec.structs.replace(last, id="last", features=last.features | {"rivals90": log(2)}, churned=False))
    assert before == 0.0
    assert -0.2 < learner.scorer().weights[FEATURES.index("rivals90")] < 0.0


def test_the_risk_is_a_probability_whatever_the_values() -> None:
    scorer = taught(100).scorer()
    for value in (-1e9, -50.0, 0.0, 50.0, 1e9):
        assert 0.0 <= scorer.risk([value] * len(FEATURES)) <= 1.0


def test_who_has_bought_nothing_has_no_score() -> None:
    customer = Customer()
    customer.sees(click(0), complaint(1))
    assert customer.known.risk is None
    assert "churn_risk" not in customer.fields
    assert features(State().parts, State().rhythm, DAY0, fresh(HORIZON_DAYS)) is None


def test_features_say_what_their_names_say() -> None:
    customer = Customer()
    customer.sees(order(0, amount_minor=5_000), order(10, amount_minor=15_000), click(12), click(20), complaint(21))
    customer.sees(event("contact.refused", 22, message_id="M1", channel="sms"))
    named = {name: round(exp(value)) for name, value in features_of(customer, 25).items()}
    assert named["recency"] - 1 == 15
    assert named["tenure"] - 1 == 25
    assert named["purchases"] == 2
    assert named["spend"] - 1 == 10_000
    assert named["visits7"] - 1 == 1
    assert named["visits30"] - 1 == 2
    assert named["quiet"] - 1 == 3
    assert named["complaints90"] - 1 == 1
    assert named["refused30"] - 1 == 1
    assert features_of(customer, 25)["complaints_open"] == 1


def test_reasons_are_the_customers_own_strongest_first_and_say_the_direction() -> None:
    customer = Customer()
    customer.sees(order(0), order(5), order(10))
    customer.waits_until(150)
    known = customer.known
    x = features(known.parts, known.rhythm, DAY0 + 150, fresh(HORIZON_DAYS))
    assert x is not None
    found = reasons(fresh(HORIZON_DAYS), x, known.rhythm, DAY0 + 150)
    assert found[0].code == "risk.silence.up"
    assert "140" in found[0].en
    assert "140" in found[0].zh
    assert len(found) <= REASONS_MAX


def words_of(customer: Customer, day: int, average: float = 0.0, **weights: float) -> dict[str, tuple[str, str]]:
    """code -> (English, Chinese), against an average customer all of whose features are ``average``."""
    known, today = customer.known, DAY0 + day
    scorer = msgspec.structs.replace(scorer_of(**weights), means=[average] * len(FEATURES))
    x = features(known.parts, known.rhythm, today, scorer)
    assert x is not None
    return {each.code: (each.en, each.zh) for each in reasons(scorer, x, known.rhythm, today)}


def test_each_theme_of_reasons_has_words_for_both_directions() -> None:
    happy, troubled = Customer(), Customer()
    happy.sees(order(0), order(30), order(60), click(60, id="c"))
    troubled.sees(order(0), *(click(n, id=f"c{n}") for n in range(9)), *(complaint(30 + n, f"K{n}") for n in range(2)))
    troubled.sees(
        event("order.delivered", 35, order_id="o0", placed_at=rfc3339(at(0)), promised_at=rfc3339(at(2))),
        event("contact.refused", 36, message_id="M1", channel="sms"),
        event("mention.posted", 36, platform="weibo", brands=["B"], rivals=["B"], text=BAD),
        event("rating.given", 36, stars=1),
    )
    for theme, names in THEMES:
        name = {"silence": "recency", "history": "tenure", "complaints": "complaints90"}.get(theme, names[-1])
        up = words_of(troubled, 40, **{name: -1.0 if theme == "visits" else 1.0})
        present = theme in ("visits", "spend")  # what is there lowers the risk; of the others, what is lacking
        down = words_of(happy, 65, 0.0 if present else 9.0, **{name: -1.0 if present else 1.0})
        assert list(up) == [f"risk.{theme}.up"]
        assert list(down) == [f"risk.{theme}.down"]
        assert all(text for texts in (*up.values(), *down.values()) for text in texts)
        assert up.popitem()[1] != down.popitem()[1] or theme == "spend"


@pytest.mark.parametrize(
    ("days", "today", "weight", "code", "words"),
    [
        ((0, 1), 41, 1.0, "up", "Buys seldom: about every 46 days."),
        ((0, 1), 61, 1.0, "up", "No purchase for 60 days; one is expected about every 46."),
        ((0, 1), 61, -1.0, "down", "Used to buy often, about every 46 days; last 60 days ago."),
        ((0, 1), 2, -1.0, "down", "Last purchase 1 day ago; one is expected about every 46."),
        ((0,), 1, 1.0, "up", "Bought once, 1 day ago."),
        ((0,), 9, -1.0, "down", "First purchase only 9 days ago."),
    ],
)
def test_silence_is_told_so_that_it_speaks_for_its_direction(
    days: tuple[int, ...], today: int, weight: float, code: str, words: str
) -> None:
    customer = Customer()
    customer.sees(*map(order, days))
    found = words_of(customer, today, recency=weight)
    assert found[f"risk.silence.{code}"][0] == words
    assert words_of(customer, days[-1], 9.0, recency=-1.0).keys() == (set() if len(days) == 1 else {"risk.silence.up"})


def test_who_buys_every_day_is_expected_every_day() -> None:
    customer = Customer()
    customer.sees(*map(order, range(200)))
    for today, weight, words in (
        (199, -1.0, "Last purchase today"),
        (200, -1.0, "Last purchase 1 day ago"),
        (201, 1.0, "No purchase for 2 days"),
    ):
        ((en, _),) = words_of(customer, today, 0.0 if today > 199 else 9.0, recency=weight if today > 199 else 1.0).values()
        assert en == f"{words}; one is expected about every day."


def test_the_average_customer_of_a_shop_has_no_reason_of_the_base_rate() -> None:
    """Nearly all customers of this one leave."""
    learner = Learner(HORIZON_DAYS)
    for n, lesson in enumerate(lessons(400)):
        x = dict.fromkeys(FEATURES, 0.0) | {"prior": 3.0 + 0.5 * lesson.features["dead"] - 0.5}
        learner.learn(msgspec.structs.replace(lesson, features=x, churned=n % 20 != 0))
    scorer = from_snapshot(learner.snapshot({}, 0))
    average = [3.0] + [0.0] * (len(FEATURES) - 1)
    assert scorer.means[0] == pytest.approx(3.0, abs=0.1)
    assert dict(scorer.contributions(average)).get("silence", 0.0) == pytest.approx(0.0, abs=0.1)
    assert fresh(HORIZON_DAYS).means[0] == 0.8, "as long as nothing is known of the shop"


def test_complaints_speak_against_a_customer_only_open_and_for_one_only_resolved() -> None:
    customer = Customer()
    customer.sees(order(0), complaint(10, "K1"))
    assert words_of(customer, 20, complaints_open=-1.0) == {}, "one is open: nothing speaks for them"
    ((en, zh),) = words_of(customer, 20, complaints_open=1.0).values()
    assert (en, zh[:9]) == ("1 complaint open, 1 in 90 days, 0 resolved badly.", "未解决投诉 1 件")
    customer.sees(event("complaint.resolved", 21, complaint_id="K1", opened_at=rfc3339(at(10)), satisfaction=5))
    assert words_of(customer, 105, resolved_well=1.0) == {}, "that one was resolved well is no reason against them"
    assert words_of(customer, 105, resolved_well=-1.0) == {
        "risk.complaints.down": ("1 complaint resolved well, none open.", "妥善解决投诉 1 件，无未解决投诉。")
    }


def test_what_did_not_happen_is_no_reason_against_a_customer() -> None:
    customer = Customer()
    customer.sees(order(0))
    known = customer.known
    x = features(known.parts, known.rhythm, DAY0, fresh(HORIZON_DAYS))
    assert x is not None
    averse = msgspec.structs.replace(fresh(HORIZON_DAYS), weights=[-1.0] * len(FEATURES), means=[9.0] * len(FEATURES))
    codes = {reason.code for reason in reasons(averse, x, known.rhythm, DAY0)}
    assert not codes & {"risk.silence.up", "risk.complaints.up", "risk.refusals.up", "risk.visits.up"}
    assert codes


def test_a_scorer_comes_out_of_a_snapshot_as_it_went_in() -> None:
    learner = taught(100)
    assert from_snapshot(learner.snapshot({}, 0)) == learner.scorer()


@pytest.mark.parametrize(
    "broken",
    [
        {"weights": [1.0]},
        {"features": ["others"]},
        {"bias": "much"},
        {"means": []},
        {"low": []},
        {"high": None},
        {"horizon_days": None},
        {"sure": [[1, 0, 1]]},
    ],
)
def test_a_scorer_for_other_code_is_refused(broken: dict[str, object]) -> None:
    snapshot = taught(10).snapshot({}, 0)
    wrong = msgspec.structs.replace(snapshot, scorer=snapshot.scorer | broken)
    with pytest.raises(ValueError, match=r"snapshot 1\.10"):
        from_snapshot(wrong)


def test_the_mean_order_is_that_of_the_currency_of_most_orders() -> None:
    customer = Customer()
    customer.sees(order(0, currency="JPY", amount_minor=10**6), order(1, amount_minor=300), order(2, amount_minor=100))
    assert features_of(customer, 2)["spend"] == pytest.approx(log(1 + 200))


def test_a_risk_says_what_became_of_scores_like_it() -> None:
    customer = Customer()
    customer.sees(order(0), order(20))
    customer.waits_until(50)
    shown = msgspec.json.decode(customer.fields["risk"])
    assert "sure" not in shown, "no outcome is known"
    learner = Learner(HORIZON_DAYS)
    for n, lesson in enumerate(lessons(400)):
        learner.learn(msgspec.structs.replace(lesson, risk=n % 10 / 10 + 0.05))
    scorer = from_snapshot(learner.snapshot({}, 1))
    assert [each.of for each in scorer.sure] == pytest.approx([40] * 10, abs=2)
    knowing = Customer(msgspec.structs.replace(fresh(HORIZON_DAYS), version="1.400", sure=scorer.sure))
    knowing.sees(order(0), order(20))
    knowing.waits_until(50)
    known = msgspec.json.decode(knowing.fields["risk"])
    assert known["churn"] == shown["churn"], "it changes no score"
    assert known["sure"] == msgspec.to_builtins(scorer.sure[int(known["churn"] * 10)])
    assert scorer.sure_of(1.0) == scorer.sure[9] and scorer.sure_of(0.0) == scorer.sure[0]


def test_features_beyond_purchases() -> None:
    customer = Customer()
    customer.sees(order(0), *[click(day) for day in (1, 2, 40, 41, 42, 50)])
    quiet = features_of(customer, 55)
    assert quiet["visits_usual"] == pytest.approx(log((4 + 1) / (2 / 2 + 1)))
    assert {quiet[name] for name in ("unhappy90", "late90", "rivals90", "resolved_well", "resolved_badly")} == {0.0}
    customer.sees(
        event("rating.given", 51, stars=1),
        event("survey.answered", 51, survey="S", question="Q", nps=6),
        event("conversation.closed", 51, conversation_id="V", channel="app", solved=False, stars=1),
        event("rating.given", 52, stars=3),
        event("order.delivered", 52, order_id="o0", placed_at=rfc3339(at(0)), promised_at=rfc3339(at(51))),
        event("mention.posted", 53, platform="weibo", brands=["A", "B"], rivals=["B"]),
        event("account.followed", 53, platform="weibo", account="B", rivals=["B"]),
        complaint(53, "K1"),
        event("complaint.resolved", 54, complaint_id="K1", opened_at=rfc3339(at(53)), satisfaction=5),
        event("complaint.resolved", 54, complaint_id="K2", opened_at=rfc3339(at(50)), satisfaction=2),
        event("complaint.resolved", 54, complaint_id="K3", opened_at=rfc3339(at(50)), satisfaction=3),
    )
    found = features_of(customer, 55)
    assert found["unhappy90"] == pytest.approx(log(1 + 3))
    assert (found["late90"], found["rivals90"]) == (pytest.approx(log(2)), pytest.approx(log(3)))
    assert (found["complaints_open"], found["resolved_well"], found["resolved_badly"]) == (0.0, 1.0, 1.0)
    assert found["displeased30"] == 0.0, "nothing was written"
    forgotten = features_of(customer, 53 + 90)
    assert {forgotten[name] for name in ("unhappy90", "late90", "rivals90")} == {0.0}


def test_days_on_which_a_customer_wrote_displeased_are_counted_and_are_a_reason() -> None:
    customer = Customer()
    customer.sees(order(0), *(event("mention.posted", day, platform="weibo", text=BAD) for day in (1, 40, 40.5, 45)))
    customer.sees(event("rating.given", 46, stars=5, text=GOOD))
    assert features_of(customer, 50)["displeased30"] == pytest.approx(log(1 + 2))
    assert features_of(customer, 74)["displeased30"] == pytest.approx(log(1 + 1))
    assert features_of(customer, 80)["displeased30"] == 0.0
    known, scorer = customer.known, scorer_of(displeased30=1.0)
    x = features(known.parts, known.rhythm, DAY0 + 50, scorer)
    assert x is not None
    (reason,) = reasons(scorer, x, known.rhythm, DAY0 + 50)
    assert (reason.code, "on 2 of" in reason.en, "2 天" in reason.zh) == ("risk.tone.up", True, True)


def scorer_of(**weights: float) -> Scorer:
    start = fresh(HORIZON_DAYS)
    return msgspec.structs.replace(start, weights=[weights.get(name, 0.0) for name in FEATURES], means=[0.0] * len(FEATURES))


def told(customer: Customer, day: int, scorer: Scorer) -> tuple[float, dict[str, Lever]]:
    known, today = customer.known, DAY0 + day
    x = features(known.parts, known.rhythm, today, scorer)
    assert x is not None
    return scorer.risk(x), {lever.code: lever for lever in levers(scorer, x, known.rhythm, today)}


def test_a_lever_says_what_the_score_would_be_and_it_is_that_when_it_happens() -> None:
    customer, scorer = Customer(), scorer_of(prior=1.0, complaints_open=0.8, resolved_well=-0.2, recency=0.1)
    customer.sees(order(0), order(10), complaint(12, "K1"))
    risk, found = told(customer, 40, scorer)
    assert next(iter(found)) == min(found, key=lambda code: found[code].churn)
    assert set(found) == {"lever.buy", "lever.resolve"}
    assert all(lever.churn < risk for lever in found.values())
    assert f"{found['lever.resolve'].churn * 100:.0f} %" in found["lever.resolve"].en
    bought = Customer()
    bought.sees(order(0), order(10), complaint(12, "K1"), order(40))
    assert told(bought, 40, scorer)[0] == pytest.approx(found["lever.buy"].churn, abs=1e-4)
    customer.sees(event("complaint.resolved", 40, complaint_id="K1", opened_at=rfc3339(at(12)), satisfaction=5))
    assert told(customer, 40, scorer)[0] == pytest.approx(found["lever.resolve"].churn, abs=1e-4)


def test_a_lever_reckons_with_the_bounds_of_the_score() -> None:
    customer, start = Customer(), scorer_of(complaints_open=0.8, resolved_well=-0.2)
    customer.sees(order(0), *(complaint(1, f"K{n}") for n in range(8)))
    scorer = msgspec.structs.replace(start, high=[2.5 if name == "complaints_open" else 1e9 for name in FEATURES])
    risk, found = told(customer, 1, scorer)
    assert risk == pytest.approx(1 / (1 + exp(-0.8 * 2.5)))
    assert found["lever.resolve"].churn == pytest.approx(1 / (1 + exp(0.2 * 8)), abs=1e-4)


def test_no_reason_says_what_is_not_so() -> None:
    customer = Customer()
    customer.sees(
        order(0), order(20), event("order.delivered", 18, order_id="o0", placed_at=rfc3339(at(0)), promised_at=rfc3339(at(2)))
    )
    known, today = customer.known, DAY0 + 20
    for weight in (1.0, -1.0):
        scorer = scorer_of(late90=weight, prior=1.0)
        x = features(known.parts, known.rhythm, today, scorer)
        assert x is not None
        found = {reason.code: reason.en for reason in reasons(scorer, x, known.rhythm, today)}
        assert ("risk.late.up" in found) == (weight > 0)
        assert "risk.late.down" not in found, "it came late"


def test_no_lever_for_what_did_not_happen_and_none_that_would_raise_the_risk() -> None:
    customer = Customer()
    customer.sees(order(0), *[click(1, id=f"c{n}") for n in range(4)])
    assert "lever.deliver-in-time" not in told(customer, 20, scorer_of(late90=2.0))[1]
    assert told(customer, 20, scorer_of(recency=-1.0))[1] == {}
    assert set(told(customer, 50, scorer_of(visits_usual=-2.0))[1]) == {"lever.visit"}
