"""One target under atheris, which never returns: ``python -m tests.fuzz.child TARGET CORPUS... [-libfuzzer=options]``."""

from __future__ import annotations

import sys
from random import Random

import atheris

# Before anything else imports them: what runs through these packages is what counts as coverage.
with atheris.instrument_imports(include=["schemas", "language", "portrait", "profile_store.memory", "streams"]):
    from tests.fuzz.case import pack, unpack
    from tests.fuzz.judge import TARGETS
    from tests.fuzz.mutate import mutated

GROWTH_BYTES = 64


def main() -> None:
    judge = TARGETS[sys.argv.pop(1)]

    def run(data: bytes) -> None:
        judge(unpack(data))

    def mutate(data: bytes, size_max: int, seed: int) -> bytes:
        rng = Random(seed)
        changed = pack(mutated(unpack(data), rng, lambda content: atheris.Mutate(content, len(content) + GROWTH_BYTES)))
        return changed if len(changed) <= size_max else data

    atheris.Setup(sys.argv, run, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
