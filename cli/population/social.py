"""What customers say in public, pass on, and whom they follow."""

from __future__ import annotations

from typing import Any

from cli.population import texts
from cli.population.agenda import Agenda, Process
from cli.population.catalogue import RIVALS, topic
from cli.population.person import Person

PLATFORMS = {
    "zh": ("weibo", "xiaohongshu", "xiaohongshu", "douyin", "bilibili"),
    "en": ("x", "instagram", "instagram", "tiktok", "reddit"),
}
ACCOUNTS = {
    "zh": ("跑者日记", "辣妈研究所", "穿搭小课堂", "数码慢评"),
    "en": ("run_notes", "mum_lab", "outfit_class", "slow_tech"),
}

#: What a rival is compared for, by the words of `texts.POSTS`.
COMPARED_FOR = {
    "price": ("价格", "cheaper"),
    "delivery": ("送货", "faster"),
    "service": ("客服", "answers"),
    "range": ("品类",),
}


def posts(agenda: Agenda, person: Person) -> Process:
    """A talker's public life. Who is angry or about to leave says so."""
    if not person.persona.post_days:
        return
    while not person.gone:
        yield agenda.until_hour(agenda.days(person.persona.post_days), person.persona.hours, person.region.offset_min)
        if person.away or person.last_item is None:
            continue
        if person.trouble == "service":
            mention(agenda, person, "rant")
        elif person.trouble == "rival":
            mention(agenda, person, "rival")
        elif agenda.chance(0.15):
            follow(agenda, person, agenda.pick(ACCOUNTS[person.language]))
        else:
            mention(agenda, person, "praise")


def mention(agenda: Agenda, person: Person, mood: str) -> None:
    """A post, or now and then somebody else's passed on. ``mood`` is a key of `texts.POSTS`."""
    slots = person.slots(agenda)
    data = _author(agenda, person)
    data["post_id"] = agenda.number("p")
    data["text"] = texts.write(agenda, texts.POSTS[mood][person.language], **slots)
    if mood == "rival":
        compared = [name for name, words in COMPARED_FOR.items() if any(word in data["text"] for word in words)]
        data["topics"] += [topic(name, person.language) for name in compared]
    data["brands"] = [slots["brand"], slots["rival"]] if mood == "rival" else [slots["brand"]]
    if mood == "rival":
        data["rivals"] = [slots["rival"]]
    data["engagement"] = int(person.audience * agenda.rng.random() ** 3 * 0.1)
    shared = agenda.chance(0.25)
    person.emit(agenda, "social-mentions", "mention.shared" if shared else "mention.posted", data)


def follow(agenda: Agenda, person: Person, account: str) -> None:
    """Follow an account: a blogger's, or a rival's (then it is named among the brands)."""
    data = {**_author(agenda, person), "account": account}
    if account in RIVALS[person.language]:
        data["brands"] = data["rivals"] = [account]
    person.emit(agenda, "social-mentions", "account.followed", data)


def _author(agenda: Agenda, person: Person) -> dict[str, Any]:
    return {
        "platform": agenda.pick(PLATFORMS[person.language]),
        "handle": person.handle,
        "audience": person.audience,
        "topics": [topic(name, person.language) for name in person.persona.topics],
    }
