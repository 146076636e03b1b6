"""Where a visit happens, in what weather, during what, and by which way in: what publishers know beside the click itself.

None of it changes what anybody does, so all of it is drawn from `Agenda.colour`.
"""

from __future__ import annotations

from datetime import UTC, datetime

from cli.population.agenda import MINUTE_MS, Agenda
from cli.population.catalogue import MEALS
from cli.population.person import Person

REFERRERS = {
    "zh": ("https://www.baidu.com/s?wd=shop", "https://www.xiaohongshu.com/", "wechat", "https://m.weibo.cn/"),
    "en": ("https://www.google.com/search?q=shop", "https://www.instagram.com/", "newsletter", "https://www.reddit.com/"),
}
#: (month, first day, last day) of sales and feasts.
FEASTS = {
    "zh": (("spring-festival", 2, 1, 15), ("618", 6, 10, 18), ("singles-day", 11, 1, 11), ("double-12", 12, 10, 12)),
    "en": (("easter", 4, 1, 15), ("black-friday", 11, 20, 30), ("christmas", 12, 5, 24)),
}
#: By season, winter first.
WEATHER = (("cold", "snow", "clear"), ("rain", "clear", "wind"), ("heat", "clear", "rain"), ("rain", "clear", "wind"))
PLACE_KNOWN, WEATHER_KNOWN, REFERRER_KNOWN, GIFT = 0.6, 0.3, 0.6, 0.5
STUDENT_AGE = 23
ONWARD = 0.6
STORES = {"zh": ("{region}旗舰店", "{region}万象城店"), "en": ("{region} High Street", "{region} Mall")}


def around(agenda: Agenda, person: Person) -> dict[str, str]:
    """Place, weather and occasion of a visit, as far as the publisher knows them."""
    known: dict[str, str] = {}
    chance = agenda.colour.random
    if chance() < PLACE_KNOWN:
        known["place"] = _place(agenda, person)
    month = _month_day(agenda)[0]
    if chance() < WEATHER_KNOWN:
        south = person.region.name == "Sydney"
        known["weather"] = agenda.tint(WEATHER[(month % 12 // 3 + 2 * south) % 4])
    if feast := _feast(agenda, person):
        known["occasion"] = feast
    return known


def referrer(agenda: Agenda, person: Person) -> dict[str, str]:
    """The page that led to this one, for those who did not come by themselves. Everybody has their ways."""
    if agenda.colour.random() > REFERRER_KNOWN:
        return {}
    ways = REFERRERS[person.language]
    usual = ways[person.audience % len(ways)]
    return {"referrer": agenda.tint((usual, usual, usual, *ways))}


def onward(agenda: Agenda, page: str, shelf: str) -> dict[str, object]:
    """The page that is gone to from the first one, for most."""
    there = f"/c/{shelf}"
    if page == there or agenda.colour.random() > ONWARD:
        return {}
    return {"page": there, "referrer": page, "dwell_ms": int(2_000 + agenda.colour.random() * 30_000)}


def in_store(agenda: Agenda, person: Person) -> None:
    """Over the threshold of a shop of their town."""
    store = agenda.tint(STORES[person.language]).format(region=person.region.name)
    dwell_ms = int((5 + agenda.colour.random() * 40) * MINUTE_MS)
    data = {"channel": "store", "place": "store", "region": person.region.name, "store": store, "dwell_ms": dwell_ms}
    person.emit(agenda, "clicks", "store.visited", data)


def bought_for(agenda: Agenda, person: Person, shelf: str) -> dict[str, str]:
    """The occasion of an order."""
    if shelf in MEALS:
        return {"occasion": {"lunch": "work-lunch", "dinner": "family-dinner", "snack": "late-night"}[shelf]}
    if shelf == "premium" and agenda.colour.random() < GIFT:
        return {"occasion": agenda.tint(("gift", "birthday", "anniversary"))}
    feast = _feast(agenda, person)
    return {"occasion": feast} if feast else {}


def _place(agenda: Agenda, person: Person) -> str:
    """By the clock: the way to work, work or lectures, and home."""
    hour, weekday = agenda.hour(person.region.offset_min), agenda.weekday(person.region.offset_min)
    if weekday >= 5 or person.age >= 62 or not 7 <= hour < 20:
        return agenda.tint(("home", "home", "home", "cafe"))
    if person.age < STUDENT_AGE:
        return "campus"
    if hour in (7, 8, 18, 19):
        return "transit"
    return "office" if hour < 18 else "home"


def _feast(agenda: Agenda, person: Person) -> str:
    month, day = _month_day(agenda)
    for name, in_month, first, last in FEASTS[person.language]:
        if month == in_month and first <= day <= last:
            return name
    return ""


def _month_day(agenda: Agenda) -> tuple[int, int]:
    now = datetime.fromtimestamp(agenda.present_ms / 1000, UTC)
    return now.month, now.day
