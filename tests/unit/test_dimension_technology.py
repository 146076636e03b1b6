"""How a customer takes to technology follows from what they buy new, and on which channels they do things."""

from __future__ import annotations

import pytest

from schemas.event import Event
from tests.corekit import complaint, event, order
from tests.dimkit import derived


def click(day: float, channel: str, device: str = "phone") -> Event:
    return event("page.viewed", day, page="/", channel=channel, device=device)


def bought(day: float, new: bool, channel: str) -> Event:
    line = {"sku": f"s{day}", "quantity": 1, "unit_price_minor": 100, "new_arrival": new}
    return order(day, lines=[line], channel=channel)


def life(channel: str, new: int, n: int = 12) -> list[Event]:
    """``n`` orders, ``new`` of them of what had just come out."""
    return [bought(day, day < new, channel) for day in range(n)]


@pytest.mark.parametrize(
    ("channel", "new", "kind"),
    [
        ("app", 8, "innovator"),
        ("app", 3, "early_adopter"),
        ("app", 0, "early_majority"),
        ("web", 0, "late_majority"),
        ("shop", 0, "laggard"),
    ],
)
def test_who_buys_new_and_in_the_app_is_early(channel: str, new: int, kind: str) -> None:
    assert derived("technology", *life(channel, new)).adoption.value == kind


def test_signs_that_agree_are_surer_than_signs_that_do_not() -> None:
    agreed = derived("technology", *life("shop", 0)).adoption
    contradictory = derived("technology", *life("shop", 12)).adoption
    assert agreed.sure > contradictory.sure
    assert agreed.of == contradictory.of == 20


def test_more_lines_than_are_counted_one_by_one_are_still_all_counted() -> None:
    many = [bought(day, day % 4 == 0, "app") for day in range(60)]  # 60 skus; a quarter new
    assert derived("technology", *many).adoption.value == derived("technology", *life("app", 3)).adoption.value


def test_self_service_or_somebodys_help() -> None:
    alone = [click(n / 5, "app") for n in range(20)]
    calls = [event("conversation.closed", 3 + n, conversation_id=f"c{n}", channel="phone") for n in range(4)]
    chats = [event("conversation.closed", 3 + n, conversation_id=f"d{n}", channel="app") for n in range(12)]
    assert derived("technology", *alone).service.value == "self_service"
    assert derived("technology", *alone, *calls).service.value == "both"
    assert derived("technology", *alone, *chats).service.value == "human", "a chat in the app is somebody's help"


def test_one_session_makes_no_habit_of_helping_oneself() -> None:
    assert derived("technology", *(click(1 + n / 1440, "app") for n in range(30))).service is None
    assert derived("technology", *(click(1 + n % 3, "app") for n in range(30))).service.value == "self_service"


def test_to_hang_up_on_a_call_is_not_to_ask_for_help() -> None:
    alone = [click(n / 10, "app") for n in range(20)]
    calls = [event("contact.refused", 3 + n, message_id=f"m{n}", channel="phone") for n in range(12)]
    assert derived("technology", *alone, *calls).service.value == "self_service"


def test_the_main_device() -> None:
    clicks = [click(n, "web", "desktop") for n in range(4)]
    device = derived("technology", *clicks, click(5, "web", "phone")).device
    assert (device.value, device.of) == ("desktop", 5)


def test_no_evidence_nothing_said() -> None:
    assert derived("technology", complaint(0), order(1), event("page.viewed", 2, page="/", channel="app")) is None
