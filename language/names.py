"""Names of rivals, own brands and products, found in texts: a list that the service is given, not one that we ship.

A name has other spellings; a text is read in the form of `language.text`, so width, case and script of either don't matter.
What is found stands in the event as if its publisher had said it: facts are then a function of the event and of the list, so
whoever folds a log needs the list that the workers have (docs/language.md).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from language.text import normalise
from schemas.complaints import ComplaintOpened
from schemas.names import titled
from schemas.social import MentionPosted, MentionShared

#: A mention holds so many names, as its schema says; what its publisher told stands first.
NAMES_MAX = 20
SPELLINGS_MAX = 5_000
SPELLING_LENGTH_LEAST = 2

_LATIN = "[a-z0-9]"
_JOINTS = re.compile("[ -]+")
#: Where a name may begin: not within a Latin word.
_BEGINS = re.compile(rf"(?<!{_LATIN})\S|[^\sa-z0-9]")
Spellings = Annotated[list[Annotated[str, Meta(max_length=64)]], Meta(max_length=50)]


class Book(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Names of three kinds, each with its further spellings: ``{"rivals": {"FeatherRun": ["轻羽"]}}``.

    Rivals and brands get the one form that they have in mentions, products stay as they are written here. ``never`` holds
    longer words in which a name is none: ``["年轻羽毛球"]``.
    """

    rivals: dict[str, Spellings] = {}
    brands: dict[str, Spellings] = {}
    products: dict[str, Spellings] = {}
    never: Annotated[list[Annotated[str, Meta(max_length=64)]], Meta(max_length=SPELLINGS_MAX)] = []


class Names:
    """Finds names. Immutable."""

    def __init__(self, book: Book) -> None:
        """Raises ValueError for a name that can't be one, or that stands for two things."""
        self._rivals = _Finder("rivals", book.rivals, titled, book.never)
        self._brands = _Finder("brands", book.brands, titled, book.never)
        self._products = _Finder("products", book.products, str.strip, book.never)

    def read(self, data: Any) -> Any:
        """The data of an event, with what its text names. Posts and shares: rivals, brands. Opened complaints: the product."""
        text = getattr(data, "text", None)
        if not text:
            return data
        if isinstance(data, MentionPosted | MentionShared):
            text = normalise(text)
            rivals, brands = self._rivals.among(text, data.rivals), self._brands.among(text, data.brands)
            changed = rivals is not data.rivals or brands is not data.brands
            return replace(data, rivals=rivals, brands=brands) if changed else data
        if isinstance(data, ComplaintOpened) and data.product is None:
            found = self._products.found(normalise(text))
            return replace(data, product=found[0]) if len(found) == 1 else data  # of two, which one is meant is not known
        return data


class _Finder:
    """By the first two characters, so that the time grows little with the number of names."""

    def __init__(
        self, kind: str, names: Mapping[str, Sequence[str]], of: Callable[[str], str | None], never: Sequence[str]
    ) -> None:
        self._name: dict[str, str] = {}  # by spelling, without blanks and hyphens
        self._begun: dict[str, list[re.Pattern[str]]] = {}
        spellings: set[str] = set()
        for given, others in names.items():
            name = of(given)
            if not name:
                raise ValueError(f"{kind}: {given!r} is no name")
            for spelling in (given, *others):
                spellings.add(self._add(kind, name, spelling))
        if len(self._name) > SPELLINGS_MAX:
            raise ValueError(f"{kind}: {len(self._name):,} spellings, of which at most {SPELLINGS_MAX:,} can be looked for")
        if spellings:
            spellings |= {self._add("never", "", word) for word in never}  # found as nobody's
        # The longest first: "feather run pro" is not "feather run".
        for spelling in sorted(spellings, key=lambda spelling: (-len(spelling), spelling)):
            form = _JOINTS.sub("", spelling)
            for begin in (form[:2], f"{form[0]} ", f"{form[0]}-"):
                self._begun.setdefault(begin, []).append(_whole(spelling))

    def _add(self, kind: str, name: str, spelling: str) -> str:
        """In the form in which it is looked for."""
        normal = normalise(spelling).strip("- ")
        form = _JOINTS.sub("", normal)
        if len(form) < SPELLING_LENGTH_LEAST:
            raise ValueError(f"{kind}: {name or spelling}: the spelling {spelling!r} is too short to be found in texts")
        if self._name.setdefault(form, name) != name:
            raise ValueError(f"{kind}: {spelling!r} stands for {self._name[form]!r} and for {name or 'nothing'!r}")
        return normal

    def found(self, text: str) -> list[str]:
        """Names in a normalised text, each once, in order of the names."""
        if not self._begun:
            return []
        names: set[str] = set()
        at = 0
        while begin := _BEGINS.search(text, at):
            at = begin.start()
            matches = (spelling.match(text, at) for spelling in self._begun.get(text[at : at + 2], ()))
            match = next(filter(None, matches), None)
            if match is None:
                at += 1
            else:
                names.add(self._name[_JOINTS.sub("", match[0])])
                at = match.end()
        return sorted(names - {""})

    def among(self, text: str, told: list[str]) -> list[str]:
        """``told`` itself where nothing is to be added."""
        new = [name for name in self.found(text) if name not in told][: max(0, NAMES_MAX - len(told))]
        return [*told, *new] if new else told


def _whole(spelling: str) -> re.Pattern[str]:
    """Latin words are found as words, Chinese ones anywhere; blanks and hyphens between words, or words and Chinese, may lack."""
    before = f"(?<!{_LATIN})" if re.match(_LATIN, spelling) else ""
    after = f"(?!{_LATIN})" if re.match(_LATIN, spelling[-1]) else ""
    return re.compile(before + "[ -]?".join(map(re.escape, _JOINTS.split(spelling))) + after)


def load(content: bytes) -> Names:
    """From JSON (`Book`). Raises ValueError (also msgspec's) with the place."""
    return Names(msgspec.json.decode(content, type=Book))
