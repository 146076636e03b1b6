"""Filling the log: the benchmark's events into the event topics, each customer's on one partition number of every topic."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from confluent_kafka import Producer

from bench.events import Made

QUEUE_MESSAGES = 200_000


def producer(bootstrap: str, **more: Any) -> Producer:
    """One that puts keys where Java's producers do."""
    config = {"bootstrap.servers": bootstrap, "acks": "all", "partitioner": "murmur2_random"}
    return Producer({**config, "queue.buffering.max.messages": QUEUE_MESSAGES, **more})


def preload(bootstrap: str, made: Iterable[Made], each: Callable[[], None] = lambda: None) -> int:
    """Publish all of ``made`` as fast as it goes, and return how many, all acknowledged."""
    sender = producer(bootstrap, **{"linger.ms": 20})
    refused: list[str] = []

    def delivered(error: Any, _: Any) -> None:
        if error is not None:
            refused.append(str(error))

    count = 0
    for event in made:
        while True:
            try:
                sender.produce(event.topic, event.value, event.key, on_delivery=delivered)
                break
            except BufferError:
                sender.poll(0.1)
        sender.poll(0)
        count += 1
        each()
    sender.flush()
    if refused:
        raise RuntimeError(f"Kafka did not take {len(refused)} events: {refused[0]}")
    return count
