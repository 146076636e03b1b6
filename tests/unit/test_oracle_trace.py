"""From a worker's trace to the verdict: nothing is wrong with an honest one, and whoever tampers is found out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path

import msgspec
import pytest

from portrait.evolve import Arrival, Change, published
from portrait.models.churn import FEATURES, Scorer
from portrait.models.prior import START
from portrait.state import State, decode, encode, mark_of
from profile_store.contract import Write
from schemas.event import Event
from schemas.outputs import Snapshot
from tests.corekit import HORIZON_DAYS, Customer, at, click, complaint, order
from tests.fault import commits, trace
from tests.fault.commits import SILENCE_CODE, UNKNOWN, Commits, Sample
from tests.fault.judge import check_effects, check_hushed
from tests.fault.retrace import Retrace, Stored, snapshot_key
from tests.fault.trace import Answer, Attempt, Tracer, read
from tests.fault.verdict import Verdict

ID = "C1"
WEIGHTS = [3.0 if name == "visits7" else 0.0 for name in FEATURES]
BOUNDS = {"low": [-9.0] * len(FEATURES), "high": [9.0] * len(FEATURES)}
SCORER = Scorer(version="1.50", horizon_days=HORIZON_DAYS, bias=-3.0, weights=WEIGHTS, means=[0.0] * len(FEATURES), **BOUNDS)
SNAPSHOT = Snapshot(
    model="churn", generation=1, lessons=50, trained_at_ms=0, offsets={}, recent=[], learner={}, metrics={}, digest="",
    scorer={"bias": -3.0, "weights": WEIGHTS, "prior": list(START), "horizon_days": HORIZON_DAYS, **BOUNDS},
)  # fmt: skip


class Worker(Customer):
    """A customer whose states go to a store by commits, each traced; effects are published after each."""

    def __init__(self, file: Path) -> None:
        super().__init__(SCORER)
        self.file, self.tracer, self._nonces = file, Tracer(file), count(1)
        self.nonce, self.blob = b"", b""
        self.log: dict[tuple[int, int, int], Event] = {}
        self.ids: set[str] = set()

    def arrival(self, event: Event) -> Arrival:
        arrival = super().arrival(event)
        self.log[event.topic_code, 0, arrival.offset] = event
        return arrival

    def evolve(self, arrivals: Sequence[Arrival], clock_ms: int) -> Change | None:
        change = self.tracer.evolve(self.state, ID, arrivals, clock_ms, self.scorer, self.policy)
        if change is not None:
            self.state = change.state
            self.commit({"version": b"1"})
            self.ids |= {effect.id for effect in self.state.effects}
            published(self.state)
        return change

    def commit(self, fields: dict[str, bytes]) -> None:
        nonce, blob = next(self._nonces).to_bytes(8), encode(self.known)
        write = Write(ID, self.nonce, blob, fields, [], None, "", "", None, [], [])
        self.tracer.attempt([write], nonce)
        self.nonce, self.blob = nonce, blob
        self.tracer.answer(nonce, [])

    def crash_and_lose(self, nonce: bytes, blob: bytes) -> None:
        """The store is as it was; another worker goes on from there, and reads again what came since."""
        self.nonce, self.state = nonce, decode(blob)

    def judge(self, ids: set[str] | None = None, state: State | None = None, nonce: bytes | None = None) -> Verdict:
        verdict = Verdict()
        retrace = Retrace(self.file, {snapshot_key(SNAPSHOT): SNAPSHOT}, verdict)
        stored = Stored((nonce or self.nonce).hex(), state or decode(self.blob))
        retrace.judge(ID, self.log, retrace.writes(lambda _: True)[ID], stored, self.known.moment_ms)
        check_effects(self.ids if ids is None else ids, self.file.with_name("owed"), (), retrace, verdict)
        return verdict


@pytest.fixture
def worker(tmp_path: Path) -> Worker:
    """Of a customer who bought, clicked until the risk rose, complained, fell silent, and came back."""
    worker = Worker(tmp_path / trace.NAME)
    worker.sees(order(0, amount_minor=200_000))
    worker.sees(*(click(1 + i / 10) for i in range(5)))
    worker.commit({})  # the published effects are taken out
    worker.sees(complaint(2))
    for day in (63, 121, 211, 361):
        worker.waits_until(day)
    worker.sees(order(400))
    return worker


def test_an_honest_trace_agrees(worker: Worker) -> None:
    verdict = worker.judge()
    assert verdict.fine, verdict.notes
    assert verdict.steps == 9
    assert verdict.actions == len(worker.ids) > 5  # risk, complaint, declining, dormant, back; and lessons


def test_each_action_that_was_never_published_is_missed(worker: Worker) -> None:
    for id_ in worker.ids:
        verdict = worker.judge(worker.ids - {id_})
        assert (verdict.actions_missing, verdict.wrong_actions, verdict.fine) == (1, 0, False)


def test_an_action_that_nothing_raises_is_wrong(worker: Worker) -> None:
    verdict = worker.judge(worker.ids | {"f" * 32})
    assert (verdict.actions_missing, verdict.wrong_actions, verdict.fine) == (0, 1, False)


def attempts_changed(worker: Worker, change: Callable[[int, Attempt], Attempt | None]) -> Verdict:
    """The verdict on a trace in which ``change`` tampered with the attempts."""
    lines = list(read(worker.file))
    worker.file.write_bytes(b"")
    tracer, number = Tracer(worker.file), count()
    for line in lines:
        tampered = change(next(number), line) if isinstance(line, Attempt) else line
        if tampered is not None:
            tracer._append(tampered)
    return worker.judge()


def test_a_cause_that_is_missing_from_the_trace_shows(worker: Worker) -> None:
    def without_the_complaint(number: int, attempt: Attempt) -> Attempt:
        if number == 3:
            attempt.steps[0].causes.clear()
        return attempt

    assert attempts_changed(worker, without_the_complaint).wrong_actions == 1


def test_another_clock_shows_in_the_stages(worker: Worker) -> None:
    def a_day_late(number: int, attempt: Attempt) -> Attempt:
        if attempt.terms is None:
            return attempt
        return msgspec.structs.replace(
            attempt, terms=msgspec.structs.replace(attempt.terms, clock_ms=attempt.terms.clock_ms + 86_400_000)
        )

    assert attempts_changed(worker, a_day_late).stages_wrong == 1


def test_a_write_that_is_missing_from_the_trace_shows(worker: Worker) -> None:
    assert attempts_changed(worker, lambda number, attempt: None if number == 4 else attempt).untraced == 1


def test_a_model_that_was_never_published_shows(worker: Worker) -> None:
    def other_weights(number: int, attempt: Attempt) -> Attempt:
        return msgspec.structs.replace(attempt, terms=attempt.terms and msgspec.structs.replace(attempt.terms, weights="?"))

    verdict = attempts_changed(worker, other_weights)
    assert verdict.untraced == 1
    assert "is not on its topic" in verdict.notes[0]


def test_a_state_with_another_history_or_score_shows(worker: Worker) -> None:
    state = decode(worker.blob)
    state.stages[0] = ("new", state.stages[0][1] - 1)
    assert worker.judge(state=state).stages_wrong == 1
    state = decode(worker.blob)
    state.risk = (state.risk or 0.0) + 0.001
    assert worker.judge(state=state).scores_wrong == 1


def lose_two_complaints(worker: Worker) -> list[Arrival]:
    """The first raises an action that is published, the second is cooled down; then the store loses both, and they come again."""
    worker.commit({})
    nonce, blob = worker.nonce, worker.blob
    worker.sees(complaint(401, "K9"))
    worker.sees(complaint(401.1, "K10"))
    worker.commit({})
    worker.crash_and_lose(nonce, blob)
    return [Arrival(mark_of(*place[:2]), place[2], event) for place, event in list(worker.log.items())[-2:]]


def test_what_only_a_lost_history_raises_is_extra_and_no_more(worker: Worker) -> None:
    worker.evolve(lose_two_complaints(worker), at(401.1))
    verdict = worker.judge()
    assert verdict.fine, verdict.notes
    assert (verdict.taken_back, verdict.actions_extra) == (3, 1)


def test_what_is_hushed_must_have_been_published_before(worker: Worker) -> None:
    before = set(worker.ids)
    again = lose_two_complaints(worker)
    (published_once,) = worker.ids - before
    worker.policy = worker.policy._replace(effects=False)
    for arrival in again:
        worker.evolve([arrival], arrival.event.time_ms)
    verdict = worker.judge()
    assert verdict.fine, verdict.notes
    assert worker.judge(worker.ids - {published_once}).actions_missing == 1


def test_what_a_killed_worker_left_unfinished_spoils_nothing(worker: Worker) -> None:
    with worker.file.open("ab") as file:
        file.write(b'\n["attempt","00","')
    worker.tracer.answer(b"another", [])
    assert worker.judge().fine
    assert [line.nonce for line in read(worker.file) if isinstance(line, Answer)][-1] == b"another".hex()


def hushed(worker: Worker, sampled: Commits) -> int:
    verdict = Verdict()
    check_hushed(worker.file, sampled, verdict)
    assert bool(verdict.notes) is not verdict.fine
    return verdict.wrongly_hushed


def sampled(worker: Worker, *, committed: int, moment_ms: int) -> Commits:
    """Kafka had nothing at first; and in the end these, from the moment of the last attempt on."""
    ended_ms = max(line.at_ms for line in read(worker.file) if isinstance(line, Attempt))
    codes = {code for code, _, _ in worker.log} | {SILENCE_CODE}
    last = [(code, 0, committed, moment_ms if code == SILENCE_CODE else 0) for code in sorted(codes)]
    return Commits([Sample(0, [(code, 0, 0, 0) for code in sorted(codes)]), Sample(ended_ms, last)])


def test_a_worker_that_hushes_what_kafka_had_not_heard_of_is_found_out(tmp_path: Path) -> None:
    worker = Worker(tmp_path / trace.NAME)
    worker.policy = worker.policy._replace(effects=False, silence_ms=at(300))
    worker.sees(order(0, amount_minor=200_000))
    worker.sees(complaint(2))
    worker.waits_until(211)
    assert not worker.ids and worker.judge().fine, "the refold believes the worker"
    assert hushed(worker, sampled(worker, committed=1, moment_ms=at(300))) == 0
    assert hushed(worker, sampled(worker, committed=0, moment_ms=at(300))) == 2
    assert hushed(worker, sampled(worker, committed=1, moment_ms=at(299))) == 3
    assert hushed(worker, sampled(worker, committed=0, moment_ms=UNKNOWN)) == 2, "a broker that keeps no moments"


def test_what_was_committed_only_later_excuses_nothing(worker: Worker, tmp_path: Path) -> None:
    loud = hushed(worker, sampled(worker, committed=0, moment_ms=0))
    worker.policy = worker.policy._replace(effects=False)
    worker.sees(complaint(401, "K9"))
    ((code, partition, offset),) = list(worker.log)[-1:]
    at_ms = max(line.at_ms for line in read(worker.file) if isinstance(line, Attempt))
    before, after = Sample(at_ms, [(code, partition, offset, 0)]), Sample(at_ms + 1, [(code, partition, offset + 1, 0)])
    assert (loud, hushed(worker, Commits([before, after])), hushed(worker, Commits([after]))) == (0, 1, 0)


def test_samples_outlive_a_torn_line(tmp_path: Path) -> None:
    file = tmp_path / commits.NAME
    whole = msgspec.json.encode(Sample(5, [(SILENCE_CODE, 0, 7, 9)]))
    file.write_bytes(b"\n%b\n\n[3,[[1" % whole + b"\n%b\n" % whole)
    assert commits.read(file)._sampled_ms(4) == 5
