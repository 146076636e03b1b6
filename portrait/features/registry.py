"""The one list of features. A new one is a file beside this and one name at the end: states store them by position."""

from __future__ import annotations

from typing import Any

import msgspec

from portrait.features import (
    activity,
    basic,
    behaviour,
    concerns,
    consumption,
    contacts,
    context,
    feedback,
    interests,
    needs,
    rivals,
    social,
    sources,
    voice,
)
from portrait.features.base import Feature, Fold, Part
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
    context.FEATURE,
    sources.FEATURE,
    rivals.FEATURE,
    interests.FEATURE,
    voice.FEATURE,
    concerns.FEATURE,
)

#: All parts of a customer's state: one attribute a feature, in the order above; None until an event touches it.
Parts: Any = msgspec.defstruct(
    "Parts", [(feature.name, feature.part | None, None) for feature in FEATURES], array_like=True, gc=False
)
#: A part without events, to read from. Never to be changed.
NOTHING: Any = Parts(**{feature.name: feature.part() for feature in FEATURES})


def merge_parts(a: Any, b: Any) -> Any:
    """The `Parts` of two identities as one person's. Neither is changed, and the result shares nothing with them."""
    merged = {}
    for feature in FEATURES:
        one, other = getattr(a, feature.name), getattr(b, feature.name)
        if one is not None or other is not None:
            empty = getattr(NOTHING, feature.name)
            merged[feature.name] = feature.merge(empty if one is None else one, empty if other is None else other)
    return Parts(**merged)


def _folds(data: type) -> tuple[tuple[int, str, type[Part], Fold], ...]:
    found: list[tuple[int, str, type[Part], Fold]] = []
    for index, feature in enumerate(FEATURES):
        if feature.every is not None:
            found.append((index, feature.name, feature.part, feature.every))
        if data in feature.folds:
            found.append((index, feature.name, feature.part, feature.folds[data]))
    return tuple(found)


#: For each type of event data: (index of the feature, its name, its part, its fold).
FOLDS: dict[type, tuple[tuple[int, str, type[Part], Fold], ...]] = {event.data: _folds(event.data) for _, event in TYPES.values()}
