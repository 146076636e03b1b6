"""The profile as readers see it: the fields of the Redis hash, each typed. Contract format 1 (docs/reading.md).

A reader decodes what it needs and leaves the rest: every field may be missing (nothing is known yet), and fields and members
that are not here may come at any time. The hash holds ``version``, ``updated_at_ms``, ``stage`` and ``churn_risk`` as plain text,
all others as JSON. Derived dimensions declare their contract in their own file (docs/dimensions.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_type_hints

import msgspec

from schemas.outputs import Lever, Reason, Sure
from schemas.words import Why

#: Grows when a reader would misunderstand what is stored; stands in Redis as ``format`` in ``meta:{S}``.
FORMAT = 1
#: The field of a view that leads to the identity that the person goes by, as plain text; no field of a profile.
GOES_BY = "goes_by"

StageName = Literal["prospect", "new", "growing", "mature", "declining", "dormant", "churned", "won_back"]
#: The most frequent few, in no particular order. Once there are more keys than are counted: those that no uncounted one can have
#: beaten, each at most by the value of "~" too low.
Counts = dict[str, int]


class View(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of all that is shown. Unknown members are ignored, so that Portrait may be newer than the reader."""


class Trait(View, frozen=True, kw_only=True, array_like=True):
    """A conclusion about the customer, and what it rests on. In JSON it is an array of these three: a profile has dozens."""

    value: str
    sure: float = 0.0  # 0 to 1: how much of the evidence speaks for it, a little doubt added
    of: int = 0  # observations that it was inferred from: at least so many; 0: the customer, or the CRM, said so

    @property
    def told(self) -> bool:
        """Somebody said so; it was not inferred."""
        return not self.of


class Windows(View, frozen=True, kw_only=True, array_like=True):
    """Sums over the last 7, 30 and 90 UTC days, today included, and over all time: in JSON an array of these four."""

    week: int = 0
    month: int = 0
    quarter: int = 0
    total: int = 0


class Spend(Windows, frozen=True, kw_only=True, array_like=True):
    """Net spend in minor units of one currency: placed, less cancelled and refunded, on the day of the order. A fifth number."""

    average_order: int | None = None  # minor units, before cancellations and refunds


class Complaints(Windows, frozen=True, kw_only=True, array_like=True):
    """Complaints opened; a fifth and a sixth number: how many of all were resolved, and how many are open."""

    resolved: int = 0
    open: int = 0  # among the latest eight


class Activity(View, frozen=True, kw_only=True):
    """When and where the customer is active, from events of every kind."""

    first_seen_ms: int | None = None
    last_seen_ms: int | None = None
    events: Windows = Windows()  # in the windows what the customer did; in all also what we did: messages, deliveries, attributes
    active_hours: Counts = {}  # the customer's local hours, "0" to "23"
    channels: Counts = {}


class Cart(View, frozen=True, kw_only=True):
    """Articles put into the cart, and taken out again."""

    added: int = 0
    removed: int = 0


class Behaviour(View, frozen=True, kw_only=True):
    """What the customer looks at and looks for."""

    clicks: Windows = Windows()
    last_click_ms: int | None = None
    pages: Counts = {}
    items: Counts = {}  # by sku
    categories: Counts = {}  # of items looked at or put into the cart
    brands: Counts = {}
    searches: Counts = {}  # in small letters
    unmet: Counts = {}  # searches that found nothing
    regions: Counts = {}
    cart: Cart | None = None
    app_opens: int = 0
    paths: Counts = {}  # "from > to": ways between pages, and from other sites
    stores: Counts = {}  # shops that they were in
    store_visits: int = 0


class LastOrder(View, frozen=True, kw_only=True):
    """The order placed last."""

    at_ms: int = 0
    id: str = ""
    amount_minor: int = 0
    currency: str = ""


class Consumption(View, frozen=True, kw_only=True):
    """What the customer buys, and how."""

    orders: Windows = Windows()  # placed, less those cancelled as a whole, on the day of the order
    spend_minor: dict[str, Spend] = {}  # by currency
    last_order: LastOrder | None = None
    cancelled: int = 0
    refunded: int = 0
    delivered: int = 0
    late: int = 0  # delivered after the promised time
    units: int = 0
    discounted: int = 0  # orders with a discount
    with_coupon: int = 0
    by_instalments: int = 0
    categories: Counts = {}
    brands: Counts = {}
    items: Counts = {}  # by sku


class OpenComplaint(View, frozen=True, kw_only=True):
    """A complaint that waits."""

    id: str = ""
    opened_at_ms: int = 0
    severity: Literal["low", "medium", "high", "critical"] = "low"  # the greatest seen
    category: str | None = None  # as an event told it, else as it was understood from the texts
    product: str | None = None
    understood: bool = False  # nobody told the category
    sure: float | None = None  # of an understood category, 0 to 1
    urgency: int = 0  # of its texts, 0 to 3


class Needs(View, frozen=True, kw_only=True):
    """What goes wrong for the customer."""

    complaints: Complaints = Complaints()
    satisfaction: float | None = None  # with resolutions, mean of 1 to 5
    open: list[OpenComplaint] = []  # latest first, at most five
    categories: Counts = {}
    products: Counts = {}


class Social(View, frozen=True, kw_only=True):
    """What the customer says in public, and who hears it."""

    mentions: Windows = Windows()  # posts and shares
    posts: int = 0
    shares: int = 0
    follows: int = 0
    reach: int = 0  # the audience of each post and share, added up
    audience_max: int = 0
    engagement: int = 0  # likes, comments and shares received
    platforms: Counts = {}
    topics: Counts = {}
    brands: Counts = {}
    accounts: Counts = {}  # whom they follow: their circles
    rivals_90d: int = 0  # posts, shares and follows that name a rival
    handles: dict[str, str] = {}  # by platform, the latest


class Ratings(View, frozen=True, kw_only=True):
    """Stars given, 1 to 5."""

    count: int = 0
    average: float | None = None
    last: int | None = None
    last_at_ms: int | None = None


class Nps(View, frozen=True, kw_only=True):
    """The latest answer to "would you recommend us?", 0 to 10."""

    last: int = 0
    at_ms: int = 0


class Conversations(View, frozen=True, kw_only=True):
    """Conversations with customer service that have ended."""

    count: int = 0
    solved: int = 0
    unsolved: int = 0  # the rest did not say


class Feedback(View, frozen=True, kw_only=True):
    """What the customer answers."""

    ratings: Ratings | None = None
    nps: Nps | None = None
    survey_answers: int = 0
    conversations: Conversations | None = None
    channels: Counts = {}  # of the conversations


class Dispute(View, frozen=True, kw_only=True):
    """Systems that tell different things of an attribute."""

    told_by: str = ""  # whom we believe: docs/quality.md has the order of trust
    other: str = ""  # the most trusted of the others
    says: str = ""  # what that one says


class Basic(View, frozen=True, kw_only=True):
    """Who the customer is, and what they have agreed to. The most trusted system's word stands, and of its words the latest."""

    attributes: dict[str, str] = {}  # by our names, in one form: docs/quality.md
    external_ids: dict[str, str] = {}  # by system
    consent: dict[str, Literal["granted", "refused"]] = {}  # by purpose
    disputed: dict[str, Dispute] = {}  # by attribute


class Outcomes(View, frozen=True, kw_only=True):
    """What became of our messages on one channel."""

    sent: int = 0
    delivered: int = 0
    opened: int = 0
    clicked: int = 0
    refused: int = 0


class Contacts(View, frozen=True, kw_only=True):
    """How the customer takes our messages."""

    by_channel: dict[str, Outcomes] = {}
    refused_30d: int = 0


class EarlierStage(View, frozen=True, kw_only=True, array_like=True):
    """A stage that the customer has left: in JSON an array of both."""

    stage: StageName
    since_ms: int


class Lifecycle(View, frozen=True, kw_only=True):
    """The stage, since when, and why."""

    stage: StageName
    since_ms: int  # start of the UTC day
    why: Why
    purchase_days: int = 0  # distinct UTC days, of the five years before the last one
    usual_gap_days: float | None = None  # between purchases; near 90 while little is known
    next_if_silent_ms: int | None = None  # when silence would change the stage
    before: list[EarlierStage] = []  # latest first, the last two


class Journey(View, frozen=True, kw_only=True):
    """Where the customer stands between having heard of the shop and recommending it."""

    step: Literal["awareness", "consideration", "purchase", "retention", "advocacy"]
    why: Why


class Risk(View, frozen=True, kw_only=True):
    """Churn risk: the probability that nothing is bought within the horizon."""

    churn: float  # 0 to 1
    horizon_days: int
    model: str  # version; compare scores of one version only
    sure: Sure | None = None  # what became of scores in the same tenth (0.6 to 0.7, say); nothing is known of any: none
    reasons: list[Reason] = []  # this customer's own, strongest first, at most three
    levers: list[Lever] = []  # what would lower it, and to what; strongest first, at most three


class Value(View, frozen=True, kw_only=True):
    """What to expect within the horizon: orders, spend, and when the next order may come."""

    horizon_days: int
    expected_orders: float  # days with a purchase
    expected_spend_minor: dict[str, int] = {}  # by currency
    buys: float  # 0 to 1: the probability of at least one order, to two decimals; churn_risk is the rest
    expected_next_ms: int | None = None  # start of the UTC day by which they have bought with even chances; not in sight: none
    high_value: bool = False  # in the top tenth of customers by expected spend
    rising_value: bool = False  # spent clearly more in the last 90 days than in 90 days before
    why: list[Why] = []  # of the flags


class Tones(View, frozen=True, kw_only=True, array_like=True):
    """Mean tone of the texts of the last 7, 30 and 90 UTC days, today included, and of all: -100 (furious) to 100 (delighted).

    In JSON an array of these four; without any text in it: null."""

    week: int | None = None
    month: int | None = None
    quarter: int | None = None
    total: int | None = None


class Tone(View, frozen=True, kw_only=True, array_like=True):
    """How a text sounded: in JSON an array of both."""

    at_ms: int
    tone: int


class Voice(View, frozen=True, kw_only=True):
    """How the customer sounds in what they write. Texts that are in neither Chinese nor English are left out."""

    texts: Windows = Windows()
    tone: Tones = Tones()
    pleased: int = 0  # texts with a tone of 20 or more
    displeased: int = 0  # of -20 or less
    last: Tone | None = None
    #: pleased, displeased or even: what the texts of the last 90 days come to; without any nobody knows
    mood: Trait | None = None
    by_place: dict[str, int] = {}  # mean tone by platform, channel, rating, survey or complaint; the three with most texts
    by_topic: dict[str, int] = {}  # of mentions, and subjects of ratings
    languages: Counts = {}  # zh, en, mixed


class Concerns(View, frozen=True, kw_only=True):
    """What hurts the customer, what they wish for, and whether they speak of leaving, as understood from what they write."""

    pains: Counts = {}  # categories of complaints that name none, and of ratings with at most two stars
    wishes: Counts = {}  # topics: price, delivery, service, packaging, battery, ...
    leaving_90d: int = 0  # texts that say that they will not come back


class Profile(View, frozen=True, kw_only=True):
    """All fields of the hash. What is missing is None."""

    version: int | None = None  # grows with every change
    updated_at_ms: int | None = None  # the moment that the profile describes
    stage: StageName | None = None
    churn_risk: float | None = None  # 0 to 1; nothing bought yet: none
    activity: Activity | None = None
    behaviour: Behaviour | None = None
    consumption: Consumption | None = None
    needs: Needs | None = None
    social: Social | None = None
    feedback: Feedback | None = None
    basic: Basic | None = None
    contacts: Contacts | None = None
    lifecycle: Lifecycle | None = None
    journey: Journey | None = None
    risk: Risk | None = None
    value: Value | None = None
    tags: dict[str, float] | None = None  # tag -> how sure, 0 to 1; those that ask for action first, then the surest; at most 64
    voice: Voice | None = None
    concerns: Concerns | None = None


_TEXT = {"stage"}
_FIELDS: dict[str, Any] = get_type_hints(Profile)
_DECODE = {name: msgspec.json.Decoder(kind).decode for name, kind in _FIELDS.items()}


def parse(fields: Mapping[str, bytes | str]) -> Profile:
    """A profile from the hash's fields, all of them or some. Unknown fields are ignored.

    Raises msgspec.ValidationError, naming the place, for what this format does not allow.
    """
    return Profile(**{name: _parse_field(name, value) for name, value in fields.items() if name in _FIELDS})


def _parse_field(name: str, value: bytes | str) -> Any:
    if name in _TEXT:
        text = value if isinstance(value, str) else value.decode()
        return msgspec.convert(text, _FIELDS[name])
    return _DECODE[name](value)
