"""Words in searches, topics and categories that show what a customer is after, in English and Chinese; looks and reductions."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from portrait.dimensions.attributes import REMEMBERED
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


BABY = (
    "baby",
    "babies",
    "kids",
    "children",
    "maternity",
    "toddler",
    "nursery",
    "母婴",
    "婴儿",
    "婴幼",
    "宝宝",
    "儿童",
    "童装",
    "孕妇",
)
TABLES = (PRICE, QUALITY, HEALTH, SUSTAINABILITY, BABY)
#: Bits of `about`.
ON_PRICE, ON_BABY = 1 << TABLES.index(PRICE), 1 << TABLES.index(BABY)


@lru_cache(REMEMBERED)
def about(name: str) -> int:
    """What a query or a name is about: a bit for each table of which it has a word in it, in whatever case."""
    name = name.casefold()
    return sum(1 << i for i, words in enumerate(TABLES) if any(word in name for word in words))


def hits(counts: Mapping[str, int] | None, mask: int) -> tuple[int, int]:
    """(How often what is about it was counted, how often all was.)"""
    found = total = 0
    if counts:
        for name, n in counts.items():
            if name != MORE:
                total += n
                if about(name) & mask:
                    found += n
    return found, total


def wishes(counts: Mapping[str, int] | None) -> list[int]:
    """How often each of TABLES was met, and last how often all was counted."""
    found = [0] * (len(TABLES) + 1)
    for name, n in (counts or {}).items():
        if name != MORE:
            found[-1] += n
            bits = about(name)
            while bits:
                found[(bits & -bits).bit_length() - 1] += n
                bits &= bits - 1
    return found


def promoted(consumption: Any) -> int:
    """Orders with a discount or a coupon, of which one order may have both: at least so many."""
    return int(max(consumption.discounted, consumption.with_coupon))


def looks_per_order(behaviour: Any, consumption: Any) -> float | None:
    """Items looked at and searches made for each order; None without either."""
    if behaviour is None or consumption is None or not consumption.placed:
        return None
    looks = behaviour.item_views + behaviour.searches_made
    return looks / consumption.placed if looks else None
