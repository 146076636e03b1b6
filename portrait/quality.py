"""How good the data are: of many customers' states, how complete, fresh and valid each component of the portrait is. Pure.

*Complete*: the share of customers of whom the component tells anything. *Fresh*: how old its newest evidence is. *Valid*: of
the values that came for it, the share that cleaning did not refuse; of counts by name that have overflown at least so many came.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from portrait.components import COMPONENTS, Component
from portrait.dimensions.base import Facts
from portrait.dimensions.registry import DIMENSIONS
from portrait.features.registry import FEATURES
from portrait.state import State
from portrait.structures import DAY_MS, MORE
from schemas.identity import CARRIED, is_bare_address

#: Evidence no older than this is fresh.
FRESH_DAYS = 30
FEATURE_OF = {feature.name: feature for feature in FEATURES}
NUMBER_OF = {dimension.name: number for number, dimension in enumerate(DIMENSIONS)}
#: Where the accepted values of an event's field are counted: (feature, member).
COUNTED: Mapping[str, tuple[tuple[str, str], ...]] = {
    "channel": (("activity", "channels"),),
    "device": (("behaviour", "devices"),),
    "region": (("behaviour", "regions"),),
    "category": (("behaviour", "categories"), ("consumption", "categories"), ("needs", "categories")),
    "brand": (("behaviour", "brands"), ("consumption", "brands")),
    "query": (("behaviour", "searches"),),
    "store": (("behaviour", "stores"),),
    "topic": (("behaviour", "topics"),),
    "payment_method": (("consumption", "methods"),),
    "place": (("context", "places"),),
    "weather": (("context", "weather"),),
    "occasion": (("context", "occasions"),),
    "platform": (("social", "platforms"),),
    "topics": (("social", "topics"),),
    "brands": (("social", "brands"),),
    "purpose": (("basic", "consent"),),
}


class Quality(msgspec.Struct, kw_only=True):
    """One component over many customers. Days are UTC days."""

    name: str
    zh: str
    customers: int = 0
    have: int = 0
    accepted: int = 0
    refused: int = 0
    ages: dict[int, int] = {}  # days since its newest evidence -> customers who have it, and for whom that is kept

    @property
    def complete(self) -> float | None:
        return self.have / self.customers if self.customers else None

    @property
    def valid(self) -> float | None:
        """None: nothing of it is checked, or nothing came."""
        came = self.accepted + self.refused
        return self.accepted / came if came else None

    @property
    def fresh(self) -> float | None:
        known = sum(self.ages.values())
        return sum(n for age, n in self.ages.items() if age < FRESH_DAYS) / known if known else None

    @property
    def median_age_days(self) -> int | None:
        half = sum(self.ages.values()) / 2
        seen = 0
        for age in sorted(self.ages):
            seen += self.ages[age]
            if seen >= half:
                return age
        return None


class Assessment:
    """Takes one state after the other, and keeps sums only."""

    def __init__(self, today: int) -> None:
        self.today = today
        self.customers = 0
        self.in_clear = 0  # of all ids, also those without events: addresses and numbers that no kind makes a hash of
        self.components = {component.name: Quality(name=component.name, zh=component.zh) for component in COMPONENTS}
        self.fields: dict[str, list[int]] = {}  # field -> [accepted, refused]
        self.sources: dict[str, list[int]] = {}  # source -> [events, refused values]
        self.disputed: Counter[str] = Counter()  # attribute -> customers of whom systems say different things

    def take_id(self, name: str) -> None:
        self.in_clear += is_bare_address(name)

    def take(self, state: State) -> None:
        self.customers += 1
        refused = {name: n for name, n in ((state.parts.sources and state.parts.sources.refused) or {}).items() if name != MORE}
        accepted = dict(_accepted(state))
        for field in accepted.keys() | refused.keys():
            sums = self.fields.setdefault(field, [0, 0])
            sums[0] += accepted.get(field, 0)
            sums[1] += refused.get(field, 0)
        for component in COMPONENTS:
            self._count(component, state, accepted, refused)
        self._count_sources(state.parts.sources)
        basic = state.parts.basic
        if basic is not None:
            shown, _ = FEATURE_OF["basic"].view(basic, self.today)
            self.disputed.update((shown or {}).get("disputed", {}).keys())

    def _count(self, component: Component, state: State, accepted: Mapping[str, int], refused: Mapping[str, int]) -> None:
        quality = self.components[component.name]
        quality.customers += 1
        quality.accepted += sum(accepted.get(field, 0) for field in component.checked)
        quality.refused += sum(refused.get(field, 0) for field in component.checked)
        if any(_tells(field, state, self.today) for field in component.fields):
            quality.have += 1
            if newest_ms := _newest(component, state.parts):
                age = max(0, self.today - newest_ms // DAY_MS)
                quality.ages[age] = quality.ages.get(age, 0) + 1

    def _count_sources(self, sources: Any) -> None:
        if sources is None:
            return
        for name, (events, *_) in sources.by_name.items():
            if name != MORE:
                self.sources.setdefault(name, [0, 0])[0] += events
        for name, n in (sources.refused_by or {}).items():
            if name != MORE:
                self.sources.setdefault(name, [0, 0])[1] += n

    def worst_fields(self, n: int) -> list[tuple[str, int, int]]:
        """(field, accepted, refused) of those with the greatest share refused."""
        found = [(field, accepted, refused) for field, (accepted, refused) in self.fields.items() if refused]
        return sorted(found, key=lambda row: (-row[2] / (row[1] + row[2]), row[0]))[:n]

    def worst_sources(self, n: int) -> list[tuple[str, int, int]]:
        """(source, events, refused values) of those with most refused values an event."""
        found = [(name, events, refused) for name, (events, refused) in self.sources.items() if refused]
        return sorted(found, key=lambda row: (-row[2] / max(1, row[1]), row[0]))[:n]


def _accepted(state: State) -> Iterator[tuple[str, int]]:
    """(field, values that stand or are counted)."""
    parts: Any = state.parts
    if state.links is not None and (carried := sum(link.carried for link in state.links.others.values())):
        yield CARRIED, carried  # of identities that events carried, at both ends of the link
    for field, places in COUNTED.items():
        n = 0
        for feature, member in places:
            part = getattr(parts, feature)
            held = (getattr(part, member) if part is not None else None) or {}
            n += len(held) if feature == "basic" else sum(held.values())
        if n:
            yield field, n
    if parts.basic is not None:
        for name in parts.basic.attributes or {}:
            if name != MORE:
                yield name, 1


def _tells(field: str, state: State, today: int) -> bool:
    """Whether the field, or this member of it, is in the profile."""
    name, _, member = field.partition(".")
    if name in NUMBER_OF:
        if NUMBER_OF[name] not in state.shown or not member:
            return NUMBER_OF[name] in state.shown
        facts = Facts(state.parts, state.stage, today, state.moment_ms, state.rhythm)
        view, _ = DIMENSIONS[NUMBER_OF[name]].derive(facts)
        return view is not None and bool(getattr(view, member))
    if name in FEATURE_OF:
        part = getattr(state.parts, name)
        shown = FEATURE_OF[name].view(part, today)[0] if part is not None else None
        return shown is not None and (not member or bool(shown.get(member)))
    if name == "risk":
        return state.risk is not None
    return bool(state.value if name == "value" else state.stage)


def _newest(component: Component, parts: Any) -> int:
    """When the newest of its evidence was; 0: that is not known."""
    return max(
        (FEATURE_OF[name].newest(part) for name in component.features if (part := getattr(parts, name)) is not None), default=0
    )
