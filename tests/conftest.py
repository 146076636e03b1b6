"""Fixtures of all tests. Integration tests start real servers on loopback, and the run says which: see the `broker:` line."""

from tests.servers_kafka import kafka_server

__all__ = ["kafka_server"]
