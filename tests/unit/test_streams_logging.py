"""Logs: one JSON object a line, from us and from libraries, and nothing personal in the fields."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from streams import logging as streams_logging


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    found = io.StringIO()
    streams_logging.configure("info", found)
    yield found
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_fields_and_level_and_time_are_there(stream: io.StringIO) -> None:
    streams_logging.logger("streams.loop").info("batch done", records=17)
    (line,) = lines(stream)
    assert (line["event"], line["records"], line["level"], line["logger"]) == ("batch done", 17, "info", "streams.loop")
    assert line["timestamp"].endswith("Z")


@pytest.mark.parametrize("name", sorted(streams_logging.PERSONAL))
def test_a_personal_field_is_taken_out(stream: io.StringIO, name: str) -> None:
    streams_logging.logger("streams.loop").warning("odd event", **{name: "Zhang Wei"}, topic="orders")
    (line,) = lines(stream)
    assert "Zhang" not in stream.getvalue()
    assert (line["refused"], line["topic"]) == ([name], "orders")


def test_libraries_go_the_same_way(stream: io.StringIO) -> None:
    logging.getLogger("faust").warning("lost %s", "the broker")
    (line,) = lines(stream)
    assert (line["event"], line["logger"]) == ("lost the broker", "faust")


def test_a_traceback_carries_no_local_variables(stream: io.StringIO) -> None:
    def fail(customer: str) -> None:
        raise ValueError("no")

    try:
        fail("Zhang " + "Wei")
    except ValueError:
        streams_logging.logger("streams.loop").exception("failed")
    (line,) = lines(stream)
    assert "ValueError: no" in line["exception"]
    assert "Zhang Wei" not in stream.getvalue()


def test_the_level_holds(stream: io.StringIO) -> None:
    streams_logging.logger("streams.loop").debug("detail")
    assert lines(stream) == []
