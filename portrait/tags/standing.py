"""Tags of the standing: where a customer stands in the lifecycle, what they are worth, and whether they may leave."""

from __future__ import annotations

from portrait.dimensions.base import at_least, sure
from portrait.lifecycle import STAGES
from portrait.rules.risk_rose import THRESHOLD
from portrait.state import State
from portrait.tags.base import SCORE, STAGE, STANDING, SURE_STEPS, Rule, Sign, Tag, Words
from schemas.profile import View

#: Who can be lost: who has come back at least once, and has not gone. Most who bought once do not come again.
THERE = frozenset(STAGES) - {"prospect", "new", "dormant", "churned"}


class Standing(View, frozen=True, kw_only=True):
    """The stage, the score and the value, as coarse as tags want them."""

    stage: str
    purchases: int = 0  # days with a purchase: at least so many
    risk: float = 0.0  # rounded down to .05; no score: 0
    high_value: bool = False
    rising_value: bool = False


def standing_of(state: State) -> Standing:
    value = state.value if state.risk is not None else None
    return Standing(
        stage=state.stage,
        purchases=at_least(state.rhythm.count),
        risk=risk_step(state.risk) / SURE_STEPS,
        high_value=value is not None and value.high,
        rising_value=value is not None and value.rising,
    )


def risk_step(risk: float | None) -> int:
    """Of the score as it is shown, with four digits."""
    return int(round(risk, 4) * SURE_STEPS) if risk is not None else 0


def _in(stage: str) -> Rule:
    def look(said: Standing) -> Sign | None:
        return Sign(1.0, "stage", stage, said.purchases) if said.stage == stage else None

    return Rule(look, Words(f"`stage` is {stage}", f"`stage` 为 {stage}"), "stage", (stage,))


def _risky(said: Standing) -> Sign | None:
    return Sign(said.risk, "risk", f"{said.risk:g}") if said.stage in THERE and said.risk >= THRESHOLD else None


def _high(said: Standing) -> Sign | None:
    return Sign(sure(said.purchases, said.purchases), "high_value", "true", said.purchases) if said.high_value else None


def _rising(said: Standing) -> Sign | None:
    return Sign(sure(said.purchases, said.purchases), "rising_value", "true", said.purchases) if said.rising_value else None


def _vip_leaving(said: Standing) -> Sign | None:
    leaving = said.stage == "declining" or said.risk >= THRESHOLD
    return Sign(sure(said.purchases, said.purchases), "risk", f"{said.risk:g}") if said.high_value and leaving else None


# fmt: off
TAGS = (
    Tag(1, "prospect", STANDING, Words("Prospect", "潜在客户"), _in("prospect"), STAGE,
        Words("Known to us, and has bought nothing yet.", "已接触，尚未购买。")),
    Tag(2, "newcomer", STANDING, Words("Newcomer", "新客"), _in("new"), STAGE,
        Words("Has begun to buy: to be welcomed.", "刚开始购买，宜做欢迎与引导。")),
    Tag(3, "growing", STANDING, Words("Growing", "成长客户"), _in("growing"), STAGE,
        Words("Buys again and again.", "持续复购中。")),
    Tag(4, "regular", STANDING, Words("Regular", "成熟老客"), _in("mature"), STAGE,
        Words("Has bought for long, and goes on: to be rewarded.", "长期稳定购买，宜做回馈。")),
    Tag(5, "declining", STANDING, Words("Declining", "活跃下降"), _in("declining"), STAGE,
        Words("Has been silent for clearly longer than is usual for them.", "沉默时间明显超过其惯常周期。"), weight=2),
    Tag(6, "dormant", STANDING, Words("Dormant", "沉睡客户"), _in("dormant"), STAGE,
        Words("Silent for much longer than usual: to be woken.", "久未购买，宜唤醒。")),
    Tag(7, "lost", STANDING, Words("Lost", "流失客户"), _in("churned"), STAGE,
        Words("Counts as lost.", "已视为流失。")),
    Tag(8, "won-back", STANDING, Words("Won back", "挽回客户"), _in("won_back"), STAGE,
        Words("Came back after having been lost.", "流失后重新购买。"), weight=2),
    Tag(9, "at-risk", STANDING, Words("At risk", "流失高风险"), Rule(
        _risky, Words(f"`churn_risk` is {THRESHOLD:g} or more, and the customer bought more than once and has not gone",
                      f"`churn_risk` 不低于 {THRESHOLD:g}，且客户已复购、尚未沉睡或流失")), SCORE,
        Words("Will probably buy nothing within the horizon; as sure as the score.", "预测期内很可能不再购买。"), weight=2),
    Tag(10, "high-value", STANDING, Words("High value", "高价值"), Rule(
        _high, Words("`value.high_value` is true", "`value.high_value` 为真")), SCORE,
        Words("Among the top tenth of customers by expected spend.", "预期消费额位居客户前十分之一。"), weight=2),
    Tag(11, "rising-value", STANDING, Words("Rising value", "价值上升"), Rule(
        _rising, Words("`value.rising_value` is true", "`value.rising_value` 为真")), SCORE,
        Words("Spends clearly more than before.", "近期消费明显增加。")),
    Tag(12, "valuable-and-leaving", STANDING, Words("High value, leaving", "高价值将流失"), Rule(
        _vip_leaving, Words(f"`value.high_value` is true, and `stage` is declining or `churn_risk` is {THRESHOLD:g} or more",
                            f"`value.high_value` 为真，且 `stage` 为 declining 或 `churn_risk` 不低于 {THRESHOLD:g}")), SCORE,
        Words("Of high value, and about to leave: call first.", "高价值且正在流失，应最先联系。"), weight=2),
)
