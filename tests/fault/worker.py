"""A worker as it is in production, but one that can be told to die at a named point. The product knows nothing of it.

Whoever writes a point's name into the file FAULT_ARM kills this process (exit code POINT_EXIT) when it next comes by that point.
The ids of effects that a committed state held go to the file FAULT_OWED: each must be found in Kafka in the end. What was done to
each state, and in which order, goes to the trace beside it, for the oracle to do it again.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import redis.asyncio.connection
import uvloop

import portrait.expiry
import streams.profiles
import streams.transport
import streams.worker
from portrait import settle
from portrait.state import State, encode
from profile_store.contract import TP, Position, Write
from profile_store.link import Link, Script
from profile_store.redis_store import RedisStore
from schemas.registry import DEAD_LETTERS, MODELS
from streams.faust_log import FaustLog
from streams.log import NOTHING, Outgoing
from streams.logging import configure
from streams.settings import load
from tests.fault import trace
from tests.simulation.rules import EVERY_COMPLAINT

POINT_EXIT = 137
#: Where it may die. A point that is seldom passed (no effects, no rebalance) may be waited for in vain.
POINTS = (
    "sent",  # the commit has left, nobody has read the reply
    "written",  # the store has answered, the worker has not acted on it
    "effects",  # states are committed, their effects are not published
    "half",  # half of the effects are published
    "published",  # effects are published, the offsets are not confirmed
    "dead",  # dead letters are published, the states are not committed
    "confirmed",  # offsets are confirmed, Kafka has not got them
    "chain",  # a new chain, the positions are not read
    "revoked",  # a rebalance begins
    "assigned",  # a rebalance ends, nothing is sought yet
    "snapshot",  # the model is published, its lessons are not confirmed
)
LOOK_S = 0.02


class Fate:
    """Which point is armed, and the record of what is owed."""

    def __init__(self) -> None:
        self.armed = ""
        self._file = Path(os.environ["FAULT_ARM"])
        self._owed = os.open(os.environ["FAULT_OWED"], os.O_APPEND | os.O_CREAT | os.O_WRONLY)
        self._ids: dict[bytes, list[str]] = {}  # of states that were encoded with effects
        threading.Thread(target=self._look, daemon=True).start()

    def _look(self) -> None:
        while True:
            time.sleep(LOOK_S)
            if self._file.exists():
                self.armed = self._file.read_text().strip()
                self._file.unlink(missing_ok=True)

    def point(self, name: str) -> None:
        if name and self.armed == name:  # "": a publication of nothing, which is no point
            os._exit(POINT_EXIT)

    def encode(self, state: State) -> bytes:
        blob = encode(state)
        if state.effects:
            self._ids[blob] = [f"{effect.topic} {effect.id}" for effect in state.effects]
        return blob

    def committed(self, writes: Sequence[Write]) -> None:
        """These are in the store; the other states that were encoded are not, and won't be."""
        now_ms = time.time_ns() // 1_000_000
        lines = [f"{now_ms} {owed} {write.id}\n" for write in writes for owed in self._ids.pop(write.state, ())]
        if lines:
            os.write(self._owed, "".join(lines).encode())


class PointedStore(RedisStore):
    async def new_chain(self) -> None:
        await super().new_chain()
        FATE.point("chain")

    async def commit(self, writes: Sequence[Write], positions: Mapping[TP, Position], nonce: bytes) -> list[int]:
        TRACER.attempt(writes, nonce)
        conflicts = await super().commit(writes, positions, nonce)
        TRACER.answer(nonce, [writes[i].id for i in conflicts])
        lost = set(conflicts)
        FATE.committed([write for i, write in enumerate(writes) if i not in lost])
        FATE.point("written")
        return conflicts


class PointedLog(FaustLog):
    async def publish(self, messages: Sequence[Outgoing]) -> None:
        topic = messages[0].topic if messages else ""
        if topic and topic not in (DEAD_LETTERS, MODELS):
            FATE.point("effects")
            if FATE.armed == "half" and len(messages) > 1:
                await super().publish(messages[: len(messages) // 2])
                FATE.point("half")
        await super().publish(messages)
        FATE.point({"": "", DEAD_LETTERS: "dead", MODELS: "snapshot"}.get(topic, "published"))

    def confirm(self, offsets: Mapping[TP, int], moments_ms: Mapping[TP, int] = NOTHING) -> None:
        super().confirm(offsets, moments_ms)
        FATE.point("confirmed")


def point_link() -> None:
    """The moment between a script that has left and its reply."""
    run, read_response = Link.run, redis.asyncio.connection.AbstractConnection.read_response
    scripts = 0

    async def pointed_run(self: Link, script: Script, keys: list[str], arguments: list[Any], bulk: bytes) -> Any:
        nonlocal scripts
        scripts += 1
        try:
            return await run(self, script, keys, arguments, bulk)
        finally:
            scripts -= 1

    async def pointed_read(self: Any, *arguments: Any, **options: Any) -> Any:
        if scripts:
            FATE.point("sent")
        return await read_response(self, *arguments, **options)

    Link.run = pointed_run  # type: ignore[method-assign]
    redis.asyncio.connection.AbstractConnection.read_response = pointed_read  # type: ignore[method-assign]


def point_rebalances() -> None:
    consumer = streams.transport.Consumer
    revoked, assigned = consumer.on_partitions_revoked, consumer.on_partitions_assigned

    async def pointed_revoked(self: Any, partitions: Any) -> None:
        FATE.point("revoked")
        await revoked(self, partitions)

    async def pointed_assigned(self: Any, partitions: Any, generation_id: int = 0) -> None:
        FATE.point("assigned")
        await assigned(self, partitions, generation_id)

    consumer.on_partitions_revoked = pointed_revoked  # type: ignore[method-assign]
    consumer.on_partitions_assigned = pointed_assigned  # type: ignore[method-assign]


def work(environment: Mapping[str, str], log: Path) -> None:
    """What this process is from now on: a worker with these settings, whose output goes to ``log``."""
    global FATE, TRACER
    out = os.open(log, os.O_APPEND | os.O_CREAT | os.O_WRONLY)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.environ.update(environment)
    FATE = Fate()
    TRACER = trace.Tracer(Path(os.environ["FAULT_OWED"]).with_name(trace.NAME))
    streams.worker.RedisStore = PointedStore  # type: ignore[misc]
    streams.worker.FaustLog = PointedLog  # type: ignore[misc]
    streams.profiles.encode = FATE.encode
    streams.profiles.evolve = portrait.expiry.evolve = TRACER.evolve  # of whoever can expire, and of all others
    streams.profiles.evolve_persons = TRACER.evolve_persons
    settle.RULES = (*settle.RULES, EVERY_COMPLAINT)  # what must come, whoever the customer goes by, and whatever Redis loses
    point_link()
    point_rebalances()
    settings = load(os.environ)
    configure(settings.log_level)
    sys.exit(uvloop.run(streams.worker.run(settings)))
