"""The names by which a person is known: kinds of identities, and the one form in which each is written.

A record's key, and the ``other`` of a link, is an identity. ``KIND:VALUE`` with one of the kinds below is of that kind; any
other text is a customer id, and customer ids are the same only byte for byte. Values are normalised as this module says, so
that one address has one name; the colon after the kind (and after a platform or system, which hold none) is the first, so no
value can reach into another kind. Values that are personal by themselves are kept as keyed hashes (BLAKE2b, RFC 7693): who has
no key can't tell an address from its name, nor try all telephone numbers.
"""

from __future__ import annotations

import re
import unicodedata
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from schemas.customers import IdentityLinked, IdentityUnlinked
from schemas.event import CONTROL, CUSTOMER_ID_BYTES_MAX, Event, Rejection
from schemas.types import Alias

CUSTOMER, ANONYMOUS = "customer", "anonymous"
#: Best first: a person goes by the best of their identities, and where two links can't both join, the better kind's does.
KINDS = (CUSTOMER, "external", "phone", "email", "social", "device", ANONYMOUS)
RANK = {kind: rank for rank, kind in enumerate(KINDS)}
#: Kinds of which a person has one, unless somebody decided that two are one person's.
UNIQUE = frozenset((CUSTOMER,))
PERSONAL = frozenset(("email", "phone"))
#: Other words for these two, which publishers use as well: an address must not stand in the clear for the sake of a hyphen.
OTHER_WORDS = dict.fromkeys(("e-mail", "e_mail", "mail", "mailto", "email_address", "email-address", "邮箱", "电子邮件"), "email")
OTHER_WORDS |= dict.fromkeys(
    ("tel", "telephone", "mobile", "cell", "cellphone", "msisdn", "phone_number", "phone-number"), "phone"
)
OTHER_WORDS |= dict.fromkeys(("电话", "手机", "手机号"), "phone")
#: Their values name a platform or system first: ``social:weibo:HANDLE``.
SCOPED = frozenset(("social", "external"))
HASH_BYTES = 16
#: Stands before a hash. No e-mail address or telephone number begins with it.
HASHED = "~"
#: A kind, a colon in any width, a value: else EMAIL:… were a customer, in the clear.
_FORM = re.compile("([^:\uff1a\ufe55\ufe13]*)[:\uff1a\ufe55\ufe13](.*)", re.DOTALL)
_HASH = re.compile(f"{HASHED}[0-9a-f]{{{2 * HASH_BYTES}}}")
_BARE = re.compile(r"[^\s:@]+@[^\s:@]+\.[^\s:@]+|\+[0-9][0-9 ()-]{6,20}")
#: ITU-T E.164: at most 15 digits. Shorter than 5 is an extension, or an emergency.
PHONE_DIGITS = range(5, 16)
#: ITU-T E.164: country codes have one digit in the zones 1 and 7, two where listed, three elsewhere.
_ONE_DIGIT = "17"
_TWO_DIGITS = (
    "20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66 "
    "81 82 84 86 90 91 92 93 94 95 98"
)
#: Called without a country code, a number is of this country.
COUNTRY = "86"

#: Where nothing was known, programs write such values: they belong to many people, or to nobody.
BLOCKED_WORDS = frozenset(("anonymized", "anonymous", "default", "deleted", "example", "guest", "nil", "none", "null", "nan"))
BLOCKED_WORDS |= {"n/a", "na", "test", "tester", "undefined", "unknown"}
#: In front of an @: who is called Nan is somebody, and so may be a guest.
BLOCKED_LOCALS = BLOCKED_WORDS - {"default", "guest", "na", "nan", "nil", "tester"}
BLOCKED_NUMBERS = frozenset(("0", "1", "-1"))
BLOCKED_HOSTS = frozenset(("test.com", "example.com", "example.org", "example.net", "localhost", "invalid", "none.com"))
_RUN = re.compile(r"(.)\1*")  # one and the same character
_COUNTING = "01234567890123456789"


#: The events that are about a link.
LINKS = frozenset((IdentityLinked, IdentityUnlinked))
#: The field of further identities, as whoever counts refused values names it.
CARRIED = "identities"
REMEDY = "KIND:VALUE as docs/publishing.md says; e-mail addresses and numbers need PORTRAIT_IDENTITY_KEY"


class Identity(NamedTuple):
    """``id`` is the name under which its events are kept."""

    kind: str
    id: str


class BadIdentity(ValueError):
    """A value that can't be what its kind says; the message says why, and does not repeat it."""


class NoKey(BadIdentity):
    """There is nothing wrong with it but that nobody has told us the key for hashes."""


def identity_of(text: str, secret: bytes, country: str = COUNTRY) -> Identity:
    """The identity that a key names. ``secret``: 1 to 64 bytes. Raises BadIdentity."""
    form = _FORM.fullmatch(text)
    kind = _word(form[1]) if form else CUSTOMER
    if form is None or kind not in RANK or kind == CUSTOMER:
        return Identity(CUSTOMER, text)
    return _typed(kind, form[2], secret, country)


def may_have_form(key: str | bytes) -> bool:
    """Does it take `identity_of` to know? Quickly: is there a colon, in any width?"""
    return not key.isascii() or (":" in key if isinstance(key, str) else b":" in key)


def linked_of(other: str, kind: str, secret: bytes, country: str = COUNTRY) -> Identity:
    """The identity that a link names: ``other`` is a key, or the address or number itself if ``kind`` says so. Raises
    BadIdentity, also for what no key could be."""
    if not other or len(other.encode()) > CUSTOMER_ID_BYTES_MAX:
        raise BadIdentity(f"an identity has 1 to {CUSTOMER_ID_BYTES_MAX} bytes")
    if CONTROL.search(other):
        raise BadIdentity("it holds a control character")
    known = identity_of(other, secret, country)
    if known.kind != CUSTOMER:
        return known
    told = kind_told(kind)
    return _typed(told, other, secret, country) if told in PERSONAL else Identity(told, other)


def kind_of(name: str) -> str:
    """The kind that an identity's name shows."""
    kind, colon, _ = name.partition(":")
    return kind if colon and kind in RANK else CUSTOMER


def kind_told(kind: str) -> str:
    """What a publisher's word for a kind means. One that nobody knows (member, user) is a customer, whom no rule merges."""
    word = _word(kind)
    return word if word in RANK else CUSTOMER


def _word(kind: str) -> str:
    word = _plain(kind).casefold()
    return OTHER_WORDS.get(word, word)


def is_bare_address(name: str) -> bool:
    """Is it a customer id that looks like an e-mail address, or a number with its country? As such it is kept in the clear."""
    return _BARE.fullmatch(name) is not None


def others_of(event: Event) -> list[str]:
    """The identities of whose link with its key a named event says something."""
    data = event.data
    others = [alias.other for alias in data.identities]
    return [data.other, *others] if type(data) in LINKS and data.other != event.customer_id else others


def is_blocked(name: str) -> bool:
    """Does the value belong to nobody, so that it may join nobody?"""
    kind = kind_of(name)
    if kind == CUSTOMER:  # a shop may well have a customer 1, or 1111
        return name.casefold() in BLOCKED_WORDS
    value = name.partition(":")[2].casefold()
    if kind in SCOPED:
        value = value.partition(":")[2]
    if kind == "email":
        local, _, host = value.rpartition("@")
        return host in BLOCKED_HOSTS or local in BLOCKED_LOCALS
    bare = "".join(character for character in value if character.isalnum())
    if kind == "phone":
        return not value.startswith(HASHED) and (_is_made_up(bare) or _is_made_up(_national(bare)))
    return {value, bare} & (BLOCKED_WORDS | BLOCKED_NUMBERS) != set() or (len(bare) > 3 and bool(_RUN.fullmatch(bare)))


def _is_made_up(digits: str) -> bool:
    """One and the same digit, or counting from 0 or 1."""
    return bool(_RUN.fullmatch(digits)) or (digits.startswith(("0", "1")) and digits in _COUNTING)


def _national(digits: str) -> str:
    """An international number without its country code."""
    return digits[1 if digits[:1] in _ONE_DIGIT else 2 if digits[:2] in _TWO_DIGITS else 3 :]


def _typed(kind: str, value: str, secret: bytes, country: str) -> Identity:
    scope = ""
    if kind in SCOPED:
        scoped = _FORM.fullmatch(value)
        scope, value = (_plain(scoped[1]).casefold(), scoped[2]) if scoped else ("", value)
        if not scope or ":" in scope:  # ⩴ is made of colons, too
            raise BadIdentity(f"an identity of the kind {kind} names where it is known: {kind}:NAME:VALUE")
        scope += ":"
    if kind in PERSONAL and _HASH.fullmatch(value):  # as operators see it
        return Identity(kind, f"{kind}:{value}")
    value = _NORMAL[kind](value, country) if kind in _NORMAL else _plain(value)
    if not value:
        raise BadIdentity(f"an identity of the kind {kind} has no value")
    name = f"{kind}:{scope}{value}"
    if kind in PERSONAL and not is_blocked(name):
        name = f"{kind}:{HASHED}{_hash(name, secret)}"
    elif kind == "phone":  # so that it is its own name
        name = f"{kind}:+{value}"
    return Identity(kind, name)


def fingerprint(secret: bytes, country: str = COUNTRY) -> str:
    """By which another key, or country, is told: a hash of a constant under the key, and the country. "" without a key."""
    if not secret:
        return ""
    return f"{country} {blake2b(b'fingerprint', key=secret, digest_size=HASH_BYTES, person=b'portrait-fp').hexdigest()}"


class Namer:
    """Gives the identities of events their names. ``secret``: of the shop's; b"": what is personal is refused."""

    def __init__(self, secret: bytes = b"", country: str = COUNTRY) -> None:
        self._secret, self._country = secret, country

    def named(self, event: Event) -> Event | Rejection:
        """The event with its names, changed in place; or why it can't have them.

        Of the identities that it carries each is named once; what stands for nobody, or for its key, is left out. So is what can
        be no identity, and told (``refused``): what the event is about, an order, is not lost for a bad cookie beside it. But
        where only the key for hashes is missing the event waits as a dead letter: its link is whole, and the mistake is ours.
        """
        data, place = event.data, "key"
        try:
            if may_have_form(event.customer_id):
                event.customer_id = identity_of(event.customer_id, self._secret, self._country).id
            if type(data) in LINKS:
                place = "$.data.other"
                other = linked_of(data.other, data.kind, self._secret, self._country).id
                if other != data.other:
                    event.data = msgspec.structs.replace(data, other=other)
        except BadIdentity as error:
            return Rejection("bad-key", place, str(error), REMEDY)
        return self._with_carried(event) if data.identities else event

    def _with_carried(self, event: Event) -> Event | Rejection:
        found: dict[str, Alias] = {}
        for number, one in enumerate(event.data.identities):
            alias = one if isinstance(one, Alias) else Alias(other=one)
            try:
                other = linked_of(alias.other, alias.kind or CUSTOMER, self._secret, self._country).id
            except NoKey as error:
                return Rejection("bad-key", f"$.data.{CARRIED}[{number}]", str(error), REMEDY)
            except BadIdentity:
                event.refused += (CARRIED,)
                continue
            if other != event.customer_id and not is_blocked(other):
                found.setdefault(other, msgspec.structs.replace(alias, other=other))
        event.data = msgspec.structs.replace(event.data, identities=tuple(found.values()))
        return event


def _hash(name: str, secret: bytes) -> str:
    if not secret:
        raise NoKey("e-mail addresses and telephone numbers are kept as hashes, and no key for these is set")
    return blake2b(name.encode(), key=secret, digest_size=HASH_BYTES, person=b"portrait-id").hexdigest()


def _plain(text: str) -> str:
    """NFKC (full width and half width are one), without what can't be seen, and without blanks at the ends."""
    if text.isascii() and text.isprintable():  # the usual, quickly
        return text.strip()
    shown = (c for c in unicodedata.normalize("NFKC", text) if unicodedata.category(c) not in ("Cc", "Cf"))
    return "".join(shown).strip()


def _email(text: str, country: str) -> str:
    """Without regard to case, as every large provider does; dots and what follows a plus are part of the address."""
    if text.startswith(HASHED):
        return _already(text)
    local, at, host = _plain(text).casefold().rpartition("@")
    host = host.rstrip(".")
    if not at or not local or not host or " " in local + host or "@" in local:
        raise BadIdentity("not an e-mail address: one @ between a name and a host")
    try:
        return f"{local}@{host.encode('idna').decode()}"
    except UnicodeError as error:
        raise BadIdentity("not an e-mail address: the host is no domain name") from error


def _phone(text: str, country: str) -> str:
    """The digits of E.164: with a plus or 00 as they are, else of ``country``, without the 0 that is dialled within it.

    What is one and the same digit is nobody's number anywhere, so it stays as it is, however long.
    """
    if text.startswith(HASHED):
        return _already(text)
    plain = _plain(text).replace("(0)", "").lstrip("( ")
    digits = "".join(str(unicodedata.decimal(c)) for c in plain if unicodedata.decimal(c, None) is not None)
    if any(c.isalpha() for c in plain):
        raise BadIdentity("not a telephone number: it holds letters")
    if _RUN.fullmatch(digits):
        return digits[: PHONE_DIGITS[-1]]
    if not plain.startswith("+"):
        digits = digits[2:] if digits.startswith("00") else country + digits.removeprefix("0")
    if len(digits) not in PHONE_DIGITS:
        raise BadIdentity(f"not a telephone number: {PHONE_DIGITS[0]} to {PHONE_DIGITS[-1]} digits")
    return digits


def _already(text: str) -> str:
    raise BadIdentity("neither an address or number, nor the hash of one")


def _social(text: str, country: str) -> str:
    return _plain(text).casefold().lstrip("@ ")


_NORMAL = {"email": _email, "phone": _phone, "social": _social}
