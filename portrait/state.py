"""The state of one identity, as the writer stores it: one msgpack blob, fields by position.

Evolution: fields are only appended, with defaults, so older blobs go on decoding; what can't be done so raises FORMAT, and a
worker that meets a newer format stops rather than damage it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from struct import pack, unpack

import msgspec
import zstandard
from msgspec import field

from portrait import dictionary, dictionary_1
from portrait.features.registry import FEATURES, NOTHING, Parts
from portrait.identity.links import Links
from portrait.lifecycle import Rhythm, stage_at, walk
from portrait.models.value import Value
from portrait.packing import pack_days, put_back, unpack_days
from portrait.structures import DAY_MS, NEVER, canonical

#: 2: the days of large states are rows; 3: their bits (`portrait.packing`). 1 and 2 are read, too.
FORMAT = 3
#: Ids of recent events kept for each source: the horizon within which a producer's duplicate is recognised (guarantee G2).
#: Not for a whole topic: the order between its partitions is another each time they are read, and so would duplicates be.
RING_EVENTS = 16
HASH_BYTES = 6


class NewerFormat(Exception):
    """A state was written by a newer version of Portrait."""


class BrokenState(Exception):
    """A state can't be decoded."""


class Effect(msgspec.Struct, array_like=True, gc=False):
    """What a change has caused, kept in the state until the broker has acknowledged it."""

    topic: str
    id: str
    value: bytes


class Pending(msgspec.Struct, array_like=True, gc=False):
    """An example that waits for its label: the features as they were scored, packed as 32-bit floats, little-endian."""

    day: int
    risk: float
    version: str
    packed: bytes
    horizon_days: int = 0

    @property
    def features(self) -> list[float]:
        return list(unpack(f"<{len(self.packed) // 4}f", self.packed))


def pending(day: int, risk: float, version: str, features: Sequence[float], horizon_days: int) -> Pending:
    return Pending(day, risk, version, pack(f"<{len(features)}f", *features), horizon_days)


class Expiry(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Of an identity of a kind that expires when it is idle and was never linked (`portrait.expiry`).

    ``due_ms``: when it does if nothing more is told of it; of an empty one, when it is removed. ``cut``: after what it began:
    source -> last offset of what was void by then.
    """

    due_ms: int = NEVER
    cut: dict[int, int] = {}


class State(msgspec.Struct, array_like=True, gc=False):
    """Everything that is known of one identity.

    Facts: ``events``, ``audit``, ``parts``, and the stage, which is computed from them. The rest is derived, or history.
    """

    format: int = FORMAT
    version: int = 0  # grows with every commit; what readers resync by
    moment_ms: int = 0  # the state's own now; never runs backwards
    events: int = 0  # audit: how many events are in here ...
    audit: int = 0  # ... and the sum of their hashes modulo 2^64
    marks: dict[int, int] = field(default_factory=dict)  # source (`mark_of`) -> last offset folded
    rings: dict[int, bytes] = field(default_factory=dict)  # source -> hashes of its last RING_EVENTS events
    parts: Parts = field(default_factory=Parts)
    rhythm: Rhythm = field(default_factory=Rhythm)
    stage: str = ""
    stages: list[tuple[str, int]] = field(default_factory=list)  # the last stages, with the day of entry
    risk: float | None = None
    model: str = ""  # version that made the risk
    scored_day: int = 0
    rescore_day: int = NEVER
    pending: list[Pending] = field(default_factory=list)
    cooldowns: dict[str, int] = field(default_factory=dict)  # rule -> until when, epoch ms
    effects: list[Effect] = field(default_factory=list)
    shown_day: int = 0  # the day as of which the parts were expired and shown
    #: Number of a feature (of a dimension: see `portrait.show.DERIVED`) -> the day on which its view changes by itself.
    due_days: dict[int, int] = field(default_factory=dict)
    wake_ms: int = NEVER  # when stage, score or a label is due
    value: Value | None = None  # as of the last score
    shown: dict[int, int] = field(default_factory=dict)  # derived dimension's number -> CRC-32 of what is shown of it
    #: New events were folded before there was a clock: whatever silence followed them, it has not had its effects yet.
    owes_silence: bool = False
    tags: dict[int, int] = field(default_factory=dict)  # number -> how sure, in twentieths; at most `portrait.tags.held.TAGS_MAX`
    tagged: int = 0  # `portrait.tags.registry.DIGEST` of the declarations that made them
    links: Links | None = None  # to other identities
    #: The identity that the person goes by whose fragment this is; "": this one. What is derived of a person stands there.
    person: str = ""
    members: list[str] = field(default_factory=list)  # where the person goes by this one: all identities, when there are several
    settled: tuple[int, int] = (0, 0)  # events and audit of all these, as of which the person was settled
    expiry: Expiry | None = None


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(State).decode
#: Larger states are compressed: Redis's memory is the service's main cost, and most states are small.
COMPRESS_BYTES = 1500
#: Of customers with so many active days the days are packed, and then compressed harder: it is worth the time for few.
PACK_DAYS = 48
LEVEL, LEVEL_PACKED = -1, 5  # -1: half the time of 1, for a twentieth more bytes; 5: 60 us, for a thirtieth fewer


def _compressor(level: int) -> Callable[[bytes], bytes]:
    newest = zstandard.ZstdCompressionDict(dictionary.DICTIONARY)
    newest.precompute_compress(level)  # or every state would digest it anew
    return zstandard.ZstdCompressor(level, newest).compress


_compress, _compress_packed = _compressor(LEVEL), _compressor(LEVEL_PACKED)
#: By the number of the dictionary, as frames name it.
_DECOMPRESS = {
    known.dict_id(): zstandard.ZstdDecompressor(known).decompress
    for known in map(zstandard.ZstdCompressionDict, (dictionary_1.DICTIONARY, dictionary.DICTIONARY))
}
_ZSTD = zstandard.FRAME_HEADER  # no msgpack array begins so
STATE_BYTES_MAX = 1024 * 1024


def encode(state: State) -> bytes:
    """msgpack; where that is long, a zstd frame around it, and of many days rows in it."""
    blob, is_packed = uncompressed(state)
    if is_packed:
        return _compress_packed(blob)
    return _compress(blob) if len(blob) > COMPRESS_BYTES else blob


def uncompressed(state: State) -> tuple[bytes, bool]:
    """msgpack, and whether days stand in it as rows."""
    activity = state.parts.activity
    if activity is not None and len(activity.days) >= PACK_DAYS:
        packed = pack_days(state.parts)
        try:
            if isinstance(activity.days, list):  # by which `decode` knows; they are not where they lie too far apart
                return _encode(state), True
        finally:
            put_back(packed)
    return _encode(state), False


def decode(blob: bytes) -> State:
    """Raises NewerFormat, or BrokenState."""
    try:
        if blob.startswith(_ZSTD):
            blob = _decompress(blob)
        state = _decode(blob)
        activity = state.parts.activity
        if activity is not None and isinstance(activity.days, list):  # many days: those of other features may be packed too
            unpack_days(state.parts)
    except (msgspec.DecodeError, zstandard.ZstdError, ValueError) as error:
        raise _why_not(blob, error) from error
    if state.format > FORMAT:
        raise NewerFormat(f"a state has format {state.format}, this worker knows {FORMAT}: upgrade the workers before going on")
    state.format = FORMAT
    return state


def _decompress(blob: bytes) -> bytes:
    number = zstandard.get_frame_parameters(blob).dict_id
    if number > max(_DECOMPRESS):
        raise NewerFormat(f"a state is compressed with dictionary {number}, which this worker lacks: upgrade the workers first")
    if number not in _DECOMPRESS:
        raise zstandard.ZstdError(f"there is no dictionary {number}")
    return _DECOMPRESS[number](blob, max_output_size=STATE_BYTES_MAX)


def _why_not(blob: bytes, error: Exception) -> Exception:
    try:
        found = msgspec.msgpack.decode(blob)[0]
    except (msgspec.DecodeError, LookupError, TypeError, ValueError):  # ValueError: what is no UTF-8
        found = None
    if isinstance(found, int) and found > FORMAT:
        return NewerFormat(f"a state has format {found}, this worker knows {FORMAT}: upgrade the workers before going on")
    return BrokenState(f"a state can't be decoded ({error}): mend it with `portrait rebuild --broken`")


def mark_of(topic_code: int, partition: int) -> int:
    """One number for a topic's partition, as the watermarks name it."""
    return topic_code << 20 | partition


def source_of(mark: int) -> tuple[int, int]:
    """(topic code, partition) of a mark."""
    return mark >> 20, mark & 0xF_FFFF


def facts(state: State, at_ms: int) -> bytes:
    """The facts as of ``at_ms`` (not before the state's moment): canonical JSON, equal for every order of arrival.

    Tallies that have overflown are left out: they are estimates. Expires the parts in place.
    """
    today = max(at_ms, state.moment_ms) // DAY_MS
    parts = {}
    for feature in FEATURES:
        part = getattr(state.parts, feature.name)
        if part is None:
            part = feature.part()
        feature.expire(part, today)
        parts[feature.name] = canonical(part)
    rhythm = walk((state.parts.consumption or NOTHING.consumption).bought.days())
    stage = stage_at(rhythm, today, state.parts.activity.first_ms // DAY_MS)
    return msgspec.json.encode(
        {
            "events": state.events,
            "audit": state.audit,
            "stage": [stage.name, stage.since_day, stage.why, stage.why_days],
            "parts": parts,
        },
        order="sorted",
    )
