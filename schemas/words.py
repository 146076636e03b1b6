"""Why something is so, as profiles store it where the sentences are a closed list: a code and its numbers. Here are the words.

In words each would take a hundred bytes of Redis in every customer's profile. What the churn model says of one customer (`risk`),
and actions, carry the words themselves (`schemas.outputs.Reason`). For readers in other languages: docs/reasons.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import msgspec

from schemas.outputs import Reason

#: Most customers have few reasons, for few numbers.
REMEMBERED = 4096


class Why(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A reason, in JSON an array: what is said, and the numbers that it is said of. docs/reasons.md has the words."""

    code: str  # stable
    numbers: tuple[int, ...] = ()

    @property
    def en(self) -> str:
        return _worded(self.code, self.numbers)[0]

    @property
    def zh(self) -> str:
        return _worded(self.code, self.numbers)[1]

    def reason(self) -> Reason:
        """With its words, as an action carries it."""
        return Reason(self.code, *_worded(self.code, self.numbers))


@lru_cache(REMEMBERED)
def _worded(code: str, numbers: Sequence[int]) -> tuple[str, str]:
    """In English and Chinese; what a newer version says is told by its code."""
    try:
        en, zh = WORDS[code]
        return en.format(*numbers), zh.format(*numbers)
    except LookupError:
        return code, code


#: A number may be 1: no plural follows one that can be.
WORDS: Mapping[str, tuple[str, str]] = {
    # lifecycle.why
    "stage.seen": ("Seen, but nothing bought yet.", "有访问，尚未下单。"),
    "stage.first_purchase": ("First purchase.", "首次下单。"),
    "stage.bought_often": ("Bought on {0} days so far.", "累计有 {0} 天下单。"),
    "stage.bought_after_silence": ("Bought again after {0} days of silence.", "沉默 {0} 天后再次下单。"),
    "stage.bought_after_loss": ("Came back after {0} days: counted as lost before.", "流失 {0} 天后重新下单。"),
    "stage.silent": (
        "Entered after {0} days without a purchase; their usual gap in days: {1}.",
        "连续 {0} 天未下单后进入该阶段，预期约每 {1} 天一次。",
    ),
    # journey.why
    "journey.recommends": ("Would recommend us: {0} of 10.", "愿意推荐我们：{0}/10。"),
    "journey.speaks": (
        "Speaks of us in public, and is not unhappy; posts and shares in 90 days: {0}.",
        "90 天内公开提及我们 {0} 次，且无不满。",
    ),
    "journey.again": ("Bought on {0} days.", "已在 {0} 天下单。"),
    "journey.bought": ("Bought once.", "已购买一次。"),
    "journey.looks": ("Looks around, in the last 30 days.", "近 30 天有浏览。"),
    "journey.knows": ("Known to us; no visits in 30 days.", "已接触，近 30 天无浏览。"),
    "journey.lost": ("Bought before; no visits in 30 days.", "曾经购买，近 30 天无浏览。"),
    # brand.why
    "brand.unheard": ("Our messages go unanswered, and nothing else is known.", "我们的消息未获回应，且无其他行为。"),
    "brand.knows": ("Has been in touch with us; no visit in 30 days.", "曾与我们接触，近 30 天无访问。"),
    "brand.left": ("Bought before, and stays away.", "曾经购买，目前已疏远。"),
    "brand.looks": ("Looked around in the last 30 days.", "近 30 天有浏览。"),
    "brand.bought": ("Buys from us.", "在我们这里购买。"),
    "brand.keeps": ("Bought on at least {0} days, and keeps coming.", "至少在 {0} 天下单，并持续购买。"),
    "brand.recommends": ("Would recommend us: {0} of 10.", "愿意推荐我们：{0}/10。"),
    "brand.speaks": ("Speaks of us in public, and of no rival, in 90 days.", "近 90 天公开提及我们，且未提竞品。"),
    # value.why
    "value.high": ("Among the top tenth of customers by expected spend.", "预期消费额位居客户前十分之一。"),
    "value.rising": (
        "Spent clearly more in the last 90 days than in 90 days before, on average.",
        "最近 90 天的消费明显高于此前同等时长的平均水平。",
    ),
    # use.do
    "use.call-at-once": (
        "Call at once: an open complaint speaks of danger, or cannot wait.",
        "立即致电：有未结投诉涉及人身安全或刻不容缓。",
    ),
    "use.solve-complaint": ("Solve the open complaint before anything else.", "先解决未结投诉，再谈其他。"),
    "use.apologise-late": ("Apologise for the late delivery.", "为延迟送达致歉。"),
    "use.ask-what-was-wrong": ("Ask what went wrong, and mend it.", "询问不满之处并补救。"),
    "use.win-back": (
        "Win back with a personal message, on the channel that they answer.",
        "在其会回应的渠道上发个性化消息挽回。",
    ),
    "use.remind-cart": ("Remind of the cart that was left behind.", "提醒未结算的购物车。"),
    "use.ask-review": ("Ask for a review: they would recommend us.", "邀请评价：该客户愿意推荐我们。"),
    "use.invite-leader": ("Invite to speak for the brand: others listen.", "邀请为品牌发声：其意见有人听。"),
    "use.offer": ("Make an offer: a discount moves them.", "给予优惠：折扣能打动该客户。"),
    "use.show-new": ("Show new arrivals first.", "优先推荐新品。"),
    "use.tell-found": ("Say when there is what they searched for in vain.", "有货后告知其未搜到的商品。"),
}
