"""Who a customer is, and what they have agreed to: attributes, external ids, consent; from ``customers``.

Of external ids and consent the latest word wins. Of an attribute that of the most trusted system (`schemas.trust`), and of its
words the latest; the best word of another system is kept beside it, so that it can be said that systems disagree.
"""

from __future__ import annotations

from typing import Any

from portrait.features.base import Feature, Part
from portrait.merging import registers
from portrait.structures import MORE, NEVER, Register, assign
from schemas.customers import AttributesChanged, ConsentChanged, ExternalIdAssigned
from schemas.event import Event
from schemas.trust import trust

ATTRIBUTES_MAX, EXTERNAL_MAX, PURPOSES_MAX = 32, 8, 16


class Basic(Part, array_like=True, gc=False):
    attributes: dict[str, Register] | None = None
    external: dict[str, Register] | None = None
    consent: dict[str, Register] | None = None
    others: dict[str, Register] | None = None  # attribute -> the best word of a system other than the one that is believed


def changed(part: Basic, event: Event, today: int) -> None:
    data: AttributesChanged = event.data
    for name, value in data.attributes.items():
        tell(part, name, Register(event.time_ms, value.strip(), data.system))


def tell(part: Basic, name: str, new: Register) -> None:
    """Keep the two best words of different systems: what comes third now would never be among them later."""
    if part.attributes is None:
        part.attributes = {}
    first = part.attributes.get(name)
    if first is None:
        if len(part.attributes) < ATTRIBUTES_MAX:
            part.attributes[name] = new
        else:
            part.attributes[MORE] = Register(0, "")
            part.others = (part.others or {}) | {MORE: Register(0, "")}
        return
    second = part.others.get(name) if part.others is not None else None
    if weight(new) > weight(first):
        part.attributes[name] = new
        if new.by == first.by:
            return
        new = first
    elif new.by == first.by:
        return
    if second is None or second.by == part.attributes[name].by or weight(new) > weight(second):
        part.others = (part.others or {}) | {name: new}


def weight(register: Register) -> tuple[int, int, str, str]:
    """What is greater is believed."""
    return trust(register.by), register.ms, register.value, register.by


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
        "disputed": _disputed(part),
    }
    return {key: value for key, value in shown.items() if value} or None, NEVER


def newest(part: Basic) -> int:
    return max(
        (r.ms for registers in (part.attributes, part.external, part.consent) for r in (registers or {}).values()), default=0
    )


def _disputed(part: Basic) -> dict[str, dict[str, str]]:
    """Where another system says something else: whom we believe, who disagrees, and what they say."""
    told = part.attributes or {}
    return {
        name: {"told_by": told[name].by, "other": other.by, "says": other.value}
        for name, other in sorted((part.others or {}).items())
        if name and other.value and not _agree(told[name].value, other.value)
    }


def _agree(value: str, other: str) -> bool:
    """Whether one says what the other says, perhaps more exactly: 1990, and 1990-06-15."""
    return value == other or (value[:4].isdigit() and (other.startswith(f"{value}-") or value.startswith(f"{other}-")))


def merge(a: Basic, b: Basic) -> Basic:
    merged = Basic(
        attributes=_copy(a.attributes),
        external=_merge_external(a.external, b.external),
        consent=_merge_consent(a.consent, b.consent),
        others=_copy(a.others),
    )
    for told in (b.attributes or {}, b.others or {}):
        for name, register in told.items():
            if name != MORE:
                tell(merged, name, register)
    if b.attributes and MORE in b.attributes:
        merged.attributes = (merged.attributes or {}) | {MORE: Register(0, "")}
        merged.others = (merged.others or {}) | {MORE: Register(0, "")}
    return merged


_merge_external, _merge_consent = registers(EXTERNAL_MAX), registers(PURPOSES_MAX)


def _copy(told: dict[str, Register] | None) -> dict[str, Register] | None:
    return None if told is None else dict(told)


FEATURE = Feature(
    name="basic",
    part=Basic,
    folds={AttributesChanged: changed, ExternalIdAssigned: assigned, ConsentChanged: consented},
    merge=merge,
    view=view,
    newest=newest,
)
