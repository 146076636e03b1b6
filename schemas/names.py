"""The form of names: half-width, without invisible characters, blanks made one, without case; places by their short names."""

from __future__ import annotations

from unicodedata import normalize

from schemas.vocabulary import NOTHING_SAID, PLACES, PROVINCE_ENDS, PROVINCES

#: As `schemas.types.Name` and `Line` have it: some letters become several when they are cleaned.
NAME_LENGTH_MAX, LINE_LENGTH_MAX = 64, 256
#: Zero-width space, word joiner, byte order mark, soft hyphen: seen by nobody, and different all the same.
_INVISIBLE = dict.fromkeys((0x200B, 0x2060, 0xFEFF, 0x00AD))
#: Folding may undo the normal form, and the other way round: Unicode's NFKC_Casefold needs two rounds, rarely three.
_ROUNDS = 4


def one_line(text: str, length_max: int = NAME_LENGTH_MAX, *, fold: bool = True) -> str:
    """Unicode NFKC, trimmed, each run of blanks one blank; ``fold``: case folded. Applied twice it is as applied once."""
    for _ in range(_ROUNDS):
        found = normalize("NFKC", text.translate(_INVISIBLE))
        found = " ".join((found.casefold() if fold else found).split())[:length_max].rstrip()
        if found == text:
            break
        text = found
    return text


def squeezed(name: str) -> str:
    """Without what stands between words."""
    return name.replace(" ", "").replace("-", "").replace("_", "")


def plain(name: str) -> str | None:
    """A name without case. None: it says nothing."""
    found = one_line(name)
    return None if not found or found in NOTHING_SAID else found


def titled(name: str) -> str | None:
    """A brand: each word with a capital, whatever case it came in."""
    found = plain(name)
    return found and " ".join(word[:1].upper() + word[1:] if word[:1].isascii() else word for word in found.split(" "))


def region(name: str) -> str | None:
    """A place: Chinese ones by their short Chinese name, the city where province and city are given; others titled."""
    found = plain(name)
    while found is not None and (short := _shorter(found)) != found.casefold():
        if short in PLACES.values():
            return short
        found = short
    return found and titled(found)


def _shorter(name: str) -> str:
    """The short name of a Chinese place, as far as one step goes; what is not known as one, as it is."""
    known = PLACES.get(squeezed(name).replace("'", ""))
    if known or name.isascii():
        return known or name
    for end in PROVINCE_ENDS:
        if name.endswith(end) and name.removesuffix(end) in PROVINCES:
            return name.removesuffix(end)
    province = next((province for province in PROVINCES if name.startswith(province)), "")
    if province:
        rest = name.removeprefix(province)
        rest = next((rest.removeprefix(end) for end in PROVINCE_ENDS if rest.startswith(end)), rest).strip()
        if rest in PLACES or (len(rest) > 2 and rest.endswith("市")):
            return rest
    return name.removesuffix("市").rstrip() if len(name) > 2 else name
