"""Who hears a customer in public, and on what: from what they post, share and follow."""

from __future__ import annotations

from math import log10
from typing import Any

from portrait.dimensions.base import Dimension, Facts, at_least, ranked, steady, trait
from portrait.features.voice import CLEAR, sounds_displeased
from portrait.structures import MORE, NEVER, WINDOW_DAYS
from schemas.profile import Trait, View

#: Followers, as the trade names them.
BANDS = ((1_000_000, "mega"), (100_000, "macro"), (10_000, "micro"), (1_000, "nano"), (0, "personal"))
#: Who speaks to so many, or is answered so often for each post or share, leads opinions: from two posts on.
LEADER_AUDIENCE, LEADER_ANSWERS, LEADER_POSTS = 10_000, 50, 2
#: Who passes on so often, and more than they write, connects others.
CONNECTOR_SHARES = 3
#: One of two habits is the usual one from this share on.
USUAL = 2 / 3
SHOWN = 3
DOMAINS = 2


class Influence(View, frozen=True, kw_only=True):
    """Where the customer is heard, by how many, and in which domains others answer."""

    kind: Trait | None = None  # opinion_leader, connector, voice or listener
    audience: str = ""  # personal, nano (from 1,000 followers), micro (10,000), macro (100,000) or mega (1,000,000)
    reach: int = 0  # heard at least so often, over all posts and shares: a power of ten
    sharing: Trait | None = None  # writes, passes_on or both
    circles: list[str] = []  # whom they follow, most followed first; at most three
    domains: list[Trait] = []  # topics in which others react, most likes, comments and shares first; at most two


def derive(facts: Facts) -> tuple[View | None, int]:
    social = facts.parts.social
    kind = kind_of(social)
    if kind is None:
        return steady(None)
    return steady(
        Influence(
            kind=kind,
            audience=next(name for least, name in BANDS if social.audience_max >= least) if social.audience_max else "",
            reach=10 ** int(log10(social.reach)) if social.reach else 0,
            sharing=_sharing(social),
            circles=ranked(social.accounts or {}, SHOWN),
            domains=_domains(social.heard or {}),
        )
    )


def kind_of(social: Any) -> Trait | None:
    """``social``: the feature's part, or None."""
    if social is None:
        return None
    said, acts = social.posts + social.shares, social.posts + social.shares + social.follows
    heard = social.audience_max >= LEADER_AUDIENCE or social.engagement >= LEADER_ANSWERS * said
    if social.posts >= LEADER_POSTS and heard:
        return trait("opinion_leader", social.posts, said)
    if social.shares >= CONNECTOR_SHARES and social.shares >= social.posts:
        return trait("connector", social.shares, said)
    if said:
        return trait("voice", said, acts)
    return trait("listener", acts, acts) if acts else None


def ill_posts(parts: Any) -> int:
    """How many of their texts stand on platforms on which they sound clearly displeased on the whole, over all time."""
    social, voice = parts.social, parts.voice
    if social is None or voice is None:
        return 0
    rows = [voice.places[name] for name in social.platforms or () if name != MORE and name in voice.places]
    return sum(n for n, tones in rows if tones <= -CLEAR * n)


def speaks_ill(parts: Any, today: int) -> tuple[bool, int]:
    """Whether who speaks in public is clearly displeased, and the day on which that may change by itself.

    Their texts of 90 days tell; without any, half of their posts and shares do."""
    social, voice = parts.social, parts.voice
    if social is None or voice is None:
        return False, NEVER
    recent = [day for day in voice.texts if today - day < WINDOW_DAYS]
    if recent:
        return sounds_displeased(voice, today), min(recent) + WINDOW_DAYS
    ill = ill_posts(parts)
    return ill > 0 and 2 * ill >= social.posts + social.shares, NEVER


def _sharing(social: Any) -> Trait | None:
    said = social.posts + social.shares
    if said < 2:
        return None
    if social.posts >= USUAL * said:
        return trait("writes", social.posts, said)
    return trait("passes_on", social.shares, said) if social.shares >= USUAL * said else trait("both", said, said)


def _domains(heard: dict[str, int]) -> list[Trait]:
    total = sum(n for topic, n in heard.items() if topic != MORE)
    return [
        Trait(value=topic, sure=round(heard[topic] / total * 20) / 20, of=at_least(heard[topic]))
        for topic in ranked(heard, DOMAINS)
    ]


DIMENSION = Dimension(
    name="influence",
    contract=Influence,
    reads=("social",),
    derive=derive,
    events=("mention.posted", "mention.shared", "account.followed"),
    zh="社交影响力",
)
