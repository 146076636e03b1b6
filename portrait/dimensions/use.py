"""What a profile suggests doing now: at most three things, the most urgent first, and how to say them.

The order of SUGGESTIONS is the order of urgency, and it is the whole rule: what went wrong comes before what could be sold.
While a complaint is open nothing is sold at all. Who refused marketing, or that a profile is made of them, or is under age, is
only served; and of who refused the profile nothing is told that was inferred.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from portrait.dimensions.base import Dimension, Facts
from portrait.dimensions.channels import answers_on, refused_on
from portrait.dimensions.experience import TROUBLE_DAYS, abandoned_carts, lately
from portrait.dimensions.influence import kind_of, speaks_ill
from portrait.dimensions.media import usual_daypart
from portrait.dimensions.person import is_minor
from portrait.features.registry import NOTHING as NO_PARTS
from portrait.journey import PROMOTER_NPS
from portrait.structures import NEVER, WINDOW_DAYS
from schemas.profile import Trait, View
from schemas.words import Why

SUGGESTED, PURPOSES_SHOWN = 3, 4
#: For so many days a cart calls for a reminder.
REMIND_DAYS = 7
GOING = frozenset(("declining", "dormant", "churned"))
#: From so many orders on, half of them at a discount or with a coupon, an offer is what moves them.
OFFER_ORDERS, OFFER_SHARE = 4, 0.5
#: So many new arrivals, and one for two orders.
NEW_LEAST, NEW_PER_ORDER = 3, 0.5
#: Consent without which nobody is sold anything.
TO_SELL = ("marketing", "profiling")


class Use(View, frozen=True, kw_only=True):
    """What to do for this customer now, where and when to say it, and what must not be done."""

    do: list[Why] = []  # at most three, most urgent first; docs/dimensions.md lists them
    channel: Trait | None = None  # where they answer; this and `daypart` not of who refused profiling
    daypart: Trait | None = None  # when they are active: night, morning, midday, afternoon or evening; their local time
    avoid: list[str] = []  # channels on which they refuse more than they answer
    refused: list[str] = []  # purposes to which they do not consent


#: Does it hold, of who has the facts of its feature, and the day on which that changes by itself.
Holds = Callable[[Facts], tuple[bool, int]]


class Suggestion(NamedTuple):
    reason: Why
    holds: Holds
    of: str  # feature without whose facts it can't hold; "": none
    sells: bool = True  # False: it serves the customer, and only who refuses service is spared


def derive(facts: Facts) -> tuple[View | None, int]:
    contacts, basic = facts.parts.contacts, facts.parts.basic
    consent = (basic.consent if basic is not None else None) or {}
    refused = [purpose for purpose in sorted(consent) if consent[purpose].value == "refused"] if consent else []
    do, due_day = suggestions(facts, refused)
    inferred = bool(do) and "profiling" not in refused
    sent = contacts.channels if contacts is not None else {}
    avoid = refused_on(sent) if sent else []
    if not (do or avoid or refused):
        return None, due_day
    view = Use(
        do=do,
        channel=answers_on({name: counts for name, counts in sent.items() if name not in avoid}) if inferred else None,
        daypart=usual_daypart(facts) if inferred else None,
        avoid=avoid,
        refused=refused[:PURPOSES_SHOWN],
    )
    return view, due_day


def suggestions(facts: Facts, refused: list[str]) -> tuple[list[Why], int]:
    """The first SUGGESTED that hold, and the day on which they may be others."""
    parts = facts.parts
    minor, due_day = is_minor(parts.basic, facts.today) if parts.basic is not None else (False, NEVER)
    closed = minor or (bool(refused) and any(purpose in refused for purpose in TO_SELL)) or _complaint(facts)[0]
    do: list[Why] = []
    for reason, holds, of, sells in SUGGESTIONS:
        if of and getattr(parts, of) is None:
            continue
        if closed if sells else "service" in refused:
            continue
        said, changes = holds(facts)
        due_day = min(due_day, changes)
        if said:
            do.append(reason)
            if len(do) == SUGGESTED:
                break
    return do, due_day


def _complaint(facts: Facts) -> tuple[bool, int]:
    needs = facts.parts.needs
    return needs is not None and any(not case.resolved_ms for case in needs.cases), NEVER


def _urgent(facts: Facts) -> tuple[bool, int]:
    return facts.parts.needs.urgent, NEVER


def _late(facts: Facts) -> tuple[bool, int]:
    return lately(facts.parts.consumption.late_days, facts.today, TROUBLE_DAYS)


def _unhappy(facts: Facts, span_days: int = TROUBLE_DAYS) -> tuple[bool, int]:
    return lately(facts.parts.feedback.unhappy_days, facts.today, span_days)


def _going(facts: Facts) -> tuple[bool, int]:
    return facts.stage in GOING, NEVER  # a stage that changes makes all dimensions anew


def _cart(facts: Facts) -> tuple[bool, int]:
    count, due_day = abandoned_carts(facts.parts, facts.today, REMIND_DAYS)
    return count > 0, due_day


def _unmet(facts: Facts) -> tuple[bool, int]:
    return bool(facts.parts.behaviour.unmet), NEVER


def _promoter(facts: Facts) -> tuple[bool, int]:
    feedback, needs = facts.parts.feedback, facts.parts.needs
    if feedback.last_nps[1] < PROMOTER_NPS:
        return False, NEVER
    unhappy, forgotten = _unhappy(facts, WINDOW_DAYS)
    complained, settled = lately((needs or NO_PARTS.needs).days, facts.today, WINDOW_DAYS)
    return not (unhappy or complained), min(forgotten, settled)


def _leader(facts: Facts) -> tuple[bool, int]:
    kind = kind_of(facts.parts.social)
    if kind is None or kind.value != "opinion_leader":
        return False, NEVER
    ill, changes = speaks_ill(facts.parts, facts.today)  # whom others hear saying ill of us is not asked to say more
    return not ill, changes


def _offer(facts: Facts) -> tuple[bool, int]:
    bought = facts.parts.consumption
    cheap = max(bought.discounted, bought.with_coupon)
    return bought.placed >= OFFER_ORDERS and cheap >= OFFER_SHARE * bought.placed, NEVER


def _new(facts: Facts) -> tuple[bool, int]:
    bought = facts.parts.consumption
    return bought.new_arrivals >= max(NEW_LEAST, NEW_PER_ORDER * bought.placed), NEVER


#: The most urgent first.
SUGGESTIONS = (
    Suggestion(Why("use.call-at-once"), _urgent, "needs", sells=False),
    Suggestion(Why("use.solve-complaint"), _complaint, "needs", sells=False),
    Suggestion(Why("use.apologise-late"), _late, "consumption", sells=False),
    Suggestion(Why("use.ask-what-was-wrong"), _unhappy, "feedback", sells=False),
    Suggestion(Why("use.win-back"), _going, ""),
    Suggestion(Why("use.remind-cart"), _cart, "behaviour"),
    Suggestion(Why("use.ask-review"), _promoter, "feedback"),
    Suggestion(Why("use.invite-leader"), _leader, "social"),
    Suggestion(Why("use.offer"), _offer, "consumption"),
    Suggestion(Why("use.show-new"), _new, "consumption"),
    Suggestion(Why("use.tell-found"), _unmet, "behaviour"),
)

DIMENSION = Dimension(
    name="use",
    contract=Use,
    reads=("needs", "consumption", "contacts", "feedback", "social", "basic", "behaviour", "activity", "voice"),
    derive=derive,
    events=("every event",),
    zh="画像应用",
)
