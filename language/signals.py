"""What a text asks of whoever reads it: how urgent it is, whether its writer is leaving, and what they wish for.

Hand-written patterns over a normalised text, Chinese and English at once, so mixed texts need no care. Each clause is read by
itself, and a denial before a word takes it back ("没有冒烟", "it is not on fire"), as does praise that only sounds like it
("颜值爆炸", "再也不用担心没电"; the section `unmeant`).
"""

from __future__ import annotations

import re
from functools import cache
from itertools import islice
from typing import Literal, NamedTuple

from language import patterns

Urgency = Literal[0, 1, 2, 3]

_CLAUSES = re.compile(r"[^,.;:!?。、…~\n]+")
#: How far before a word a denial may begin.
_REACH = 16
_PATTERNS = patterns.read("signals.txt")
_SIGNALS = _PATTERNS["signals"]
_UNMEANT = _PATTERNS["unmeant"]
#: What people wish for, in a closed list, so that no words of theirs are kept.
TOPICS = _PATTERNS["topics"]
#: More than anybody says: further wishes, and further words of a signal that are all denied, are not looked at.
WISHES_MAX = DENIED_MAX = 20


def _said(signal: str, text: str) -> bool:
    """Whether it is said, and neither denied nor only sounds like it."""
    if not _SIGNALS[signal].search(text):
        return False
    text = _UNMEANT[signal].sub("*", text)
    starts = (found.start() for found in islice(_SIGNALS[signal].finditer(text), DENIED_MAX))
    return any(not _SIGNALS["denied"].search(text, max(0, start - _REACH), start) for start in starts)


class Asked(NamedTuple):
    """What a text asks of whoever reads it. Nothing in it repeats the text."""

    urgency: Urgency
    leaving: bool  # the writer says that they will not come back, or go to somebody else
    wishes: tuple[str, ...]  # what for: names of TOPICS


def asked(text: str) -> Asked:
    leaves = _said("leaving", text)
    return Asked(_urgency(text, leaves), leaves, _wishes(text))


def _urgency(text: str, leaves: bool) -> Urgency:
    """0: no hurry, to 3. Danger to people is 3; authorities called are 2; a deadline, contact in vain, leaving: 1 each."""
    if _said("danger", text):
        return 3
    points = 2 * _said("authority", text) + _said("deadline", text) + _said("again", text) + leaves
    return 3 if points >= 3 else 2 if points == 2 else 1 if points else 0


def _wishes(text: str) -> tuple[str, ...]:
    """What the writer wishes for, by topic (`TOPICS`), in order of the names; without a topic we know there is nothing."""
    wishes = [found.span() for found in islice(_SIGNALS["wish"].finditer(text), WISHES_MAX)]
    if not wishes:
        return ()
    clauses = [found.span() for found in _CLAUSES.finditer(text)]
    # Each clause is looked at once, however many wishes are near.
    topics_at = cache(lambda at: _topics(text, clauses[at]) if 0 <= at < len(clauses) else frozenset())
    topics: set[str] = set()
    for start, stop in wishes:
        own = [at for at, (begin, end) in enumerate(clauses) if begin < stop and start < end]
        if own:
            # "希望改进，包装太差了", "if it had a radio, that would be nice": else it is in the next clause, or the last.
            topics |= frozenset[str]().union(*map(topics_at, own)) or topics_at(own[-1] + 1) or topics_at(own[0] - 1)
    return tuple(sorted(topics))


def _topics(text: str, span: tuple[int, int]) -> frozenset[str]:
    return frozenset(name for name, topic in TOPICS.items() if topic.search(text, *span))
