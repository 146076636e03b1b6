"""Where a customer stands between having heard of the shop and recommending it. A function of the facts and the stage.

The steps are those of the marketing funnel: awareness, consideration, purchase, retention, advocacy. Who is lost begins anew.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

from portrait.features.feedback import displeased, recommends
from portrait.features.voice import sounds_displeased
from portrait.structures import within
from schemas.words import Why

#: Who would recommend with at least this many of ten is a promoter.
PROMOTER_NPS = 9
LOST = frozenset(("dormant", "churned"))
RECENT_DAYS = 30
#: Most customers stand at few steps for few reasons.
REMEMBERED = 1024

#: Reasons that tell a number. Of looks none: it would change at each click.
NUMBERED = frozenset(("recommends", "speaks", "again"))


class Journey(NamedTuple):
    step: str
    why: Why


def journey(parts: Any, purchase_days: int, stage: str, today: int) -> Journey:
    """As of the UTC day ``today``."""
    looks = within(parts.behaviour.days, today, RECENT_DAYS) if parts.behaviour is not None else 0
    if not purchase_days or stage in LOST:
        if looks:
            return _told("consideration", "looks", 0)
        return _told("awareness", "lost" if purchase_days else "knows", 0)
    if purchase_days == 1:
        return _told("purchase", "bought", 1)
    nps = recommends(parts.feedback, today) if parts.feedback is not None else -1
    if nps >= PROMOTER_NPS and not _unhappy(parts, today):
        return _told("advocacy", "recommends", nps)
    speaks = _praises(parts, today)
    return _told("advocacy", "speaks", speaks) if speaks else _told("retention", "again", purchase_days)


def _praises(parts: Any, today: int) -> int:
    """Posts and shares in 90 days of who names no rival, and is not unhappy; 0 for anybody else.

    Where their posts have no text, what they last answered when asked stands for it.
    """
    social, feedback, voice = parts.social, parts.feedback, parts.voice
    if social is None or within(social.rival_days, today) or _unhappy(parts, today):
        return 0
    if (feedback is not None and displeased(feedback, today)) or (voice is not None and sounds_displeased(voice, today)):
        return 0
    return within(social.days, today)


def _unhappy(parts: Any, today: int) -> bool:
    """Whether there was a complaint or an unhappy answer in 90 days."""
    feedback, needs = parts.feedback, parts.needs
    return bool(
        (feedback is not None and within(feedback.unhappy_days, today)) or (needs is not None and within(needs.days, today))
    )


@lru_cache(REMEMBERED)
def _told(step: str, why: str, n: int) -> Journey:
    return Journey(step, Why(f"journey.{why}", (n,) if why in NUMBERED else ()))
