"""How a customer takes to technology: early or late, by themselves or with somebody's help, on which device.

The five kinds are those of Rogers, Diffusion of Innovations (1962). Two signs are weighed: the share of new arrivals in what
they buy, which counts twice, and how digital the channels are that they use (app 1, web 1/2, phone and shop 0).
"""

from __future__ import annotations

from portrait.dimensions.acts import on_days
from portrait.dimensions.base import Dimension, Facts, leaning, steady, trait
from portrait.features.consumption import ITEMS_MAX
from portrait.features.contacts import OUTCOMES
from portrait.structures import MORE
from schemas.profile import Trait, View

#: Channels of one's own, by how new they are, and those on which somebody helps. Others, such as mail, tell nothing of it.
SELF = {"app": 1.0, "miniprogram": 1.0, "mini-program": 1.0, "wechat": 1.0, "h5": 0.5, "web": 0.5}
HUMAN = frozenset(("phone", "call", "hotline", "store", "shop", "branch", "counter", "agent"))
#: The least score of each kind; what is below all is a laggard.
KINDS = ((0.7, "innovator"), (0.5, "early_adopter"), (0.3, "early_majority"), (0.15, "late_majority"), (0.0, "laggard"))
#: Half of all that is bought new makes a full sign; who has bought too little to say is taken for this much of one.
NEW_FULL, NEW_UNKNOWN = 0.5, 0.2
#: For each kind of device beyond the first, at most two.
PER_DEVICE, DEVICES_MAX = 0.1, 2
LEAST_LINES, LEAST_USES = 3, 5
#: Shares of what is done with somebody's help, above which it is the habit, or one of two.
HUMAN_HABIT, HUMAN_TOO = 0.3, 0.1


class Technology(View, frozen=True, kw_only=True):
    """How early the customer takes up what is new, and whether they help themselves."""

    adoption: Trait | None = None  # innovator, early_adopter, early_majority, late_majority, laggard; surer where the signs agree
    service: Trait | None = None  # self_service, human or both; from three days on
    device: Trait | None = None  # on which most clicks were made


def derive(facts: Facts) -> tuple[View | None, int]:
    behaviour = facts.parts.behaviour
    devices = (behaviour.devices if behaviour is not None else None) or {}
    own, human, newness = _uses(facts)
    adoption, service = _adoption(facts, own + human, newness, len(devices)), _service(own, human) if on_days(facts) else None
    device = leaning(devices)
    if adoption is service is device is None:
        return steady(None)
    return steady(Technology(adoption=adoption, service=service, device=device))


def _uses(facts: Facts) -> tuple[int, int, float]:
    """How often they helped themselves, how often somebody helped, and how new the channels were, added up.

    A conversation is somebody's help on whatever channel; a message of ours that was answered or refused is neither."""
    activity, feedback, contacts = facts.parts.activity, facts.parts.feedback, facts.parts.contacts
    talks = (feedback.channels if feedback is not None else None) or {}
    messages = contacts.channels if contacts is not None else {}
    own = human = 0
    newness = 0.0
    for channel, n in ((activity.channels if activity is not None else None) or {}).items():
        helped = channel in HUMAN
        if not (helped or channel in SELF):
            continue
        if channel in messages:
            n -= sum(messages[channel][OPENED:])
        if helped:
            human += max(0, n)
        else:
            alone = max(0, n - talks.get(channel, 0))
            own += alone
            newness += alone * SELF[channel]
    human += sum([n for channel, n in talks.items() if channel not in HUMAN and channel != MORE])
    return own, human, newness


def _service(own: int, human: int) -> Trait | None:
    uses = own + human
    if uses < LEAST_USES:
        return None
    if human > HUMAN_HABIT * uses:
        return trait("human", human, uses)
    return trait("both", uses, uses) if human > HUMAN_TOO * uses else trait("self_service", own, uses)


def _adoption(facts: Facts, uses: int, newness: float, devices: int) -> Trait | None:
    bought = facts.parts.consumption
    items = bought.items if bought is not None else None
    # Each line that made no new key took one from all of them.
    lines = sum(items.values()) + items.get(MORE, 0) * ITEMS_MAX if items else 0
    known = lines >= LEAST_LINES
    if not known and uses < LEAST_USES:
        return None
    new = min(1.0, bought.new_arrivals / lines / NEW_FULL) if known else NEW_UNKNOWN
    digital = newness / uses if uses else new
    score = (2 * new + digital) / 3 + PER_DEVICE * min(max(0, devices - 1), DEVICES_MAX)
    of = lines + uses if known else uses
    agree = 1 - abs(new - digital) if known and uses else 0.5
    return trait(next(kind for least, kind in KINDS if score >= least), agree * of, of)


OPENED = OUTCOMES.index("opened")
DIMENSION = Dimension(
    name="technology",
    contract=Technology,
    reads=("activity", "behaviour", "consumption", "feedback", "contacts"),
    derive=derive,
    events=("every event with a channel", "order.placed with `new_arrival`", "clicks with `device`", "conversation.closed"),
    zh="技术倾向",
)
