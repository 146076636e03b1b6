"""Words by which searches and topics show what a customer is after, in English and Chinese, and what follows from many looks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from portrait.dimensions.attributes import says
from portrait.structures import MORE

PRICE = (
    "cheap", "coupon", "discount", "sale", "deals", "bargain", "lowest", "price", "outlet",
    "便宜", "优惠", "折扣", "打折", "特价", "满减", "平替", "降价", "低价", "价格", "薅羊毛", "促销",
)  # fmt: skip
QUALITY = (
    "review", "compar", "versus", " vs ", "specs", "durable", "quality",
    "测评", "评测", "对比", "参数", "区别", "质量", "耐用", "材质", "口碑",
)  # fmt: skip
HEALTH = (
    "health",
    "fitness",
    "vitamin",
    "low sugar",
    "low-sugar",
    "organic food",
    "健康",
    "养生",
    "低糖",
    "无糖",
    "低脂",
    "营养",
    "健身",
)
SUSTAINABILITY = (
    "sustainab", "recycl", "refurbished", "second-hand", "second hand", "trade-in", "eco-friendly", "organic",
    "环保", "可持续", "低碳", "二手", "以旧换新", "有机", "可降解",
)  # fmt: skip


def hits(counts: Mapping[str, int] | None, words: tuple[str, ...]) -> tuple[int, int]:
    """(How often what has one of the words in its name was counted, how often all was.)"""
    found = total = 0
    if counts:
        for name, n in counts.items():
            if name != MORE:
                total += n
                if says(name, words):
                    found += n
    return found, total


def promoted(consumption: Any) -> int:
    """Orders with a discount or a coupon, of which one order may have both: at least so many."""
    return int(max(consumption.discounted, consumption.with_coupon))


def looks_per_order(behaviour: Any, consumption: Any) -> float | None:
    """Items looked at and searches made for each order; None without either."""
    if behaviour is None or consumption is None or not consumption.placed:
        return None
    looks = behaviour.item_views + behaviour.searches_made
    return looks / consumption.placed if looks else None
