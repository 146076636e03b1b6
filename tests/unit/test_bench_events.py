"""The benchmark's stream is what the report says it is."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from bench.events import CUSTOMERS, DISTINCT_SHARE_MIN, END_MS, MIX, Made, distinct_shares, events
from schemas.event import Rejection, decode


@pytest.fixture(scope="module")
def made() -> list[Made]:
    return list(events(30_000))


def test_the_stream_is_seeded() -> None:
    assert list(events(500, seed=3)) == list(events(500, seed=3)) != list(events(500, seed=4))


def test_every_event_fits_the_contract(made: list[Made]) -> None:
    for event in made:
        decoded = decode(event.topic, event.key, event.value, (), END_MS)
        assert not isinstance(decoded, Rejection), decoded


def test_the_mix_is_as_stated(made: list[Made]) -> None:
    counts = Counter(event.topic for event in made)
    assert {topic: counts[topic] / len(made) for topic in MIX} == pytest.approx(MIX, abs=0.01)


def test_batches_have_many_distinct_customers(made: list[Made]) -> None:
    assert np.mean(distinct_shares([event.key for event in made])) >= DISTINCT_SHARE_MIN


def test_customers_follow_zipf_with_exponent_one(made: list[Made]) -> None:
    counts = [count for _, count in Counter(event.key for event in made).most_common(10)]
    harmonic = sum(1 / k for k in range(1, CUSTOMERS + 1))
    expected = [len(made) / harmonic / k for k in range(1, 11)]
    assert counts == pytest.approx(expected, rel=0.2)


def test_sizes_are_realistic(made: list[Made]) -> None:
    assert 350 <= np.median([len(event.value) for event in made]) <= 600
