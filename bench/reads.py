"""How long `ProfileReader.get` takes on loopback: one reader, one read after the other, of customers drawn at random."""

from __future__ import annotations

import time
from collections.abc import Sequence

import msgspec
import numpy as np

from bench.figures import quantile
from profile_store.reader import ProfileReader

WARM_UP = 100


class Reads(msgspec.Struct, frozen=True, kw_only=True):
    reads: int
    p50_ms: float
    p99_ms: float
    max_ms: float


def summary(took_ms: Sequence[float]) -> Reads:
    return Reads(reads=len(took_ms), p50_ms=quantile(took_ms, 0.5), p99_ms=quantile(took_ms, 0.99), max_ms=quantile(took_ms, 1.0))


def run(url: str, ids: Sequence[str], count: int, seed: int) -> Reads:
    """``count`` reads; each must find its profile."""
    chosen = np.random.default_rng(seed).integers(0, len(ids), count + WARM_UP).tolist()
    took_ms = []
    with ProfileReader(url) as reader:
        for number in chosen:
            began = time.perf_counter()
            profile = reader.get(ids[number])
            took_ms.append((time.perf_counter() - began) * 1000)
            if profile is None:
                raise RuntimeError("a profile that was written can't be read")
    return summary(took_ms[WARM_UP:])
