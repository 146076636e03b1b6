"""``portrait tags``: what it says of tags, of who has them, and of why."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from cli import main, output, tags
from portrait.state import State
from portrait.structures import DAY_MS
from portrait.tags.registry import TAGS
from profile_store.queries import Profile, parse_profile
from tests.corekit import Customer, at, complaint, event, order


@pytest.fixture
def customer(monkeypatch: pytest.MonkeyPatch) -> Customer:
    """Of whom a complaint is open, and an unhappy answer is known; C1."""
    known = Customer()
    known.sees(*(order(day, coupon="c") for day in range(0, 80, 20)))
    known.sees(complaint(70), event("rating.given", 71, stars=1))

    async def read(settings: Any, customer_id: str) -> tuple[Profile | None, State | None]:
        if customer_id != "C1":
            return None, None
        return parse_profile("C1", {name.encode(): value for name, value in known.fields.items()}), known.known

    async def counts(settings: Any) -> dict[str, int]:
        return {"complaint-open": 1200}

    async def who(settings: Any, tag: str, limit: int) -> list[tuple[str, float]]:
        return [("C1", 1.0), ("客户[2]", 0.45)][:limit] if tag == "complaint-open" else []

    monkeypatch.setattr(tags, "_read", read)
    monkeypatch.setattr(tags, "_counts", counts)
    monkeypatch.setattr(tags, "_who", who)
    return known


def invoke(*words: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(main.app, ["tags", *words], terminal_width=300)
    return result.exit_code, result.stdout, result.stderr


def test_all_tags_are_listed_with_how_many_have_them(customer: Customer) -> None:
    code, out, _ = invoke("list", "--json")
    rows = {row["tag"]: row for row in json.loads(out)}
    assert code == output.OK
    assert list(rows) == [tag.id for tag in TAGS]
    assert (rows["complaint-open"]["customers"], rows["parent"]["customers"]) == (1200, 0)
    assert rows["complaint-open"]["owner"] == "portrait"
    assert rows["complaint-open"]["name"]["zh"] == "投诉未结"


def test_a_tag_is_explained_without_anybody() -> None:
    code, out, _ = invoke("explain", "researcher")
    assert code == output.OK
    assert "`kind` is researcher" in out
    assert "item.viewed" in out or "clicks" in out
    told = json.loads(invoke("explain", "at-risk", "--json")[1])
    assert (told["rests_on"], told["asks_for_action"]) == ("standing", True)
    assert "研究型" in invoke("explain", "researcher", "--lang", "zh")[1]


def test_a_tag_that_is_not_there_is_told_with_what_is_near() -> None:
    code, _, err = invoke("explain", "research")
    assert code == output.USAGE
    assert "researcher" in err
    assert invoke("who", "x")[0] == output.USAGE


def test_who_has_it_comes_with_how_sure_it_is(customer: Customer) -> None:
    code, out, _ = invoke("who", "complaint-open")
    assert code == output.OK
    assert out.split() == ["100%", "C1", "45%", "客户[2]"]
    assert json.loads(invoke("who", "complaint-open", "-n", "1", "--json")[1]) == [{"id": "C1", "sure": 1.0}]
    code, out, err = invoke("who", "parent")
    assert (code, out) == (output.OK, "")
    assert "nobody" in err
    assert json.loads(invoke("who", "parent", "--json")[1]) == []


def test_why_a_customer_has_a_tag(customer: Customer) -> None:
    code, out, _ = invoke("why", "C1", "promotion-sensitive", "--json")
    told = json.loads(out)
    assert code == output.OK
    assert told["sure"] == told["said"]["promotions"][1] == 0.55
    assert told["because"] == {"member": "habits.promotions", "value": "high", "of": 2, "told": False, "sure": 0.55}
    assert told["lapses_ms"] is None
    assert told["reads"] == ["behaviour", "consumption"]
    unhappy = json.loads(invoke("why", "C1", "unhappy", "--json")[1])
    assert unhappy["because"]["member"] == "experience.trouble"
    assert unhappy["lapses_ms"] == at(101) // DAY_MS * DAY_MS, "thirty days after"


def test_why_for_people_in_both_languages(customer: Customer) -> None:
    code, out, _ = invoke("why", "C1", "unhappy", "--lang", "en")
    assert code == output.OK
    assert "experience.trouble: unhappy" in out
    assert "2025-01-13" in out
    out = invoke("why", "C1", "unhappy", "--lang", "zh")[1]
    assert "近期不满" in out
    assert "规则" in out


def test_what_a_tag_rests_on_is_told_in_words_and_not_as_it_is_stored(customer: Customer) -> None:
    customer.sees(event("survey.answered", 80, survey="nps", question="q", nps=10))
    out = invoke("why", "C1", "promoter", "--lang", "en")[1]
    assert "Experience: " in out and "promoter" in out
    out = invoke("why", "C1", "considering", "--lang", "zh")[1]
    assert "品牌关系: " in out and "在我们这里购买。" in out
    assert "brand.bought" not in out and "[" not in out
    for lang, told in (("en", "growing · Churn risk "), ("zh", "成长 · 流失风险 ")):
        assert told in invoke("why", "C1", "growing", "--lang", lang)[1]


def test_all_that_a_customer_has_with_the_reasons(customer: Customer) -> None:
    code, out, _ = invoke("why", "C1", "--json")
    assert code == output.OK
    assert [row["tag"] for row in json.loads(out)] == list(json.loads(customer.fields["tags"]))
    assert all(row["because"] for row in json.loads(out)), "each has something that speaks for it"
    assert "complaint-open" in invoke("why", "C1")[1]


def test_a_tag_that_a_customer_does_not_have_is_told_with_what_it_would_take(customer: Customer) -> None:
    code, out, _ = invoke("why", "C1", "researcher", "--lang", "en")
    assert code == output.FAILED
    assert "does not have it" in out
    assert "`kind` is researcher" in out
    assert json.loads(invoke("why", "C1", "researcher", "--json")[1])["sure"] is None


def test_nobody_and_another_versions_profile_are_told(customer: Customer) -> None:
    code, _, err = invoke("why", "C9")
    assert code == output.FAILED
    assert "C9" in err
    customer.fields["habits"] = b'{"promotions": 7}'
    code, _, err = invoke("why", "C1", "promotion-sensitive")
    assert code == output.FAILED
    assert "upgrade" in err
