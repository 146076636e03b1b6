"""The one list of tags: what the files of this package declare. A new tag is a line in one of them; a new file is named here."""

from __future__ import annotations

from collections.abc import Mapping
from zlib import crc32

from portrait.dimensions.registry import DIMENSIONS
from portrait.tags import behaviour, buying, contact, person, relations, service, standing
from portrait.tags.base import STANDING, Tag

TAGS: tuple[Tag, ...] = tuple(
    sorted(tag for declared in (standing, person, behaviour, buying, service, contact, relations) for tag in declared.TAGS)
)
BY_NUMBER: Mapping[int, Tag] = {tag.number: tag for tag in TAGS}
BY_ID: Mapping[str, Tag] = {tag.id: tag for tag in TAGS}

#: For each derived dimension, by its number: the tags that rest on it.
RESTING_ON: tuple[tuple[Tag, ...], ...] = tuple(
    tuple(tag for tag in TAGS if tag.of == dimension.name) for dimension in DIMENSIONS
)
OF_STANDING: tuple[Tag, ...] = tuple(tag for tag in TAGS if tag.of == STANDING)

#: Another one, and the tags of whoever is looked at next are all made anew.
DIGEST = crc32(repr([(tag.number, tag.id, tag.of, tag.rule.words, tag.weight) for tag in TAGS]).encode())
