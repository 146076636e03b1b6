"""What Portrait publishes: actions, lessons, dead letters, model snapshots. JSON in Kafka, each with a format number.

Actions are CloudEvents 1.0 as well, so that whatever reads the company's events can read them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

#: Of lessons. What is beyond them no worker writes, and the arithmetic of the model would not survive: an honest feature is a
#: logarithm or a count of a few, honest days and moments end with the year 9999.
LessonId = Annotated[str, Meta(min_length=1, max_length=64)]
LessonMs = Annotated[int, Meta(ge=0, le=253_402_300_799_999)]
LessonDays = Annotated[int, Meta(ge=0, le=10_000_000)]
LessonCurrency = Annotated[str, Meta(max_length=8)]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]
Feature = Annotated[float, Meta(ge=-1e6, le=1e6)]


class Reason(msgspec.Struct, frozen=True, gc=False):
    """Why, in words for a person: ``code`` is stable, ``en`` and ``zh`` say the same."""

    code: str
    en: str
    zh: str


class Lever(msgspec.Struct, frozen=True, gc=False):
    """What the company could bring about, and the score that the customer would have then."""

    code: str
    en: str
    zh: str
    churn: float


class Sure(msgspec.Struct, frozen=True, gc=False):
    """How sure a risk is: of ``of`` scores like it with a known outcome, a share from ``low`` to ``high`` left (95 %, Wilson)."""

    of: int
    low: float
    high: float


class Action(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Something to do for one customer now.

    ``id`` is a digest of customer, rule and episode: a repeated publication carries the same one, so consumers keep the ids
    that they have acted on until ``expires_at_ms``.
    """

    format: int = 1
    id: str
    customer_id: str
    rule: str  # which rule raised it: docs/actions.md lists them
    episode: str  # what it is about: the same customer, rule and episode give the same id
    raised_at_ms: int
    expires_at_ms: int  # not worth doing afterwards
    stage: str  # the customer's lifecycle stage at that moment
    churn_risk: float | None  # 0 to 1; null for who has bought nothing yet
    model_version: str  # of the churn model; empty without a score
    reasons: list[Reason]
    suggest: Reason  # what to do


class ActionEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The CloudEvents envelope of an action."""

    specversion: Literal["1.0"] = "1.0"
    id: str
    source: str = "/portrait"
    type: str = "action.raised"
    time: str
    subject: str
    datacontenttype: str = "application/json"
    data: Action


class OperatorAction(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Something for whoever runs Portrait to look at; it concerns no customer.

    ``id`` is a digest of model, generation, subject and week: a repeated publication carries the same one.
    """

    format: int = 1
    id: str
    rule: str  # which rule raised it: docs/actions.md lists them
    model: str
    model_version: str  # the newest when it was raised
    subject: str  # what drifted: loss, or features
    raised_at_ms: int
    expires_at_ms: int
    reasons: list[Reason]
    suggest: Reason  # what to do


class OperatorActionEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The CloudEvents envelope of an action for operators."""

    specversion: Literal["1.0"] = "1.0"
    id: str
    source: str = "/portrait"
    type: str = "operator-action.raised"
    time: str
    subject: str
    datacontenttype: str = "application/json"
    data: OperatorAction


class Lesson(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag_field="kind", tag="label"):
    """A matured example for the churn model: features as they stood at ``scored_at_ms``.

    ``churned``: nothing was bought in the horizon.
    """

    format: int = 1
    id: LessonId  # digest of customer, model and day of scoring: no personal data goes into a lesson
    model: str
    scored_at_ms: LessonMs
    horizon_days: int
    features: dict[str, Feature]
    risk: Share  # as it was predicted then: progressive validation
    model_version: str
    churned: bool


class History(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag_field="kind", tag="history"):
    """A customer's purchases so far, without a label: what prior and worth of a purchase are learned from."""

    format: int = 1
    id: LessonId
    model: str
    at_ms: LessonMs
    purchase_days: Annotated[int, Meta(ge=1, le=10_000_000)]  # days with a purchase
    recency_days: LessonDays  # since the last
    tenure_days: LessonDays  # since the first: not after the last
    money: dict[LessonCurrency, tuple[float, float]] = {}  # by currency: purchase days, net spend in minor units
    worth: float = 0.0  # expected spend, in average purchases of the shop; 0: not known

    def __post_init__(self) -> None:
        if self.recency_days > self.tenure_days:
            raise ValueError("the last purchase is before the first: recency_days is more than tenure_days")


class Origin(msgspec.Struct, frozen=True, gc=False):
    """Where a record stood in the log."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A record that could not be folded: reason, path, remedy, origin. ``id`` is the origin's text.

    Key and value are kept as base64 (JSON has no bytes). They may be personal data: the topic's retention is a privacy setting.
    """

    format: int = 1
    id: str
    origin: Origin
    reason: str
    path: str
    message: str
    remedy: str
    record_ms: int
    key: bytes | None
    value: bytes | None
    value_truncated: bool = False
    headers: list[tuple[str, bytes]] = []


class Replayed(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A dead letter's origin that has been published again, mended or under mended code."""

    format: int = 1
    origin: Origin
    replayed_at_ms: int


class Expired(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An anonymous fragment that was idle and never linked is empty again: replays pass over what it had been told.

    ``marks`` names the sources (topic/partition), each with the last offset that is void. Other ids' records there are not
    concerned. ``at_ms``: of the workers' clock.
    """

    format: int = 1
    id: str
    marks: dict[str, int]
    at_ms: int


class Snapshot(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A version of a model, as plain data.

    ``generation`` grows when a model is started anew, ``lessons`` with each lesson learned: the greater pair wins. ``offsets``
    and ``recent`` (ids of lessons) let the trainer resume without counting a lesson twice. ``scorer`` is all that a worker needs,
    ``learner`` what the trainer needs to go on learning. ``digest`` and ``recent_digest``, to refuse a broken one, are those of
    `portrait.models.churn`: format 1 had but the first, over scorer and learner alone. A member more is a format more, and so
    is another meaning: from format 3 on a scorer has bounds.
    ``ready``: False while a generation that was begun anew has not proved itself: nobody scores with it. ``order``: the id of
    the `Order` that began its generation; ``declined``: of the last one that could not be obeyed. ``before``: the version that
    its generation goes on from; of one begun anew, that which scored then; empty: none, or code that did not record it made this.
    """

    format: int = 3
    model: str
    generation: int
    lessons: int
    trained_at_ms: int
    offsets: dict[str, int]
    recent: list[str]
    scorer: dict[str, Any]
    learner: dict[str, Any]
    metrics: dict[str, float]
    digest: str
    ready: bool = True
    order: str = ""
    declined: str = ""
    before: str = ""
    recent_digest: str = ""

    @property
    def version(self) -> str:
        return f"{self.generation}.{self.lessons}"


class Pin(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag_field="kind", tag="pin"):
    """The version that all workers score with from now on. Of several the last one counts."""

    format: int = 1
    model: str
    version: str  # empty: the newest that is ready
    at_ms: int


class Learned(msgspec.Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """What was learned of one feature: log-odds a standard deviation (the prior's: its weight itself), and how it varies."""

    weight: float
    mean: float
    variance: float


class Start(msgspec.Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """What another shop's model has learned, to start from (`portrait.models.start`)."""

    format: int = 1
    model: str
    version: str  # that it was, in its own shop
    horizon_days: int  # that it was learned for: another will do
    features: dict[str, Learned]
    digest: str


class Order(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag_field="kind", tag="order"):
    """To the trainer: begin this generation. It is obeyed once, for a generation begins once. Of several the last one counts."""

    format: int = 1
    model: str
    id: str  # random
    generation: int
    version: str  # go on from this one; empty: learn anew
    at_ms: int
    start: Start | None = None  # learn anew, but from what this says
