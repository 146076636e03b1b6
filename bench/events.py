"""The benchmark's events: the four main topics in a fixed mix, customers by Zipf, JSON of realistic size. Seeded.

``python -m bench.events`` measures what comes out: mix, sizes, distinct customers in a batch of 1,000, speed.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np

EVENTS = 200_000
CUSTOMERS = 200_000
SKUS = 2_000
#: Of events; and inside a topic, of its types.
MIX = {"clicks": 0.60, "orders": 0.25, "complaints": 0.05, "social-mentions": 0.10}
TYPES = {
    "clicks": {
        "item.viewed": 0.5,
        "page.viewed": 0.2,
        "search.made": 0.12,
        "cart.changed": 0.1,
        "content.engaged": 0.05,
        "app.opened": 0.03,
    },
    "orders": {"order.placed": 0.72, "order.delivered": 0.2, "order.cancelled": 0.05, "order.refunded": 0.03},
    "complaints": {"complaint.opened": 0.5, "complaint.updated": 0.2, "complaint.resolved": 0.3},
    "social-mentions": {"mention.posted": 0.6, "mention.shared": 0.25, "account.followed": 0.15},
}
DAY_MS = 86_400_000
SPAN_MS = 90 * DAY_MS
END_MS = 1_767_225_600_000  # 2026-01-01
BATCH = 1000
DISTINCT_SHARE_MIN = 0.60

_CHANNELS, _DEVICES = ("app", "web", "wechat"), ("phone", "desktop", "tablet")
_REGIONS = ("上海", "北京", "成都", "London", "New York")
_CATEGORIES = ("running", "fashion", "beauty", "home", "grocery", "跑步装备", "设计师女装", "母婴用品")
_BRANDS = ("CloudStep", "Night Bus", "初棉", "禾田", "Lumen", "净居")
_TEXTS = (
    "说好三天到，快递信息一直没动，客服只会让我再等等。到底什么时候能送到？",
    "The parcel was promised in three days and nobody can tell me where it is. Please cancel it if you cannot deliver.",
    "今天入手了新跑鞋，手感和颜值都在线，细节控狂喜，会推荐给跑团的朋友们。",
    "Finally got it: looks great and feels even better, half a minute off my best this weekend. Worth every penny.",
)
_REFERRER, _REVIEW = '"referrer":"https://search.example/?q=shop"', '"topic":"review","action":"viewed"'
_CART = ("added", "added", "added", "removed")
_PLATFORMS, _SEVERITIES = ("weibo", "xiaohongshu", "x", "instagram"), ("low", "medium", "high", "critical")


class Made(NamedTuple):
    topic: str
    key: bytes
    value: bytes


class _Dice(NamedTuple):
    """One event's chance: its number, numbers below 2^31 to take remainders of, its time and an earlier one as text."""

    n: int
    a: int
    b: int
    c: int
    now: str
    before: str


def events(
    count: int = EVENTS, *, seed: int = 1, customers: int = CUSTOMERS, start_ms: int = END_MS - SPAN_MS, end_ms: int = END_MS
) -> Iterator[Made]:
    """``count`` events, their times evenly spread from ``start_ms`` to ``end_ms``. The same arguments give the same bytes."""
    rng = np.random.default_rng(seed)
    kinds = [(topic, type_, share * part) for topic, share in MIX.items() for type_, part in TYPES[topic].items()]
    shares = np.cumsum([share for *_, share in kinds])
    kind_of = np.minimum(np.searchsorted(shares, rng.random(count)), len(kinds) - 1).tolist()
    customer_of = zipf(rng, count, customers).tolist()
    dice = rng.integers(0, 2**31, size=(count, 3)).tolist()
    step_ms = (end_ms - start_ms) / max(1, count)
    for n, (kind, customer, (a, b, c)) in enumerate(zip(kind_of, customer_of, dice, strict=True)):
        topic, type_, _ = kinds[kind]
        time_ms = start_ms + int(n * step_ms)
        now = _iso(time_ms)
        data = _DATA[type_](_Dice(n, a, b, c, now, _iso(time_ms - DAY_MS - c % (5 * DAY_MS))))
        yield Made(
            topic,
            b"C%07d" % customer,
            (
                f'{{"specversion":"1.0","id":"b{seed}-{n:08x}","source":"/bench/shop","type":"{type_}","time":"{now}",'
                f'"datacontenttype":"application/json","data":{{{data}}}}}'
            ).encode(),
        )


def zipf(rng: np.random.Generator, count: int, customers: int) -> np.ndarray:
    """Customers from 1, the k-th in proportion to 1/k (exponent 1), numbered in no order of rank."""
    weights = np.cumsum(1.0 / np.arange(1, customers + 1))
    ranks = np.searchsorted(weights, rng.random(count) * weights[-1])
    return rng.permutation(customers)[ranks] + 1


def distinct_shares(keys: Sequence[bytes]) -> list[float]:
    """The share of distinct customers in each full batch of `BATCH`."""
    return [len(set(keys[i : i + BATCH])) / BATCH for i in range(0, len(keys) - BATCH + 1, BATCH)]


def _iso(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds")


def _touch(d: _Dice) -> str:
    return (
        f'"session":"s-{d.n // 5:08x}-{d.a % 4096:03x}","channel":"{_CHANNELS[d.a % 3]}","device":"{_DEVICES[d.b % 3]}",'
        f'"region":"{_REGIONS[d.c % 5]}"'
    )


def _sku(x: int) -> str:
    x %= SKUS
    return f'"sku":"SKU-{x:05d}","category":"{_CATEGORIES[x % 8]}"'


def _named(x: int) -> str:
    return f'{_sku(x)},"name":"item number {x % SKUS}","brand":"{_BRANDS[x % 6]}"'


def _minor(x: int) -> int:
    return 990 + x % SKUS * 100


def _price(x: int) -> str:
    return f'"price_minor":{_minor(x)},"currency":"CNY"'


def _placed(d: _Dice) -> str:
    skus = (d.a, d.b, d.c)[: 1 + d.n % 3]
    lines = ",".join(f'{{{_named(x)},"quantity":1,"unit_price_minor":{_minor(x)}}}' for x in skus)
    full_minor = sum(_minor(x) for x in skus)
    discount = f'"discount_minor":{full_minor // 10},"coupon":"SPRING10",' if d.a % 3 == 0 else ""
    amount_minor = full_minor - (full_minor // 10 if discount else 0)
    return (
        f'"order_id":"o-{d.n:08x}","currency":"CNY","amount_minor":{amount_minor},"lines":[{lines}],{discount}'
        f'"payment_method":"{("wechatpay", "alipay", "card")[d.b % 3]}","instalments":{3 if d.c % 10 == 0 else 1},"channel":"app"'
    )


def _closing(d: _Dice, more: str) -> str:
    return f'"order_id":"o-{d.a:08x}","placed_at":"{d.before}",{more}'


def _money_back(d: _Dice, more: str) -> str:
    return _closing(d, f'"currency":"CNY","amount_minor":{_minor(d.a)},"reason":"不想要了 / changed my mind"{more}')


def _complaint(d: _Dice, more: str) -> str:
    return f'"complaint_id":"t-{d.a:08x}","category":"{("late-delivery", "quality", "service")[d.a % 3]}",{more}'


def _author(d: _Dice, more: str) -> str:
    brands = f'"topics":["running","outfit"],"brands":["{_BRANDS[d.b % 6]}"]'
    return f'"platform":"{_PLATFORMS[d.a % 4]}","handle":"user_{d.b % 100_000}","audience":{d.c % 20_000},{brands},{more}'


def _post(d: _Dice) -> str:
    return _author(d, f'"post_id":"p-{d.n:08x}","text":"{_TEXTS[2 + d.a % 2]}","engagement":{d.c % 500}')


_DATA: dict[str, Callable[[_Dice], str]] = {
    "item.viewed": lambda d: f'{_touch(d)},{_named(d.a)},{_price(d.a)},"dwell_ms":{d.b % 90_000}',
    "page.viewed": lambda d: f'{_touch(d)},"page":"/c/{_CATEGORIES[d.a % 8]}","dwell_ms":{d.b % 60_000},{_REFERRER}',
    "search.made": lambda d: (
        f'{_touch(d)},"query":"{_BRANDS[d.a % 6]} {_CATEGORIES[d.b % 8]}","results":{d.c % 200 * (d.a % 12 > 0)}'
    ),
    "cart.changed": lambda d: f'{_touch(d)},"action":"{_CART[d.c % 4]}",{_sku(d.a)},"quantity":1,{_price(d.a)}',
    "content.engaged": lambda d: (
        f'{_touch(d)},"content":"review-{d.a % SKUS}","kind":"video",{_REVIEW},"dwell_ms":{d.b % 180_000}'
    ),
    "app.opened": lambda d: f'{_touch(d)},"version":"6.3.1"',
    "order.placed": _placed,
    "order.delivered": lambda d: _closing(d, f'"promised_at":"{d.now}"'),
    "order.cancelled": lambda d: _money_back(d, f',"whole":{"false" if d.c % 5 == 0 else "true"}'),
    "order.refunded": lambda d: _money_back(d, ""),
    "complaint.opened": lambda d: _complaint(
        d, f'"product":"item number {d.b % SKUS}","severity":"{_SEVERITIES[d.c % 4]}","channel":"app","text":"{_TEXTS[d.b % 2]}"'
    ),
    "complaint.updated": lambda d: _complaint(
        d, f'"opened_at":"{d.before}","severity":"{_SEVERITIES[d.c % 4]}","text":"{_TEXTS[d.b % 2]}"'
    ),
    "complaint.resolved": lambda d: _complaint(d, f'"opened_at":"{d.before}","resolution":"refund","satisfaction":{1 + d.b % 5}'),
    "mention.posted": _post,
    "mention.shared": _post,
    "account.followed": lambda d: _author(d, f'"account":"runner_notes_{d.c % 50}"'),
}


def main() -> None:
    """Measure a default stream; fails if too few customers of a batch are distinct."""
    began = time.perf_counter()
    made = list(events())
    seconds = time.perf_counter() - began
    sizes = np.array([len(event.value) for event in made])
    shares = distinct_shares([event.key for event in made])
    print(f"{len(made):,} events, {len(made) / seconds:,.0f}/s; {dict(Counter(event.topic for event in made))}")
    print("bytes: " + ", ".join(f"{name} {np.percentile(sizes, p):.0f}" for name, p in (("p5", 5), ("median", 50), ("p95", 95))))
    print(f"distinct customers in a batch of {BATCH}: least {min(shares):.3f}, mean {np.mean(shares):.3f}")
    if np.mean(shares) < DISTINCT_SHARE_MIN:
        raise SystemExit(f"fewer than {DISTINCT_SHARE_MIN:.0%} of a batch are distinct customers")


if __name__ == "__main__":
    main()
