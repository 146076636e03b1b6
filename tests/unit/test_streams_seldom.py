"""A library that repeats itself is heard once an interval, and the rest is counted."""

from __future__ import annotations

import logging

from streams.seldom import NOISY, Seldom, calm


def heard(messages: list[tuple[float, str, tuple[object, ...]]]) -> list[str]:
    now = [0.0]
    seldom = Seldom(interval_s=30, clock_s=lambda: now[0])
    lines = []
    for at, text, args in messages:
        now[0] = at
        record = logging.LogRecord("aiokafka", logging.ERROR, "", 0, text, args, None)
        if seldom.filter(record):
            lines.append(record.getMessage())
    return lines


def test_a_kind_of_line_passes_once_an_interval_with_the_number_held_back() -> None:
    away = "Unable connect to node with id %s: %s"
    lines = heard([(0, away, (1, "100%")), (1, away, (2, "x")), (2, away, (1, "x")), (3, "another", ()), (31, away, (1, "100%"))])
    assert lines == [
        "Unable connect to node with id 1: 100%",
        "another",
        "Unable connect to node with id 1: 100% (and 2 more like it)",
    ]


def test_calming_twice_is_calming_once() -> None:
    calm()
    calm()
    for name in NOISY:
        assert sum(isinstance(known, Seldom) for known in logging.getLogger(name).filters) == 1
