"""Where a customer is, answers and refuses; when and in what form they take things in."""

from __future__ import annotations

from typing import Any

from portrait.dimensions.channels import DIMENSION as CHANNELS
from portrait.dimensions.media import DIMENSION as MEDIA
from schemas.event import Event
from schemas.profile import Trait
from tests.corekit import concluded, event


def acts(day: float, channel: str) -> Event:
    return event("app.opened", day, channel=channel)


def message(kind: str, day: float, channel: str) -> Event:
    return event(f"contact.{kind}", day, message_id=f"m{day}", channel=channel)


def channels(*events: Event) -> Any:
    return concluded(CHANNELS, *events, day=30)


def test_nothing_is_said_of_who_uses_no_channel() -> None:
    assert channels(event("page.viewed", 0, page="/")) is None


def test_most_of_what_they_do_is_where_they_are_whatever_it_is_called() -> None:
    view = channels(acts(0, "微信"), acts(1, "WeChat"), acts(2, "weixin"), acts(3, "web"))
    assert view.prefers == Trait(value="wechat", sure=0.45, of=2)
    assert view.offline == Trait(value="online", sure=0.55, of=2)


def test_shops_and_screens_are_told_apart() -> None:
    assert channels(*(acts(day, "门店") for day in range(4))).offline.value == "offline"
    assert channels(acts(0, "store"), acts(1, "app"), acts(2, "app")).offline.value == "both"


def test_a_voice_is_no_screen() -> None:
    assert channels(*(acts(day, "电话") for day in range(4))).offline.value == "offline"


def test_to_refuse_calls_is_not_to_use_the_phone() -> None:
    refused = [message("refused", day, "phone") for day in range(5)]
    view = channels(*refused, acts(6, "app"), acts(7, "app"), acts(8, "app"))
    assert view.prefers == Trait(value="app", sure=0.5, of=2)
    assert (view.offline.value, view.avoid) == ("online", ["phone"])
    assert channels(*refused).prefers is None


def test_refusals_make_no_usual_hour() -> None:
    refused = [message("refused", day + 0.5, "phone") for day in range(6)]
    assert concluded(MEDIA, *refused, day=30) is None
    seen = [event("content.engaged", day + 20 / 24, content="c", kind="text") for day in range(9)]
    view = concluded(MEDIA, *refused, *seen, day=30)
    assert (view.daypart.value, view.best_hour) == ("evening", 20)


def test_one_session_makes_no_usual_hour() -> None:
    def view(*days: int) -> Any:
        return concluded(MEDIA, *(event("page.viewed", d + 0.5 + n / 1440, page="/") for d in days for n in range(30)), day=30)

    assert view(1) is None
    assert view(1, 8) is None
    assert view(1, 8, 15).daypart.value == "midday", "three Saturdays"


def test_where_messages_are_opened_is_where_they_answer_and_where_refused_is_avoided() -> None:
    opened = [message(kind, day, "邮件") for day in range(3) for kind in ("sent", "opened")]
    refused = [message("sent", 5, "sms"), message("refused", 6, "短信")]
    view = channels(*opened, *refused)
    assert view.answers_on == Trait(value="email", sure=0.5, of=2)
    assert view.avoid == ["sms"]
    assert view.messages == {"email": 0.9, "sms": 0.0}


def test_platforms_are_told_the_most_used_first() -> None:
    posts = [event("mention.posted", day, platform=name) for day, name in enumerate(("小红书", "RED", "微博"))]
    assert channels(*posts).social == ["xiaohongshu", "weibo"]


def test_the_part_of_the_day_the_form_and_the_topic() -> None:
    seen = [event("content.engaged", day + 20 / 24, content="c", kind="video", topic="Reviews") for day in range(6)]
    view = concluded(MEDIA, *seen, day=10)
    assert (view.daypart.value, view.best_hour, view.format.value, view.topic.value) == ("evening", 20, "video", "reviews")
    assert concluded(MEDIA, event("order.delivered", 1, order_id="O", placed_at="2024-10-04T00:00:00Z"), day=2) is None
