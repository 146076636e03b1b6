"""What was learned, as it is stored: plain data with a digest, never code. No text, no customer; words that few people use are
kept as digests alone (`language.corrections`).

A learner, whole, to go on: SHA-256 of what follows, a newline, a line of JSON, a newline, and zlib over names and numbers
(little-endian). Offsets and weights lie in the one document, so whoever writes it at once never counts a lesson twice.
"""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Iterator
from hashlib import sha256
from struct import error as StructError
from struct import iter_unpack, unpack_from
from struct import pack as to_bytes

import msgspec

from language.corrections import Corrections
from language.frozen import base
from language.learner import Learner
from language.progress import Progress

FORMAT = 1
ID_BYTES = 8
_OPEN = f"<{ID_BYTES}sIQ"


class Unusable(ValueError):
    """A document that can't be used; the message says why, and what to do."""


class _Part(msgspec.Struct, frozen=True):
    features: int
    waiting: int


class _Header(msgspec.Struct, frozen=True):
    format: int
    base: str
    lessons: int
    offsets: dict[str, int]
    progress: dict[str, Progress]
    answers: dict[str, dict[str, int]]
    parts: dict[str, _Part]
    recent: int
    open: int


def pack(learner: Learner) -> bytes:
    """The same learner gives the same bytes."""
    header = _Header(
        FORMAT,
        base(),
        learner.lessons,
        dict(sorted(learner.offsets.items())),
        learner.progress,
        learner.answers,
        {name: _Part(len(part.rows), len(part.waiting)) for name, part in learner.parts.items()},
        len(learner.recent),
        len(learner.open),
    )
    waiting = b"".join(to_bytes(_OPEN, complaint, *place) for complaint, place in learner.open.items())
    body = b"".join(_numbers(part) for part in learner.parts.values()) + b"".join(learner.recent) + waiting
    names = "\n".join(name for part in learner.parts.values() for name in sorted(part.rows))
    rest = msgspec.json.encode(header) + b"\n" + zlib.compress(names.encode() + b"\0" + body, 6)
    return sha256(rest).hexdigest().encode() + b"\n" + rest


def version_of(learner: Learner) -> str:
    """LESSONS.DIGEST, of what is stored of it."""
    return f"{learner.lessons}.{pack(learner)[:8].decode()}"


def unpack(packed: bytes) -> Learner:
    """Raises Unusable."""
    header, names, body = _opened(packed)
    learner = Learner()
    learner.lessons, learner.offsets = header.lessons, header.offsets
    learner.progress, learner.answers = header.progress, header.answers
    if header.parts.keys() != learner.parts.keys():
        raise Unusable("what was learned is of other models than this release has: portrait language learn --again")
    at, each_name = 0, iter(names)
    try:
        for name, counts in header.parts.items():
            at = _fill(learner.parts[name], counts, each_name, body, at)
        ids = [each for (each,) in iter_unpack(f"{ID_BYTES}s", body[at : at + ID_BYTES * header.recent])]
        learner.open = {
            each: (partition, offset) for each, partition, offset in iter_unpack(_OPEN, body[at + ID_BYTES * len(ids) :])
        }
        if (len(ids), len(learner.open)) != (header.recent, header.open) or next(each_name, None) is not None:
            raise Unusable("what was learned has another length than it says")
    except (StructError, StopIteration) as error:
        raise Unusable("what was learned is shorter than it says") from error
    learner.recent = dict.fromkeys(ids)
    return learner


def _opened(packed: bytes) -> tuple[_Header, list[str], bytes]:
    digest, _, rest = packed.partition(b"\n")
    if sha256(rest).hexdigest().encode() != digest:
        raise Unusable("what was learned is broken, or was changed by somebody: its digest is another")
    line, _, compressed = rest.partition(b"\n")
    try:
        header = msgspec.json.decode(line, type=_Header)
        names, _, body = zlib.decompress(compressed).partition(b"\0")
        found = names.decode().split("\n") if names else []
    except (msgspec.DecodeError, UnicodeDecodeError, zlib.error) as error:
        raise Unusable(f"what was learned can't be read: {error}") from error
    if header.format != FORMAT:
        raise Unusable(f"what was learned has format {header.format}, and this release reads {FORMAT}: upgrade")
    if header.base != base():
        raise Unusable("what was learned corrects other frozen models than this release has: portrait language learn --again")
    return header, found, body


def _numbers(part: Corrections) -> bytes:
    rows = [number for _, row in sorted(part.rows.items()) for number in row]
    waiting = to_bytes(f"<{len(part.waiting)}Q", *part.waiting) + to_bytes(f"<{len(part.waiting)}H", *part.waiting.values())
    return to_bytes(f"<{len(rows)}f", *rows) + waiting


def _fill(part: Corrections, counts: _Part, names: Iterator[str], body: bytes, at: int) -> int:
    """Read one part from ``body``. Returns where the next one begins."""
    each = 2 * part.width
    rows = unpack_from(f"<{counts.features * each}f", body, at)
    at += 4 * len(rows)
    part.rows = {next(names): array("f", rows[each * i : each * (i + 1)]) for i in range(counts.features)}
    digests = unpack_from(f"<{counts.waiting}Q", body, at)
    at += 8 * counts.waiting
    part.waiting = dict(zip(digests, unpack_from(f"<{counts.waiting}H", body, at), strict=True))
    return at + 2 * counts.waiting
