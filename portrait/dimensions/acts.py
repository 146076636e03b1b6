"""What a customer does of their own accord: on how many days, for one session is no habit, and where, without refusals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from portrait.dimensions.base import Facts
from portrait.features.contacts import OUTCOMES
from portrait.structures import MORE, WINDOW_DAYS

REFUSED = OUTCOMES.index("refused")
#: What was seen on fewer days is no habit.
DAYS_LEAST = 3


def on_days(facts: Facts) -> bool:
    """Whether they were active on DAYS_LEAST days that the facts can tell apart.

    Those are weekdays, and purchase days, of all time, and any days of the last 90: when one of these leaves, the feature's view
    changes too, and what reads it is made anew.
    """
    activity = facts.parts.activity
    if activity is None:
        return False
    if len(activity.weekdays or ()) >= DAYS_LEAST or facts.rhythm.count >= DAYS_LEAST:
        return True
    days = activity.days
    return len(days) >= DAYS_LEAST and sum([facts.today - day < WINDOW_DAYS for day in days]) >= DAYS_LEAST


def used(parts: Any) -> Mapping[str, int]:
    """Channel -> what they did there, without refusals of our messages."""
    channels: Mapping[str, int] = (parts.activity.channels if parts.activity is not None else None) or {}
    sent = parts.contacts.channels if parts.contacts is not None else None
    if not sent:
        return channels
    left = {name: n - (sent[name][REFUSED] if name in sent and name != MORE else 0) for name, n in channels.items()}
    return {name: n for name, n in left.items() if n > 0}


def refusals(parts: Any) -> int:
    """How many of our messages they refused; at which hours, facts don't tell."""
    return sum([n[REFUSED] for n in parts.contacts.channels.values()]) if parts.contacts is not None else 0
