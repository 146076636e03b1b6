"""Train the dictionary that states are compressed with: ``python -m cli.dictionary > portrait/dictionary.py``.

On states of simulated customers in Chinese and English, at every age. A dictionary in use is never lost: stored states need it.
Before a better one is made for new states, NUMBER grows and the old one gets a module of its own.
"""

from __future__ import annotations

import sys
from base64 import b85encode
from random import Random

import zstandard

from cli.population import DAY_MS, Population
from cli.simulate import parcel_of
from portrait import state as states
from portrait.evolve import Arrival, evolve, published
from portrait.models.churn import fresh
from portrait.state import State, mark_of
from schemas.event import Event, decode

BYTES = 8192
NUMBER = 2
LEVEL = states.LEVEL_PACKED
CUSTOMERS, DAYS, SEED = 250, 400, 7
END_MS = 1_790_000_000_000


def samples() -> list[bytes | bytearray | memoryview[int]]:
    """States as msgpack, one of every twelve changes, of those that are long enough to be compressed."""
    population = Population(Random(SEED), customers=CUSTOMERS, start_ms=END_MS - DAYS * DAY_MS, end_ms=END_MS)
    known: dict[str, State] = {}
    found: list[bytes | bytearray | memoryview[int]] = []
    scorer = fresh(60)
    for offset, parcel in enumerate(map(parcel_of, population.history())):
        event = decode(parcel.topic, parcel.key, parcel.value, (), parcel.time_ms)
        if not isinstance(event, Event):
            continue
        arrival = Arrival(mark_of(event.topic_code, 0), offset, event)
        change = evolve(known.get(event.customer_id), event.customer_id, [arrival], event.time_ms, scorer)
        if change is not None:
            published(change.state)
            known[event.customer_id] = change.state
            blob, _ = states.uncompressed(change.state)
            if offset % 12 == 0 and len(blob) > states.COMPRESS_BYTES:
                found.append(blob)
    return found


HEADER = '''"""The dictionary that states are compressed with, number {number}.

Made by `python -m cli.dictionary`, and never edited. Stored states need it: a better one has a further number, and this becomes
a module beside it.
"""

from __future__ import annotations

from base64 import b85decode

DICTIONARY = b85decode(
'''
WIDTH = 120


def main() -> None:
    trained = zstandard.train_dictionary(BYTES, samples(), level=LEVEL, dict_id=NUMBER)
    text = b85encode(trained.as_bytes()).decode()
    sys.stdout.write(HEADER.format(number=NUMBER))
    for at in range(0, len(text), WIDTH):
        sys.stdout.write(f"    {text[at : at + WIDTH]!r}\n".replace("'", '"'))
    sys.stdout.write(")\n")


if __name__ == "__main__":
    main()
