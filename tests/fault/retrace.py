"""What workers traced, refolded by the oracle and compared with what is in the store (docs/refold.md)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from oracle import histories, score
from oracle.histories import Write
from oracle.refold import Life, Place, Step
from oracle.tools import day_of
from portrait.state import State
from schemas.event import Event
from schemas.outputs import Snapshot
from tests.fault.trace import Answer, Attempt, Terms, Traced, fingerprint, read
from tests.fault.verdict import Verdict

RISK_TOLERANCE = 1e-6
#: Ticks follow the clock at this distance.
LATE_MS = 5_000


class Stored(NamedTuple):
    """A state as it is in the store. ``nonce`` in hex."""

    nonce: str
    state: State


class Retrace:
    """``owed``: ids that must have been published, ``raised``: those that may have been, for some history raises them;
    ``known``: those that are no surprise, for the one that survived knows the episode. All grow with each `judge`."""

    def __init__(self, file: Path, snapshots: Mapping[tuple[str, str], Snapshot], verdict: Verdict) -> None:
        """``snapshots``: as `snapshot_key` names them."""
        self._file, self._snapshots, self._verdict = file, snapshots, verdict
        answers = (line for line in read(file) if isinstance(line, Answer))
        self._conflicts = {answer.nonce: frozenset(answer.conflicts) for answer in answers}
        self._models: dict[Terms, score.Model | None] = {}
        self.owed: set[str] = set()
        self.raised: set[str] = set()
        self.known: set[str] = set()

    def writes(self, wanted: Callable[[str], bool]) -> dict[str, list[Write]]:
        """All attempts to write these customers' states, but for those with a model that was never published."""
        found: dict[str, list[Write]] = defaultdict(list)
        for line in read(self._file):
            if isinstance(line, Attempt):
                conflicts = self._conflicts.get(line.nonce)
                model = self._model(line.terms)
                for traced in line.steps:
                    if model is not None and wanted(id_ := traced.customer_id):
                        confirmed = conflicts is not None and id_ not in conflicts
                        found[id_].append(Write(traced.before, line.nonce, step_of(line.terms, traced, model), confirmed))
                for id_, before in line.cleaned:
                    if wanted(id_):
                        found[id_].append(Write(before, line.nonce, None, conflicts is not None and id_ not in conflicts))
        return found

    def judge(
        self, customer_id: str, log: Mapping[Place, Event], writes: Sequence[Write], stored: Stored | None, at_ms: int
    ) -> None:
        """One customer. ``log``: the events that count. ``at_ms``: the moment until which silence was looked at."""
        verdict = self._verdict
        found = histories.refold(customer_id, log, writes, stored.nonce if stored else histories.NOTHING)
        verdict.steps += len(writes)
        verdict.taken_back += found.taken_back
        self.raised |= found.raised
        if found.life is None:
            verdict.untraced += 1
            verdict.notes.append(f"{customer_id}: the traced writes do not lead to the state")
            return
        self.owed |= found.life.raised | (found.life.hushed & found.raised)
        self.known |= found.life.raised | found.life.hushed | found.life.called_for
        if stored is not None:
            self._compare(customer_id, found.life, stored.state, at_ms)

    def _compare(self, customer_id: str, life: Life, state: State, at_ms: int) -> None:
        verdict = self._verdict
        stored, refolded = (state.stage, state.stages, state.moment_ms), (life.stage, life.stages, life.moment_ms)
        due = life.ledger.stage(max(day_of(at_ms - LATE_MS), day_of(life.moment_ms))).name
        if stored != refolded or due != state.stage:
            verdict.stages_wrong += 1
            verdict.notes.append(f"stages of {customer_id}: {stored} stored, {refolded} refolded, {due} due")
        scores = state.risk, life.risk
        same = scores == (None, None) or (None not in scores and abs(state.risk - life.risk) <= RISK_TOLERANCE)  # type: ignore[operator]
        if not same or state.model != life.model_version:
            verdict.scores_wrong += 1
            verdict.notes.append(f"risk of {customer_id}: {scores[0]} stored, {scores[1]} refolded, model {state.model}")

    def _model(self, terms: Terms | None) -> score.Model | None:
        """From what was published, not from what the worker says."""
        if terms is None:
            return None
        if terms not in self._models:
            prior, snapshot = score.prior_alone(terms.horizon_days), self._snapshots.get((terms.model, terms.weights))
            if snapshot is not None:
                self._models[terms] = model_of(snapshot, terms.horizon_days)
            elif (terms.model, terms.weights) == (prior.version, fingerprint(*prior[2:])):
                self._models[terms] = prior
            else:
                self._models[terms] = None
                self._verdict.notes.append(f"model {terms.model} is not on its topic with these weights: {terms.weights}")
        return self._models[terms]


def step_of(terms: Terms, traced: Traced, model: score.Model) -> Step:
    return Step(traced.causes, terms.clock_ms, model, terms.effects, terms.silence_ms, terms.capped_rules, traced.held)


def model_of(snapshot: Snapshot, horizon_days: int) -> score.Model:
    return score.Model(snapshot.version, horizon_days, *_content(snapshot))


def snapshot_key(snapshot: Snapshot) -> tuple[str, str]:
    """Its version, and a fingerprint of its weights."""
    return snapshot.version, fingerprint(*_content(snapshot))


def _content(snapshot: Snapshot) -> Iterator[Any]:
    """Of a model, as `score.Model` has it after version and horizon."""
    return (snapshot.scorer[name] for name in ("bias", "weights", "prior", "low", "high"))
