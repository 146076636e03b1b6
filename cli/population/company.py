"""What the company does and knows: registration, CRM, consent, campaigns."""

from __future__ import annotations

from cli.population import contacts
from cli.population.agenda import DAY_MS, HOUR_MS, Agenda, Process
from cli.population.person import Person, work

LEVELS = ("bronze", "silver", "gold", "platinum")
PURPOSES = (("service", "contract", 1.0), ("marketing", "consent", 0.85), ("profiling", "consent", 0.8))

#: Who gives no more than a name; and who joins the shop's club, which asks more.
GUESTS, MEMBERS = 0.15, 0.5
CLUB = {"zh": "会员中心", "en": "loyalty-club"}
SCHOOLS = {"zh": ("高中", "大专", "本科", "本科", "硕士", "博士"), "en": ("High school", "College", "Bachelor", "Master", "PhD")}
INCOMES = {"zh": ("低", "中等", "中等", "较高"), "en": ("low", "medium", "medium", "high")}
#: How people and forms write telephone numbers; some write what is none.
NUMBERS = {
    "zh": ("{n}", "+86 {n}", "{a} {b} {c}", "{a}-{b}-{c}", "0086{n}", "{wide}", "{a}"),
    "en": ("+44 20 7946 0{c}", "+1 (415) 555-{c}", "+61 2 5550 {c}", "555-{c}", "n/a"),
}
CALLABLE, BOUGHT_DATA = 0.6, 0.2
#: Full-width digits, as some forms let people type them.
WIDE = str.maketrans("0123456789", "０１２３４５６７８９")


def register(agenda: Agenda, person: Person) -> Process:
    """The first hour of a customer: attributes, ids in other systems, consent."""
    attributes = {
        "name": person.name,
        "region": person.region.name,
        "language": person.language,
        "member_level": "platinum" if person.kind == "vip" else "bronze",
    }
    occupation = work(agenda, person)
    if agenda.colour.random() > GUESTS:
        attributes["gender"] = "female" if person.woman else "male"
        attributes["birth_year"] = str(2026 - person.age)
        attributes["occupation"] = occupation
    if agenda.colour.random() < CALLABLE:
        attributes["mobile"] = _number(agenda, person)
        attributes["E-mail"] = f" User{person.id[1:]}@Example.COM"
    if person.kind == "opinion-leader-mother":
        attributes["children"] = str(agenda.rng.randint(1, 2))
    person.emit(agenda, "customers", "attributes.changed", {"attributes": attributes})
    yield agenda.between(1_000, 60_000)
    person.emit(
        agenda, "customers", "external-id.assigned", {"system": "crm", "external_id": f"{int(person.id[1:]) + 40_000:08d}"}
    )
    for purpose, basis, share in PURPOSES:
        yield agenda.between(500, 5_000)
        granted = agenda.chance(share)
        person.emit(agenda, "customers", "consent.changed", {"purpose": purpose, "granted": granted, "basis": basis})
        if purpose == "marketing":
            person.reachable = granted
    if agenda.colour.random() < MEMBERS:
        _joins_club(agenda, person)
    if agenda.colour.random() < BOUGHT_DATA:
        _bought(agenda, person)
    if person.persona.post_days:
        yield from _identity(agenda, person)


def _number(agenda: Agenda, person: Person) -> str:
    a, b, c = "139", f"{agenda.colour.randrange(10_000):04}", f"{agenda.colour.randrange(10_000):04}"
    number = f"{a}{b}{c}"
    return agenda.tint(NUMBERS[person.language]).format(n=number, a=a, b=b, c=c, wide=number.translate(WIDE))


def _bought(agenda: Agenda, person: Person) -> None:
    """What a partner sells of them is often a guess, and sometimes nonsense."""
    age = agenda.tint((str(person.age), str(person.age + 9), "300"))
    guessed = {"age": age, "city": agenda.tint((person.region.name, "北京市", "unknown")), "income": agenda.tint(("high", "高"))}
    person.emit(agenda, "customers", "attributes.changed", {"attributes": guessed, "system": "partner:insight"})


def _joins_club(agenda: Agenda, person: Person) -> None:
    """Another system asks more, in its own words, and in the forms in which such systems have them."""
    married = person.age > 27 and agenda.colour.random() < 0.7
    school, income = agenda.tint(SCHOOLS[person.language]), agenda.tint(INCOMES[person.language])
    if person.language == "zh":
        wide = str(2026 - person.age).translate(WIDE)
        asked = {
            "性别": "女" if person.woman else "男",
            "出生年份": wide,
            "城市": person.region.name,
            "学历": school,
            "收入": income,
        }
        asked["婚姻"] = "已婚" if married else agenda.tint(("未婚", "未婚", "新婚")) if person.age > 22 else "未婚"
    else:
        asked = {"sex": "F" if person.woman else "M", "dob": f"{2026 - person.age}-06-15", "education": school, "income": income}
        asked["marital_status"] = "married" if married else "single"
    person.emit(agenda, "customers", "attributes.changed", {"attributes": asked, "system": CLUB[person.language]})


def _identity(agenda: Agenda, person: Person) -> Process:
    """The social handle is matched to the customer; now and then by mistake, which is taken back."""
    yield agenda.between(HOUR_MS, 20 * DAY_MS)
    mistaken = agenda.chance(0.08)
    other = f"{person.handle}{'_2' if mistaken else ''}"
    person.emit(
        agenda, "customers", "identity.linked", {"other": other, "kind": "social", "confidence": 0.6 if mistaken else 0.95}
    )
    if mistaken:
        yield agenda.between(DAY_MS, 10 * DAY_MS)
        person.emit(agenda, "customers", "identity.unlinked", {"other": other, "kind": "social", "reason": "matched by mistake"})


def crm(agenda: Agenda, person: Person) -> Process:
    """Lives change: a new level, another job, a move."""
    level = 3 if person.kind == "vip" else 0
    while not person.gone:
        yield agenda.until_hour(agenda.days(160), range(9, 18), person.region.offset_min)
        if person.away or person.last_item is None:
            continue
        level = min(level + 1, len(LEVELS) - 1)
        change = agenda.pick(
            ({"member_level": LEVELS[level]}, {"member_level": LEVELS[level]}, {"occupation": work(agenda, person)})
        )
        person.emit(agenda, "customers", "attributes.changed", {"attributes": change})


def campaigns(agenda: Agenda, person: Person) -> Process:
    """A message every few weeks to whom it may be sent; to those who left, for some months."""
    names = ("new-arrivals", "members-day", "seasonal-sale", "recommendations")
    while person.reachable and not _forgotten(agenda, person):
        yield agenda.until_hour(agenda.days(28), range(9, 20), person.region.offset_min)
        if person.reachable:
            yield from contacts.message(agenda, person, "we-miss-you" if person.away else agenda.pick(names))


def _forgotten(agenda: Agenda, person: Person) -> bool:
    return person.gone and agenda.present_ms - (person.churned_at_ms or 0) > 90 * DAY_MS
