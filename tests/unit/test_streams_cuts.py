"""What is known to be void: told in any order, found by name, and small enough for millions."""

from __future__ import annotations

import tracemalloc
from collections.abc import Mapping

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from portrait.expiry import merged_cuts
from portrait.state import mark_of
from schemas.outputs import Expired
from schemas.registry import BY_NAME
from streams.cuts import BUCKET_BITS, Cuts

OFFSETS = st.integers(0, 2**63 - 1)
MARKS = st.dictionaries(st.sampled_from(["clicks/0", "clicks/7", "orders/0", "customers/1048575", "gone/0"]), OFFSETS, max_size=4)
NAMES = st.sampled_from([f"anonymous:{n}" for n in range(40)])


def value(name: str, marks: Mapping[str, int]) -> bytes:
    return msgspec.json.encode(Expired(id=name, marks=dict(marks), at_ms=1))


def by_mark(marks: Mapping[str, int]) -> dict[int, int]:
    found = {}
    for source, offset in marks.items():
        topic, _, partition = source.rpartition("/")
        if topic in BY_NAME:
            found[mark_of(BY_NAME[topic].code, int(partition))] = offset
    return found


@settings(deadline=None)
@given(st.lists(st.tuples(NAMES, MARKS), max_size=60), st.booleans())
def test_of_each_source_the_last_offset_stands_whatever_else_is_told(told: list[tuple[str, dict[str, int]]], one: bool) -> None:
    cuts, expected = Cuts(), dict[str, dict[int, int]]()
    if one:  # as if all hashes began alike
        cuts._buckets = OneBucket()
    for name, marks in told:
        before = cuts.of(name)
        cuts.forget_heard()
        cuts.take(value(name, marks))
        expected[name] = merged_cuts(expected.get(name, {}), by_mark(marks))
        assert cuts.of(name) == (expected[name] or None)
        assert list(cuts.heard) == ([name] if cuts.of(name) != before else [])
    assert {name: cuts.of(name) for name in expected} == {name: cut or None for name, cut in expected.items()}
    assert cuts.of("anonymous:never") is None and bool(cuts) == any(expected.values())


class OneBucket(list[bytes]):
    """All rows in one."""

    def __init__(self) -> None:
        super().__init__([b""])

    def __getitem__(self, _: object) -> bytes:  # type: ignore[override]
        return super().__getitem__(0)

    def __setitem__(self, _: object, rows: bytes) -> None:  # type: ignore[override]
        super().__setitem__(0, rows)


def test_a_cut_takes_some_twenty_bytes_a_source() -> None:
    cuts, n = Cuts(), 8_000
    cuts.take(value("anonymous:first", {"clicks/0": 1}))
    tracemalloc.start()
    for number in range(n):
        cuts.take(value(f"anonymous:{number:032x}", {"clicks/0": number}))
    cuts.forget_heard()
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size < 22 * n + 36 * 2**BUCKET_BITS, "of a bucket some 33 bytes are Python's"
    assert cuts.of("anonymous:" + "0" * 31 + "9")
