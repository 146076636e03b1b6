"""How the parts of two identities of one person merge: what is said of both together is what all their events would say.

``merge(fold(xs), fold(ys))`` equals ``fold(xs + ys)`` in the facts, so a person's facts are the same however their events are
spread over identities. Merging is pure (neither side is changed, and nothing that folds change is shared with the
result), commutative, and associative in the facts; a part without events is its identity. An overflown tally stays an estimate.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from portrait.structures import MORE, Calendar, Days, Register, Tally

Merge = Callable[[Any, Any], Any]
_Key = TypeVar("_Key", int, str)


def merging(part: type[msgspec.Struct], **fields: Merge) -> Merge:
    """The merge of a part, field by field; TypeError where the fields are not just the part's, for one left out would be lost."""
    names = part.__struct_fields__
    if set(names) != set(fields):
        raise TypeError(f"{part.__name__} merges {sorted(fields)}, but has {sorted(names)}")
    steps = [(name, fields[name]) for name in names]

    def merge(a: Any, b: Any) -> Any:
        return part(**{name: step(getattr(a, name), getattr(b, name)) for name, step in steps})

    return merge


def total(a: int, b: int) -> int:
    """Amounts and counts."""
    return a + b


def days(a: Days, b: Days) -> Days:
    """Amounts by day. A day at zero leaves, as in `add_day`."""
    merged = dict(a)
    for day, amount in b.items():
        amount += merged.get(day, 0)
        if amount:
            merged[day] = amount
        else:
            merged.pop(day, None)
    return merged


def calendars(span_days: int) -> Merge:
    """Sets of days, of which those within ``span_days`` up to the last are kept."""

    def merge(a: Calendar, b: Calendar) -> Calendar:
        oldest = max(a.last(), b.last()) - span_days + 1
        copies = Calendar(a.first, a.bits), Calendar(b.first, b.bits)
        for calendar in copies:  # first: a bitmap over two far days would be as long as the time between them
            calendar.drop_before(oldest)
        return copies[0].union(copies[1])

    return merge


def tallies(limit: int) -> Merge:
    """Counts of at most ``limit`` keys.

    Where there are more, the greatest count that finds no room is taken from all: so a count still is never too high, nor too low
    by more than MORE says (Agarwal and others, "Mergeable summaries", PODS 2012).
    """

    def merge(a: Tally | None, b: Tally | None) -> Tally | None:
        if a is None or b is None:
            known = a if a is not None else b
            return None if known is None else dict(known)
        merged = dict(a)
        for key, count in b.items():
            merged[key] = merged.get(key, 0) + count
        return _faded(merged, limit)

    return merge


def _faded(counts: Tally, limit: int) -> Tally:
    """At most ``limit`` keys besides MORE."""
    ranked = sorted((count for key, count in counts.items() if key != MORE), reverse=True)
    if len(ranked) <= limit:
        return counts
    least = ranked[limit]
    kept = {key: count - least for key, count in counts.items() if key != MORE and count > least}
    kept[MORE] = counts.get(MORE, 0) + least
    return kept


def registers(limit: int) -> Merge:
    """The greater of each key's; of more than ``limit`` keys the latest stay, and the overflow is marked, as in `assign`."""

    def merge(a: dict[str, Register] | None, b: dict[str, Register] | None) -> dict[str, Register] | None:
        if a is None or b is None:
            known = a if a is not None else b
            return None if known is None else dict(known)
        merged = dict(a)
        for key, register in b.items():
            merged[key] = max(merged.get(key, register), register, key=_order)
        if len(merged) - (MORE in merged) > limit:
            merged.pop(MORE, None)
            kept = sorted(merged, key=lambda key: (_order(merged[key]), key))[-limit:]
            merged = {**{key: merged[key] for key in kept}, MORE: Register(0, "")}
        return merged

    return merge


def _order(register: Register) -> tuple[int, str, str]:
    return register.ms, register.value, register.by


def tables(limit: int, rows: Merge, empty: Any, rank: Callable[[Any], Any]) -> Merge:
    """A row by name; ``empty`` is one that adds nothing.

    Of more than ``limit`` names those of the greatest ``rank`` stay, and the rows of the others become MORE's.
    """

    def merge(a: dict[str, Any], b: dict[str, Any]) -> dict[str, Any]:
        merged = _union(a, b, rows, empty)
        names = sorted((name for name in merged if name != MORE), key=lambda name: (rank(merged[name]), name))
        for name in names[: max(0, len(names) - limit)]:
            merged[MORE] = rows(merged.get(MORE, empty), merged.pop(name))
        return merged

    return merge


def latest(limit: int, rows: Merge, empty: Any) -> Merge:
    """A row by number; the ``limit`` greatest numbers stay."""

    def merge(a: dict[int, Any], b: dict[int, Any]) -> dict[int, Any]:
        merged = _union(a, b, rows, empty)
        return {number: merged[number] for number in sorted(merged)[-limit:]}

    return merge


def _union(a: dict[_Key, Any], b: dict[_Key, Any], rows: Merge, empty: Any) -> dict[_Key, Any]:
    return {key: rows(a.get(key, empty), b.get(key, empty)) for key in {**a, **b}}


def columns(*steps: Merge) -> Merge:
    """A row of numbers, column by column."""

    def merge(a: list[int], b: list[int]) -> list[int]:
        return [step(one, other) for step, one, other in zip(steps, a, b, strict=True)]

    return merge
