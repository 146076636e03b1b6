"""What an event teaches about the text that it carries: how it sounds, by stars or a score; what it complains of, by the category
that somebody named for it. The event's time and customer are no part of it."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, NamedTuple
from zlib import crc32

from language.complaints import Category
from language.corrections import CROWDS
from schemas.complaints import ComplaintOpened, ComplaintResolved, ComplaintUpdated
from schemas.event import Event
from schemas.feedback import ConversationClosed, RatingGiven, SurveyAnswered

#: Stars out of five, and answers 0 to 10 to "would you recommend us?". What lies between says neither.
PLEASED_STARS, DISPLEASED_STARS, PLEASED_NPS, DISPLEASED_NPS = 4, 2, 9, 6
#: What publishers call our categories, besides their own names.
_CALLED: dict[Category, str] = {
    "quality": "quality-issue defect defective broken damaged 质量 质量问题 破损",
    "function": "malfunction bug crash 功能 故障",
    "mismatch": "wrong-item wrong-size not-as-described 不符 描述不符 发错货",
    "delivery": "late-delivery shipping logistics 物流 快递 配送",
    "service": "customer-service after-sales 服务 客服 售后",
    "price": "overcharge 价格",
    "environment": "hygiene noise 环境 卫生",
    "content": "内容",
}
CALLED: dict[str, Category] = {name: category for category, names in _CALLED.items() for name in (category, *names.split())}


class Lesson(NamedTuple):
    """``id``: the event's, 8 bytes. ``crowd``: of `CROWDS`, that of the customer. One of the last two is given."""

    id: bytes
    crowd: int
    text: str
    pleased: bool | None = None
    category: Category | None = None


class Named(NamedTuple):
    """The category of a complaint that was opened before. ``complaint``: as `unsorted` has it."""

    complaint: bytes
    category: Category


def unsorted(event: Event) -> bytes | None:
    """Digest of a complaint that is opened with a text and without a category that we know; None: the event is none."""
    data = event.data
    if isinstance(data, ComplaintOpened) and data.text and _category(data.category) is None:
        return _complaint(event.customer_id, event.time_ms, data.complaint_id)
    return None


def named_later(event: Event) -> Named | None:
    data = event.data
    if not isinstance(data, (ComplaintUpdated, ComplaintResolved)) or (category := _category(data.category)) is None:
        return None
    return Named(_complaint(event.customer_id, round(data.opened_at.timestamp() * 1000), data.complaint_id), category)


def _complaint(customer_id: str, opened_ms: int, complaint_id: str) -> bytes:
    return blake2b(f"{customer_id}\0{opened_ms}\0{complaint_id}".encode(), digest_size=8).digest()


def _category(name: str | None) -> Category | None:
    return CALLED.get((name or "").lower())


def lesson_of(event: Event, category: Category | None = None) -> Lesson | None:
    """None: it teaches nothing. ``category``: of a complaint, where another event names it."""
    data: Any = event.data
    crowd = crc32(event.customer_id.encode()) % CROWDS
    if isinstance(data, (ComplaintOpened, ComplaintUpdated)):
        category = category or _category(data.category)
        return Lesson(event.hash, crowd, data.text, category=category) if category and data.text else None
    text = data.answer if isinstance(data, SurveyAnswered) else getattr(data, "text", None)
    pleased = _pleased(data)
    return Lesson(event.hash, crowd, text, pleased) if pleased is not None and text else None


def _pleased(data: Any) -> bool | None:
    if isinstance(data, (RatingGiven, ConversationClosed)):
        return _side(data.stars, PLEASED_STARS, DISPLEASED_STARS)
    if isinstance(data, SurveyAnswered):
        return _side(data.nps, PLEASED_NPS, DISPLEASED_NPS)
    return None


def _side(number: int | None, pleased: int, displeased: int) -> bool | None:
    if number is None or displeased < number < pleased:
        return None
    return number >= pleased
