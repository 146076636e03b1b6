"""One simulated customer: who they are, and the little that their processes share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple
from zlib import crc32

from cli.population.agenda import Agenda
from cli.population.catalogue import RIVALS, SHELVES, Item
from cli.population.personas import PERSONAS, Persona
from cli.population.texts import EXTRAS


class Region(NamedTuple):
    name: str
    language: str
    offset_min: int  # standard time: summer time would change no conclusion
    currency: str
    per_yuan: float


REGIONS = (
    *(
        Region(name, "zh", 480, "CNY", 1.0)
        for name in ("上海", "北京", "深圳", "广州", "杭州", "成都", "武汉", "西安", "长沙", "青岛", "昆明", "洛阳")
    ),
    Region("London", "en", 0, "GBP", 0.11),
    Region("Manchester", "en", 0, "GBP", 0.11),
    Region("New York", "en", -300, "USD", 0.14),
    Region("Seattle", "en", -480, "USD", 0.14),
    Region("Toronto", "en", -300, "CAD", 0.19),
    Region("Sydney", "en", 600, "AUD", 0.21),
    Region("Singapore", "en", 480, "SGD", 0.19),
)

_FAMILY = {
    "zh": "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗",
    "en": ("Smith", "Jones", "Taylor", "Brown", "Patel", "Wilson", "Evans", "Walker", "Khan", "Murphy", "Lee", "Garcia"),
}
_GIVEN = {
    ("zh", True): ("静怡", "雨桐", "欣妍", "芳", "秀英", "思琪", "婉清", "丽华", "诗涵", "晓燕"),
    ("zh", False): ("伟", "浩然", "子轩", "建国", "志强", "俊杰", "宇航", "明远", "立群", "海峰"),
    ("en", True): ("Emma", "Olivia", "Grace", "Hannah", "Aisha", "Chloe", "Margaret", "Sophie"),
    ("en", False): ("Jack", "Oliver", "Thomas", "Daniel", "Ravi", "George", "Samuel", "Arthur"),
}
_WORK = {
    "zh": ("工程师", "教师", "会计", "设计师", "护士", "销售", "公务员", "自由职业"),
    "en": ("engineer", "teacher", "accountant", "designer", "nurse", "sales", "civil servant", "freelancer"),
}


@dataclass(slots=True)
class Person:
    """A customer's fixed traits, and the state that the processes of the other modules share."""

    id: str
    kind: str
    persona: Persona
    region: Region
    name: str
    woman: bool
    age: int
    gap_days: float
    handle: str
    audience: int
    patience: float
    #: Shares of bad service not made good: at ``patience`` it becomes a cause to leave.
    grievance: float = 0.0
    trouble: str | None = None
    wish: str | None = None  # the category that the last purchase calls for
    reachable: bool = True  # has not withdrawn from marketing
    last_item: Item | None = None
    churned_at_ms: int | None = None
    cause: str | None = None
    comeback_at_ms: int | None = None  # not before; the truth is returned_at_ms
    returned_at_ms: int | None = None

    @property
    def language(self) -> str:
        return self.region.language

    @property
    def logs_in(self) -> bool:
        """Tells the app who they are each time that they open it: one in twenty."""
        return crc32(self.id.encode()) % 20 == 0

    @property
    def phone(self) -> str:
        """The identity of the device in their pocket."""
        return f"device:{crc32(self.id.encode()):08x}"

    @property
    def away(self) -> bool:
        return self.churned_at_ms is not None and self.returned_at_ms is None

    @property
    def gone(self) -> bool:
        """Left, and will not come back."""
        return self.away and self.comeback_at_ms is None

    def price_minor(self, item: Item) -> int:
        """The price in the customer's currency; abroad it ends in 9, as prices do."""
        if self.region.per_yuan == 1.0:
            return item.price_fen
        return round(item.price_fen * self.region.per_yuan / 10) * 10 + 9

    def emit(self, agenda: Agenda, topic: str, type_: str, data: dict[str, Any]) -> None:
        if data.get("channel") == "wechat" and self.language != "zh":  # hardly anybody there has it
            data = {**data, "channel": "web"}
        agenda.emit(topic, type_, self.id, self.region.offset_min, data)

    def iso(self, agenda: Agenda, time_ms: int) -> str:
        return agenda.iso(time_ms, self.region.offset_min)

    def choose(self, agenda: Agenda, shelf: str | None = None) -> Item:
        """An item of the customer's taste: cheap things first for some, dear ones for others."""
        items = SHELVES[shelf or agenda.pick(self.persona.shelves)]
        taste = self.persona.taste
        x = agenda.rng.random()
        y = x * x
        place = x + taste * (x - y) if taste >= 0 else x * (1 + taste) - taste * y
        return items[min(len(items) - 1, int(place * len(items)))]

    def slots(self, agenda: Agenda, item: Item | None = None) -> dict[str, object]:
        """What the templates of `texts` may name."""
        item = item or self.last_item or self.choose(agenda)
        return {
            "item": item.name[self.language],
            "brand": item.brand[self.language],
            "rival": agenda.pick(RIVALS[self.language]),
            "extra": EXTRAS.get(self.kind, {}).get(self.language, ""),
            "days": 2 + int(agenda.rng.random() * 12),
        }


_KINDS = tuple(kind for kind, persona in PERSONAS.items() for _ in range(persona.weight))


def born(agenda: Agenda, number: int) -> Person:
    """The ``number``-th customer of this run."""
    rng = agenda.rng
    kind = agenda.pick(_KINDS)
    persona = PERSONAS[kind]
    region = agenda.pick(REGIONS)
    woman = agenda.chance(persona.women)
    family, given = agenda.pick(_FAMILY[region.language]), agenda.pick(_GIVEN[region.language, woman])
    return Person(
        id=f"C{number:06d}",
        kind=kind,
        persona=persona,
        region=region,
        name=family + given if region.language == "zh" else f"{given} {family}",
        woman=woman,
        age=rng.randint(*persona.ages),
        # A gamma over people's rates makes the counts of purchases negative binomial, as real ones are.
        gap_days=persona.gap_days / min(3.0, max(0.35, rng.gammavariate(5.0, 0.2))),
        handle=f"{given if region.language == 'zh' else given.lower()}_{rng.randint(1000, 9999)}",
        audience=int(persona.audience * rng.lognormvariate(0.0, 0.8)),
        patience=persona.patience * rng.uniform(0.6, 1.4),
    )


def work(agenda: Agenda, person: Person) -> str:
    """What they do for a living, in their language."""
    if person.age >= 62:
        return {"zh": "退休", "en": "retired"}[person.language]
    return agenda.pick(_WORK[person.language])
