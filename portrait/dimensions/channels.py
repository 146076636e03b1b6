"""Where a customer is, where they answer, where they refuse; online or offline."""

from __future__ import annotations

from collections.abc import Mapping

from portrait.dimensions.acts import used as used_by
from portrait.dimensions.base import Dimension, Facts, leaning, ranked, steady, trait
from portrait.features.contacts import OUTCOMES
from portrait.structures import MORE
from schemas.profile import Trait, View

OPENED, CLICKED, REFUSED = (OUTCOMES.index(name) for name in ("opened", "clicked", "refused"))
#: Where people stand face to face, or hear a voice.
OFFLINE = frozenset(("store", "shop", "branch", "counter", "event", "pos", "phone", "call", "hotline"))
SHOWN = 3


class Channels(View, frozen=True, kw_only=True):
    """Which channels the customer prefers, answers on, and refuses."""

    prefers: Trait | None = None  # where most of what they do happens; to refuse a message is not to use its channel
    answers_on: Trait | None = None  # where our messages are opened most
    avoid: list[str] = []  # refused there, and not answered since more often than refused
    offline: Trait | None = None  # "online", "offline" (face to face, or by voice) or "both"
    social: list[str] = []  # platforms on which they speak, the most used first
    messages: dict[str, float] = {}  # share of ours that were opened or clicked, a third of one taken off; counts: `contacts`


def derive(facts: Facts) -> tuple[View | None, int]:
    contacts, social = facts.parts.contacts, facts.parts.social
    used = used_by(facts.parts)
    sent = contacts.channels if contacts is not None else {}
    platforms = (social.platforms if social is not None else None) or {}
    if not (used or sent or platforms):
        return steady(None)
    answered = answers(sent) if sent else {}
    return steady(
        Channels(
            prefers=leaning(used),
            answers_on=answers_on(sent) if sent else None,
            avoid=refused_on(sent) if sent else [],
            offline=_offline(used),
            social=ranked(platforms, SHOWN),
            messages={name: _rate(answered[name], max(sent[name])) for name in sorted(answered)} if answered else {},
        )
    )


def answers(sent: dict[str, list[int]]) -> dict[str, int]:
    """Channel -> messages that were opened or clicked. ``sent``: the feature's counts by channel, as of all these."""
    return {name: max(n[OPENED], n[CLICKED]) for name, n in sent.items() if name != MORE}


def answers_on(sent: dict[str, list[int]]) -> Trait | None:
    answered = answers(sent)
    best = max(answered, key=lambda name: (_rate(answered[name], max(sent[name])), answered[name], name), default=None)
    if best is None or answered[best] < 1:
        return None
    return trait(best, answered[best], max(sent[best]))


def refused_on(sent: dict[str, list[int]]) -> list[str]:
    return sorted(name for name, n in sent.items() if name != MORE and n[REFUSED] > max(n[OPENED], n[CLICKED]))[:SHOWN]


def _rate(answered: int, sent: int) -> float:
    """One decimal: a share of few messages is not to be read closely."""
    return round(max(0.0, answered - 1 / 3) / max(1, sent), 1)


def _offline(used: Mapping[str, int]) -> Trait | None:
    total = sum(used.values()) - used.get(MORE, 0)
    if total < 3:
        return None
    offline = sum([n for name, n in used.items() if name in OFFLINE])
    if 0.2 <= offline / total <= 0.8:
        return trait("both", total, total)
    return trait("offline", offline, total) if offline > total / 2 else trait("online", total - offline, total)


DIMENSION = Dimension(
    name="channels",
    contract=Channels,
    reads=("activity", "contacts", "social"),
    derive=derive,
    events=("every event with a channel", "contact.*", "mention.*"),
    zh="渠道偏好",
)
