"""What the workers of a run did to each state, in order: one file, to which all of them append (docs/refold.md).

An `Attempt` stands there before the commit is sent, the `Answer` once the store has confirmed it. Each line begins and ends with
a newline: what a killed worker left unfinished spoils no other's, and was never sent.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path

import msgspec

from portrait.evolve import Arrival, Change, evolve
from portrait.identity.person import Moment, Turned, evolve_persons, own
from portrait.models.churn import Scorer
from portrait.settle import Policy
from portrait.state import State, source_of
from profile_store.contract import Write

#: Beside the file of what is owed.
NAME = "trace.jsonl"


class Terms(msgspec.Struct, frozen=True, array_like=True):
    """What a worker evolved states with: the same for all of a piece."""

    clock_ms: int
    effects: bool
    silence_ms: int
    capped_rules: bool
    horizon_days: int
    model: str  # version
    weights: str  # `fingerprint`


class Traced(msgspec.Struct, array_like=True):
    """One customer's part of an attempt."""

    customer_id: str
    before: str  # nonce, in hex; "" where there was no state
    held: int  # effects in the state
    causes: list[tuple[int, int, int]]  # topic code, partition, offset; none: a tick


class Attempt(msgspec.Struct, array_like=True, tag="attempt"):
    nonce: str
    terms: Terms | None  # None: only cleanings
    steps: list[Traced]
    cleaned: list[tuple[str, str]]  # (customer id, nonce before): only effects were taken out
    at_ms: int = 0  # the machine's clock


class Answer(msgspec.Struct, array_like=True, tag="answer"):
    nonce: str
    conflicts: list[str]  # customers that were not written


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Attempt | Answer).decode


def fingerprint(
    bias: float, weights: Sequence[float], prior: Sequence[float], low: Sequence[float], high: Sequence[float]
) -> str:
    """Of a model's content: two trainers may give two the same version."""
    return blake2b(_encode([bias, list(weights), list(prior), list(low), list(high)]), digest_size=8).hexdigest()


class Tracer:
    """In a worker: `evolve` in the place of the product's, `attempt` and `answer` around the store's commit."""

    def __init__(self, file: Path) -> None:
        self._file = os.open(file, os.O_APPEND | os.O_CREAT | os.O_WRONLY)
        self._evolved: dict[str, tuple[Terms, Traced]] = {}
        self._scorer: Scorer | None = None
        self._fingerprint = ""

    def evolve(
        self, state: State | None, customer_id: str, arrivals: Sequence[Arrival], clock_ms: int, scorer: Scorer, policy: Policy
    ) -> Change | None:
        held = len(state.effects) if state else 0
        change = evolve(state, customer_id, arrivals, clock_ms, scorer, policy)
        if change is not None:
            self._remember(customer_id, held, arrivals, Moment(clock_ms, scorer, policy))
        return change

    def evolve_persons(
        self, states: Mapping[str, State], arrivals: Mapping[str, Sequence[Arrival]], now: Moment, told: Collection[str] = ()
    ) -> list[Turned]:
        """Their part of an attempt is for `check_hushed`: what persons do is not refolded."""
        held = {name: len(state.effects) for name, state in states.items()}
        turned = evolve_persons(states, arrivals, now, told)
        for one in turned:
            self._remember(one.name, held[one.name], own(one.name, arrivals.get(one.name, ())), now)
        return turned

    def _remember(self, customer_id: str, held: int, arrivals: Sequence[Arrival], now: Moment) -> None:
        scorer, policy = now.scorer, now.policy
        if scorer is not self._scorer:
            self._scorer = scorer
            self._fingerprint = fingerprint(scorer.bias, scorer.weights, scorer.prior, scorer.low, scorer.high)
        model = scorer.horizon_days, scorer.version, self._fingerprint
        terms = Terms(now.clock_ms, policy.effects, policy.silence_ms, policy.capped_rules, *model)
        causes = [(*source_of(arrival.mark), arrival.offset) for arrival in arrivals]
        self._evolved[customer_id] = terms, Traced(customer_id, "", held, causes)

    def attempt(self, writes: Sequence[Write], nonce: bytes) -> None:
        """These are about to be sent."""
        attempts: dict[Terms | None, Attempt] = {}
        at_ms = time.time_ns() // 1_000_000
        for write in writes:
            terms, traced = self._evolved.pop(write.id) if write.fields else (None, None)
            attempt = attempts.setdefault(terms, Attempt(nonce.hex(), terms, [], [], at_ms))
            if traced is None:  # only what was evolved has fields to show
                attempt.cleaned.append((write.id, write.nonce.hex()))
            else:
                traced.before = write.nonce.hex()
                attempt.steps.append(traced)
        self._append(*attempts.values())

    def answer(self, nonce: bytes, conflicts: list[str]) -> None:
        self._append(Answer(nonce.hex(), conflicts))

    def _append(self, *lines: Attempt | Answer) -> None:
        if lines:
            os.write(self._file, b"".join(b"\n%b\n" % _encode(line) for line in lines))


def read(file: Path) -> Iterator[Attempt | Answer]:
    """All whole lines."""
    with file.open("rb") as lines:
        for line in lines:
            if line != b"\n":
                try:
                    yield _decode(line)
                except msgspec.DecodeError:
                    continue  # its writer was killed
