"""How a customer fares with us: touchpoints that they met, what broke, the effort that service cost, what they would say.

A cart is abandoned when something was put into it, and neither on that day nor on the three after it anything was bought.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from portrait.dimensions.base import Dimension, Facts, at_least, ranked, trait
from portrait.features.contacts import OUTCOMES
from portrait.features.feedback import LOW_NPS
from portrait.features.needs import SEVERITIES
from portrait.features.registry import NOTHING as NO_PARTS
from portrait.journey import PROMOTER_NPS
from portrait.structures import DAY_MS, NEVER, WINDOW_DAYS, windows
from schemas.profile import Counts, Trait, View

#: Days after something was put into the cart on which the order may come.
CART_DAYS = 3
#: Without an answer to "would you recommend us?": the mean of so many stars or more speaks for it.
HAPPY_STARS, UNHAPPY_STARS, LEAST_STARS = 4.5, 2.5, 3
#: Sure of an answer that nothing has contradicted since, and of one that something has.
SAID, DOUBTED = 1.0, 0.5
MINUTE_MS = 60_000
#: The mean tone of the last 30 days and of the 60 before, of so many texts each: from such a difference on it has turned.
LEAST_TEXTS, TURNED = 3, 25
SHOWN = 3
#: For so many days trouble calls for an excuse; so many complaints in 90 days are too many.
TROUBLE_DAYS, COMPLAINTS = 30, 3
SEVERE = SEVERITIES.index("high")
REFUSED = OUTCOMES.index("refused")
#: Of each feature: the step, the touchpoint, and what is counted there once it was met.
TOUCHPOINTS = (
    (
        "behaviour",
        (
            ("awareness", "content", "content"),
            ("awareness", "referral", "referrers"),
            ("consideration", "item", "item_views"),
            ("consideration", "search", "searches_made"),
            ("consideration", "cart", "cart_added"),
            ("consideration", "app", "app_opens"),
        ),
    ),
    ("social", (("awareness", "follow", "follows"),)),
    ("consumption", (("purchase", "order", "placed"), ("purchase", "delivery", "delivered"))),
    ("needs", (("service", "complaint", "cases"),)),
    ("feedback", (("advocacy", "rating", "stars_count"), ("advocacy", "survey", "answers"))),
)


class Experience(View, frozen=True, kw_only=True):
    """The touchpoints that the customer met, the breaks in between, and what they make of it."""

    awareness: list[str] = []  # content, referral, follow, and channels of our messages
    consideration: list[str] = []  # item, search, cart, app
    purchase: list[str] = []  # order, delivery
    service: list[str] = []  # complaint, and channels of conversations
    advocacy: list[str] = []  # rating, survey, mention (a post or share)
    breaks: Counts = {}  # open_complaint, late_delivery, unmet_search, abandoned_cart, unsolved, refusal -> at least so many
    #: What calls for an excuse now: severe_complaint and urgent_complaint (open ones; urgent by
    #: what is written: danger, threats), complains_again (three in 90 days), late_delivery and unhappy
    #: (few stars, a low recommendation, a conversation that solved nothing), both in 30 days
    trouble: list[str] = []
    messages_each: int = 0  # in a conversation, on average at least so many
    first_reply_min: int = 0  # minutes until service answered, on average at least so many
    recommends: Trait | None = None  # promoter, passive or detractor: told by their answer, or inferred from their stars
    sounds: Trait | None = None  # warmer, cooler or steady: the texts of the last 30 days against those of the 60 before


def derive(facts: Facts) -> tuple[View | None, int]:
    parts = facts.parts
    abandoned, due_day = abandoned_carts(parts, facts.today)
    feedback = parts.feedback or NO_PARTS.feedback
    recommending, doubts_end = recommends(feedback, facts.today)
    sounding, tone_due = sounds(parts.voice, facts.today) if parts.voice is not None else (None, NEVER)
    trouble, trouble_ends = _trouble(parts, facts.today)
    view = Experience(
        **_touchpoints(parts),
        breaks=_breaks(parts, abandoned),
        trouble=trouble,
        messages_each=at_least(feedback.messages // feedback.conversations) if feedback.conversations else 0,
        first_reply_min=at_least(feedback.first_reply_ms // feedback.first_replies // MINUTE_MS) if feedback.first_replies else 0,
        recommends=recommending,
        sounds=sounding,
    )
    return view if view != NOTHING else None, min(due_day, doubts_end, tone_due, trouble_ends)


def _touchpoints(parts: Any) -> dict[str, list[str]]:
    """By step; without those at which they met none."""
    met: dict[str, list[str]] = {}
    for feature, steps in TOUCHPOINTS:
        part = getattr(parts, feature)
        if part is not None:
            for step, name, counted in steps:
                if getattr(part, counted):
                    met.setdefault(step, []).append(name)
    social, said, contacts = parts.social, parts.feedback, parts.contacts
    if contacts is not None and contacts.channels:
        channels = ranked({name: max(counts) for name, counts in contacts.channels.items()}, SHOWN)
        met.setdefault("awareness", []).extend(channels)
    if said is not None and said.channels:
        met.setdefault("service", []).extend(ranked(said.channels, SHOWN))
    if social is not None and (social.posts or social.shares):
        met.setdefault("advocacy", []).append("mention")
    return met


def _breaks(parts: Any, abandoned: int) -> Counts:
    looks, bought = parts.behaviour, parts.consumption
    sent = parts.contacts.channels if parts.contacts is not None else None
    counts = (
        ("open_complaint", parts.needs.open if parts.needs is not None else 0),
        ("late_delivery", bought.late if bought is not None else 0),
        ("unmet_search", sum(looks.unmet.values()) if looks is not None and looks.unmet else 0),
        ("abandoned_cart", abandoned),
        ("unsolved", parts.feedback.unsolved if parts.feedback is not None else 0),
        ("refusal", sum([outcomes[REFUSED] for outcomes in sent.values()]) if sent else 0),
    )
    return {name: at_least(n) for name, n in counts if n}


def _trouble(parts: Any, today: int) -> tuple[list[str], int]:
    """What calls for an excuse now, and the day on which that changes by itself."""
    needs, bought, said = parts.needs, parts.consumption, parts.feedback
    found: list[str] = []
    due_day = NEVER
    if needs is not None:
        if any(not case.resolved_ms and case.severity >= SEVERE for case in needs.cases):
            found.append("severe_complaint")
        if needs.urgent:
            found.append("urgent_complaint")
        again, due_day = _often(needs.days, today)
        if again:
            found.append("complains_again")
    for name, part, days in (("late_delivery", bought, "late_days"), ("unhappy", said, "unhappy_days")):
        if part is not None:
            happened, ends = lately(getattr(part, days), today, TROUBLE_DAYS)
            due_day = min(due_day, ends)
            if happened:
                found.append(name)
    return found, due_day


def _often(days: Mapping[int, int], today: int) -> tuple[bool, int]:
    """COMPLAINTS or more in 90 days, and the day on which there are fewer."""
    left = COMPLAINTS
    for day in sorted(days, reverse=True):
        left -= days[day]
        if today - day >= WINDOW_DAYS:
            break
        if left <= 0:
            return True, day + WINDOW_DAYS
    return False, NEVER


def lately(days: Mapping[int, int], today: int, span_days: int) -> tuple[bool, int]:
    """Was there one of these days within so many, and the day on which there is none any more."""
    if not days:
        return False, NEVER
    last = max(days)
    return (True, last + span_days) if today - last < span_days else (False, NEVER)


def abandoned_carts(parts: Any, today: int, within_days: int = WINDOW_DAYS) -> tuple[int, int]:
    """Days of the last ``within_days`` on which a cart was left behind, and the next day on which there may be other ones."""
    looks, bought = parts.behaviour, parts.consumption
    if looks is None or not looks.cart_days:
        return 0, NEVER
    days: Mapping[int, int] = looks.cart_days
    ordered: Mapping[int, int] = bought.days if bought is not None else {}
    count, due_day = 0, NEVER
    for day in days:
        age = today - day
        if age >= within_days or any(day + later in ordered for later in range(CART_DAYS + 1)):
            continue
        if age > CART_DAYS:
            count += 1
            due_day = min(due_day, day + within_days)
        else:
            due_day = min(due_day, day + CART_DAYS + 1)
    return count, due_day


def recommends(feedback: Any, today: int) -> tuple[Trait | None, int]:
    """Whether they would recommend us, and the day on which that changes by itself. ``feedback``: the feature's part."""
    at_ms, nps = feedback.last_nps
    if nps < 0:
        return _by_stars(feedback), NEVER
    value = "promoter" if nps >= PROMOTER_NPS else "detractor" if nps <= LOW_NPS else "passive"
    unhappy_day = max(feedback.unhappy_days, default=0)
    doubted = value != "detractor" and unhappy_day > at_ms // DAY_MS and today - unhappy_day < WINDOW_DAYS
    told = Trait(value=value, sure=DOUBTED if doubted else SAID)
    return told, unhappy_day + WINDOW_DAYS if doubted else NEVER


def sounds(voice: Any, today: int) -> tuple[Trait | None, int]:
    """Whether the tone has turned, and the day on which that may change by itself. ``voice``: the feature's part."""
    _, recent, quarter, due_day = windows(voice.texts, today)
    _, recent_sum, quarter_sum, _ = windows(voice.tones, today)
    before = quarter - recent
    if min(recent, before) < LEAST_TEXTS:
        return None, due_day
    shift = recent_sum / recent - (quarter_sum - recent_sum) / before
    if abs(shift) < TURNED:
        return trait("steady", (1 - abs(shift) / (2 * TURNED)) * quarter, quarter), due_day
    return trait("warmer" if shift > 0 else "cooler", min(1, 0.5 + abs(shift) / 200) * quarter, quarter), due_day


def _by_stars(feedback: Any) -> Trait | None:
    n = feedback.stars_count
    if n < LEAST_STARS:
        return None
    stars = feedback.stars_sum / n
    if stars >= HAPPY_STARS:
        return trait("promoter", (stars - 1) / 4 * n, n)
    return trait("detractor", (5 - stars) / 4 * n, n) if stars <= UNHAPPY_STARS else None


NOTHING = Experience()
DIMENSION = Dimension(
    name="experience",
    contract=Experience,
    reads=("behaviour", "consumption", "needs", "social", "feedback", "contacts", "voice"),
    derive=derive,
    events=(
        "clicks",
        "orders",
        "complaints",
        "social-mentions",
        "feedback",
        "contacts",
    ),
    zh="体验与触点",
)
