"""Learning churn with River: one lesson at a time, tested before it is trained on, restored from and saved to plain data.

River's logistic regression with AdaGrad over scaled features (`portrait.models.scaling`). The prior's log-odds are not scaled, so
that their weight of 1 means "as the prior says"; their mean is counted for the reasons.

Features go by their names. A lesson or a snapshot of code with other features is learned from all the same: what it lacks
counts as average and keeps its weight, and what only it knows is left alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from math import log
from typing import Any

import msgspec
from river import linear_model, utils

from portrait.models.churn import FEATURES, MODEL, PRIOR, Scorer, digest, digest_of, fresh, from_snapshot, verify
from portrait.models.measures import clipped
from portrait.models.prior import PriorLearner
from portrait.models.scaling import Z_MAX, AdaGrad, Moments, Scaling
from portrait.models.spending import SpendingLearner
from portrait.models.start import SCALING_LABELS, checked
from portrait.models.trial import Trial
from portrait.models.watch import Watch, watched
from portrait.structures import NEVER
from schemas.outputs import History, Lesson, Order, Snapshot, Start

RATE = 0.03
#: River moves the intercept at a rate that never falls: a greater one would follow the last few labels instead of the base rate.
INTERCEPT_RATE = 0.003
#: Lesson ids remembered, against a lesson that is published twice.
RECENT = 2000


class Learner:
    """The trainer's model. Not thread safe. All its state goes into `snapshot` and comes back by `restore`."""

    def __init__(self, horizon_days: int, generation: int = 1) -> None:
        self.horizon_days = horizon_days
        self.generation = generation
        self.lessons = 0  # of both kinds
        self.labels = 0
        self.prior = PriorLearner()
        self.spending = SpendingLearner()
        self.scaling = Scaling(FEATURES)
        self.model = linear_model.LogisticRegression(optimizer=AdaGrad(RATE), intercept_lr=INTERCEPT_RATE)
        self.model._weights = utils.VectorDict({PRIOR: 1.0})
        self.recent: deque[str] = deque(maxlen=RECENT)
        self._known: set[str] = set()
        self.watch = Watch(FEATURES)
        self.order = ""  # the id of the one that began this generation
        self.declined = ""  # and of the last one that could not be obeyed
        self.before = ""  # the version that this generation goes on from, or the one that scored when it was begun anew
        self.trial: Trial | None = None  # while there is one, nobody scores with this
        self.rival: Scorer | None = None  # in the trial; where it is lost, only the number of labels counts

    def learn(self, lesson: Lesson, now_ms: int = NEVER) -> bool:
        """Test, then train. False if the lesson was learned before, or does not fit. ``now_ms``: the trainer's clock, by which
        what is watched by weeks tells a lesson of the future."""
        x = lesson.features
        if lesson.id in self._known or lesson.horizon_days != self.horizon_days or PRIOR not in x:
            return False
        self._remember(lesson.id)
        scaled = self.scaling.learn(x)
        scaled[PRIOR] = x[PRIOR]
        self._measure(lesson, self.model.predict_proba_one(scaled)[True], now_ms)
        self.model.learn_one(scaled, lesson.churned)
        self.lessons += 1
        self.labels += 1
        return True

    def learn_history(self, history: History) -> bool:
        """Teach the prior, and what a purchase is worth. False if it was learned before."""
        if history.id in self._known:
            return False
        self._remember(history.id)
        self.prior.learn(history.purchase_days, history.recency_days, history.tenure_days)
        self.spending.learn(history.money)
        self.spending.learn_worth(history.worth)
        self.lessons += 1
        return True

    def start_from(self, start: Start) -> None:
        """Before the first lesson: with another shop's weights and scaling, but this shop's own base rate. Raises ValueError for
        what can't be started from."""
        features = checked(start).features
        self.model._weights = utils.VectorDict({name: of.weight for name, of in features.items()})
        for name, of in features.items():
            self.scaling.of[name] = Moments(SCALING_LABELS, of.mean, of.variance)

    def recall(self, lesson_ids: Iterable[str]) -> None:
        """These were learned."""
        for lesson_id in lesson_ids:
            self._remember(lesson_id)

    def _remember(self, lesson_id: str) -> None:
        if len(self.recent) == RECENT:
            self._known.discard(self.recent[0])
        self.recent.append(lesson_id)
        self._known.add(lesson_id)

    def _measure(self, lesson: Lesson, own: float, now_ms: int) -> None:
        """Progressive validation: the risk as it was predicted then, and as this model would have, against what happened."""
        own_loss = loss_of(own, lesson.churned)
        self.watch.learn(lesson.features, lesson.risk, lesson.churned, lesson.scored_at_ms, own_loss, now_ms)
        if self.trial is not None and self.rival is not None:
            other = self.rival.risk([lesson.features.get(*known) for known in zip(FEATURES, self.rival.means, strict=True)])
            self.trial.judge(own_loss, loss_of(other, lesson.churned))

    def end_trial(self, offsets: dict[str, int]) -> bool:
        """Whether this model has just proved itself. ``offsets``: the next lessons to be read."""
        if self.trial is None:
            return False
        self.trial.follow(offsets)
        if not self.trial.passed(self.labels):
            return False
        self.trial = self.rival = None
        return True

    def scorer(self) -> Scorer:
        """The model as one weight a feature: what `predict_proba_one` gives for scaled values, multiplied out."""
        start = fresh(self.horizon_days)
        bias, weights, means, low, high = float(self.model.intercept), start.weights, start.means, start.low, start.high
        for i, name in enumerate(FEATURES):
            weights[i] = float(self.model.weights.get(name, 0.0))
            of = self.scaling.of[name]
            if of.count:
                means[i] = of.mean
            if name == PRIOR:
                continue
            scale = of.scale
            weights[i] /= scale
            bias -= weights[i] * of.mean
            if of.count:
                low[i], high[i] = of.mean - Z_MAX * scale, of.mean + Z_MAX * scale
        return Scorer(
            version=f"{self.generation}.{self.lessons}",
            horizon_days=self.horizon_days,
            bias=bias,
            weights=weights,
            means=means,
            low=low,
            high=high,
            prior=self.prior.prior,
            spending=self.spending.spending,
            sure=self.watch.measures.sure(),
        )

    def metrics(self) -> dict[str, float]:
        trial = self.trial
        if trial is None or not trial.judged:  # nothing is known yet
            return self.watch.plain()
        return self.watch.plain() | {"trial_log_loss": trial.log_loss, "against_log_loss": trial.against_log_loss}

    def snapshot(self, offsets: dict[str, int], now_ms: int) -> Snapshot:
        """All of it as plain data. ``offsets``: the next lesson to learn, by ``topic/partition``."""
        made = self.scorer()
        scorer = msgspec.to_builtins(made) | {"features": list(FEATURES), "prior": list(made.prior)}
        del scorer["version"]
        learner = {
            "prior": self.prior.state,
            "spending": self.spending.state,
            "labels": self.labels,
            "weights": {k: float(v) for k, v in self.model.weights.items()},
            "intercept": float(self.model.intercept),
            "g2": {k: float(v) for k, v in self.model.optimizer.g2.items()},
            "iterations": int(self.model.optimizer.n_iterations),
            "watch": self.watch.state,
            "trial": msgspec.to_builtins(self.trial),
        } | self.scaling.state
        recent = list(self.recent)
        unsigned = Snapshot(
            model=MODEL,
            generation=self.generation,
            lessons=self.lessons,
            trained_at_ms=now_ms,
            offsets=offsets,
            recent=recent,
            scorer=scorer,
            learner=learner,
            metrics={name: float(value) for name, value in self.metrics().items()},  # as JSON gives them back
            digest="",
            ready=self.trial is None,
            order=self.order,
            declined=self.declined,
            before=self.before,
            recent_digest=digest_of(recent),
        )
        return msgspec.structs.replace(unsigned, digest=digest(unsigned))


def restore(snapshot: Snapshot) -> Learner:
    """The learner as it was when it made the snapshot. Raises ValueError for a broken one."""
    verify(snapshot)
    from_snapshot(snapshot)
    try:
        return _restored(snapshot, snapshot.learner)
    except (LookupError, TypeError, msgspec.ValidationError) as error:
        raise ValueError(f"snapshot {snapshot.version}: its learner can't be read ({type(error).__name__})") from error


def _restored(snapshot: Snapshot, saved: Mapping[str, Any]) -> Learner:
    learner = Learner(int(snapshot.scorer["horizon_days"]), snapshot.generation)
    learner.lessons, learner.labels = snapshot.lessons, int(saved["labels"])
    learner.prior = PriorLearner(saved["prior"])
    learner.spending = SpendingLearner(saved.get("spending"))
    learner.model._weights = utils.VectorDict(dict(saved["weights"]))  # a copy: it learns in place
    learner.model.intercept = saved["intercept"]
    learner.model.optimizer.g2.update(saved["g2"])
    learner.model.optimizer.n_iterations = saved["iterations"]
    learner.scaling = Scaling(FEATURES, saved)
    learner.recall(snapshot.recent)
    learner.watch = Watch(FEATURES, watched(snapshot))
    learner.watch.drifts = int(snapshot.metrics.get("drifts", 0))
    learner.order, learner.declined = snapshot.order, snapshot.declined
    learner.trial = msgspec.convert(saved.get("trial"), Trial | None)
    learner.before = snapshot.before or (learner.trial.against if learner.trial else "")
    return learner


def loss_of(risk: float, churned: bool) -> float:
    p = clipped(risk)
    return -log(p if churned else 1 - p)


def anew(generation: int, scoring: Snapshot | None, horizon_days: int, newest: Snapshot | None = None) -> Learner:
    """One that knows nothing yet, on trial against ``scoring``. ``newest``: of whose drifts operators have heard, if another."""
    learner = Learner(horizon_days, generation)
    last = newest or scoring
    if last is not None:
        learner.watch.begin_after(watched(last))
    if scoring is not None:
        learner.before = scoring.version
        labels = scoring.learner.get("labels")  # of a broken one, the lessons: there are more of them
        learner.trial = Trial(scoring.version, labels if isinstance(labels, int) else scoring.lessons, scoring.offsets)
    return learner


def begin(order: Order, newest: Snapshot | None, source: Snapshot | None, scoring: Snapshot | None, horizon_days: int) -> Learner:
    """The learner of the generation that ``order`` asks for.

    A rollback goes on from ``source``, and from now: what was learned since is forgotten, and not learned again. What was watched
    goes on from ``newest``, for it is about the risks that were told. Learning anew, also from another shop's weights, is on
    trial against ``scoring``. Raises ValueError where ``source`` or those weights can't be used.
    """
    if not order.version:
        learner = anew(order.generation, scoring, horizon_days, newest)
        if order.start is not None:
            learner.start_from(order.start)
    elif source is None:
        raise ValueError(f"version {order.version} is not kept")
    else:
        learner = restore(source)
        learner.generation, learner.trial, learner.before = order.generation, None, source.version
        if newest is not None:
            learner.watch = Watch(FEATURES, watched(newest))
            learner.recall(newest.recent)
    learner.order = order.id
    return learner
