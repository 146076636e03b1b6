"""Fixtures of all tests. Integration tests start real servers on loopback; the end of a run says which (`broker:`, `store:`)."""

import signal

import hypothesis  # now, not in its hook at the very end, where CPython 3.11's parser can fail after a deep stack
import pytest
import structlog

from tests.servers_kafka import kafka_server
from tests.servers_used import pytest_sessionfinish, pytest_terminal_summary, pytest_testnodedown

__all__ = ["kafka_server", "pytest_sessionfinish", "pytest_terminal_summary", "pytest_testnodedown"]

# Whoever runs the tests in the background may have had SIGINT ignored, and all processes that a test starts would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# No test asserts a time: on a busy machine an example takes as long as it takes. A failing property prints how to make it again.
hypothesis.settings.register_profile("portrait", deadline=None, print_blob=True)
hypothesis.settings.load_profile("portrait")


@pytest.fixture(autouse=True)
def _logging_of_its_own() -> None:
    """Simulations and fuzzers silence the log, which is one for the whole process: the next test begins with a loud one."""
    structlog.reset_defaults()
