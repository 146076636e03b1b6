"""Prometheus metrics of a worker. No label ever holds personal data."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Mapping, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from portrait.models.watch import watched
from schemas.cleaning import FIELDS
from schemas.identity import CARRIED
from schemas.outputs import Snapshot
from schemas.registry import EXPIRED
from streams.intake import Intake
from streams.log import TP, Outgoing, Record

disable_created_metrics()  # twice as many series, which nobody reads

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Metrics:
    """One set for a worker. ``registry`` is what `/metrics` shows."""

    def __init__(self) -> None:
        self.registry = r = CollectorRegistry()
        self.events = Counter("portrait_events_total", "Records by topic and outcome", ["topic", "outcome"], registry=r)
        self.outcomes = Counter("portrait_arrivals_total", "Decoded events by what became of them", ["outcome"], registry=r)
        self.dead = Counter("portrait_dead_letters_total", "Dead letters by topic and reason", ["topic", "reason"], registry=r)
        self.refused = Counter("portrait_refused_values_total", "Values that cleaning left out, by field", ["field"], registry=r)
        self.batch_seconds = Histogram(
            "portrait_batch_seconds", "A batch from decoding to confirmation", buckets=SECONDS, registry=r
        )
        self.batch_records = Histogram(
            "portrait_batch_records", "Records of a batch", buckets=(1, 10, 100, 1000, 2000, 5000, 10_000, 20_000), registry=r
        )
        self.commit_seconds = Histogram("portrait_commit_seconds", "The store's commit of a batch", buckets=SECONDS, registry=r)
        self.conflicts = Counter("portrait_conflicts_total", "States written by another worker meanwhile", registry=r)
        self.loaded = Counter("portrait_states_loaded_total", "States that were not in the worker's memory", registry=r)
        self.published = Counter("portrait_published_total", "Effects published, by topic", ["topic"], registry=r)
        self.expired = Counter("portrait_expired_total", "Anonymous fragments that have expired", registry=r)
        self.closed = Counter("portrait_identities_closed_total", "Identities that join nobody more, by why", ["why"], registry=r)
        self.dropped = Counter("portrait_effects_dropped_total", "Effects for which a state had no room", registry=r)
        self.ticks = Counter("portrait_ticks_total", "Silent customers settled", registry=r)
        self.waiting = Counter("portrait_store_waits_total", "Times that a batch waited for the store", registry=r)
        self.rewinds = Counter("portrait_rewinds_total", "Returns to the store's positions, by cause", ["cause"], registry=r)
        self.gate_lag = Gauge("portrait_clock_lag_seconds", "How far the clock that ticks follow is behind", registry=r)
        self.lag = Gauge("portrait_lag_records", "Unread records by partition", ["topic", "partition"], registry=r)
        self.model = Gauge("portrait_model_info", "1 for the version of the churn model in use", ["version"], registry=r)
        self.model_lessons = Gauge("portrait_model_lessons", "Lessons the model in use has learned", registry=r)
        self.model_loss = Gauge("portrait_model_log_loss", "Running log-loss of the risks that were told", registry=r)
        self.quality = Gauge(
            "portrait_model_quality", "The same for other measures, as of the newest version", ["measure"], registry=r
        )
        self.shift = Gauge(
            "portrait_model_feature_shift", "Lately against long ago, in standard deviations", ["feature"], registry=r
        )
        self.texts = Gauge("portrait_texts_info", "1 for the version of the models of texts in use", ["version"], registry=r)
        self.pinned = Gauge("portrait_model_pinned", "1 while a version is pinned", registry=r)
        self.alarms = Counter("portrait_model_alarms_total", "Drifts that operators were told of", registry=r)
        self.lessons = Counter("portrait_lessons_total", "Lessons by outcome", ["outcome"], registry=r)
        self.snapshots = Counter("portrait_snapshots_total", "Model snapshots by outcome", ["outcome"], registry=r)

    def uses(self, version: str, snapshot: Snapshot | None) -> None:
        """Scores come from this version from now on. None: from the prior alone."""
        self.model.clear()  # or every version there ever was would stay a series
        self.model.labels(version).set(1)
        self.model_lessons.set(snapshot.lessons if snapshot else 0)

    def reads(self, version: str) -> None:
        """Texts are understood with this version from now on."""
        self.texts.clear()
        self.texts.labels(version).set(1)

    def watched(self, newest: Snapshot) -> None:
        """What the trainer has measured."""
        self.model_loss.set(newest.metrics.get("log_loss", 0.0))
        self.quality.clear()  # what is no longer known is not left standing
        for name, value in newest.metrics.items():
            self.quality.labels(name).set(value)
        for name, shift in watched(newest).shifts.items():
            self.shift.labels(name).set(shift.size)

    def batch(self, records: Mapping[TP, Sequence[Record]], intake: Intake) -> None:
        for tp, of_partition in records.items():
            self.events.labels(tp[0], "read").inc(len(of_partition))
            self.events.labels(tp[0], "decoded").inc(intake.events.get(tp, 0))
        for (topic, reason), n in Tally(intake.reasons).items():
            self.dead.labels(topic, reason).inc(n)
        for field, n in Tally(intake.refused).items():
            self.refused.labels(field if field in FIELDS or field == CARRIED else "other").inc(n)
        if intake.skipped:
            self.outcomes.labels("replayed_elsewhere").inc(intake.skipped)
        self.batch_records.observe(sum(len(of_partition) for of_partition in records.values()))

    def arrivals(self, folded: int, repeated: int, duplicates: int) -> None:
        for outcome, n in (("folded", folded), ("repeated", repeated), ("duplicate", duplicates)):
            if n:
                self.outcomes.labels(outcome).inc(n)

    def effects(self, messages: Sequence[Outgoing]) -> None:
        for topic, n in Tally(message.topic for message in messages).items():
            self.published.labels(topic).inc(n)
            if topic == EXPIRED:
                self.expired.inc(n)

    def closes(self, before: str, after: str) -> None:
        """Why an identity joins nobody more, before links were folded and after; "" while it does."""
        if after not in ("", before):
            self.closed.labels(after).inc()

    def gate(self, lag_ms: int) -> None:
        self.gate_lag.set(lag_ms / 1000)

    def follow_lag(self, lag: Mapping[TP, int]) -> None:
        self.lag.clear()
        for (topic, partition), n in lag.items():
            self.lag.labels(topic, str(partition)).set(n)
