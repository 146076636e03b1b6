"""What the commands on logs of purchases say where a log is too short, or tells too little for a figure."""

from __future__ import annotations

import json
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import causes, churn, stages, value
from bench.figures import known, text
from bench.quality import forecasts, scores
from bench.quality.drive import Moments
from bench.quality.logs import Purchase, last_known

FIRST = date(2025, 1, 1)


def log_of(path: Path, days: dict[str, list[int]]) -> Path:
    lines = [f"{customer},{FIRST + timedelta(days=day)},{10 + day * 7 % 13}" for customer, of in days.items() for day in of]
    path.write_text("\n".join(["customer,time,amount", *lines]) + "\n")
    return path


def run(command: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    monkeypatch.setattr(sys, "argv", ["bench", *arguments])
    command.main()
    last = capsys.readouterr().out.splitlines()[-1]
    assert "NaN" not in last and "Infinity" not in last
    return json.loads(last)


@pytest.mark.parametrize("command", [stages, churn, value])
def test_a_log_shorter_than_the_horizon_is_said_not_thrown(command: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = log_of(tmp_path / "log.csv", {"a": [0, 10], "b": [3, 40]})
    monkeypatch.setattr(sys, "argv", ["bench", "--log", str(log), "--format", "csv", "--horizon", "60"])
    with pytest.raises(SystemExit, match="the log has 40 days: too few for a horizon of 60"):
        command.main()


def test_a_simulation_shorter_than_the_horizon_is_said_not_thrown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["bench", "--days", "100", "--horizon", "60"])
    with pytest.raises(SystemExit, match="100 days are too few for a horizon of 60"):
        causes.main()


def test_the_last_known_day_leaves_a_horizon() -> None:
    purchases = [Purchase("a", 100, 1), Purchase("a", 160, 1)]
    assert last_known(purchases, 60, 100) == 100
    with pytest.raises(SystemExit):
        last_known(purchases, 61, 100)


def test_stages_of_customers_with_one_moment_each_have_no_rate_of_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log = log_of(tmp_path / "log.csv", {"a": [0], "b": [30]})
    found = run(stages, monkeypatch, capsys, "--log", str(log), "--format", "csv", "--horizon", "30", "--grid", "900")
    assert found["changes_per_customer_year"] is None
    assert found["unknown"]["changes_per_customer_year"] == "nobody has two moments"


def judged(**stages_: tuple[int, float]) -> dict[str, Any]:
    """Of each stage so many customers, each with four moments, of whom such a share buys again."""
    rows = [(f"{stage}{n}", stage, n < share * of) for stage, (of, share) in stages_.items() for n in range(of) for _ in range(4)]
    customers, names, returned = (np.array(column) for column in zip(*rows, strict=True))
    nothing = np.zeros(len(rows), dtype=bool)
    moments = Moments(
        customers=customers,
        days=np.tile([0, 1, 2, 3], len(rows) // 4),
        risks=nothing,
        features=nothing,
        purchase=nothing,
        stages=names,
    )
    bought = [Purchase(customer, 10 if back else 99, 1) for customer, back in zip(customers[::4], returned[::4], strict=True)]
    return stages.of(moments, bought, 30, 7)


def test_stages_are_judged_in_their_whole_order_also_those_won_back() -> None:
    fine = judged(mature=(200, 0.8), growing=(200, 0.6), won_back=(200, 0.4), new=(200, 0.2), churned=(200, 0.1))
    assert fine["monotone"] and fine["contradicted"] == [] == fine["too_few_to_judge"]
    assert [(step["from"], step["to"]) for step in fine["steps"]][1:3] == [("growing", "won_back"), ("won_back", "new")]
    assert all(low > 0 for _, low, _ in (step["falls_by"] for step in fine["steps"]))
    wrong = judged(mature=(200, 0.8), growing=(200, 0.6), won_back=(200, 0.7), new=(200, 0.2))
    assert (wrong["monotone"], wrong["contradicted"]) == (False, [["growing", "won_back"]])
    open_ = judged(mature=(200, 0.8), growing=(200, 0.6), won_back=(200, 0.61))
    assert (open_["monotone"], open_["contradicted"]) == (False, []), "it may be chance"


def test_a_stage_of_few_customers_is_told_and_not_judged() -> None:
    found = judged(mature=(200, 0.8), growing=(200, 0.6), won_back=(7, 0.8), new=(200, 0.2))
    assert (found["too_few_to_judge"], found["moments"]["won_back"], found["customers_seen"]["won_back"]) == (["won_back"], 28, 7)
    assert found["monotone"] and found["return_rate"]["won_back"] > 0.8
    low, high = found["interval"]["won_back"]
    assert low < 0.5 and high > 0.95, "seven customers, however many their moments"
    assert judged(won_back=(7, 0.8))["monotone"] is None


def test_churn_where_nobody_returns_says_null_and_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    days = {f"c{n}": [n % 40, n % 40 + 7 + n % 5] for n in range(60)} | {"last": [140]}
    log = log_of(tmp_path / "log.csv", days)
    monkeypatch.setattr(scores, "RESAMPLES", 5)
    arguments = ("--log", str(log), "--format", "csv", "--horizon", "30", "--no-truncation", "--test-from", "70")
    found = run(churn, monkeypatch, capsys, *arguments)
    assert (found["base_rate"], found["auc"], found["mbg_monthly"]["our_auc_less_theirs"]) == (1.0, None, [None] * 3)
    assert found["log_loss"] > 0
    assert "end alike (nothing was bought)" in found["unknown"]["auc"]
    assert found["unknown"].keys() >= {"auc", "pr_auc_returns"}


def test_a_shop_that_starts_from_what_another_learned_scores_otherwise_before_its_first_label(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    days = {f"c{n}": list(range(n % 40, 130, 5 + n % 31)) for n in range(60)}
    log, file = log_of(tmp_path / "log.csv", days), tmp_path / "learned.json"
    monkeypatch.setattr(scores, "RESAMPLES", 5)
    arguments = ("--log", str(log), "--format", "csv", "--horizon", "30", "--no-truncation", "--grid", "7")
    alone = run(churn, monkeypatch, capsys, *arguments, "--export", str(file))
    started = run(churn, monkeypatch, capsys, *arguments, "--start", str(file))
    assert [row["days"] for row in alone["by_age"]] == [[0, 33], [33, 64], [64, 99]]
    assert started["by_age"][0]["log_loss"] < alone["by_age"][0]["log_loss"]
    file.write_bytes(file.read_bytes().replace(b'"format": 1', b'"format": 7'))
    monkeypatch.setattr(sys, "argv", ["bench", *arguments, "--start", str(file)])
    with pytest.raises(SystemExit, match="2"):
        churn.main()


def test_what_is_measured_of_nothing_is_unknown() -> None:
    nothing, some = np.zeros(4), np.array([1.0, 2.0, 3.0, 5.0])
    for metric in (forecasts.bias, forecasts.rank, forecasts.capture):
        assert np.isnan(metric(nothing, some))
        assert not np.isnan(metric(some, some))
    assert np.isnan(forecasts.rank(some, np.ones(4)))
    figures = {name: {"spend": {"rank": 0.5}} for name in ("portrait", *forecasts.PEERS)}
    none = value._unknown(nothing, figures, {"others_spend_beats_their_past": float("nan")})
    assert none.keys() == {"bias", "rank", "capture", "high_share_of_spend", "others_spend_beats_their_past"}
    assert value._unknown(some, figures, {"others_spend_beats_their_past": 0.5}) == {}


@pytest.mark.parametrize("outcome", [0, 1])
def test_what_needs_both_outcomes_is_unknown_where_all_end_alike(outcome: int) -> None:
    y, p, customers = np.full(8, outcome), np.linspace(0.1, 0.9, 8), np.arange(8)
    found = scores.all_of(y, p, np.arange(8))
    assert scores.unknown(found, y).keys() == {"auc", "pr_auc_returns", "ece_worst_months"}
    assert np.isnan(scores.paired(scores.auc, y, p, p, customers, 1)).all()
    assert not np.isnan(scores.paired(scores.brier, y, p, p, customers, 1)).any()


def test_resamples_that_end_alike_are_left_out_of_an_interval() -> None:
    y, p = np.array([0, 1, 1]), np.array([0.2, 0.7, 0.9])
    assert scores.paired(scores.auc, y, p, 1 - p, np.arange(3), 1) == [1.0, 1.0, 1.0]
    assert scores.unknown(scores.all_of(y, p, np.arange(3)), y).keys() == {"ece_worst_months"}


def test_what_is_no_number_is_null() -> None:
    nan = float("nan")
    assert known({"a": [1.5, nan], "b": {"c": float("inf")}, "d": 2}) == {"a": [1.5, None], "b": {"c": None}, "d": 2}
    assert (text(None, ".4f"), text(0.5, "+.1f")) == ("-", "+0.5")
