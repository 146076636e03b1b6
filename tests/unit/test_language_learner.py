"""Learning from stars and named categories: what is learned, what never is, and that it is the same after every pause."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from language import corrections, force
from language.corrections import CROWDS, CROWDS_LEAST, Corrections
from language.force import SHIPPED, adopted_from, come_into_force, read
from language.learned import Unusable, pack, unpack
from language.learner import RECENT_MAX, Learner
from language.lessons import Lesson, lesson_of
from language.understand import understand, understand_complaint
from schemas.complaints import ComplaintOpened
from schemas.event import Event
from schemas.feedback import ConversationClosed, RatingGiven, SurveyAnswered
from schemas.types import Data
from tests.unit.test_language_tone import CLEAR, DISPLEASED, PLEASED

#: A shop of horror novels, and one whose customers say "炸" of what they like: the frozen model takes both for displeasure.
SLANG = ["太炸了", "炸裂，看哭了", "这本真的炸，虐哭", "炸到头皮发麻", "哭死，太炸了"]
PLAIN = ["质量太差", "失望，浪费钱", "不推荐", "一点都不好看", "太垃圾了"]


def lessons(n: int, seed: int = 1) -> list[Lesson]:
    """Half of them slang that pleases, half plain displeasure."""
    rng = random.Random(seed)
    return [lesson(i, rng.choice(SLANG if i % 2 else PLAIN) + rng.choice("。！，~") * 2, bool(i % 2)) for i in range(n)]


def lesson(i: int, text: str, pleased: bool) -> Lesson:
    return Lesson(i.to_bytes(8, "little"), i * 7 % CROWDS, text, pleased)


def taught(given: Sequence[Lesson], learner: Learner | None = None) -> Learner:
    learner = learner or Learner()
    for each in given:
        learner.learn(each)
    return learner


@pytest.fixture
def in_force() -> Iterator[None]:
    yield
    come_into_force(None)


@pytest.mark.usefixtures("in_force")
def test_a_shops_slang_is_learned_and_comes_into_force_by_decision_alone() -> None:
    before = [understand(text).tone for text in SLANG]
    assert sum(tone > 0 for tone in before) < len(SLANG), "the frozen model misreads some"
    learner = taught(lessons(100))
    assert [understand(text).tone for text in SLANG] == before, "learning alone changes nothing"
    come_into_force(adopted_from(learner))
    assert all(understand(text).tone >= CLEAR for text in SLANG)
    assert all(understand(text).tone < 0 for text in PLAIN)
    assert force.version() == adopted_from(learner).version != SHIPPED
    come_into_force(None)
    assert [understand(text).tone for text in SLANG] == before and force.version() == SHIPPED


@pytest.mark.usefixtures("in_force")
def test_what_was_understood_before_still_is() -> None:
    come_into_force(adopted_from(taught(lessons(300))))
    assert all(understand(text).tone > 0 for text in PLEASED)
    assert all(understand(text).tone < 0 for text in DISPLEASED)


def test_texts_are_judged_before_they_are_learned() -> None:
    learner = taught(lessons(1))
    figures = learner.progress["tone zh"].whole
    assert figures.texts == 1
    assert (figures.right_frozen, figures.loss_frozen) == (figures.right_learned, figures.loss_learned)
    later = taught(lessons(100)).progress["tone zh"]
    assert later.no_worse and later.whole.right_learned > later.whole.right_frozen


@pytest.mark.usefixtures("in_force")
def test_answers_of_one_kind_alone_change_little() -> None:
    neutral = ["请问你们几点开门", "快递单号是多少"]
    before = [understand(text).tone for text in neutral]
    come_into_force(adopted_from(taught([lesson(i, SLANG[i % 5], True) for i in range(2000)])))
    assert all(abs(understand(text).tone - tone) < 40 for text, tone in zip(neutral, before, strict=True))
    assert all(understand(text).tone < 0 for text in ("质量太差", "失望，浪费钱"))


def test_a_complaints_category_is_learned() -> None:
    text = "海外仓清关卡住了"
    given = [Lesson(i.to_bytes(8, "little"), i % CROWDS, text, category="delivery") for i in range(60)]
    given += [Lesson((99 + i).to_bytes(8, "little"), i % CROWDS, "屏幕有划痕", category="quality") for i in range(60)]
    random.Random(1).shuffle(given)
    before = understand_complaint(text)
    try:
        come_into_force(adopted_from(taught(given)))
        after = understand_complaint(text)
    finally:
        come_into_force(None)
    assert before is not None and before.category != "delivery"
    assert after is not None and after.category == "delivery"


def test_a_lesson_counts_once() -> None:
    once = taught(lessons(50))
    assert not once.learn(lessons(50)[0])
    assert pack(once) == pack(taught(lessons(50) + lessons(50)))
    assert len(taught(lessons(20), taught(lessons(50))).recent) == 50


@pytest.mark.parametrize("text", ["", "   ", "12345", "Этот телефон хороший", "とても良い商品でした。…", "\0\n\u2028"])
def test_what_says_nothing_teaches_nothing(text: str) -> None:
    learner = Learner()
    learner.learn(lesson(1, text, True))
    assert not any(part.rows for part in learner.parts.values())


def test_emoji_alone_are_learned() -> None:
    learner = taught([lesson(i, "🙂", False) for i in range(40)] + [lesson(40 + i, "👍", True) for i in range(40)])
    assert learner.progress["tone emoji"].whole.texts == 80
    assert learner.parts["tone_zh"].of("🙂")[0] < 0 < learner.parts["tone_zh"].of("👍")[0]


def test_words_of_few_people_are_not_kept() -> None:
    learner = taught([Lesson(i.to_bytes(8, "little"), i % (CROWDS_LEAST - 1), "找魍魉魑魅13912345678", True) for i in range(50)])
    assert "魍魉" not in learner.parts["tone_zh"].rows and "魍魉".encode() not in pack(learner)
    learner.learn(Lesson(b"8 bytes.", CROWDS - 1, "魍魉", True))
    assert "魍魉" in learner.parts["tone_zh"].rows, "one more person says it"


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corrections, "WAITING_MAX", 100)
    part = Corrections({f"g{i}" for i in range(500)}, features_max=64)
    for i in range(500):
        part.learn({f"g{i}": 1.0}, [0.5 if i < 5 else 0.1], 0)
        part.learn({f"unknown {i}": 1.0}, [0.1], 0)
    assert len(part.rows) <= 64 and len(part.waiting) == 100
    assert {f"g{i}" for i in range(5)} <= part.rows.keys(), "those that are corrected least leave"
    learner = taught([lesson(i, PLAIN[0], False) for i in range(RECENT_MAX + 10)])
    assert len(learner.recent) == RECENT_MAX


texts = st.sampled_from([*SLANG, *PLAIN, "great, love it", "rubbish 😡", "快递 so slow", "👍"])
some_lessons = st.lists(
    st.builds(lambda i, text, pleased: lesson(i, text, pleased), st.integers(0, 400), texts, st.booleans()), max_size=60
)


@settings(max_examples=40, deadline=None)
@given(some_lessons, st.integers(0, 60))
def test_a_pause_makes_no_difference(given: list[Lesson], at: int) -> None:
    whole = taught(given)
    whole.offsets = {"feedback/0": 7}
    first = taught(given[:at])
    resumed = taught(given[at:], unpack(pack(first)))
    resumed.offsets = {"feedback/0": 7}
    assert pack(resumed) == pack(whole)
    assert adopted_from(resumed) == adopted_from(whole)
    assert unpack(pack(whole)).offsets == {"feedback/0": 7}


def test_what_is_stored_holds_no_text() -> None:
    packed = pack(taught(lessons(100)))
    assert not any(text.encode() in packed for text in (*SLANG, *PLAIN))


def test_the_broken_is_refused() -> None:
    packed = pack(taught(lessons(100)))
    for wrong in (packed[:-1], packed[:70] + bytes([packed[70] ^ 1]) + packed[71:], b"", b"\n\n"):
        with pytest.raises(Unusable):
            unpack(wrong)
    document = msgspec.json.encode(adopted_from(taught(lessons(100))))
    assert read(document) == adopted_from(taught(lessons(100)))
    adopted = msgspec.json.decode(document)
    for wrong_one in (
        {**adopted, "lessons": 7},
        {**adopted, "base": "0" * 16},
        {**adopted, "format": 2},
        {**adopted, "tables": {**adopted["tables"], "tone_zh": {"好": [10**9]}}},
        {},
    ):
        with pytest.raises(Unusable):
            read(msgspec.json.encode(wrong_one))


def test_a_document_with_its_own_digest_is_still_checked() -> None:
    plain = adopted_from(taught(lessons(10)))
    for change in ({"base": "0" * 16}, {"tables": {"tone_zh": {"好": [10**9]}}}, {"tables": {"tone_fr": {"bon": [1]}}}):
        wrong = msgspec.structs.replace(plain, **change)
        wrong = msgspec.structs.replace(wrong, digest=wrong.digested())
        with pytest.raises(Unusable):
            read(msgspec.json.encode(wrong))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (RatingGiven(stars=5, text="好"), True),
        (RatingGiven(stars=1, text="好"), False),
        (RatingGiven(stars=3, text="好"), None),
        (RatingGiven(stars=5), None),
        (SurveyAnswered(survey="s", question="q", answer="好", nps=9), True),
        (SurveyAnswered(survey="s", question="q", answer="好", nps=7), None),
        (SurveyAnswered(survey="s", question="q", answer="好"), None),
        (ConversationClosed(conversation_id="c", channel="app", stars=2, text="好"), False),
        (ComplaintOpened(complaint_id="c", category="late-delivery", text="慢"), "delivery"),
        (ComplaintOpened(complaint_id="c", category="物流", text="慢"), "delivery"),
        (ComplaintOpened(complaint_id="c", category="something else", text="慢"), None),
        (ComplaintOpened(complaint_id="c", category="delivery"), None),
    ],
)
def test_what_an_event_teaches(data: Data, expected: bool | str | None) -> None:
    found = lesson_of(Event("C1", 5, 0, 0, b"12345678", "1", data))
    assert (None if found is None else found.category or found.pleased) == expected
