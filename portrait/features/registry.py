"""The one list of features. A new one is a file beside this and one name at the end: states store them by position."""

from __future__ import annotations

from typing import Any

import msgspec

from portrait.features import activity, basic, behaviour, consumption, contacts, feedback, needs, social
from portrait.features.base import Feature, Fold
from schemas.registry import TYPES

FEATURES: tuple[Feature, ...] = (
    activity.FEATURE,
    behaviour.FEATURE,
    consumption.FEATURE,
    needs.FEATURE,
    social.FEATURE,
    feedback.FEATURE,
    basic.FEATURE,
    contacts.FEATURE,
)

#: All parts of a customer's state: one attribute a feature, in the order above.
Parts: Any = msgspec.defstruct(
    "Parts",
    [(feature.name, feature.part, msgspec.field(default_factory=feature.part)) for feature in FEATURES],
    array_like=True,
    gc=False,
)


def _folds(data: type) -> tuple[tuple[int, str, Fold], ...]:
    found: list[tuple[int, str, Fold]] = []
    for index, feature in enumerate(FEATURES):
        if feature.every is not None:
            found.append((index, feature.name, feature.every))
        if data in feature.folds:
            found.append((index, feature.name, feature.folds[data]))
    return tuple(found)


#: For each type of event data: (index of the feature, its name, its fold).
FOLDS: dict[type, tuple[tuple[int, str, Fold], ...]] = {event.data: _folds(event.data) for _, event in TYPES.values()}
