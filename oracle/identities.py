"""Who is one person, from all that was said of links (docs/facts.md, "Persons"): every word is kept, and looked at again."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import NamedTuple

from schemas.customers import IdentityLinked, IdentityUnlinked
from schemas.event import Event

KINDS = ["customer", "external", "phone", "email", "social", "device", "anonymous"]
NOBODY = {"anonymized", "anonymous", "default", "deleted", "example", "guest", "nil", "none", "null", "nan", "n/a", "na", "test",
          "tester", "undefined", "unknown"}  # fmt: skip
NO_LOCAL = {"anonymized", "anonymous", "deleted", "example", "none", "null", "n/a", "test", "undefined", "unknown"}
SYNONYMS = {
    "email": "e-mail e_mail mail mailto email_address email-address 邮箱 电子邮件",
    "phone": "tel telephone mobile cell cellphone msisdn phone_number phone-number 电话 手机 手机号",
}
NO_HOST = {"test.com", "example.com", "example.org", "example.net", "localhost", "invalid", "none.com"}
#: Country codes of two digits; in the zones 1 and 7 they have one, elsewhere three.
CODES = "20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66 81 82 84 86 90 91"
CODES += " 92 93 94 95 98"
NO_NUMBER = {"0", "1", "-1"}
KEPT_MAX, OTHERS_MAX, PERSON_MAX, TOGETHER_MAX, CUSTOMERS_MAX, SURE = 128, 64, 64, 256, 3, 0.5


class Word(NamedTuple):
    """What was said once of two identities. ``kind`` and ``key_kind``: "" where nothing was told of them."""

    key: str
    other: str
    ms: int
    number: int  # the hash of the event
    on: bool
    sure: float
    by: str | None
    kind: str
    key_kind: str
    carried: bool  # by an event about something else

    @property
    def order(self) -> tuple[float, ...]:
        """The last word stands. What was carried stands before all else, the surest last, and of these the earliest; what was
        said by events about links goes by time, at one time that which ends a link last."""
        return (0, self.sure, -self.ms, -self.number) if self.carried else (1, self.ms, not self.on, self.number)


def words(event: Event) -> Iterator[Word]:
    data, number = event.data, int.from_bytes(event.hash, "little")
    if isinstance(data, IdentityLinked | IdentityUnlinked):
        on, sure = isinstance(data, IdentityLinked), getattr(data, "confidence", 0.0)
        kinds = _meant(data.kind), _meant(data.key_kind or "customer")
        yield Word(event.customer_id, data.other, event.time_ms, number, on, sure, data.by, *kinds, False)
    named: set[str] = set()
    for one in data.identities:
        other, kind, sure = (one, None, 1.0) if isinstance(one, str) else (one.other, one.kind, one.confidence)
        if other not in named and not _nobody(other):
            told = _meant(kind) if kind else ""
            yield Word(event.customer_id, other, event.time_ms, number, True, sure, None, told, "", True)
        named.add(other)


class Said:
    """All that was said of links, by whom it is about."""

    def __init__(self, events: Iterable[Event]) -> None:
        told = [word for event in events for word in words(event)]
        self.words = sorted((word for word in told if word.key != word.other), key=lambda word: word.order)
        self.names = sorted({name for word in self.words for name in word[:2]})
        self.pairs = sorted({tuple(sorted(word[:2])) for word in self.words})
        self._last = {frozenset(word[:2]): word for word in self.words}
        self._others: dict[str, set[str]] = defaultdict(set)
        for a, b in self.pairs:
            self._others[a].add(b)
            self._others[b].add(a)

    def last(self, a: str, b: str) -> Word:
        return self._last[frozenset((a, b))]

    def first_ms(self, a: str, b: str) -> int:
        return min(word.ms for word in self.words if {*word[:2]} == {a, b} and word.on)

    def others(self, name: str) -> list[str]:
        """Whoever was ever named together with it."""
        return sorted(self._others[name])

    def kind(self, name: str) -> str:
        """As the form shows it, or the last link of anybody and this one told it; what ends one tells nothing. What was carried
        counts where nothing else tells, and of this the greatest word."""
        told = [(word.carried, _told(word, name)) for word in self.words if name in word[:2] and word.on]
        said, carried = [kind for only, kind in told if not only], [kind for only, kind in told if only]
        return _shown(name) or (said[-1] if said else max(carried, default="")) or "customer"

    def customers(self, name: str) -> list[str]:
        """Those to whom it is linked, surely or by decision, as the last word about the two tells their kind; by first links."""
        found = []
        for other in self.others(name):
            word = self.last(name, other)
            sure = word.on and (word.by or word.sure >= SURE)
            if sure and (_shown(other) or _told(word, other) or "customer") == "customer":
                found.append((self.first_ms(name, other), other))
        return [other for _, other in sorted(found)]

    def shared(self, name: str) -> bool:
        others = self.others(name)
        linked = [other for other in others if self.last(name, other).on]
        many = len(self.customers(name)) > CUSTOMERS_MAX or len(linked) > OTHERS_MAX or len(others) > KEPT_MAX
        return many and self.kind(name) != "customer"

    def keeps(self, name: str, other: str) -> bool:
        """Is it one of those with the least hashes?"""
        others = self.others(name)
        if len(others) > KEPT_MAX:
            others = sorted(others, key=lambda each: blake2b(each.encode(), digest_size=8).digest())[:KEPT_MAX]
        return other in others

    def can_join(self, a: str, b: str) -> bool:
        """By what is known of the two alone."""
        word = self.last(a, b)
        if not word.on or any(_nobody(name) or self.shared(name) for name in (a, b)):
            return False
        if not self.keeps(a, b) or not self.keeps(b, a):
            return False
        if word.by:
            return True
        kinds = self.kind(a), self.kind(b)
        if word.sure < SURE or kinds == ("customer", "customer"):
            return False
        for name, other, kind, other_kind in ((a, b, *kinds), (b, a, *kinds[::-1])):
            if kind != "customer" and other_kind == "customer" and self.customers(name)[:1] not in ([], [other]):
                return False
        return True


def persons(events: Iterable[Event]) -> dict[str, str]:
    """Of every identity that was ever named in a link: the one that its person goes by."""
    said = Said(events)
    joins = [pair for pair in said.pairs if said.can_join(*pair)]
    too_many = {name for group in _joined(said.names, joins) if len(group) > TOGETHER_MAX for name in group}
    ranked = sorted((pair for pair in joins if pair[0] not in too_many), key=lambda pair: _rank(said, *pair))
    made: list[tuple[str, str]] = []
    for a, b in ranked:
        groups = [group for group in _joined(said.names, made) if a in group or b in group]
        people = [sum(said.kind(name) == "customer" for name in group) for group in groups]
        decided = bool(said.last(a, b).by)
        if len(groups) == 2 and sum(map(len, groups)) <= PERSON_MAX and (decided or not all(people)):
            made.append((a, b))
    found: dict[str, str] = {}
    for group in _joined(said.names, made):
        best = min(group, key=lambda name: (KINDS.index(said.kind(name)), name))
        found |= dict.fromkeys(group, best)
    return found


def _joined(names: Sequence[str], pairs: Sequence[tuple[str, ...]]) -> list[set[str]]:
    """The names in groups, by the pairs."""
    groups = [{name} for name in names]
    for pair in pairs:
        together = [group for group in groups if group & set(pair)]
        groups = [group for group in groups if not group & set(pair)] + [set().union(*together)]
    return groups


def _rank(said: Said, a: str, b: str) -> tuple[object, ...]:
    ranks = sorted(KINDS.index(said.kind(name)) for name in (a, b))
    return not said.last(a, b).by, *ranks, said.first_ms(a, b), a, b


def _shown(name: str) -> str:
    """The kind that the form shows; "" where it shows none."""
    kind = name.split(":")[0] if ":" in name else ""
    return kind if kind in KINDS[1:] else ""


def _told(word: Word, name: str) -> str:
    return word.kind if name == word.other else word.key_kind


def _meant(word: str) -> str:
    """A publisher's word for a kind; one that nobody knows says that it is a customer."""
    shown = (c for c in unicodedata.normalize("NFKC", word) if unicodedata.category(c) not in ("Cc", "Cf"))
    kind = "".join(shown).strip().casefold()
    for meant, synonyms in SYNONYMS.items():
        if kind in synonyms.split():
            return meant
    return kind if kind in KINDS else "customer"


def _nobody(name: str) -> bool:
    """A value that stands for nobody."""
    kind = _shown(name)
    if not kind:
        return name.casefold() in NOBODY
    value = name.split(":", 1)[1].casefold()
    if kind in ("social", "external"):
        value = value.split(":", 1)[1] if ":" in value else ""
    if kind == "email":
        local, host = value.rsplit("@", 1) if "@" in value else ("", value)
        return host in NO_HOST or local in NO_LOCAL
    letters = "".join(c for c in value if c.isalnum())
    if kind == "phone":
        code = 1 if letters[:1] in ("1", "7") else 2 if letters[:2] in CODES.split() else 3
        return value[0] != "~" and any(
            len(set(digits)) == 1 or (digits[:1] in ("0", "1") and digits in "01234567890123456789")
            for digits in (letters, letters[code:])
        )
    return bool({value, letters} & (NOBODY | NO_NUMBER)) or (len(letters) > 3 and len(set(letters)) == 1)
