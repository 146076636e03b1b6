"""Asking a broker that comes and goes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

ANSWER_S = 2.0
AWAY = (KafkaError, OSError, TimeoutError)

Client = TypeVar("Client", AIOKafkaAdminClient, AIOKafkaConsumer)
Answer = TypeVar("Answer")


class Asking(Generic[Client]):
    """A client of Kafka's that is made when it is needed, and made anew after trouble."""

    def __init__(self, make: Callable[[], Client]) -> None:
        self._make = make
        self._client: Client | None = None

    async def ask(self, question: Callable[[Client], Awaitable[Answer]]) -> Answer | None:
        """None: Kafka is away, or takes longer than ANSWER_S."""
        try:
            async with asyncio.timeout(ANSWER_S):
                if self._client is None:
                    self._client = self._make()
                    await self._client.start()
                return await question(self._client)
        except AWAY:
            await self.close()
            return None

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            end = client.stop if isinstance(client, AIOKafkaConsumer) else client.close
            with contextlib.suppress(*AWAY):
                await asyncio.wait_for(end(), ANSWER_S)
