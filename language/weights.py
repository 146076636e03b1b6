"""A linear model as it is shipped: one small whole number a gram. Its file is a line of JSON, then the grams and numbers, packed.

The line: version, scale, how many grams, and the SHA-256 of what follows. What follows is zlib over the grams in
UTF-8, joined by newlines, a NUL, and one signed byte a gram. `python -m bench.sentiment_train` trains; a version never changes.
"""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Mapping
from hashlib import sha256
from importlib.resources import files
from typing import NamedTuple

import msgspec

LARGEST = 127


class Weights(NamedTuple):
    """The weight of a gram is ``scale`` times its number."""

    version: str
    scale: float
    by_gram: Mapping[str, int]


class _Header(msgspec.Struct, frozen=True):
    version: str
    scale: float
    grams: int
    sha256: str


def pack(weights: Weights) -> bytes:
    """The bytes of a model's file. Grams hold neither newline nor NUL; numbers are -LARGEST to LARGEST."""
    grams = sorted(weights.by_gram)
    numbers = array("b", [weights.by_gram[gram] for gram in grams])
    body = zlib.compress("\n".join(grams).encode() + b"\0" + numbers.tobytes(), 9)
    header = _Header(weights.version, weights.scale, len(grams), sha256(body).hexdigest())
    return msgspec.json.encode(header) + b"\n" + body


def unpack(packed: bytes) -> Weights:
    """Raises ValueError for what is not whole."""
    line, _, body = packed.partition(b"\n")
    header = msgspec.json.decode(line, type=_Header)
    if sha256(body).hexdigest() != header.sha256:
        raise ValueError(f"the model {header.version} is not as it was shipped: install the package anew")
    text, _, numbers = zlib.decompress(body).partition(b"\0")
    grams = text.decode().split("\n")
    if not len(grams) == len(numbers) == header.grams:
        raise ValueError(f"the model {header.version} does not hold {header.grams} grams: train it anew")
    return Weights(header.version, header.scale, dict(zip(grams, array("b", numbers), strict=True)))


def shipped(name: str) -> Weights:
    """A model of this package, by its file's name without the ending."""
    return unpack(files("language").joinpath(f"{name}.bin").read_bytes())
