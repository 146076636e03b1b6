"""Money, times, risks and moves in words; the sheet of a person; the board of `portrait up`."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console
from rich.text import Text

from cli import present, sheet
from cli.child import Figures
from cli.screen import Board, render
from cli.sheet import Sheet
from cli.watch import Move
from profile_store.reader import Profile
from schemas import profile as contract
from schemas.outputs import Action, Reason, Sure
from schemas.words import Why

DAY_MS = present.DAY_MS
NOW_MS = 1_795_000_000_000


def text_of(shown: object, width: int = 120, height: int = 40) -> str:
    console = Console(width=width, height=height, file=io.StringIO(), record=True)
    console.print(shown)
    return console.export_text()


@pytest.mark.parametrize(
    ("minor", "currency", "shown"),
    [
        (19900, "CNY", "199.00 CNY"),
        (123456789, "USD", "1,234,567.89 USD"),
        (1980, "JPY", "1,980 JPY"),
        (55000, "KRW", "55,000 KRW"),
        (12345, "KWD", "12.345 KWD"),
        (5, "EUR", "0.05 EUR"),
        (-1250, "GBP", "-12.50 GBP"),
        (0, "JPY", "0 JPY"),
    ],
)
def test_money_has_the_decimals_of_its_currency(minor: int, currency: str, shown: str) -> None:
    assert present.money(minor, currency) == shown


def test_times_are_told_in_their_greatest_unit() -> None:
    assert present.ago(NOW_MS - 3 * DAY_MS, NOW_MS) == "3 days ago"
    assert present.ago(NOW_MS - 3 * DAY_MS, NOW_MS, "zh") == "3 天前"
    assert present.ago(NOW_MS - 90_000, NOW_MS) == "1 minute ago"
    assert present.ago(NOW_MS + 5, NOW_MS) == "just now"
    assert present.span(800 * DAY_MS) == "2 years"


def test_no_risk_is_told_as_a_certainty() -> None:
    assert [present.percent(risk) for risk in (None, 0.0, 0.004, 0.5, 0.9999, 1.0)] == ["-", "1%", "1%", "50%", "99%", "99%"]


def test_a_bar_shows_little_and_never_more_than_all() -> None:
    assert present.bar(0, 10, "red").plain.count("█") == 0
    assert present.bar(0.001, 10, "red").plain.count("█") == 1
    assert present.bar(2, 10, "red").plain == "█" * 10


def test_a_move_shows_both_sides_only_of_what_moved() -> None:
    assert present.move_text("growing", "declining", 0.41, 0.62).plain == "growing → declining  41% → 62%"
    assert present.move_text("growing", "growing", 0.62, 0.41).plain == "growing  62% → 41%"
    assert present.move_text("growing", "growing", 0.411, 0.412).plain == "growing  41%"
    assert present.move_text(None, "new", None, 0.7).plain == "new  70%"
    assert present.move_text("prospect", "new", None, 0.7, "zh").plain == "潜在 → 新客  70%"


def test_words_come_in_the_language_that_was_chosen_or_the_customers_own() -> None:
    words = {"en": "Gone quiet.", "zh": "沉默。"}
    assert present.say(words, "zh") == "沉默。"
    assert present.say(words, "both") == "Gone quiet. 沉默。"
    own = present.language_of({"basic": {"attributes": {"language": "zh-CN"}}})
    assert present.say(words, "own", own) == "沉默。"
    assert present.say({"en": "Only this."}, "zh") == "Only this."


def test_the_top_reason_is_the_strongest_that_raises_the_risk() -> None:
    down, up = {"code": "risk.spend.down", "en": "a"}, {"code": "risk.silence.up", "en": "b"}
    assert present.top_reason({"risk": {"reasons": [down, up]}}) == up
    told = present.top_reason({"risk": {"reasons": [down]}, "lifecycle": {"why": ["stage.seen", []]}})
    assert told["en"] == "Seen, but nothing bought yet."
    assert present.top_reason({}) == {}
    assert present.top_reason({"lifecycle": {"why": {"code": "of an older version"}}}) == {}


def test_a_picture_is_an_svg_with_the_text(tmp_path: Path) -> None:
    present.save_picture(Text("衰退 declining"), tmp_path / "a.svg", "portrait", 40)
    assert "衰退" in (tmp_path / "a.svg").read_text()
    with pytest.raises(SystemExit):
        present.save_picture(Text("x"), tmp_path / "missing" / "a.svg", "portrait", 40)


# -- the sheet ---------------------------------------------------------------------------------------------------------------


def full_profile() -> contract.Profile:
    return contract.Profile(
        stage="declining",
        lifecycle=contract.Lifecycle(stage="declining", since_ms=NOW_MS - 3 * DAY_MS, why=Why("stage.silent", (45, 30))),
        risk=contract.Risk(
            churn=0.83, horizon_days=60, model="1.7", reasons=[Reason("risk.silence.up", "No purchase.", "未购买。")]
        ),
        consumption=contract.Consumption(
            orders=contract.Windows(total=4),
            spend_minor={"JPY": contract.Spend(total=198_000, average_order=49_500), "KWD": contract.Spend(total=12_345)},
            categories={"茶": 3},
        ),
        needs=contract.Needs(
            complaints=contract.Complaints(total=1, open=1),
            open=[contract.OpenComplaint(id="T1", opened_at_ms=NOW_MS - 2 * DAY_MS, severity="critical", product="Kettle")],
        ),
        basic=contract.Basic(
            attributes={"name": "吴思琪\x1b[31m", "gender": "female"},
            external_ids={"crm": "00042"},
            consent={"marketing": "refused", "service": "granted"},
        ),
    )


def action(id_: str = "a1", *, raised_at_ms: int = NOW_MS, expires_at_ms: int = NOW_MS + DAY_MS) -> Action:
    return Action(
        id=id_,
        customer_id="C1",
        rule="stage-fell",
        episode="1",
        raised_at_ms=raised_at_ms,
        expires_at_ms=expires_at_ms,
        stage="declining",
        churn_risk=0.8,
        model_version="1.7",
        reasons=[],
        suggest=Reason("suggest.wake", "Wake them.", "唤醒。"),
    )


def test_the_sheet_tells_who_why_what_to_do_and_what_hurts() -> None:
    shown = text_of(Sheet("C1", full_profile(), [action()], lang="en", now_ms=NOW_MS).render())
    for said in (
        "C1",
        "crm 00042",
        "declining  since",
        "3 days ago",
        "Entered after 45 days without a purchase",
        "83%",
        "▲ No purchase.",
        "Wake them.",
        "critical, waiting for 2 days",
        "Kettle",
        "198,000 JPY",
        "12.345 KWD",
        "marketing refused",
    ):
        assert said in shown
    assert "\x1b" not in shown


def test_the_sheet_speaks_chinese() -> None:
    shown = text_of(Sheet("C1", full_profile(), [action()], lang="zh", now_ms=NOW_MS).render())
    for said in ("衰退", "连续 45 天未下单后进入该阶段", "唤醒。", "紧急，已等待 2 天", "营销 拒绝", "流失风险"):
        assert said in shown
    for left in ("Churn risk", "declining"):
        assert left not in shown


def test_the_sheet_says_how_sure_a_risk_is() -> None:
    def told(sure: Sure | None, lang: present.Lang) -> str:
        risk = contract.Risk(churn=0.83, horizon_days=60, model="1.7", sure=sure)
        return text_of(Sheet("C1", contract.Profile(risk=risk), None, lang=lang, now_ms=NOW_MS).render())

    known = Sure(1240, 0.781, 0.824)
    assert "of 1,240 scores of 80-90 % whose outcome is known, 78% to 82% left" in told(known, "en")
    assert "80-90% 的评分中已知结果的有 1,240 例" in told(known, "zh")
    assert "no score like this" in told(Sure(0, 0.0, 1.0), "en") and "尚无同类" in told(Sure(0, 0.0, 1.0), "zh")
    assert "known" not in told(None, "en")


def test_the_sheet_reads_well_of_one_and_of_what_is_old() -> None:
    known = contract.Profile(
        basic=contract.Basic(attributes={"language": "zh", "member_level": "bronze"}),
        value=contract.Value(horizon_days=60, expected_orders=1.0, buys=0.5),
        feedback=contract.Feedback(ratings=contract.Ratings(count=1, average=5.0, last=5)),
    )
    dims = {"provenance": {"fresh": "older", "mostly": ["first", 0.9, 10]}, "motivation": {"risk": ["open", 0.35, 5]}}
    dims |= {"technology": {"service": ["both", 0.95, 5]}, "situation": {"week": ["any", 0.8, 5]}}
    en, zh = (text_of(Sheet("C1", known, [], lang=lang, now_ms=NOW_MS, dims=dims).render()) for lang in ("en", "zh"))
    for said in ("takes risks 35%", "prefers self service and human 95%", "in the week any day 80%"):
        assert said in en
    for said in ("speaks Chinese", "in 60 days: 1 ", "ratings: 1,", "latest over a quarter ago · mostly first party 90%"):
        assert said in en
    for said in ("语言 中文", "会员等级 铜卡", "最近更新 三个月以前 · 主要来源 第一方 90%"):
        assert said in zh


def test_dimensions_that_have_no_place_come_last_in_the_order_of_their_declarations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheet, "AFTER", {})
    monkeypatch.setattr(sheet, "PLACED", frozenset(sheet.FIRST))
    dims = {"brand": {"level": "loyal", "why": ["brand.bought", []]}, "media": {"best_hour": 9}}
    dims |= {"use": {"avoid": ["sms"]}, "habits": {"returned": 0.2}, "channels": {"avoid": ["sms"]}, "decisions": {"carts": 2}}
    shown = text_of(Sheet("C1", contract.Profile(), [], lang="en", now_ms=NOW_MS, dims=dims).render())
    assert [line.split()[0] for line in shown.splitlines()[-7:-1]] == ["Channels", "Media", "Use", "Decisions", "Habits", "Brand"]


def test_the_sheet_of_somebody_almost_unknown_is_short() -> None:
    shown = text_of(Sheet("C1", contract.Profile(), None, lang="en", now_ms=NOW_MS).render())
    assert "nothing bought yet" in shown
    assert "Buys" not in shown
    assert "Do next" not in shown


def test_what_has_expired_is_not_suggested() -> None:
    shown = text_of(Sheet("C1", full_profile(), [action(expires_at_ms=NOW_MS - 1)], lang="en", now_ms=NOW_MS).render())
    assert "Wake them." not in shown
    assert "nothing is due" in shown


def test_counts_that_overflowed_are_told_as_the_least_they_are() -> None:
    seen = contract.Behaviour(searches={"tea": 2, "~": 40, "kettle": 3}, brands={"Leaf": 1})
    shown = text_of(Sheet("C1", contract.Profile(behaviour=seen), [], lang="en", now_ms=NOW_MS).render())
    assert "searches kettle 3+, tea 2+" in shown
    assert "Leaf 1" in shown
    assert "~" not in shown


# -- the board ---------------------------------------------------------------------------------------------------------------


def board() -> Board:
    return Board("own", ["portrait publish --key YOU", "portrait show YOU"], "broker 127.0.0.1:9092")


def test_the_rate_is_that_of_the_last_seconds() -> None:
    live = board()
    assert live.events_per_s == 0
    for second in range(20):
        live.measured(second, Figures(folded=second * 10 if second < 10 else 90 + (second - 9) * 30))
    assert live.events_per_s == 30


def test_actions_are_kept_newest_first_and_once() -> None:
    live = board()
    for id_, at_ms in (("a", 1), ("c", 3), ("b", 2), ("c", 3)):
        live.acted(action(id_, raised_at_ms=at_ms), "en")
    assert [kept.id for kept, _ in live.actions] == ["c", "b", "a"]


@pytest.mark.parametrize(("width", "height"), [(118, 30), (80, 24), (40, 10)])
def test_the_screen_fits_its_terminal(width: int, height: int) -> None:
    live = board()
    profile = Profile("C1", 1, NOW_MS, "declining", 0.97, {"risk": {"reasons": [{"code": "x.up", "en": "Silent. " * 30}]}})
    live.stages, live.riskiest = {"declining": 3, "new": 1}, [profile] * 12
    live.moves.extend([Move(NOW_MS, profile, "growing", 0.4)] * 30)
    live.acted(action(), "zh")
    lines = text_of(render(live, width, height), width, height).splitlines()
    assert len(lines) <= height
    assert max(map(len, lines)) <= width


def test_the_screen_shows_what_moves_and_what_to_paste() -> None:
    live = board()
    live.stages = {"declining": 3}
    live.moves.append(Move(NOW_MS, Profile("C7", 2, NOW_MS, "declining", 0.62, {}), "growing", 0.41))
    live.acted(action(), "zh")
    shown = text_of(render(live, 118, 30), 118, 30)
    for said in ("C7 growing → declining  41% → 62%", "stage-fell 唤醒。", "portrait publish --key YOU", "3 profiles"):
        assert said in shown


def test_a_narrow_screen_wraps_what_a_wide_one_cuts() -> None:
    long = contract.Profile(behaviour=contract.Behaviour(searches={f"跑鞋 {n} {'长' * 20}": 1 for n in range(4)}))
    shown = {
        columns: text_of(Sheet("C1", long, None, lang="zh", now_ms=NOW_MS, columns=columns).render(), columns)
        for columns in (80, 120)
    }
    assert "…" in shown[120] and "…" not in shown[80]
    assert "跑鞋 3" in shown[80].replace("\n", "")
