"""Who a customer is, and what they have agreed to: attributes, external ids, consent; from ``customers``.

The latest word wins."""

from __future__ import annotations

from typing import Any

from portrait.features.base import Feature, Part
from portrait.structures import NEVER, Register, assign
from schemas.customers import AttributesChanged, ConsentChanged, ExternalIdAssigned
from schemas.event import Event

ATTRIBUTES_MAX, EXTERNAL_MAX, PURPOSES_MAX = 32, 8, 16


class Basic(Part, array_like=True, gc=False):
    attributes: dict[str, Register] | None = None
    external: dict[str, Register] | None = None
    consent: dict[str, Register] | None = None


def changed(part: Basic, event: Event, today: int) -> None:
    data: AttributesChanged = event.data
    for name, value in data.attributes.items():
        part.attributes = assign(part.attributes, name, Register(event.time_ms, value.strip(), data.system), ATTRIBUTES_MAX)


def assigned(part: Basic, event: Event, today: int) -> None:
    part.external = assign(part.external, event.data.system, Register(event.time_ms, event.data.external_id), EXTERNAL_MAX)


def consented(part: Basic, event: Event, today: int) -> None:
    data: ConsentChanged = event.data
    # At one and the same moment a refusal wins: "granted" sorts before "refused".
    part.consent = assign(
        part.consent, data.purpose, Register(event.time_ms, "granted" if data.granted else "refused", data.basis), PURPOSES_MAX
    )


def _values(registers: dict[str, Register] | None) -> dict[str, str]:
    return {key: r.value for key, r in sorted((registers or {}).items()) if key and r.value}


def view(part: Basic, today: int) -> tuple[dict[str, Any] | None, int]:
    shown = {
        "attributes": _values(part.attributes),
        "external_ids": _values(part.external),
        "consent": _values(part.consent),
    }
    return {key: value for key, value in shown.items() if value} or None, NEVER


FEATURE = Feature(
    name="basic",
    part=Basic,
    folds={AttributesChanged: changed, ExternalIdAssigned: assigned, ConsentChanged: consented},
    view=view,
)
