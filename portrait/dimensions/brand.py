"""What we are to a customer: how near they stand to our shop, what they think of it, whether they would leave it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from portrait.dimensions.base import DOUBT, Dimension, Facts, at_least, sure, trait
from portrait.dimensions.influence import ill_posts, speaks_ill
from portrait.features.contacts import OUTCOMES
from portrait.features.feedback import LOW_NPS
from portrait.structures import DAY_MS, MORE, NEVER, WINDOW_DAYS
from schemas.profile import Trait, View
from schemas.words import Why

SENT, OPENED, CLICKED = (OUTCOMES.index(name) for name in ("sent", "opened", "clicked"))
#: Who has looked around within so many days is considering us.
RECENT_DAYS = 30
#: Messages without any answer after which somebody is taken not to know us.
UNHEARD = 3
LOYAL_DAYS, PROMOTER_NPS = 5, 9
POSTS_LEAST, FANS = 2, 10
GOOD_STARS, POOR_STARS, STARS_LEAST = 4.0, 3.0, 2
#: An answer to "would you recommend us?" holds for so many days.
ANSWER_DAYS = 365
GONE = frozenset(("dormant", "churned"))
WAVERING = frozenset(("declining", *GONE))


class Brand(View, frozen=True, kw_only=True):
    """The relationship with our shop."""

    level: str  # unaware, aware, considering, buyer, loyal, advocate
    why: Why
    reputation: Trait | None = None  # good, mixed, poor: by the latest "would you recommend us?", else by stars
    loyalty: Trait | None = None  # firm, wavering, lost: by purchase days, against mentions of rivals
    belonging: Trait | None = None  # high, some: posts, shares and follows, without those that name a rival or sound displeased


class Signs:
    """What lies within 90 days, and the day on which something of it will not any more."""

    __slots__ = ("due", "today")

    def __init__(self, today: int) -> None:
        self.today, self.due = today, NEVER

    def recent(self, day: int, days: int = WINDOW_DAYS) -> bool:
        if self.today - day >= days:
            return False
        self.due = min(self.due, day + days)
        return True

    def any(self, part: Any, name: str) -> bool:
        """Whether the part has a day under ``name`` that is recent."""
        days: Mapping[int, int] = getattr(part, name) if part is not None else {}
        return bool(days) and self.recent(max(days))


def derive(facts: Facts) -> tuple[View | None, int]:
    parts, signs = facts.parts, Signs(facts.today)
    nps = _nps(parts.feedback, signs)
    found = _level(facts, nps, signs)
    if found is None:
        return None, NEVER
    level, why, n = found
    rivals = _rivals(parts.rivals)
    view = Brand(
        level=level,
        why=_reason(why, n),
        reputation=_reputation(parts.feedback, nps),
        loyalty=_loyalty(facts, rivals, signs),
        belonging=_belonging(parts.social, rivals + ill_posts(parts)),
    )
    return view, signs.due


@lru_cache(None)
def _reason(why: str, n: int) -> Why:
    return Why(f"brand.{why}", (n,) if n else ())


def _nps(feedback: Any, signs: Signs) -> int:
    """The latest answer, 0 to 10; -1 without one that still holds."""
    if feedback is None or feedback.last_nps[1] < 0 or not signs.recent(feedback.last_nps[0] // DAY_MS, ANSWER_DAYS):
        return -1
    return int(feedback.last_nps[1])


def _level(facts: Facts, nps: int, signs: Signs) -> tuple[str, str, int] | None:
    """(level, why, the number of which the words speak)"""
    parts, bought = facts.parts, facts.rhythm.count
    if bought and facts.stage not in GONE:
        if bought > 1 and not (signs.any(parts.feedback, "unhappy_days") or signs.any(parts.needs, "days")):
            if nps >= PROMOTER_NPS:
                return "advocate", "recommends", nps
            if not 0 <= nps <= LOW_NPS and _speaks_well(facts, signs):
                return "advocate", "speaks", 0
        if bought >= LOYAL_DAYS and facts.stage not in WAVERING and not _against(facts, nps, signs):
            return "loyal", "keeps", at_least(bought)
        return "buyer", "bought", 0
    if parts.behaviour is not None and signs.recent(parts.behaviour.last_ms // DAY_MS, RECENT_DAYS):
        return "considering", "looks", 0
    if bought:
        return "aware", "left", 0
    if any(part is not None for part in (parts.behaviour, parts.consumption, parts.social, parts.feedback, parts.needs)):
        return "aware", "knows", 0
    return _heard(parts.contacts)


def _speaks_well(facts: Facts, signs: Signs) -> bool:
    """Whether they speak in public in 90 days, of no rival, and are not displeased."""
    social = facts.parts.social
    if not signs.any(social, "days") or signs.any(social, "rival_days"):
        return False
    return not _speaks_ill(facts, signs)


def _speaks_ill(facts: Facts, signs: Signs) -> bool:
    ill, changes = speaks_ill(facts.parts, facts.today)
    signs.due = min(signs.due, changes)
    return ill


def _against(facts: Facts, nps: int, signs: Signs) -> bool:
    """Whether something in 90 days says that they are not loyal: a low answer, a rival named, a word of leaving, a rant."""
    parts = facts.parts
    if 0 <= nps <= LOW_NPS and signs.recent(parts.feedback.last_nps[0] // DAY_MS):
        return True
    if signs.any(parts.social, "rival_days") or signs.any(parts.concerns, "leaving"):
        return True
    return signs.any(parts.social, "days") and _speaks_ill(facts, signs)


def _heard(contacts: Any) -> tuple[str, str, int] | None:
    """Of somebody of whom nothing else is known than our own messages."""
    sent = 0
    for outcomes in contacts.channels.values() if contacts is not None else ():
        if outcomes[OPENED] or outcomes[CLICKED]:
            return "aware", "knows", 0
        sent += outcomes[SENT]
    return ("unaware", "unheard", 0) if sent >= UNHEARD else None


def _rivals(rivals: Any) -> int:
    """How often rivals were named."""
    return sum([seen[0] for name, seen in rivals.by_name.items() if name != MORE]) if rivals is not None else 0


def _reputation(feedback: Any, nps: int) -> Trait | None:
    """In the customer's own words, so it is told. One answer about us as a whole weighs more than one about an article."""
    if feedback is None:
        return None
    said = feedback.stars_count
    mean = feedback.stars_sum / said if said else 0.0
    if nps >= 0:
        value = "good" if nps >= PROMOTER_NPS else "poor" if nps <= LOW_NPS else "mixed"
        said += DOUBT
    elif said >= STARS_LEAST:
        value = "good" if mean >= GOOD_STARS else "poor" if mean < POOR_STARS else "mixed"
    else:
        return None
    return Trait(value=value, sure=sure(said, said))


def _loyalty(facts: Facts, rivals: int, signs: Signs) -> Trait | None:
    bought = facts.rhythm.count
    if bought < 2:
        return None
    if facts.stage in GONE:
        return trait("lost", bought, bought)
    if facts.stage in WAVERING or signs.any(facts.parts.social, "rival_days"):
        return trait("wavering", bought, bought)
    return trait("firm", bought, bought + rivals)


def _belonging(social: Any, others: int) -> Trait | None:
    """``others``: posts that name a rival, or are displeased."""
    if social is None:
        return None
    said = social.posts + social.shares + social.follows
    ours = said - others
    return trait("high" if ours >= FANS else "some", ours, said) if ours >= POSTS_LEAST else None


DIMENSION = Dimension(
    name="brand",
    contract=Brand,
    reads=("behaviour", "consumption", "needs", "social", "feedback", "contacts", "rivals", "voice", "concerns"),
    derive=derive,
    events=(
        "clicks",
        "orders",
        "complaint.opened",
        "complaint.updated",
        "conversation.closed",
        "mention.*",
        "account.followed",
        "survey.answered",
        "rating.given",
        "contact.*",
    ),
    zh="品牌关系",
)
