"""What real sources do to a stream: events twice, late, and broken. Pure; the good events all come through."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from heapq import heappop, heappush
from random import Random

from cli.parcel import Parcel
from schemas.event import FUTURE_SKEW_MS, VALUE_BYTES_MAX

#: A repeated or delayed record comes at most so many records later.
DELAY_MAX = 200


def mess(parcels: Iterable[Parcel], rng: Random, *, duplicates: float, disorder: float, poison: float) -> Iterator[Parcel]:
    """``parcels``, of which the given shares come twice, come late, or are followed by a spoiled copy (each 0 to 1).

    Order within a key is lost too, as it is when several producers write. Bounded memory: `DELAY_MAX` records at most twice.
    """
    waiting: list[tuple[int, int, Parcel]] = []
    number = 0
    for number, parcel in enumerate(parcels):
        while waiting and waiting[0][0] <= number:
            yield heappop(waiting)[2]
        if rng.random() < disorder:
            heappush(waiting, (number + rng.randint(1, DELAY_MAX), 2 * number, parcel))
        else:
            yield parcel
        if rng.random() < duplicates:
            heappush(waiting, (number + rng.randint(1, DELAY_MAX), 2 * number + 1, parcel))
        if rng.random() < poison:
            yield _POISONS[rng.randrange(len(_POISONS))](parcel)
    while waiting:
        yield heappop(waiting)[2]


def _swap(old: bytes, new: bytes) -> Callable[[Parcel], Parcel]:
    """Replace a piece that every event has."""
    return lambda parcel: parcel._replace(value=(parcel.value or b"").replace(old, new, 1))


def _value(value: bytes | None) -> Callable[[Parcel], Parcel]:
    return lambda parcel: parcel._replace(value=value)


def _future(parcel: Parcel) -> Parcel:
    """The record is older than its event by more than clocks may differ."""
    return parcel._replace(time_ms=parcel.time_ms - 2 * FUTURE_SKEW_MS)


#: Each makes a record that `schemas.event.decode` must reject.
_POISONS: tuple[Callable[[Parcel], Parcel], ...] = (
    lambda parcel: parcel._replace(value=(parcel.value or b"")[:-20]),
    _value(None),
    _value(b"not json"),
    _value(b"[" * 5_000),
    _value(b"x" * (VALUE_BYTES_MAX + 1)),
    _swap(b'"specversion":"1.0"', b'"specversion":"0.3"'),
    _swap(b'"type":"', b'"type":"no.such.'),
    _swap(b'"data":{', b'"data":null,"was":{'),
    _swap(b'"time":"20', b'"time":"19'),
    lambda parcel: parcel._replace(key=None),
    lambda parcel: parcel._replace(key=b"\xff\xfe"),
    lambda parcel: parcel._replace(key=b"C1\n"),
    _future,
)
