"""The workers' consumer group, as an operator's tool sees it: who is in it, and offsets set while nobody is."""

from __future__ import annotations

from collections.abc import Mapping

from aiokafka import OffsetAndMetadata, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from streams.kafka import _consumer, _told
from streams.log import TP


class GroupBusy(Exception):
    """Somebody is in the group, who would commit offsets of their own."""


async def members(bootstrap: str, group: str) -> int:
    """How many workers are in the group now. Raises KafkaProblem."""
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        with _told(bootstrap):
            await client.start()
            replies = await client.describe_consumer_groups([group])
    finally:
        await client.close()
    return sum(len(described[5]) for reply in replies for described in reply.groups)


async def set_offsets(bootstrap: str, group: str, offsets: Mapping[TP, int]) -> None:
    """Commit these next offsets, backwards too; what stands beside the old ones stays. Raises GroupBusy, KafkaProblem."""
    if workers := await members(bootstrap, group):
        raise GroupBusy(f"{workers} workers are in the group {group}: stop them all first, and whatever starts them again")
    if not offsets:
        return
    tps = [TopicPartition(*tp) for tp in offsets]
    async with _consumer(bootstrap, group_id=group) as client:
        client.assign(tps)
        with _told(bootstrap):
            stored = await client._coordinator.fetch_committed_offsets(set(tps))
            await client.commit(
                {tp: OffsetAndMetadata(offsets[tuple(tp)], stored[tp].metadata if tp in stored else "") for tp in tps}
            )
