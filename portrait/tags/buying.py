"""Tags of consumption and motivation: how customers buy, and why."""

from __future__ import annotations

from portrait.tags.base import HABIT, Tag, Words, among, from_on, says, up_to

#: Shares of the orders that are a habit, and days between purchases that are often.
OFTEN, OFTEN_DAYS = 0.3, 14

# fmt: off
TAGS = (
    Tag(60, "promotion-sensitive", "habits", Words("Promotion-sensitive", "促销敏感"), says("promotions", "high"), HABIT,
        Words("Most orders are at a discount or with a coupon.", "多数订单使用折扣或优惠券。")),
    Tag(61, "price-driven", "habits", Words("Price-sensitive", "价格敏感"), says("driven_by", "price"), HABIT,
        Words("It is the price that makes them buy: reductions, and searches for them.", "因价格而买：多买减价，并搜索优惠。")),
    Tag(62, "value-driven", "habits", Words("Value-driven", "品质价值型"), says("driven_by", "value"), HABIT,
        Words("Buys at the full price: no discount is needed.", "愿付全价，无需折扣。")),
    Tag(63, "pays-by-instalments", "habits", Words("Pays by instalments", "分期习惯"),
        from_on("instalments", OFTEN, "promotions"), HABIT,
        Words("Three in ten orders or more are paid in parts.", "三成以上订单分期付款。")),
    Tag(64, "returns-often", "habits", Words("Returns often", "常退货"), from_on("returned", OFTEN, "promotions"), HABIT,
        Words("Refunds for three in ten orders or more.", "三成以上订单退款。")),
    Tag(65, "cancels-often", "habits", Words("Cancels often", "常取消"), from_on("cancelled", OFTEN, "promotions"), HABIT,
        Words("Cancels three in ten orders or more.", "三成以上订单取消。")),
    Tag(66, "frequent-buyer", "habits", Words("Frequent buyer", "高频购买"), up_to("cycle_days", OFTEN_DAYS, "promotions"), HABIT,
        Words("Buys every two weeks or more often.", "至少每两周购买一次。")),
    Tag(67, "seeks-quality", "motivation", Words("Seeks quality", "追求品质"), among("motives", "quality"), HABIT,
        Words("Wants what lasts and works well.", "看重耐用与性能。")),
    Tag(68, "seeks-low-price", "motivation", Words("Seeks a low price", "追求低价"), among("motives", "price"), HABIT,
        Words("Wants to pay little.", "看重便宜。")),
    Tag(69, "seeks-efficiency", "motivation", Words("Seeks efficiency", "追求效率"), among("motives", "efficiency"), HABIT,
        Words("Wants to save time and trouble.", "看重省时省事。")),
    Tag(70, "seeks-identity", "motivation", Words("Seeks identity", "情感认同"), among("motives", "identity"), HABIT,
        Words("Wants what suits who they are and whom they belong to.", "看重契合自我与归属感。")),
    Tag(71, "seeks-status", "motivation", Words("Seeks status", "追求身份"), among("motives", "status"), HABIT,
        Words("Wants others to see it.", "看重体面与身份。")),
    Tag(72, "seeks-sustainability", "motivation", Words("Seeks sustainability", "环保主义"),
        among("motives", "sustainability"), HABIT,
        Words("Wants to do little harm to people and nature.", "看重环保与可持续。")),
    Tag(73, "seeks-health", "motivation", Words("Seeks health", "关注健康"), among("motives", "health"), HABIT,
        Words("Wants what does the body good.", "看重健康。")),
    Tag(74, "seeks-novelty", "motivation", Words("Seeks novelty", "追求新奇"), among("motives", "novelty"), HABIT,
        Words("Wants what is new.", "看重新鲜感。")),
    Tag(75, "risk-taker", "motivation", Words("Takes risks", "敢于尝试"), says("risk", "open"), HABIT,
        Words("Buys what has just come out, or in instalments.", "常买新品或分期购买。")),
    Tag(76, "careful", "motivation", Words("Careful", "谨慎型"), says("risk", "careful"), HABIT,
        Words("Compares first; neither new arrivals nor instalments.", "先比较再买，少碰新品与分期。")),
)
