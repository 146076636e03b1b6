"""The one list of derived dimensions. A new one is a file beside this and one name at the end: states know them by position."""

from __future__ import annotations

from portrait.dimensions import (
    brand,
    channels,
    competitors,
    decisions,
    experience,
    habits,
    influence,
    media,
    motivation,
    outlook,
    person,
    provenance,
    situation,
    technology,
    use,
)
from portrait.dimensions.base import Dimension
from portrait.features.registry import FEATURES

DIMENSIONS: tuple[Dimension, ...] = (
    channels.DIMENSION,
    media.DIMENSION,
    situation.DIMENSION,
    technology.DIMENSION,
    outlook.DIMENSION,
    provenance.DIMENSION,
    influence.DIMENSION,
    experience.DIMENSION,
    use.DIMENSION,
    person.DIMENSION,
    decisions.DIMENSION,
    habits.DIMENSION,
    motivation.DIMENSION,
    brand.DIMENSION,
    competitors.DIMENSION,
)

#: For each feature, by its number: the numbers of the dimensions that read it.
READ_BY: tuple[frozenset[int], ...] = tuple(
    frozenset(number for number, dimension in enumerate(DIMENSIONS) if feature.name in dimension.reads) for feature in FEATURES
)
