"""One form for what means the same, and nothing where a value can't be right: applied to every event as it is decoded.

Full-width letters become half-width (Unicode NFKC), blanks are made one, names lose their case, channels, devices, regions,
payments and attributes get one name in whatever language they came (`schemas.vocabulary`, `schemas.attributes`). Pure and
idempotent. A value that can't be right is left out, its field is told to whoever counts it, and the event stays.

Names come from small vocabularies, so what is clean is remembered: most events are looked at in a microsecond.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from operator import attrgetter
from typing import Any, NamedTuple

from msgspec.structs import replace

from schemas.attributes import ATTRIBUTES, attribute_of, value_of
from schemas.clicks import AppOpened, CartChanged, ContentEngaged, ItemViewed, PageViewed, Searched, StoreVisited
from schemas.complaints import ComplaintOpened, ComplaintResolved, ComplaintUpdated
from schemas.contacts import ContactClicked, ContactDelivered, ContactOpened, ContactRefused, ContactSent
from schemas.customers import AttributesChanged, ConsentChanged
from schemas.feedback import ConversationClosed
from schemas.names import LINE_LENGTH_MAX, NAME_LENGTH_MAX, one_line, plain, region, squeezed, titled
from schemas.orders import OrderPlaced
from schemas.social import AccountFollowed, MentionPosted, MentionShared
from schemas.vocabulary import DEVICES, PAYMENTS, PURPOSES, ROUTES

#: Different names of a kind that are remembered: thousands of times what a shop has.
REMEMBERED = 20_000

#: What was wrong with an event: fields of which a value was left out, each as often.
Refused = tuple[str, ...]
NONE_REFUSED: Refused = ()


def _named(names: Mapping[str, str]) -> Callable[[str], str | None]:
    """Names of a vocabulary by any of their words; others are plain."""

    def known(name: str) -> str | None:
        found = plain(name)
        return found and names.get(squeezed(found), found)

    return known


route, device, payment, purpose = _named(ROUTES), _named(DEVICES), _named(PAYMENTS), _named(PURPOSES)


def query(text: str) -> str | None:
    """A search, as one line; its case is the counter's to fold."""
    return one_line(text, LINE_LENGTH_MAX, fold=False) or None


class Kind:
    """A way to clean, and what it knows to be clean."""

    __slots__ = ("_found", "clean", "of")

    def __init__(self, of: Callable[[str], str | None]) -> None:
        self.of = of
        self.clean: set[str | None] = {None}
        self._found: dict[str, str | None] = {}

    def __call__(self, value: str) -> str | None:
        """The clean value. None: it says nothing."""
        if value in self.clean:
            return value
        if value in self._found:
            return self._found[value]
        if len(self.clean) + len(self._found) > REMEMBERED:  # somebody's vocabulary has no end
            self.clean.clear()
            self.clean.add(None)
            self._found.clear()
        found = self.of(value)
        if found == value:
            self.clean.add(value)
        else:
            self._found[value] = found
        return found


ROUTE, DEVICE, REGION, PAYMENT, PURPOSE = Kind(route), Kind(device), Kind(region), Kind(payment), Kind(purpose)
PLAIN, BRAND, QUERY = Kind(plain), Kind(titled), Kind(query)


class Looked(NamedTuple):
    """Fields of one kind of an event type: ``values`` takes them all at once."""

    kind: Kind
    fields: tuple[str, ...]
    values: Callable[[Any], tuple[str | None, ...]]
    required: bool = False  # what says nothing stays as it came: there is no event without it


def _look(kind: Kind, *fields: str, required: bool = False) -> Looked:
    """(A getter of one name alone would give no tuple.)"""
    return Looked(kind, fields, attrgetter(*fields, *fields[:1]), required)


_TOUCH = (_look(ROUTE, "channel"), _look(DEVICE, "device"), _look(REGION, "region"))
_AROUND = ("place", "weather", "occasion")
_MESSAGE = (_look(ROUTE, "channel", required=True),)
_PLATFORM = (_look(ROUTE, "platform", required=True),)
#: For each type of data with names in it.
LOOKED: dict[type, tuple[Looked, ...]] = {
    PageViewed: (*_TOUCH, _look(PLAIN, *_AROUND)),
    ItemViewed: (*_TOUCH, _look(PLAIN, *_AROUND, "category"), _look(BRAND, "brand")),
    Searched: (*_TOUCH, _look(PLAIN, *_AROUND), _look(QUERY, "query", required=True)),
    CartChanged: (*_TOUCH, _look(PLAIN, *_AROUND, "category")),
    ContentEngaged: (*_TOUCH, _look(PLAIN, *_AROUND, "topic")),
    AppOpened: (*_TOUCH, _look(PLAIN, *_AROUND)),
    StoreVisited: (*_TOUCH, _look(PLAIN, *_AROUND), _look(PLAIN, "store", required=True)),
    OrderPlaced: (_look(ROUTE, "channel"), _look(PAYMENT, "payment_method"), _look(PLAIN, "occasion")),
    ComplaintOpened: (_look(ROUTE, "channel"), _look(PLAIN, "category")),
    ComplaintUpdated: (_look(PLAIN, "category"),),
    ComplaintResolved: (_look(PLAIN, "category", "resolution"),),
    ConversationClosed: _MESSAGE,
    ConsentChanged: (_look(PURPOSE, "purpose", required=True),),
    **dict.fromkeys((MentionPosted, MentionShared, AccountFollowed), _PLATFORM),
    **dict.fromkeys((ContactSent, ContactDelivered, ContactOpened, ContactClicked, ContactRefused), _MESSAGE),
}
#: Lists of names.
_LISTS = (("topics", PLAIN), ("brands", BRAND), ("rivals", BRAND))
#: All fields that may be refused, but for attributes that are not ours, whose names anybody may choose.
FIELDS = frozenset(
    (
        *(field for groups in LOOKED.values() for group in groups for field in group.fields),
        *(name for name, _ in _LISTS),
        *ATTRIBUTES,
    )
)


def clean(data: Any, time_ms: int) -> tuple[Any, Refused]:
    """The data of an event of that time in one form, and the fields of which a value was left out."""
    kind = type(data)
    looked = LOOKED.get(kind)
    if looked is None:
        return _attributes(data, time_ms) if kind is AttributesChanged else (data, NONE_REFUSED)
    for each in looked:
        if not each.kind.clean.issuperset(each.values(data)):
            data, refused = _mended(data, looked)
            break
    else:
        refused = NONE_REFUSED
    more = _INSIDE.get(kind)
    return more(data, refused) if more is not None else (data, refused)


def _mended(data: Any, looked: tuple[Looked, ...]) -> tuple[Any, Refused]:
    changed: dict[str, str | None] = {}
    refused: list[str] = []
    for kind, fields, _, required in looked:
        for field in fields:
            value = getattr(data, field)
            found = kind(value) if value is not None else None
            if found is None and value is not None:
                refused.append(field)
                found = value if required else None
            if found != value:
                changed[field] = found
    return (replace(data, **changed) if changed else data), tuple(refused)


def _lines(data: OrderPlaced, refused: Refused) -> tuple[OrderPlaced, Refused]:
    """The articles of an order."""
    for line in data.lines:
        if line.category not in PLAIN.clean or line.brand not in BRAND.clean:
            break
    else:
        return data, refused
    lines = []
    for line in data.lines:
        category = PLAIN(line.category) if line.category is not None else None
        brand = BRAND(line.brand) if line.brand is not None else None
        refused += ("category",) * (category is None and line.category is not None)
        refused += ("brand",) * (brand is None and line.brand is not None)
        lines.append(replace(line, category=category, brand=brand))
    return replace(data, lines=lines), refused


def _lists(data: Any, refused: Refused) -> tuple[Any, Refused]:
    """Names that a mention lists."""
    changed: dict[str, list[str]] = {}
    for field, kind in _LISTS:
        names = getattr(data, field)
        if names and not kind.clean.issuperset(names):
            found = [kind(name) for name in names]
            refused += (field,) * found.count(None)
            changed[field] = [name for name in found if name is not None]
    return (replace(data, **changed) if changed else data), refused


_INSIDE: dict[type, Callable[[Any, Refused], tuple[Any, Refused]]] = {
    OrderPlaced: _lines,
    **dict.fromkeys((MentionPosted, MentionShared, AccountFollowed), _lists),
}


def _attributes(data: AttributesChanged, time_ms: int) -> tuple[AttributesChanged, Refused]:
    """What a CRM tells, by our names and in our words. Of two that mean the same the greater value stands."""
    found: dict[str, str] = {}
    refused: list[str] = []
    for name, text in data.attributes.items():
        attribute = attribute_of(name)
        value = value_of(attribute, text, time_ms) if text.strip() else ""
        if value is None:
            refused.append(attribute)
        else:
            found[attribute] = max(value, found.get(attribute, ""))
    system = system_of(data.system)
    if found == data.attributes and system == data.system:
        return data, NONE_REFUSED
    return replace(data, attributes=found, system=system), tuple(refused)


@lru_cache(REMEMBERED)
def system_of(name: str) -> str:
    """A system without case: the order of trust knows it by its name."""
    return one_line(name, NAME_LENGTH_MAX) or name
