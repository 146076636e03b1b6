"""How well risks were predicted: what is kept in little room says what all the labels say."""

from __future__ import annotations

import random
from math import log

import msgspec
import pytest

from portrait.models.measures import (
    BINS,
    P_LEAST,
    UNSURE,
    WEEK_MS,
    WEEKS_KEPT,
    WEEKS_OPEN,
    Bins,
    Measures,
    auc,
    bin_of,
    edge,
    interval,
)
from portrait.structures import NEVER
from schemas.outputs import Sure

Label = tuple[float, bool]


def labels(n: int, seed: int = 1, skew: float = 1.0) -> list[Label]:
    """Calibrated risks, if ``skew`` is 1."""
    rng, made = random.Random(seed), []
    for _ in range(n):
        p = rng.betavariate(2, 0.8)
        made.append((p**skew, rng.random() < p))
    return made


def learned(given: list[Label], weeks: int = 1) -> Measures:
    measures = Measures()
    for i, (risk, churned) in enumerate(given):
        measures.learn(risk, churned, i * weeks // len(given) * WEEK_MS)
    return measures


def exact_auc(given: list[Label]) -> float:
    left, stayed = [p for p, churned in given if churned], [p for p, churned in given if not churned]
    return sum((a > b) + (a == b) / 2 for a in left for b in stayed) / (len(left) * len(stayed))


def test_the_auc_of_the_histogram_is_nearly_that_of_all_pairs() -> None:
    given = labels(2000)
    assert learned(given).auc() == pytest.approx(exact_auc(given), abs=0.01)


def test_calibrated_risks_have_a_small_error_and_skewed_ones_a_large_one() -> None:
    assert learned(labels(8000)).ece() < 0.02
    assert learned(labels(8000, skew=3.0)).ece() > 0.08


def test_running_means_are_those_of_the_labels_while_there_are_few() -> None:
    given = labels(500)
    measures = learned(given)
    assert measures.log_loss == pytest.approx(sum(-log(p if churned else 1 - p) for p, churned in given) / 500)
    assert measures.brier == pytest.approx(sum((p - churned) ** 2 for p, churned in given) / 500)
    assert measures.base_rate == pytest.approx(sum(churned for _, churned in given) / 500)


def test_what_is_long_ago_fades() -> None:
    measures = Measures()
    for p, churned in labels(4000, skew=3.0):
        measures.learn(p, churned, 0)
    bad = measures.ece()
    for p, churned in labels(30_000, seed=2):
        measures.learn(p, churned, 0)
    assert measures.ece() < bad / 3


def test_the_growing_unit_never_gets_out_of_hand() -> None:
    """Twice the labels after which it is scaled back."""
    measures, again = Measures(), Measures()
    for i, (p, churned) in enumerate(labels(220_000)):
        measures.learn(p, churned, 0)
        if i >= 110_000:
            again.learn(p, churned, 0)
    assert measures.unit < 1e10
    assert measures.auc() == pytest.approx(again.auc())
    assert measures.ece() == pytest.approx(again.ece())


@pytest.mark.parametrize("risk", [0.0, 1.0, P_LEAST, 0.5])
def test_certainty_has_a_bin_and_a_finite_loss(risk: float) -> None:
    measures = Measures()
    for churned in (True, False):
        assert measures.learn(risk, churned, 0) < 14
    assert sum(measures.bins.left) > 0 and sum(measures.bins.stayed) > 0


def test_nothing_is_claimed_of_no_labels_or_of_one_class() -> None:
    measures = Measures()
    assert (measures.auc(), measures.ece(), measures.calibration(10), measures.by_week()) == (None, 0.0, [], [])
    measures.learn(0.7, True, 0)
    measures.learn(0.2, True, WEEK_MS * 9)
    assert measures.auc() is None and "auc" not in measures.plain()
    assert [week.auc for _, week in measures.by_week()] == [None, None]
    measures.learn(0.1, False, 0)
    assert measures.plain()["auc"] == pytest.approx(1.0)


def test_bins_meet_at_their_edges() -> None:
    for n in range(1, BINS):
        assert (bin_of(edge(n) - 1e-9), bin_of(edge(n) + 1e-9)) == (n - 1, n)


def test_groups_of_calibration_hold_all_labels_in_the_order_of_risk() -> None:
    groups = learned(labels(3000)).calibration(10)
    assert 5 <= len(groups) <= 11
    assert [group.risk for group in groups] == sorted(group.risk for group in groups)
    assert sum(group.weight for group in groups) == pytest.approx(sum(0.9998**n for n in range(3000)), rel=0.01)


def test_weeks_are_bounded_and_closed_ones_keep_their_auc() -> None:
    given = labels(6000)
    measures = learned(given, weeks=60)
    rows = measures.by_week()
    assert len(rows) == WEEKS_KEPT and len(measures.open) == WEEKS_OPEN
    assert [at_ms for at_ms, _ in rows] == [n * WEEK_MS for n in range(60 - WEEKS_KEPT, 60)]
    for n, (_, week) in enumerate(rows, 60 - WEEKS_KEPT):
        of_week = given[n * 100 : (n + 1) * 100]
        assert week.labels == 100 and week.left == sum(churned for _, churned in of_week)
        assert week.auc == pytest.approx(exact_auc(of_week), abs=0.03)


def test_a_late_label_of_a_closed_week_counts_and_one_of_a_week_long_gone_does_not() -> None:
    measures = learned(labels(6000), weeks=60)
    before = measures.by_week()
    measures.learn(0.9, True, 20 * WEEK_MS)
    measures.learn(0.9, True, 0)
    after = measures.by_week()
    assert len(after) == WEEKS_KEPT
    changed = [(a, b) for (_, a), (_, b) in zip(before, after, strict=True) if a != b]
    assert [(b.labels - a.labels, b.auc == a.auc) for a, b in changed] == [(1, True)]


def test_an_interval_is_wilsons() -> None:
    assert interval(61, 100) == Sure(100, 0.512, 0.7)
    assert interval(0, 5) == Sure(5, 0.0, 0.434) and interval(1, 1) == Sure(1, 0.207, 1.0)
    assert interval(0, 0) == UNSURE == Sure(0, 0.0, 1.0)


def test_what_became_of_scores_is_told_by_tenths_and_covers_the_truth_about_as_often_as_said() -> None:
    rng, covered = random.Random(4), 0
    for _ in range(300):
        measures = Measures()
        for _ in range(60):
            measures.learn(0.65, rng.random() < 0.7, 0)
        sure = measures.sure()
        assert [n for n, each in enumerate(sure) if each.of] == [6]
        covered += sure[6].low <= 0.7 <= sure[6].high
    assert 0.91 <= covered / 300 <= 0.99


def test_old_outcomes_fade_from_what_is_sure() -> None:
    measures = Measures()
    for n in range(40_000):
        measures.learn(0.65, n >= 20_000, 0)
    (sure,) = [each for each in measures.sure() if each.of]
    assert 4900 < sure.of <= 5000 and sure.low > 0.97


def test_labels_of_weeks_to_come_count_but_do_not_stop_the_weeks() -> None:
    """Clocks that ran ahead for over a year: those who told the risks, and once the trainer's own."""
    measures = learned(labels(1000), weeks=10)
    for n in range(2 * WEEKS_KEPT):
        measures.learn(0.5, True, (100 + n) * WEEK_MS, now_ms=10 * WEEK_MS)
    assert len(measures.weeks) == 10 and measures.labels == 1000 + 2 * WEEKS_KEPT
    for n in range(2 * WEEKS_KEPT):
        measures.learn(0.5, True, (100 + n) * WEEK_MS, now_ms=NEVER)
    assert len(measures.weeks) == WEEKS_KEPT
    for n in range(20, 24):
        for risk, churned in labels(50, seed=n):
            measures.learn(risk, churned, n * WEEK_MS, now_ms=n * WEEK_MS)
    rows = {at_ms // WEEK_MS: week for at_ms, week in measures.by_week()}
    assert [rows[n].labels for n in range(20, 24)] == [50] * 4 and all(rows[n].auc for n in range(20, 24))
    assert set(measures.open) == set(range(20, 24)) and len(rows) == WEEKS_KEPT


def test_it_goes_on_from_plain_data_as_if_it_had_never_stopped() -> None:
    steady = learned(labels(500), weeks=8)
    plain = msgspec.json.decode(msgspec.json.encode(msgspec.to_builtins(steady, str_keys=True)))
    again = msgspec.convert(plain, Measures, str_keys=True)
    for p, churned in labels(300, seed=3):
        steady.learn(p, churned, 9 * WEEK_MS)
        again.learn(p, churned, 9 * WEEK_MS)
    assert again == steady


def test_the_auc_counts_a_tie_half() -> None:
    bins = Bins()
    bins.left[5] = bins.stayed[5] = bins.stayed[1] = 2.0
    assert auc(bins) == pytest.approx(0.75)
