"""Names of the keys in Redis, for whoever writes or reads them. The contract in words is docs/profile-keys.md."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote

#: The number in ``meta:{S}``. It grows when an older reader or writer would misunderstand what is stored.
FORMAT = 1

_plain = re.compile(r"[A-Za-z0-9\-_.!~*'()]*").fullmatch


def encode(text: str) -> str:
    """Percent-encoding of RFC 3986 over UTF-8, byte for byte what JavaScript's encodeURIComponent gives."""
    return text if _plain(text) else quote(text, safe="!~*'()")


def encode_all(texts: Sequence[str]) -> Sequence[str]:
    """``encode`` of each; one look at all of them where they are plain, as most ids are."""
    return texts if _plain("".join(texts)) else [encode(text) for text in texts]


class ShardKeys:
    """The keys of one shard. They share a hash tag, so that a Redis Cluster keeps them together and scripts stay atomic."""

    def __init__(self, prefix: str, shard: int) -> None:
        def name(kind: str) -> str:
            return f"{prefix}{kind}:{{{shard}}}"

        self.meta = name("meta")
        self.due = name("due")
        self.risk = name("risk")
        self.stages = name("stages")
        self.tags = name("tags")
        self.external = name("external")
        self.positions = name("pos")
        self.clear = name("clear")
        self.last = name("last")
        self.mending = name("mending")  # notes of `portrait rebuild`
        self.changes = name("changes")  # a channel
        self.state = name("state") + ":"  # these five are prefixes
        self.profile = name("profile") + ":"
        self.stage = name("stage") + ":"
        self.tag = name("tag") + ":"
        self.chain = name("chain") + ":"

    def states(self, ids: Sequence[str]) -> list[str]:
        """Keys of the states, in the order of ``ids``."""
        prefix = self.state
        return [prefix + suffix for suffix in encode_all(ids)]

    def profiles(self, ids: Sequence[str]) -> list[str]:
        """Keys of the profiles, in the order of ``ids``."""
        prefix = self.profile
        return [prefix + suffix for suffix in encode_all(ids)]

    def of_stage(self, stage: str) -> str:
        """Key of the set of ids in a stage."""
        return self.stage + encode(stage)

    def of_tag(self, tag: str) -> str:
        """Key of the set of ids that have a tag."""
        return self.tag + encode(tag)


def shard_keys(prefix: str, shards: int) -> list[ShardKeys]:
    """The keys of every shard, by its number."""
    return [ShardKeys(prefix, shard) for shard in range(shards)]


def external_field(system: str, external_id: str) -> str:
    """The field of ``external:{S}``: the colon between the two can't be forged, since it is encoded within them."""
    return f"{encode(system)}:{encode(external_id)}"


def slot_tag(shard: int) -> bytes:
    """What a cluster hashes of each key of the shard."""
    return str(shard).encode()
