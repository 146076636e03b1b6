"""Why something is so, as profiles store it: a code and its numbers. Here are the words for them, in English and Chinese.

A profile says a dozen reasons, and in words each would take a hundred bytes of Redis in every customer's profile. Actions, which
people read at once, carry the words themselves (`schemas.outputs.Reason`). In words of another language: docs/reasons.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import msgspec

from schemas.outputs import Reason

#: Most customers have few reasons, for few numbers.
REMEMBERED = 4096


class _Number(int):
    """``{0:1 day|# days}``: the first for one, else the second, with the number for ``#``."""

    def __format__(self, spec: str) -> str:
        one, bar, many = spec.partition("|")
        return (one if self == 1 else many.replace("#", str(int(self)))) if bar else str(int(self))


class Why(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A reason, in JSON an array: what is said, and the numbers that it is said of. docs/reasons.md has the words."""

    said: str  # the code; behind a colon, where the same may be said in several ways, in which
    numbers: tuple[int, ...] = ()

    @property
    def code(self) -> str:
        """Stable: why, without how it is said."""
        return self.said.partition(":")[0]

    @property
    def en(self) -> str:
        return self._words()[0]

    @property
    def zh(self) -> str:
        return self._words()[1]

    def reason(self) -> Reason:
        """With its words."""
        return Reason(self.code, *self._words())

    def _words(self) -> tuple[str, str]:
        return _worded(self.said, self.numbers, 0)


class Lever(Why, frozen=True, array_like=True, gc=False):
    """What the company could bring about, and the score that the customer would have then."""

    churn: float = 0.0

    def _words(self) -> tuple[str, str]:
        return _worded(self.said, self.numbers, round(self.churn * 100))


@lru_cache(REMEMBERED)
def _worded(said: str, numbers: Sequence[int], percent: int) -> tuple[str, str]:
    """In English and Chinese; what a newer version says is told by its code."""
    en, zh = WORDS.get(said, (said, said))
    try:
        return en.format(*map(_Number, numbers), percent=percent), zh.format(*numbers, percent=percent)
    except IndexError:  # a newer version's, too
        return said, said


WORDS: Mapping[str, tuple[str, str]] = {
    # lifecycle.why
    "stage.seen": ("Seen, but nothing bought yet.", "有访问，尚未下单。"),
    "stage.first_purchase": ("First purchase.", "首次下单。"),
    "stage.bought_often": ("Bought on {0} days so far.", "累计有 {0} 天下单。"),
    "stage.bought_after_silence": ("Bought again after {0} days of silence.", "沉默 {0} 天后再次下单。"),
    "stage.bought_after_loss": ("Came back after {0} days: counted as lost before.", "流失 {0} 天后重新下单。"),
    "stage.silent": (
        "Entered after {0} days without a purchase; one was expected about every {1} days.",
        "连续 {0} 天未下单后进入该阶段，预期约每 {1} 天一次。",
    ),
    # journey.why
    "journey.recommends": ("Would recommend us: {0} of 10.", "愿意推荐我们：{0}/10。"),
    "journey.speaks": (
        "Speaks of us in public, {0} times in 90 days, and is not unhappy.",
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
    # risk.reasons
    "risk.silence.up": (
        "No purchase for {0:1 day|# days}; one is expected about every {1}.",
        "已 {0} 天未购买，预计约每 {1} 天一次。",
    ),
    "risk.silence.up:seldom": ("Buys seldom: about every {0} days.", "购买间隔较长，约每 {0} 天一次。"),
    "risk.silence.up:once": ("Bought once, {0:1 day|# days} ago.", "仅购买过一次，距今 {0} 天。"),
    "risk.silence.down": (
        "Last purchase {0:1 day|# days} ago; one is expected about every {1}.",
        "最近一次购买在 {0} 天前，预计约每 {1} 天一次。",
    ),
    "risk.silence.down:today": (
        "Last purchase today; one is expected about every {0} days.",
        "今天购买过，预计约每 {0} 天一次。",
    ),
    "risk.silence.down:waning": (
        "Used to buy often, about every {1} days; last {0:1 day|# days} ago.",
        "曾经常购买，约每 {1} 天一次；最近一次在 {0} 天前。",
    ),
    "risk.silence.down:first": ("First purchase only {0:1 day|# days} ago.", "首次购买就在 {0} 天前。"),
    "risk.silence.down:first-today": ("First purchase today.", "今天首次购买。"),
    "risk.history.up": ("Only {0} days with a purchase so far.", "至今仅有 {0} 天购买过。"),
    "risk.history.up:once": ("Only one purchase so far.", "至今仅购买过一次。"),
    "risk.history.down": ("Loyal: {0} days with a purchase.", "忠实客户：有 {0} 天购买过。"),
    "risk.history.down:again": ("Has bought again: 2 days with a purchase.", "已复购：有 2 天购买过。"),
    "risk.spend.up:smaller": ("Orders are smaller than this shop's usual.", "客单价低于本店通常水平。"),
    "risk.spend.up:larger": ("Orders are larger than this shop's usual.", "客单价高于本店通常水平。"),
    "risk.spend.down:smaller": ("Orders are smaller than this shop's usual.", "客单价低于本店通常水平。"),
    "risk.spend.down:larger": ("Orders are larger than this shop's usual.", "客单价高于本店通常水平。"),
    "risk.visits.up": (
        "{0:1 click|# clicks} in 30 days, {1} in 30 days before.",
        "近 30 天点击 {0} 次，此前每 30 天约 {1} 次。",
    ),
    "risk.visits.down": (
        "{0:1 click|# clicks} in 30 days, {1} in 30 days before.",
        "近 30 天点击 {0} 次，此前每 30 天约 {1} 次。",
    ),
    "risk.complaints.up": (
        "{0:1 complaint|# complaints} open, {1} in 90 days, {2} resolved badly.",
        "未解决投诉 {0} 件，90 天内共 {1} 件，处理不满意 {2} 件。",
    ),
    "risk.complaints.down": (
        "{0:1 complaint|# complaints} resolved well, none open.",
        "妥善解决投诉 {0} 件，无未解决投诉。",
    ),
    "risk.complaints.down:none": ("No complaint in 90 days.", "90 天内没有投诉。"),
    "risk.unhappy.up": ("Unhappy answers in 90 days: {0}.", "90 天内有 {0} 次不满意的反馈。"),
    "risk.unhappy.down": ("No unhappy answers in 90 days.", "90 天内没有不满意的反馈。"),
    "risk.late.up": ("Late deliveries in 90 days: {0}.", "90 天内有 {0} 次配送延误。"),
    "risk.late.down": ("No late delivery in 90 days.", "90 天内没有配送延误。"),
    "risk.refusals.up": ("Refuses our messages.", "近期拒收我们的消息。"),
    "risk.refusals.down": ("No refused message in 30 days.", "30 天内没有拒收消息。"),
    "risk.rivals.up": ("Named a rival in public {0:once|# times} in 90 days.", "90 天内公开提及竞争对手 {0} 次。"),
    "risk.rivals.down": ("Has not named a rival in 90 days.", "90 天内未提及竞争对手。"),
    "risk.tone.up": ("Wrote clearly displeased on {0} of the last 30 days.", "近 30 天中有 {0} 天的文字明显不满。"),
    "risk.tone.down": ("Wrote nothing clearly displeased in 30 days.", "近 30 天没有明显不满的文字。"),
    # risk.levers
    "lever.buy": ("A purchase now would bring it to {percent} %.", "若现在促成一次购买，风险降至 {percent}%。"),
    "lever.resolve": (
        "Resolving {0:the open complaint|the # open complaints} to their satisfaction would bring it to {percent} %.",
        "若妥善解决未结投诉（{0} 件），风险降至 {percent}%。",
    ),
    "lever.visit": (
        "Visiting as usual again ({0:1 click|# clicks} in 30 days) would bring it to {percent} %.",
        "若恢复平时的访问（30 天约 {0} 次），风险降至 {percent}%。",
    ),
    "lever.leave-in-peace": (
        "Thirty days without a message that they refuse would bring it to {percent} %.",
        "若 30 天内不再发送其拒收的消息，风险降至 {percent}%。",
    ),
    "lever.deliver-in-time": (
        "Had deliveries come in time, it would be {percent} %: make sure of the next.",
        "若配送准时，风险为 {percent}%，请确保下次按时送达。",
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
