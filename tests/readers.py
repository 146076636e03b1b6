"""What readers see of a profile, held against the state that it was shown from: for the judges of simulation and fault run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from zlib import crc32

import msgspec

from portrait.dimensions.registry import DIMENSIONS
from portrait.features.registry import FEATURES
from portrait.lifecycle import reason_of, stage_at
from portrait.state import State
from portrait.structures import DAY_MS
from portrait.tags.held import told

Fields = Mapping[str, bytes]


def equal(a: Any, b: Any) -> bool:
    return bool(a == b)


def unlike(state: State, fields: Fields, alike: Callable[[Any, Any], bool] = equal) -> list[str]:
    """Names of the fields that are not what the state shows, or that are not there.

    Features and the lifecycle are shown afresh, as of the day that the state was shown for. Derived dimensions may wait for more
    events by design, so of them the state says itself what it has shown.
    """
    expected = {feature.name: _shown(state, feature) for feature in FEATURES}
    expected |= {"version": state.version, "churn_risk": None if state.risk is None else float(f"{state.risk:.4f}")}
    expected["tags"] = _decoded(msgspec.json.encode(told(state.tags))) if state.tags else None
    wrong = [name for name, value in expected.items() if not alike(_decoded(fields.get(name)), value)]
    wrong += [
        dimension.name
        for number, dimension in enumerate(DIMENSIONS)
        if (None if (shown := fields.get(dimension.name)) is None else crc32(shown)) != state.shown.get(number)
    ]
    if fields.get("stage") != state.stage.encode():
        wrong.append("stage")
    return wrong + ["lifecycle"] * (not _alive(state, _decoded(fields.get("lifecycle"))))


def _shown(state: State, feature: Any) -> Any:
    part = getattr(state.parts, feature.name)
    view = None if part is None else feature.view(part, state.shown_day)[0]
    return _decoded(msgspec.json.encode(view))


def _alive(state: State, lifecycle: Any) -> bool:
    stage = stage_at(state.rhythm, state.shown_day, state.parts.activity.first_ms // DAY_MS)
    expected = {"stage": stage.name, "since_ms": stage.since_day * DAY_MS, "why": reason_of(stage, state.rhythm)}
    return bool(lifecycle) and {name: lifecycle.get(name) for name in expected} == _decoded(msgspec.json.encode(expected))


def _decoded(value: bytes | None) -> Any:
    return None if value is None else msgspec.json.decode(value)
