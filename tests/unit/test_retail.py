"""The Online Retail file: what becomes an event, and that every other line is accounted for."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli import replay, retail
from cli.main import app
from cli.parcel import Contents
from schemas.event import Rejection, decode

ODD = Path(__file__).parents[1] / "data" / "online_retail_odd.csv"


@pytest.fixture(scope="module")
def odd() -> tuple[Contents, dict[int, str]]:
    rejected: dict[int, str] = {}
    return retail.read(ODD, rejected.__setitem__), rejected


def _events(contents: Contents) -> dict[str, dict[str, Any]]:
    return {event["id"]: event for event in (json.loads(parcel.value or b"") for parcel in contents.parcels)}


def test_every_line_that_is_no_event_has_its_number_and_its_reason(odd: tuple[Contents, dict[int, str]]) -> None:
    _, rejected = odd
    assert rejected == {
        4: "adjustment-code",
        5: "no-customer",
        7: "no-price",
        8: "below-a-penny",
        9: "wrong-sign",
        16: "adjustment-code",
        17: "wrong-sign",
        18: "adjustment-code",
        19: "no-customer",
        20: "malformed",
        21: "malformed",
        22: "malformed",
        24: "other-customer",
    }
    assert set(rejected.values()) < set(retail.REASONS)


def test_the_counts_add_up(odd: tuple[Contents, dict[int, str]]) -> None:
    contents, rejected = odd
    assert contents.lines == len(ODD.read_text().splitlines()) - 1
    assert contents.lines_used == contents.lines - len(rejected)
    assert contents.types == {"order.placed": 4, "order.cancelled": 3}
    assert sum(contents.types.values()) == len(contents.parcels)


def test_an_invoice_becomes_one_order_in_pence(odd: tuple[Contents, dict[int, str]]) -> None:
    order = _events(odd[0])["100001"]
    assert order["type"] == "order.placed"
    assert order["data"]["amount_minor"] == 6 * 255 + 2 * 339
    assert order["data"]["lines"][1] == {"sku": "71053", "quantity": 2, "unit_price_minor": 339, "name": "LANTERN, WHITE METAL"}
    assert _events(odd[0])["100003"]["data"]["lines"] == [
        {"sku": "84879", "quantity": 3, "unit_price_minor": 169},
        {"sku": "22747", "quantity": 1, "unit_price_minor": 101, "name": "HALF A PENNY UP"},
    ]


def test_time_is_londons_with_its_summer_and_the_order_is_by_time(odd: tuple[Contents, dict[int, str]]) -> None:
    contents, _ = odd
    events = _events(contents)
    assert events["100001"]["time"] == "2011-03-26T08:26:00+00:00"
    assert events["100004"]["time"] == "2011-03-27T12:00:00+01:00"
    assert events["100013"]["time"] == "2011-03-30T12:00:00+01:00"
    times = [parcel.time_ms for parcel in contents.parcels]
    assert times == sorted(times)
    assert list(events)[:3] == ["100001", "100004", "100003"]
    assert {parcel.key for parcel in contents.parcels} == {b"17850", b"13047"}


def test_a_cancellation_repeats_the_order_that_it_calls_off(odd: tuple[Contents, dict[int, str]]) -> None:
    events = _events(odd[0])
    part, rest, unknown = (events[number]["data"] for number in ("C100005", "C100006", "C100007"))
    # The later invoice holds the sku, but only one piece of it.
    assert (part["order_id"], part["placed_at"], part["amount_minor"], part["whole"]) == (
        "100001",
        events["100001"]["time"],
        510,
        False,
    )
    # With that part gone, this is all that was left.
    assert (rest["order_id"], rest["amount_minor"], rest["whole"]) == ("100001", 4 * 255 + 2 * 339, True)
    assert (unknown["order_id"], unknown["placed_at"], unknown["whole"]) == ("C100007", events["C100007"]["time"], False)


def test_a_cancellation_of_more_than_any_invoice_holds_goes_to_the_latest_with_its_skus(tmp_path: Path) -> None:
    file = tmp_path / "more.csv"
    header = ODD.read_text().splitlines()[0]
    file.write_text(
        f"{header}\n1,A1,x,1,2011-01-01 10:00:00,1,7,UK\n2,A1,x,1,2011-01-02 10:00:00,1,7,UK\n"
        "C3,A1,x,-2,2011-01-03 10:00:00,1,7,UK\n"
    )
    cancelled = _events(retail.read(file, lambda line, reason: None))["C3"]["data"]
    assert (cancelled["order_id"], cancelled["amount_minor"], cancelled["whole"]) == ("2", 200, False)


def test_every_event_fits_the_contract(odd: tuple[Contents, dict[int, str]]) -> None:
    for parcel in odd[0].parcels:
        assert not isinstance(decode(parcel.topic, parcel.key, parcel.value, (), parcel.time_ms), Rejection)


def test_an_invoice_keeps_to_the_contracts_number_of_lines(tmp_path: Path) -> None:
    file = tmp_path / "long.csv.gz"
    lines = [ODD.read_text().splitlines()[0]] + [f"1,S{n},x,1,2011-01-01 10:00:00,1,7,UK" for n in range(retail.LINES_MAX + 2)]
    file.write_bytes(gzip.compress("\n".join(lines).encode()))
    rejected: dict[int, str] = {}
    (parcel,) = retail.read(file, rejected.__setitem__).parcels
    assert set(rejected.values()) == {"too-many-lines"} and len(rejected) == 2
    assert not isinstance(decode(parcel.topic, parcel.key, parcel.value, (), parcel.time_ms), Rejection)


def test_the_verb_writes_events_and_rejects_and_tells_the_counts(tmp_path: Path) -> None:
    out, rejects = tmp_path / "events.jsonl", tmp_path / "rejects.jsonl"
    arguments = ["online-retail", str(ODD), "--out", str(out), "--rejects", str(rejects), "--json"]
    result = CliRunner().invoke(app, ["replay", *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    told = json.loads(result.stdout.splitlines()[-1])
    left_out = [json.loads(line) for line in rejects.read_text().splitlines()]
    assert told["lines"] == told["lines_used"] + sum(told["left_out"].values())
    assert len(left_out) == sum(told["left_out"].values())
    assert told["events"] == len(out.read_text().splitlines())


@pytest.mark.parametrize(
    "arguments", [["no-such-format", str(ODD)], ["online-retail", "no-such-file.csv"], ["online-retail", __file__]]
)
def test_what_can_not_be_read_is_a_usage_error_with_a_line(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, ["replay", *arguments])
    assert result.exit_code == 2
    assert "portrait:" in result.stderr


def test_each_format_explains_its_reasons() -> None:
    assert all(format_.reasons for format_ in replay.FORMATS.values())
