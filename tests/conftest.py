"""Fixtures of all tests. Integration tests start real servers on loopback, and the run says which: see the `broker:` line."""

import signal

import hypothesis  # noqa: F401  # now, not in its hook at the very end, where CPython 3.11's parser can fail after a deep stack
import pytest
import structlog

from tests.servers_kafka import kafka_server

__all__ = ["kafka_server"]

# Whoever runs the tests in the background may have had SIGINT ignored, and all processes that a test starts would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _logging_of_its_own() -> None:
    """Simulations and fuzzers silence the log, which is one for the whole process: the next test begins with a loud one."""
    structlog.reset_defaults()
