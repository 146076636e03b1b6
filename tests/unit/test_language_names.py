"""Names of rivals, brands and products in texts."""

from __future__ import annotations

from pathlib import Path

import pytest

from language.names import Book, Names, load
from oracle.log import Reader, fold
from portrait.evolve import evolve
from portrait.models import churn
from portrait.state import facts
from schemas.complaints import ComplaintOpened
from schemas.event import Event
from schemas.feedback import RatingGiven
from schemas.social import MentionPosted
from streams.intake import take_in
from streams.settings import SettingsError, names_of
from streams.settings import load as load_settings
from tests.property.lives import END_MS
from tests.unit.test_oracle import record

NAMES = Names(
    Book(
        rivals={"FeatherRun": ["feather run", "轻羽"], "Ace": []},
        brands={"CloudStep": ["云步"]},
        products={"CloudStep 3": ["cloud step three"], "CloudStep 3 Pro": ["云步三代 Pro"]},
    )
)


def posted(text: str, **more: list[str]) -> MentionPosted:
    return MentionPosted(platform="weibo", text=text, **more)


@pytest.mark.parametrize(
    ("text", "rivals", "brands"),
    [
        ("Thinking of FEATHER RUN instead", ["Featherrun"], []),
        ("ＦｅａｔｈｅｒＲｕｎ比云步舒服", ["Featherrun"], ["Cloudstep"]),
        ("輕羽真的好穿", ["Featherrun"], []),  # traditional characters
        ("换成轻羽了，ace也试过", ["Ace", "Featherrun"], []),
        ("feather-run", ["Featherrun"], []),
        ("the race was great, such grace", [], []),  # words, not pieces of them
        ("featherruns? no", [], []),
        ("", [], []),
    ],
)
def test_posts(text: str, rivals: list[str], brands: list[str]) -> None:
    found = NAMES.read(posted(text))
    assert (found.rivals, found.brands) == (rivals, brands)


def test_what_the_publisher_told_stays_and_stands_first() -> None:
    found = NAMES.read(posted("ace or feather run?", rivals=["Zed", "Ace"]))
    assert found.rivals == ["Zed", "Ace", "Featherrun"]
    told = [f"Rival {n}" for n in range(20)]
    assert NAMES.read(posted("ace", rivals=told)).rivals == told


def test_a_chinese_name_is_found_anywhere_but_in_the_longer_words_that_are_never_it() -> None:
    text = "年轻羽毛球手不穿"
    assert NAMES.read(posted(text)).rivals == ["Featherrun"]
    book = Book(rivals={"FeatherRun": ["轻羽"]}, brands={"Cloud": ["球手"]}, never=["年輕羽毛球", "轻羽绒服"])
    names = Names(book)
    data = posted(text)
    assert names.read(data) is data
    assert names.read(posted(f"{text}，轻羽绒服也不穿，还是轻羽好")).rivals == ["Featherrun"]


def test_blanks_and_hyphens_may_lack_and_none_may_be_added() -> None:
    assert NAMES.read(posted("featherrun")).rivals == ["Featherrun"]
    assert NAMES.read(posted("Cloud Step")).brands == []


def test_complaints_name_their_product_if_there_is_only_one() -> None:
    def product(text: str, told: str | None = None) -> str | None:
        found: ComplaintOpened = NAMES.read(ComplaintOpened(complaint_id="c", text=text, product=told))
        return found.product

    assert product("My Cloud Step Three fell apart") == "CloudStep 3"
    assert product("云步三代PRO开胶了") == "CloudStep 3 Pro"  # and not the shorter name as well
    assert product("CloudStep 3 and CloudStep 3 Pro are both bad") is None
    assert product("CloudStep 3 is bad", told="sandal") == "sandal"


def test_other_events_and_events_without_a_text_stay_the_very_same() -> None:
    for data in (RatingGiven(stars=1, text="ace"), posted("nothing of that kind"), MentionPosted(platform="x"), object()):
        assert NAMES.read(data) is data


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b'{"rivals": {"A": []}}', "too short"),
        (b'{"rivals": {"Ace": ["ACE"], "Base": ["ace"]}}', "stands for"),
        (b'{"rivals": {" ": []}}', "is no name"),
        (b'{"rivals": {"Ace": []}, "never": ["ace"]}', "'Ace' and for 'nothing'"),
        (b'{"rivals": {"Ace": []}, "never": ["a"]}', "never: a: .*too short"),
        (b'{"rivals": ["Ace"]}', r"\$\.rivals"),
        (b'{"rival": {}}', "unknown field"),
        (b"not json", "JSON"),
    ],
)
def test_a_list_that_can_not_be_meant_is_refused_and_the_place_is_told(content: bytes, problem: str) -> None:
    with pytest.raises(Exception, match=problem):
        load(content)
    with pytest.raises(SettingsError, match="PORTRAIT_NAMES"):
        load_settings({"PORTRAIT_NAMES": content.decode()})


def test_the_setting() -> None:
    assert names_of(load_settings({})) is None
    names = names_of(load_settings({"PORTRAIT_NAMES": '{"rivals": {"Ace": []}}'}))
    assert names is not None and names.read(posted("ace")).rivals == ["Ace"]


def test_an_empty_file_is_not_taken_for_no_list(tmp_path: Path) -> None:
    file = tmp_path / "names.json"
    file.write_text(" \n")
    with pytest.raises(SettingsError, match=r"PORTRAIT_NAMES_FILE: .*names\.json is empty"):
        load_settings({"PORTRAIT_NAMES_FILE": str(file)})
    file.write_text('{"rivals": {"Ace": []}}')
    assert names_of(load_settings({"PORTRAIT_NAMES_FILE": str(file)})) is not None


def test_workers_and_the_oracle_fold_the_same() -> None:
    log = [
        record(0, "m1", "mention.posted", day=-2, platform="weibo", text="还是轻羽好，云步不行"),
        record(1, "m1", "mention.posted", day=-2, platform="weibo", text="轻羽"),  # a duplicate counts once
        record(2, "m2", "mention.shared", day=-1, platform="x", text="feather run vs ace", rivals=["Ace"]),
    ]
    complaint = record(0, "k1", "complaint.opened", day=-1, complaint_id="k", text="云步三代pro坏了")
    taken = take_in({("social-mentions", 0): log, ("complaints", 0): [complaint]}, (), names=NAMES)
    outcome = evolve(None, "C1", taken.arrivals["C1"], END_MS, churn.fresh(60))
    assert outcome is not None

    reader = Reader(names=NAMES)
    events = [event for event in map(reader.take, [*log, complaint]) if isinstance(event, Event)]
    assert [event.data.rivals for event in events[:2]] == [["Featherrun"], ["Ace", "Featherrun"]]
    assert outcome.state.parts.rivals.by_name["Featherrun"][0] == 2
    import oracle.facts

    assert facts(outcome.state, END_MS) == oracle.facts.facts(events, END_MS)
    assert facts(outcome.state, END_MS) != fold([*log, complaint], END_MS).facts["C1"]  # without the list
