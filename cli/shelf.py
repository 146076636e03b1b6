"""The versions of the model, as the topic `models` has them; and orders to the trainer."""

from __future__ import annotations

import asyncio
import time
from typing import NamedTuple

import msgspec

from cli import output
from portrait.models.shelf import Refused, Shelf, order_of
from schemas.outputs import Order, Pin, Snapshot
from schemas.registry import MODELS
from streams import kafka
from streams.settings import Settings

LOOK_S = 0.5


class Read(NamedTuple):
    """``refused``: key -> why, of what lies on the topic and can't be used."""

    shelf: Shelf
    refused: dict[str, str]


async def read_shelf(settings: Settings) -> Read:
    """Raises KafkaProblem."""
    shelf, refused = Shelf(settings.horizon_days), dict[str, str]()
    async for record in kafka.read_topic(settings.kafka, MODELS):
        key = (record.key or b"").decode(errors="replace")
        refused.pop(key, None)
        try:
            shelf.take(record.key, record.value)
        except Refused as error:
            refused[key] = str(error)
    return Read(shelf, refused)


def version_of(shelf: Shelf, version: str) -> Snapshot:
    """Ends the process if it is not kept."""
    found = shelf.versions.get(version)
    if found is None:
        output.fail(f"version {version} is not kept; portrait model list")
    return found


async def publish(settings: Settings, key: str, record: Pin | Order) -> None:
    async with kafka.publisher(settings.kafka) as publisher:
        await publisher.send(MODELS, key.encode(), msgspec.json.encode(record))


async def obeyed(settings: Settings, order: Order, wait_s: float) -> Snapshot | None:
    """The first snapshot seen that has begun the generation, or declines to; None: none came in time, or another order took its
    place."""
    until = time.monotonic() + wait_s
    while True:
        newest = (await read_shelf(settings)).shelf.newest
        if newest is not None and order.id in (newest.order, newest.declined):
            return newest
        if newest is not None and newest.generation >= order.generation:
            return None
        if time.monotonic() > until:
            return None
        await asyncio.sleep(LOOK_S)


def newest_first(shelf: Shelf) -> list[Snapshot]:
    return sorted(shelf.versions.values(), key=order_of, reverse=True)


def roles(shelf: Shelf, snapshot: Snapshot) -> list[str]:
    """What a version is just now."""
    found = {
        "scoring": snapshot.version == scoring_version(shelf),
        "pinned": snapshot.version == shelf.pinned,
        "newest": shelf.newest is not None and snapshot.version == shelf.newest.version,
        "on trial": not snapshot.ready,
    }
    return [role for role, is_so in found.items() if is_so]


def scoring_version(shelf: Shelf) -> str | None:
    """None: the prior alone."""
    return shelf.scoring.version if shelf.scoring else None
