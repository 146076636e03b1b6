"""Derived dimensions as lines for people: what each concludes, and how sure it is. Any dimension, also one that is new."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from cli.present import Lang, plain, say
from cli.terms import member, value
from portrait.dimensions.registry import DIMENSIONS
from portrait.tags.registry import BY_ID
from schemas import profile as contract
from schemas.profile import Trait, View
from schemas.words import Why

#: Told elsewhere on the sheet, or more than a line holds.
UNSHOWN = frozenset(
    (
        ("experience", "awareness"),
        ("experience", "consideration"),
        ("experience", "purchase"),
        ("experience", "service"),
        ("experience", "advocacy"),
        ("channels", "messages"),
        ("channels", "social"),
        ("person", "told_by"),
    )
)
SHARES = frozenset(("abandoned", "returned", "cancelled", "instalments"))
#: Told as "at least so many" (`portrait.dimensions.base.at_least`).
AT_LEAST = frozenset(("breaks", "carts", "events", "first_reply_min", "mentions", "messages_each", "occasions", "seconds_a_look"))
SHOWN_OF_LIST = 3
#: Two lines of a sheet. Those that ask for action come first.
TAGS_SHOWN = 12
CONTRACTS: Mapping[str, Any] = {dimension.name: dimension for dimension in DIMENSIONS}


def line_of(name: str, held: Any, lang: Lang) -> str:
    """One dimension in a line; empty: nothing to say, or it is written by another version."""
    try:
        view = msgspec.convert(held, CONTRACTS[name].contract)
    except (KeyError, msgspec.ValidationError):
        return ""
    return " · ".join(cell for cell in _cells(name, view, lang) if cell)


def line_of_tags(tags: Mapping[str, float], lang: Lang) -> str:
    """The first few tags by name; of a newer version's, the id."""
    named = ((BY_ID[tag].name.zh if lang == "zh" else BY_ID[tag].name.en) if tag in BY_ID else plain(tag) for tag in tags)
    told = [name if sure == 1 else f"{name} {sure:.0%}" for name, sure in zip(named, tags.values(), strict=True)]
    more = f"+{len(told) - TAGS_SHOWN}" if len(told) > TAGS_SHOWN else ""
    return " · ".join([*told[:TAGS_SHOWN], *filter(None, (more,))])


def label_of(name: str, lang: Lang) -> str:
    return CONTRACTS[name].zh if lang == "zh" else name.capitalize()


def voice_line(voice: contract.Voice, lang: Lang) -> str:
    """How they sound in what they write: tones are -100 to 100."""
    tone, mood = voice.tone, voice.mood
    cells = (
        f"{plain(value('mood', mood.value, lang))} {mood.sure:.0%}" if mood is not None else "",
        f"{member('tone', lang)} {tone.total:+}" if tone.total is not None else "",
        f"{member('pleased', lang)} {voice.pleased}" if voice.pleased else "",
        f"{member('displeased', lang)} {voice.displeased}" if voice.displeased else "",
        ", ".join(f"{plain(value('by_place', place, lang))} {mean:+}" for place, mean in voice.by_place.items()),
    )
    return " · ".join(cell for cell in cells if cell)


def _cells(name: str, view: View, lang: Lang) -> Iterator[str]:
    for field in sorted(view.__struct_fields__, key=lambda field: isinstance(getattr(view, field), dict)):  # lists come last
        held = getattr(view, field)
        if held is None or held in ("", 0, [], {}) or (name, field) in UNSHOWN:
            continue
        told = _told(field, held, lang)
        before = member(field, lang)
        yield f"{before} {told}" if before and told else told


def _told(field: str, held: Any, lang: Lang) -> str:
    """A member's value in words."""
    if isinstance(held, Trait):
        word = plain(value(field, held.value, lang))
        return word if held.told or not held.sure else f"{word} {held.sure:.0%}"
    if isinstance(held, Why):
        return say({"en": held.en, "zh": held.zh}, lang)
    if isinstance(held, str):
        return plain(value(field, held, lang))
    if isinstance(held, list) and held and isinstance(held[0], Why):
        return ("；" if lang == "zh" else "; ").join(_told(field, each, lang).rstrip("。.") for each in held[:SHOWN_OF_LIST])
    if isinstance(held, list):
        return ", ".join(_told(field, each, lang) for each in held[:SHOWN_OF_LIST])
    if isinstance(held, dict):
        return ", ".join(_entry(field, key, each, lang) for key, each in list(held.items())[:SHOWN_OF_LIST])
    if field in SHARES:
        return f"{held:.0%}"
    if isinstance(held, float):
        return f"{held:g}"
    return f"{held:,}+" if field in AT_LEAST and held > 1 else f"{held:,}"


def _entry(field: str, key: str, held: Any, lang: Lang) -> str:
    """A name and what is told of it."""
    name = plain(value(field, key, lang))
    if isinstance(held, View):
        inside = ((each, getattr(held, each)) for each in held.__struct_fields__ if each != "last_ms")
        words = [_told(each, told, lang) for each, told in inside if told]
        return f"{name} ({', '.join(words)})" if words else name
    return f"{name} {_told(field, held, lang)}"
