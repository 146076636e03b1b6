"""Batches are as long as the pace allows: long ones are work that a rebalance throws away."""

from __future__ import annotations

from typing import Any, cast

from streams.feed import BATCH_S, RECORDS_LEAST, Feed

MOST = 16_000


def feed() -> Feed:
    return Feed(cast(Any, None), cast(Any, None), MOST)


def test_a_slow_worker_takes_batches_of_about_a_second() -> None:
    slow = feed()
    slow.took(2000, 1.0)
    assert slow.records_max == 2000 * BATCH_S
    slow.took(2000, 10.0)
    assert slow.records_max == RECORDS_LEAST


def test_a_fast_one_is_bounded_by_the_setting_alone() -> None:
    fast = feed()
    for _ in range(10):
        fast.took(fast.records_max, fast.records_max / 50_000)
    assert fast.records_max == MOST


def test_what_is_skipped_quickly_raises_the_pace_only_step_by_step() -> None:
    worker = feed()
    worker.took(1000, 1.0)
    worker.took(1000, 0.001)
    assert worker.records_max == 2000


def test_a_few_records_say_nothing_of_the_pace() -> None:
    worker = feed()
    before = worker.records_max
    worker.took(3, 5.0)
    assert worker.records_max == before


def test_the_setting_bounds_also_the_first_batch() -> None:
    assert Feed(cast(Any, None), cast(Any, None), 4).records_max == 4
