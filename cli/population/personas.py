"""The kinds of people in the simulated population. Each is a rhythm, a taste and a temper; individuals vary around it."""

from __future__ import annotations

from dataclasses import dataclass

OFFICE = (8, 12, 12, 13, 18, 20, 21, 21, 22, 22)
EVENING = (12, 19, 20, 20, 21, 21, 22, 22, 23)
MORNING = (6, 6, 7, 7, 8, 9, 17, 18)
DAYTIME = (8, 9, 9, 10, 10, 11, 14, 15, 16)
MEALTIMES = (11, 11, 12, 12, 12, 17, 18, 18, 19, 22, 23)
NIGHT = (10, 13, 21, 22, 22, 23, 23, 0, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Persona:
    """Repetition in a tuple is weight. Rates are probabilities per occasion, ``*_days`` mean times between occasions."""

    weight: int
    ages: tuple[int, int]
    women: float = 0.5
    gap_days: float  # between purchases
    gap_shape: float = 1.6  # of the gamma distribution of gaps: 1 is without memory, more is more regular
    lines: int = 1  # at most, of one order
    taste: float = 0.0  # -1 buys the cheapest, 1 the dearest
    shelves: tuple[str, ...]
    coupon: float = 0.25
    instalments: float = 0.05
    browses: int = 1  # sessions in the days before a purchase, at most
    visit_days: float = 30.0  # between visits without a purpose
    reviews: float = 0.15  # content looked at, per item
    searching: float = 0.4
    search_kind: str = "plain"
    channels: tuple[str, ...] = ("app", "app", "wechat", "web")
    devices: tuple[str, ...] = ("phone", "phone", "phone", "desktop")
    hours: tuple[int, ...] = OFFICE
    post_days: float = 0.0  # 0: never posts
    audience: int = 120
    topics: tuple[str, ...] = ()
    motives: tuple[str, ...] = ("quality", "price", "efficiency")  # what they answer when asked why they buy
    daring: float = 0.03  # of articles bought, those that have just come out
    opening: float = 0.4  # of messages received
    refusing: float = 0.02
    patience: float = 1.5
    trouble_days: float = 450.0  # between causes to leave that have nothing to do with service
    causes: tuple[str, ...] = ("price", "rival", "need")


PERSONAS: dict[str, Persona] = {
    "researcher": Persona(
        weight=10,
        ages=(26, 48),
        women=0.3,
        gap_days=42,
        gap_shape=2.5,
        taste=0.3,
        shelves=("electronics", "electronics", "cameras", "running"),
        browses=3,
        visit_days=25,
        reviews=0.6,
        searching=0.8,
        search_kind="specs",
        devices=("desktop", "desktop", "phone", "tablet"),
        channels=("web", "web", "app"),
        hours=EVENING,
        post_days=90,
        opening=0.3,
        causes=("rival", "rival", "need"),
        topics=("tech",),
        motives=("quality", "quality", "novelty"),
        daring=0.12,
    ),
    "bargain-hunter": Persona(
        weight=14,
        ages=(22, 60),
        gap_days=22,
        gap_shape=1.2,
        lines=4,
        taste=-0.9,
        shelves=("home", "home", "grocery", "beauty", "baby"),
        coupon=0.85,
        browses=2,
        visit_days=18,
        searching=0.6,
        search_kind="deal",
        post_days=150,
        opening=0.6,
        trouble_days=280,
        causes=("price", "price", "price", "rival"),
        topics=("deals",),
        motives=("price",),
    ),
    "value-driven": Persona(
        weight=13,
        ages=(30, 58),
        gap_days=36,
        gap_shape=2.0,
        lines=2,
        taste=0.7,
        shelves=("home", "grocery", "electronics", "beauty"),
        coupon=0.08,
        visit_days=39,
        reviews=0.3,
        opening=0.35,
        patience=1.1,
        trouble_days=600,
        causes=("need", "rival"),
        motives=("quality", "quality", "sustainability"),
    ),
    "opinion-leader-mother": Persona(
        weight=7,
        ages=(27, 40),
        women=1.0,
        gap_days=18,
        gap_shape=1.8,
        lines=4,
        taste=0.2,
        shelves=("baby", "baby", "baby", "grocery", "home"),
        coupon=0.35,
        visit_days=19,
        reviews=0.35,
        hours=(9, 10, 13, 14, 21, 22, 22),
        post_days=16,
        audience=18_000,
        opening=0.55,
        patience=1.2,
        topics=("parenting", "baby"),
        causes=("need", "need", "rival"),
        motives=("health", "quality", "identity"),
    ),
    "young-fashion": Persona(
        weight=14,
        ages=(20, 35),
        women=0.8,
        gap_days=24,
        gap_shape=1.3,
        lines=3,
        taste=0.4,
        shelves=("fashion", "fashion", "fashion", "beauty"),
        coupon=0.4,
        instalments=0.3,
        browses=2,
        visit_days=15,
        reviews=0.4,
        channels=("app", "app", "app", "wechat"),
        devices=("phone",),
        hours=NIGHT,
        post_days=30,
        audience=900,
        opening=0.6,
        trouble_days=330,
        causes=("rival", "rival", "need", "price"),
        topics=("outfit", "fashion"),
        motives=("identity", "novelty", "price"),
        daring=0.35,
    ),
    "record-runner": Persona(
        weight=7,
        ages=(24, 50),
        women=0.4,
        gap_days=40,
        gap_shape=2.4,
        lines=2,
        taste=0.5,
        shelves=("running",),
        browses=2,
        reviews=0.35,
        search_kind="specs",
        hours=MORNING,
        post_days=45,
        audience=400,
        causes=("need", "rival"),
        topics=("running", "marathon"),
        motives=("quality", "health"),
        daring=0.2,
    ),
    "looks-runner": Persona(
        weight=7,
        ages=(22, 38),
        women=0.6,
        gap_days=44,
        gap_shape=1.5,
        lines=2,
        taste=0.9,
        shelves=("running", "running", "fashion"),
        instalments=0.2,
        reviews=0.3,
        hours=EVENING,
        post_days=35,
        audience=1_500,
        causes=("rival", "price", "need"),
        topics=("outfit", "running"),
        motives=("identity", "novelty", "status"),
        daring=0.3,
    ),
    "elderly-caller": Persona(
        weight=8,
        ages=(62, 84),
        women=0.55,
        gap_days=32,
        gap_shape=6.0,
        shelves=("water", "water", "water", "grocery"),
        coupon=0.02,
        browses=0,
        visit_days=128,
        reviews=0.02,
        searching=0.3,
        channels=("phone", "phone", "store"),
        devices=("tablet",),
        hours=DAYTIME,
        opening=0.1,
        refusing=0.04,
        patience=2.2,
        trouble_days=900,
        causes=("need",),
        motives=("efficiency", "quality"),
        daring=0.0,
    ),
    "vip": Persona(
        weight=6,
        ages=(35, 60),
        gap_days=30,
        gap_shape=2.0,
        lines=2,
        taste=0.9,
        shelves=("premium", "premium", "fashion", "electronics", "grocery"),
        coupon=0.03,
        visit_days=42,
        channels=("app", "wechat", "store"),
        opening=0.5,
        refusing=0.01,
        patience=0.9,
        trouble_days=600,
        causes=("rival", "need"),
        motives=("status", "quality"),
        daring=0.25,
    ),
    "diner": Persona(
        weight=8,
        ages=(22, 42),
        gap_days=12,
        gap_shape=1.1,
        lines=4,
        shelves=("lunch", "dinner", "snack"),
        coupon=0.5,
        browses=0,
        visit_days=64,
        searching=0.25,
        reviews=0.05,
        channels=("app",),
        devices=("phone",),
        hours=MEALTIMES,
        opening=0.4,
        patience=1.3,
        trouble_days=380,
        causes=("rival", "price", "need"),
        motives=("efficiency", "efficiency", "price"),
    ),
    "occasional": Persona(
        weight=6,
        ages=(18, 65),
        gap_days=75,
        gap_shape=1.0,
        lines=2,
        shelves=("home", "grocery", "electronics", "beauty", "fashion", "cameras"),
        visit_days=75,
        opening=0.2,
        refusing=0.05,
        trouble_days=400,
    ),
}
