"""What a text means. The one way in: whatever analyses there are, each is a field of `Meaning` and a line in `understand`."""

from __future__ import annotations

from functools import lru_cache

import msgspec

from language.complaints import Complaint, complaint
from language.signals import Asked, asked
from language.text import Language, language_of, normalise
from language.tone import tone_of

#: A category that is less sure than this is "other".
SURE_LEAST = 0.4


class Meaning(msgspec.Struct, frozen=True, gc=False):
    """What is understood from a text. Nothing in it repeats the text."""

    language: Language  # empty: none that we understand
    tone: int  # -100 (furious) to 100 (delighted); 0: neither, or nothing is understood


# The features of one event ask one after the other.
@lru_cache(maxsize=8)
def understand(text: str) -> Meaning:
    """Pure, never raises, and bounded in time: a text of more than `language.text.CHARS_MAX` is read in part."""
    text = normalise(text)
    language = language_of(text)
    return Meaning(language=language, tone=tone_of(text, language))


# Not fields of `Meaning`: most texts are asked about their tone alone, and this takes longer.
@lru_cache(maxsize=8)
def understand_asked(text: str) -> Asked:
    """How urgent a text is, whether its writer is leaving, and what they wish for."""
    return asked(normalise(text))


@lru_cache(maxsize=8)
def understand_complaint(text: str) -> Complaint | None:
    """What is complained of, read as a complaint, whatever it is; None where the language is none that we understand."""
    text = normalise(text)
    found = complaint(text, language_of(text))
    if found is None or found.sure >= SURE_LEAST:
        return found
    return Complaint("other", found.sure)
