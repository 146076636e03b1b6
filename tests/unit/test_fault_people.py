"""The fault run's judge of persons: an honest worker is right, and whatever is tampered with shows in its counter."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import msgspec
import pytest

from oracle import log as oracle_log
from oracle import score
from oracle.identities import words
from portrait.evolve import Arrival
from portrait.features.voice import PLACES_MAX
from portrait.identity.person import Moment, assembled
from portrait.models import churn
from portrait.settle import Policy
from portrait.state import State
from profile_store.contract import Write
from schemas.complaints import ComplaintOpened
from schemas.event import Event, decode
from schemas.identity import Namer
from schemas.outputs import Action, Reason
from streams.settings import Settings
from tests.corekit import HORIZON_DAYS, at, complaint, order
from tests.fault import trace
from tests.fault.judge import check_effects, check_views, compare, unjudged
from tests.fault.links import identities, number_of
from tests.fault.load import At, Load, parcels
from tests.fault.people import People, is_founded
from tests.fault.trace import Attempt, Tracer, read
from tests.fault.verdict import Verdict
from tests.persons import but_for_estimates
from tests.readers import unlike
from tests.scene import Scene, SceneWorker

MODEL = score.prior_alone(Settings().horizon_days)


class Shop:
    """A scene in which C1 is known by a device and a cookie, C2 was and is no more, and C3 is alone."""

    def __init__(self) -> None:
        self.scene = scene = Scene()
        for name in ("C1", "device:d1", "C2", "device:d2", "C3"):
            scene.orders(name, days=1)
            scene.complains(name, days=3)
        scene.says("C1", "identity.linked", other="device:d1", kind="device")
        scene.says("anonymous:a1", "identity.linked", other="device:d1", kind="device")
        scene.says("C2", "identity.linked", other="device:d2", kind="device")
        asyncio.run(SceneWorker(scene).work())
        scene.says("device:d2", "identity.unlinked", days=1, other="C2", kind="customer")
        scene.orders("device:d1", days=30)
        asyncio.run(SceneWorker(scene).work())
        self.states = scene.states()
        self.views: dict[str, dict[str, bytes]] = {name: dict(scene.view(name)) for name in self.states}
        self.log = self._log()

    def _log(self) -> dict[str, list[Event]]:
        reader, found = oracle_log.Reader(named=Namer().named), dict[str, list[Event]]()
        for records in self.scene.log.values():
            for record in records:
                if isinstance(event := reader.take(record), Event):
                    found.setdefault(event.customer_id, []).append(event)
        return found

    def judge(self) -> Verdict:
        verdict = Verdict()
        said = [event for events in self.log.values() for event in events if any(words(event))]
        people = People(said, [MODEL], self.views)
        check_views(self.views, self.states, verdict)
        names = {*self.log, *people.named()}
        people.judge(names, self.log, self.states, self.scene.now_ms, verdict)
        for name in names:
            compare(name, self.log.get(name, []), self.states.get(name), self.scene.now_ms, verdict)
        return verdict


def test_an_honest_worker_is_right() -> None:
    shop = Shop()
    verdict = shop.judge()
    assert verdict.fine, verdict.notes
    assert verdict.persons == 1
    assert shop.states["C1"].members == ["C1", "anonymous:a1", "device:d1"]


def _gone(shop: Shop) -> None:
    del shop.states["anonymous:a1"]
    shop.states["C1"].members.remove("anonymous:a1")


def _other_link(shop: Shop) -> None:
    links = shop.states["C2"].links
    assert links is not None
    links.others["device:d2"] = msgspec.structs.replace(links.others["device:d2"], on=True)


TAMPERED: dict[str, Callable[[Shop], object]] = {
    "members": lambda shop: shop.states["C1"].members.remove("anonymous:a1"),
    "pointer": lambda shop: setattr(shop.states["device:d1"], "person", ""),
    "lead": lambda shop: shop.views["device:d1"].pop("goes_by"),
    "still-led": lambda shop: shop.views["C2"].update(goes_by=b"device:d2"),
    "settled": lambda shop: setattr(shop.states["C1"], "settled", (1, 2)),
    "view": lambda shop: shop.views["C1"].update(activity=shop.views["C3"]["activity"]),
    "stage": lambda shop: setattr(shop.states["C1"], "stage", "dormant"),
    "score": lambda shop: setattr(shop.states["C1"], "risk", 0.5),
    "link": _other_link,
    "no-state": _gone,
    "event": lambda shop: shop.log["device:d1"].append(order(3)),
}
COUNTERS = {
    "members": "views_wrong", "pointer": "views_wrong", "lead": "views_wrong", "still-led": "views_wrong", "view": "views_wrong",
    "settled": "views_wrong", "stage": "stages_wrong", "score": "scores_wrong", "link": "links_wrong", "no-state": "lost",
    "event": "lost",
}  # fmt: skip


@pytest.mark.parametrize("what", TAMPERED)
def test_what_is_wrong_of_a_person_shows(what: str) -> None:
    shop = Shop()
    TAMPERED[what](shop)
    verdict = shop.judge()
    assert getattr(verdict, COUNTERS[what]) > 0, verdict.notes
    assert not verdict.fine


def test_a_table_that_had_to_leave_names_out_depends_on_when_it_was_merged() -> None:
    """The device's place is in the merged table, into which C1's new words are folded, and finds no room in C1's own."""
    shop = Shop()

    def posts(name: str, *places: str, text: str = "Great, I love it!") -> None:
        for place in places:
            shop.scene.says(name, "mention.posted", platform=place, text=text)
        asyncio.run(SceneWorker(shop.scene).work())

    posts("C1", *(f"place-{number}" for number in range(PLACES_MAX + 1)))
    posts("device:d1", "elsewhere", "elsewhere")
    posts("C1", "elsewhere", text="Awful. I hate it!")
    shop.states, shop.views = shop.scene.states(), {name: dict(shop.scene.view(name)) for name in shop.states}
    shop.log = shop._log()
    assert unlike(assembled("C1", {name: shop.states[name] for name in shop.states["C1"].members}), shop.views["C1"]) == ["voice"]
    assert shop.judge().fine, shop.judge().notes
    voice = msgspec.json.decode(shop.views["C1"]["voice"])
    shop.views["C1"]["voice"] = msgspec.json.encode({**voice, "pleased": voice["pleased"] + 1})
    assert shop.judge().views_wrong == 1


def test_only_estimates_may_differ() -> None:
    assert but_for_estimates({"a": {"x": 1, "~": 2}, "n": 3}, {"n": 3})
    assert but_for_estimates({"a": {"x": 1, "~": 2}}, {"a": {"y": 5, "~": 1}})
    assert not but_for_estimates({"a": {"x": 1}}, {"a": {"x": 2}})
    assert not but_for_estimates({"a": {"x": 1}}, {})
    assert not but_for_estimates({"a": [1]}, {"a": [2]})


def action(rule: str, episode: str, customer_id: str = "device:d1") -> Action:
    return Action(
        id=f"{rule} {episode} {customer_id}", customer_id=customer_id, rule=rule, episode=episode, raised_at_ms=0,
        expires_at_ms=0, stage="", churn_risk=None, model_version="", reasons=[], suggest=Reason("", "", ""),
    )  # fmt: skip


def test_an_action_names_what_happened_in_the_household() -> None:
    events = [order(day) for day in range(0, 16, 2)] + [complaint(3, "K1")]
    day = events[0].time_ms // 86_400_000
    for rule, episode, wrong in (
        ("every-complaint", "K1", "K1,K2"),
        ("valued-customer-complained", "K1", "K2"),
        ("churn-risk-rose", f"{day}", f"{day + 1}"),
        ("stage-fell", f"dormant:{day + 90}", f"dormant:{day}"),
        ("lost-customer-came-back", f"{day + 14}", f"{day}"),
    ):
        assert is_founded(action(rule, episode), events)
        assert not is_founded(action(rule, wrong), events)
    assert not is_founded(action("valued-customer-complained", "K1"), events[1:]), "seven orders make nobody valued"
    assert not is_founded(action("no-such-rule", "K1"), events)


def told(shop: Shop, *actions: Action) -> Verdict:
    """The verdict on actions, of workers who tell every complaint."""
    verdict = Verdict()
    people = People([e for events in shop.log.values() for e in events if any(words(e))], [], {})
    by_household: dict[str, list[Action]] = {}
    for each in actions:
        by_household.setdefault(people.household(each.customer_id), []).append(each)
    people.judge_actions({name: dict(enumerate(events)) for name, events in shop.log.items()}, by_household, verdict, traced=True)
    return verdict


def test_every_complaint_is_told_whoever_its_customer_goes_by_and_none_that_nobody_made() -> None:
    shop = Shop()
    opened = {
        name: event.data.complaint_id
        for name, events in shop.log.items()
        for event in events
        if isinstance(event.data, ComplaintOpened)
    }
    honest = [action("every-complaint", id_, name) for name, id_ in opened.items() if name != "device:d1"]
    ours = action("every-complaint", opened["device:d1"], "C1")
    verdict = told(shop, *honest, ours)
    assert verdict.fine, verdict.notes
    assert told(shop, *honest).actions_missing == 1
    assert told(shop, *honest, ours, action("every-complaint", opened["C3"], "anonymous:a1")).wrong_actions == 1
    assert told(shop, *honest, ours, action("stage-fell", "dormant:1", "C2")).wrong_actions == 1
    assert told(shop, *honest, ours, action("every-complaint", "?", "nobody")).wrong_actions == 1
    verdict = told(shop, *honest, ours, action("every-complaint", opened["device:d1"]))
    assert (verdict.complaints_again, verdict.fine) == (1, True), "under another name, which only a lost tail may bring"


def test_what_states_of_persons_held_is_theirs_and_nothing_else_is_excused(tmp_path: Path) -> None:
    shop = Shop()
    people = People([e for events in shop.log.values() for e in events if any(words(e))], [], {})
    published = {"a": action("stage-fell", "dormant:1"), "b": None, "c": None, "d": action("every-complaint", "K1", "C3")}
    owed = tmp_path / "owed"
    owed.write_text("5 actions a device:d1\n5 lessons b C1\n5 lessons c C3\n5 actions e anonymous:a1\n")
    assert unjudged(published, owed, people) == {"a", "b", "d", "e"}
    verdict = Verdict()
    check_effects(published.keys(), owed, (), None, verdict)
    assert verdict.actions_missing == 1, "e was held, and never published"


def test_a_load_of_links_leaves_half_of_the_people_alone() -> None:
    load = Load(kafka="", file="", seed=1, rate=1, customers=60, links=0.05, unlinks=0.01, poison=0, duplicates=0)
    sent = list(islice(parcels(load, At()), 20_000))
    assert sent == list(islice(parcels(load, At()), 20_000))
    found = [decode(p.topic, p.key, p.value, (), p.time_ms) for p in sent]
    events = [Namer().named(event) for event in found if isinstance(event, Event)]
    assert len(events) == len(sent), "all of it can be read"
    types = Counter(type(event.data).__name__ for event in events if isinstance(event, Event))
    assert 0.045 < types["IdentityLinked"] / len(sent) < 0.055
    assert 0.008 < types["IdentityUnlinked"] / len(sent) < 0.012
    said = [event for event in events if isinstance(event, Event) and any(words(event))]
    people = People(said, [], {})
    alone = {parcel.key for parcel in sent if parcel.key is not None and not people.are_linked(parcel.key.decode())}
    assert 25 <= len(alone) <= 40
    assert all(number_of(key) is None for key in alone)
    ours = [each.name for each in identities(5)]
    assert {people.household(name) for name in ours} == {people.household("device:home-1")}
    assert 0 < sum(len(group) > 1 for group in people.persons().values()) < len(said)


def test_what_workers_hush_of_persons_is_traced(tmp_path: Path) -> None:
    tracer = Tracer(tmp_path / trace.NAME)
    event = complaint(1)
    event.customer_id = "device:d1"
    states, now = {"device:d1": State()}, Moment(at(2), churn.fresh(HORIZON_DAYS), Policy(effects=False, silence_ms=7))
    (turned,) = tracer.evolve_persons(states, {"device:d1": [Arrival(1 << 20, 5, event)]}, now)
    tracer.attempt([Write("device:d1", b"", b"", {"version": b"1"}, [], None, "", "", None, [], [])], b"nonce")
    (attempt,) = read(tmp_path / trace.NAME)
    assert isinstance(attempt, Attempt) and attempt.terms is not None
    assert (attempt.terms.effects, attempt.terms.silence_ms, attempt.terms.clock_ms) == (False, 7, at(2))
    assert [(step.customer_id, len(step.causes)) for step in attempt.steps] == [(turned.name, 1)]
