"""What a portrait is made of, as those who asked for it name it: nine dimensions and the components beyond them.

Data alone. Documents, `portrait quality` and tests follow it: which fields of the profile tell a component, what feeds it, the
rule, the bound on its memory, and the tests that hold it.
"""

from __future__ import annotations

from typing import NamedTuple

from portrait.dimensions.registry import DIMENSIONS
from portrait.features.registry import FEATURES
from schemas.registry import EVENT_TOPICS, TYPES

#: Fields, and members of fields, and the features that they read. Declarations tell it of whole features and dimensions; the risk
#: reads its own (`portrait.models.churn`), the value follows from the risk, and the stage of prospects from their first event.
_RISK = ("activity", "behaviour", "consumption", "needs", "feedback", "contacts", "social", "voice")
READS: dict[str, tuple[str, ...]] = {
    **{feature.name: (feature.name,) for feature in FEATURES},
    **{dimension.name: dimension.reads for dimension in DIMENSIONS},
    "lifecycle": ("activity", "consumption"),
    "risk": _RISK,
    "value": _RISK,
    "journey": ("behaviour", "consumption", "needs", "social", "feedback", "voice"),
    "channels.messages": ("contacts",),
    "channels.social": ("social",),
    "decisions.enters_by": ("behaviour",),
    "experience.breaks": ("behaviour", "consumption", "needs", "feedback", "contacts"),
    "experience.recommends": ("feedback",),
    "media.format": ("behaviour",),
    "social.rivals_90d": ("social",),
}


class Component(NamedTuple):
    """``fields``: of the profile; with a member, ``channels.social``, where only that member tells it."""

    name: str
    zh: str
    fields: tuple[str, ...]
    features: tuple[str, ...]  # whose evidence it rests on most: as fresh as that is the component
    rule: str  # for people, in a line
    bound: str  # of what is kept
    tests: tuple[str, ...]  # files in tests/unit
    checked: tuple[str, ...] = ()  # values that cleaning may refuse, by field of an event or attribute
    main: bool = True  # one of the nine dimensions

    @property
    def events(self) -> dict[str, tuple[str, ...]]:
        """By field."""
        return {field: events_of(READS[field]) for field in self.fields}


def events_of(features: tuple[str, ...]) -> tuple[str, ...]:
    """Types of events that feed these features; a topic's name where all of its types do."""
    folded: set[type] = set()
    for feature in FEATURES:
        if feature.name in features:
            folded |= feature.folds.keys() if feature.every is None else {event.data for _, event in TYPES.values()}
    if folded >= {event.data for _, event in TYPES.values()}:
        return ("every event",)
    found: list[str] = []
    for topic in EVENT_TOPICS:
        named = [event.name for event in topic.events if event.data in folded]
        found += [topic.name] if len(named) == len(topic.events) else named
    return tuple(found)


_DERIVED = "nothing beyond the facts that it reads; a view of at most 700 bytes"

COMPONENTS = (
    Component(
        "basic",
        "基础属性",
        ("basic", "person"),
        ("basic",),
        "told by systems, decided by the order of trust; else inferred, and marked as inferred",
        "32 attributes of 256 characters, two words each; 8 ids; 16 consents",
        ("test_dimension_person.py", "test_cleaning.py", "test_trust.py"),
        (
            "age",
            "birthday",
            "gender",
            "city",
            "province",
            "occupation",
            "income",
            "education",
            "children",
            "marriage",
            "life_stage",
            "phone",
            "email",
            "language",
            "name",
            "purpose",
        ),
    ),
    Component(
        "behaviour",
        "行为数据",
        ("behaviour", "activity", "decisions"),
        ("behaviour", "activity"),
        "counts by name and window, ways from page to page, offline visits; the kind of decision by looks and searches an order",
        "counts of at most 12 names; 90 days",
        ("test_core_evolve.py", "test_feature_ways.py", "test_dimension_decisions.py"),
        ("device", "category", "query", "store"),
    ),
    Component(
        "consumption",
        "消费习惯",
        ("consumption", "habits", "value"),
        ("consumption",),
        "sums by currency and window, shares of orders, expectation by MBG/NBD and gamma-gamma",
        "4 currencies, counts of at most 12 names, 90 days, five years of purchase days as 229 bytes",
        ("test_core_evolve.py", "test_dimension_habits.py", "test_models_value.py"),
        ("payment_method", "brand"),
    ),
    Component(
        "motivation",
        "心理动机",
        ("motivation",),
        ("feedback", "behaviour", "consumption", "social"),
        "as surveys are answered; else by what is searched, read, bought and said, at least three times and in three of ten",
        _DERIVED,
        ("test_dimension_motivation.py",),
    ),
    Component(
        "needs and pain points",
        "需求痛点",
        ("needs", "concerns", "experience.breaks"),
        ("needs", "concerns", "behaviour"),
        "complaints with severity, category and product, open and resolved; what texts complain of and wish for; "
        "searches that found nothing; what broke",
        "8 cases, counts of at most 8 categories and 16 wishes, 90 days",
        ("test_core_evolve.py", "test_core_concerns.py", "test_dimension_experience.py"),
        ("resolution",),
    ),
    Component(
        "channel preference",
        "渠道偏好",
        ("channels", "contacts"),
        ("activity", "contacts"),
        "where they act most, where messages are opened (a third taken off), where refused more than answered",
        "8 channels of messages, counts of 12 channels",
        ("test_dimension_channels.py",),
        ("channel",),
    ),
    Component(
        "interaction feedback",
        "互动反馈",
        ("feedback", "voice", "experience.recommends"),
        ("feedback", "voice"),
        "stars, the latest recommendation, conversations solved or not, messages each, minutes to a reply; the tone of texts",
        "counts of 8 channels and 8 motives; tones by 8 places and 8 topics, the last 5; 90 days",
        ("test_core_evolve.py", "test_core_voice.py", "test_dimension_experience.py"),
    ),
    Component(
        "lifecycle",
        "生命周期",
        ("lifecycle", "risk"),
        ("consumption",),
        "a walk over the purchase days, spans of silence by the customer's own rhythm (docs/facts.md, docs/churn.md)",
        "five years of purchase days as 229 bytes; the last stages",
        ("test_core_lifecycle.py", "test_models_churn.py"),
    ),
    Component(
        "social and influence",
        "社交与影响力",
        ("social", "influence"),
        ("social",),
        "audience and answers make a leader, sharing a connector; domains by answers; circles by whom they follow",
        "counts of at most 8 names, 90 days",
        ("test_core_evolve.py", "test_dimension_influence.py"),
        ("platform", "topics", "brands"),
    ),
    Component(
        "journey and touchpoints",
        "旅程触点",
        ("journey", "experience"),
        ("behaviour", "consumption", "needs", "social", "feedback", "contacts"),
        "the furthest step that the facts show; touchpoints met at each; breaks in between",
        _DERIVED,
        ("test_core_journey.py", "test_dimension_experience.py"),
        main=False,
    ),
    Component(
        "information channels",
        "信息渠道",
        ("channels.social", "media.format", "decisions.enters_by"),
        ("social", "behaviour"),
        "platforms, kinds of content, the domain or name that led to a visit",
        "counts of at most 8 names",
        ("test_dimension_channels.py", "test_dimension_decisions.py"),
        main=False,
    ),
    Component(
        "media habits",
        "媒介习惯",
        ("media", "channels.messages"),
        ("activity", "behaviour", "contacts"),
        "part of the day, form of content, topics; openness to mail, push, SMS by rate",
        _DERIVED,
        ("test_dimension_channels.py",),
        ("topic",),
        main=False,
    ),
    Component(
        "brand relationship",
        "品牌关系",
        ("brand",),
        ("behaviour", "consumption", "social", "feedback"),
        "from unaware to advocate by what they did; reputation by their own answers; loyalty against rivals named",
        _DERIVED,
        ("test_dimension_brand.py",),
        main=False,
    ),
    Component(
        "scenario and context",
        "场景",
        ("situation",),
        ("context", "activity", "behaviour"),
        "workday or weekend, day for day; the usual place, region, weather; occasions",
        "counts of at most 6 names",
        ("test_dimension_situation.py",),
        ("region", "place", "weather", "occasion"),
        main=False,
    ),
    Component(
        "rivals",
        "竞品认知",
        ("competitors", "social.rivals_90d"),
        ("rivals",),
        "who is named, what for; won if bought from us since, lost after a silence that is unusual for them",
        "5 rivals, counts of 5 topics",
        ("test_dimension_competitors.py",),
        ("rivals",),
        main=False,
    ),
    Component(
        "technical affinity",
        "技术亲和度",
        ("technology",),
        ("activity", "behaviour", "consumption", "feedback"),
        "Rogers's five kinds by the share of new arrivals and how new the channels are; by themselves or with help",
        _DERIVED,
        ("test_dimension_technology.py",),
        main=False,
    ),
    Component(
        "outlook",
        "未来趋势",
        ("outlook",),
        ("interests", "activity"),
        "interests whose share of four weeks has doubled or halved; new interests that tell of a change of life",
        "three periods of four weeks, 6 names each",
        ("test_dimension_outlook.py",),
        main=False,
    ),
    Component(
        "sources",
        "数据来源",
        ("provenance",),
        ("sources",),
        "who published how much, how fresh, whose word it is; reliability as the mean trust",
        "6 sources, 12 refused fields",
        ("test_dimension_provenance.py", "test_quality.py"),
        main=False,
    ),
    Component(
        "use",
        "应用价值",
        ("use",),
        ("needs", "consumption", "contacts", "feedback", "social", "basic", "behaviour", "activity"),
        "the first three of ten suggestions that hold, the most urgent first; what consent forbids is not said",
        _DERIVED,
        ("test_dimension_use.py",),
        main=False,
    ),
)
