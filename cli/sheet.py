"""A whole person on one screen, for whoever talks to them: a typed profile in, Rich out. In English or Chinese.

Fifty lines of 120 columns hold it: what hurts and what to do come first, and a line that is too long loses its end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from cli.present import Lang, ago, date, money, percent, plain, risk_bar, risk_colour, say, span, stage_text
from cli.sheet_words import VALUES_ZH, WORDS
from cli.terms import member, value
from cli.traits import CONTRACTS, label_of, line_of, line_of_tags, voice_line
from portrait.dimensions.person import MEANINGS
from portrait.models.measures import tenth_of
from portrait.structures import ESTIMATED
from schemas import profile as contract
from schemas.outputs import Action, Lever, Reason, Sure
from schemas.words import Why

#: What is counted in a line: more would be a list, not a picture.
COUNTED = 4
ACTIONS_SHOWN = 3
RISK_CELLS = 24
COLUMNS = 120
DISPUTES_SHOWN = 2

_SEVERE = {"high", "critical"}

#: Derived dimensions, and the section after which each is told; others come last.
FIRST = ("person",)
AFTER: Mapping[str, tuple[str, ...]] = {
    "next": ("use",),
    "trouble": ("experience",),
    "journey": ("brand", "competitors"),
    "buys": ("habits", "decisions", "motivation"),
    "looks": ("media", "situation", "outlook"),
    "says": ("influence",),
    "reach": ("channels", "technology"),
    "consent": ("provenance",),
}
#: May take two lines.
WHOLE = frozenset(("person", "use", "stage", "risk", "next"))
PLACED = frozenset((*FIRST, *(name for names in AFTER.values() for name in names)))
NO_DIMS: Mapping[str, Any] = {}

DAY_MS = 86_400_000


class Sheet:
    """Renders one profile as of ``now_ms``. ``actions``: this customer's latest, latest first; None: they could not be read."""

    def __init__(
        self,
        customer_id: str,
        profile: contract.Profile,
        actions: Sequence[Action] | None,
        *,
        lang: Lang,
        now_ms: int,
        dims: Mapping[str, Any] = NO_DIMS,
        columns: int = COLUMNS,
    ) -> None:
        """``dims``: the fields of the profile as plain data, of which those of derived dimensions are told.

        On fewer ``columns`` than a person needs, lines are wrapped and not cut: nothing is lost, but the one screen.
        """
        self._cut = columns >= COLUMNS
        self._id, self._profile, self._actions, self._lang, self._now_ms = customer_id, profile, actions, lang, now_ms
        self._derived = {name: line_of(name, dims[name], lang) for name in CONTRACTS if name in dims}

    def render(self) -> RenderableType:
        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="bold", no_wrap=True)
        grid.add_column(ratio=1)
        p = self._profile
        sections = (
            ("stage", self._stage(p.lifecycle) if p.lifecycle else ()),
            ("risk", self._risk(p.risk)),
            ("value", self._value_of(p.value) if p.value else ()),
            ("next", self._next()),
            ("trouble", self._trouble(p.needs, p.concerns) if p.needs or p.concerns else ()),
            ("journey", self._journey(p.journey) if p.journey else ()),
            ("buys", self._buys(p.consumption) if p.consumption else ()),
            ("looks", self._looks(p.behaviour) if p.behaviour else ()),
            ("says", self._says(p.social) if p.social else ()),
            ("answers", self._answers(p.feedback or contract.Feedback(), p.voice) if p.feedback or p.voice else ()),
            ("voice", (voice_line(p.voice, self._lang),) if p.voice else ()),
            ("reach", self._reach(p)),
            ("consent", self._consent(p.basic) if p.basic else ()),
        )
        self._add_derived(grid, FIRST)
        if p.tags:
            grid.add_row(self._t("tags"), Text(line_of_tags(p.tags, self._lang)))
        for label, lines in sections:
            for n, line in enumerate(line for line in lines if line):
                grid.add_row(self._t(label) if n == 0 else "", line if label in WHOLE else self._line(line))
            self._add_derived(grid, AFTER.get(label, ()))
        self._add_derived(grid, [name for name in self._derived if name not in PLACED])
        legend = Text(self._t("legend"), "bright_black") if self._derived else ""
        return Group(self._head(), Rule(style="bright_black"), grid, legend)

    def _line(self, line: Text | str) -> Text:
        text = line if isinstance(line, Text) else Text(line)
        if self._cut:
            text.no_wrap, text.overflow = True, "ellipsis"
        return text

    def _add_derived(self, grid: Table, names: Sequence[str]) -> None:
        for name in names:
            if line := self._derived.get(name):
                grid.add_row(Text(label_of(name, self._lang), "cyan"), Text(line) if name in WHOLE else self._line(line))

    # -- words ----------------------------------------------------------------------------------------------------------------

    def _t(self, key: str, /, **values: object) -> str:
        en, zh = WORDS[key]
        return (zh if self._lang == "zh" else en).format(**values)

    def _value(self, value: str) -> str:
        return plain(VALUES_ZH.get(value, value) if self._lang == "zh" else value)

    def _reason(self, reason: Reason | Lever | Why) -> str:
        return say({"en": reason.en, "zh": reason.zh}, self._lang)

    def _ago(self, ms: int) -> str:
        return ago(ms, self._now_ms, self._lang)

    def _counts(self, key: str, counts: Mapping[str, int]) -> str:
        return self._t(key, counts=self._ranked(counts, key)) if counts else ""

    def _ranked(self, counts: Mapping[str, int], of: str = "") -> str:
        """``books 12, toys 3``: the most counted, most first; ``3+`` where there were too many to count each."""
        more = "+" if ESTIMATED in counts else ""
        ranked = sorted((-n, name) for name, n in counts.items() if name != ESTIMATED)[:COUNTED]
        return ", ".join(f"{plain(value(of, name, self._lang))} {-n}{more}" for n, name in ranked)

    def _ifs(self, shown: object, *names: str) -> Iterator[str]:
        """A word with its count for each of these members that is not zero."""
        return (self._t(name, n=n) for name in names if (n := getattr(shown, name)))

    # -- sections -------------------------------------------------------------------------------------------------------------

    def _head(self) -> Text:
        basic = self._profile.basic or contract.Basic()
        known = dict(basic.attributes)
        name = known.pop("name", "")
        if self._derived.get("person"):
            known = {key: told for key, told in known.items() if key not in MEANINGS}
        rest = [f"{member(key, self._lang)} {plain(value(key, told, self._lang))}" for key, told in known.items()]
        ids = [f"{system} {external_id}" for system, external_id in basic.external_ids.items()]
        head = Text.assemble((plain(self._id), "bold"), "  ", (plain(name), "bold"), "  ")
        as_of_ms = self._profile.updated_at_ms  # older than a moment while events wait to be folded
        as_of = as_of_ms and self._t("as_of", ago=self._ago(as_of_ms))
        return self._line(head.append(_joined(as_of, *map(plain, rest + ids)), "bright_black"))

    def _stage(self, cycle: contract.Lifecycle) -> Iterator[Text | str]:
        today = self._now_ms - cycle.since_ms < DAY_MS  # a stage begins on a day, not at an hour
        since = self._t("since", date=date(cycle.since_ms), ago=self._ago(self._now_ms if today else cycle.since_ms))
        yield Text.assemble(stage_text(cycle.stage, self._lang), f"  {since}  ", self._reason(cycle.why))
        silent = cycle.next_if_silent_ms is not None and self._t("if_silent", date=date(cycle.next_if_silent_ms))
        earlier = " ← ".join(f"{stage_text(e.stage, self._lang)} {date(e.since_ms)}" for e in cycle.before)
        yield Text(_joined(silent, earlier and self._t("before", stages=earlier)), "bright_black")

    def _risk(self, risk: contract.Risk | None) -> Iterator[Text | str]:
        if risk is None:
            yield Text(self._t("no_risk"), "bright_black")
            return
        meaning = self._t("horizon", days=risk.horizon_days, model=risk.model)
        number = (f" {percent(risk.churn)} ", f"bold {risk_colour(risk.churn)}")
        yield Text.assemble(risk_bar(risk.churn, RISK_CELLS), number, meaning)
        if risk.sure is not None:
            yield Text(self._sure(risk.sure, tenth_of(risk.churn)), "bright_black")
        for reason in risk.reasons:
            arrow = ("▲ ", "red") if reason.code.endswith(".up") else ("▼ ", "green")
            yield Text.assemble(arrow, self._reason(reason))
        for lever in risk.levers:
            yield Text.assemble(("→ ", "cyan"), self._reason(lever))

    def _sure(self, sure: Sure, tenth: int) -> str:
        if not sure.of:
            return self._t("unsure")
        scored = f"{tenth * 10}-{tenth * 10 + 10}"
        return self._t("sure", of=f"{sure.of:,}", scored=scored, low=f"{sure.low:.0%}", high=f"{sure.high:.0%}")

    def _value_of(self, value: contract.Value) -> Iterator[Text | str]:
        next_ms = value.expected_next_ms
        if next_ms is None:
            coming = self._t("no_next")
        else:
            coming = self._t("next_order" if next_ms >= self._now_ms - DAY_MS else "next_overdue", date=date(next_ms))
        yield _joined(
            self._t("expects", orders=f"{value.expected_orders:g}", days=value.horizon_days),
            *(self._t("expects_spend", amount=money(minor, cur)) for cur, minor in sorted(value.expected_spend_minor.items())),
            coming,
        )
        for reason in value.why:
            yield Text.assemble(("★ ", "yellow"), self._reason(reason))

    def _next(self) -> Iterator[Text | str]:
        if self._actions is None:
            return
        due = [action for action in self._actions if action.expires_at_ms > self._now_ms]
        if not due:
            yield Text(self._t("no_action"), "bright_black")
        for action in due[:ACTIONS_SHOWN]:
            until = self._t("until", rule=action.rule, date=date(action.expires_at_ms))
            yield Text.assemble(("● ", "cyan"), self._reason(action.suggest), (f"  {until}", "bright_black"))

    def _trouble(self, needs: contract.Needs | None, concerns: contract.Concerns | None) -> Iterator[Text | str]:
        needs, concerns = needs or contract.Needs(), concerns or contract.Concerns()
        asked = needs.complaints
        stars = self._t("satisfaction", stars=f"{needs.satisfaction:g}") if needs.satisfaction is not None else ""
        pains = {} if needs.categories else concerns.pains  # told ones say the same, better
        yield _joined(
            self._t("complaints", total=asked.total, quarter=asked.quarter) if asked.total else "",
            self._ranked(needs.categories),
            stars,
            self._t("pains", counts=self._ranked(pains, "concern")) if pains else "",
            self._t("wishes", counts=self._ranked(concerns.wishes, "concern")) if concerns.wishes else "",
            self._t("leaving", n=concerns.leaving_90d) if concerns.leaving_90d else "",
        )
        for case in needs.open:
            severity = self._value(case.severity)
            text = self._t("waiting", severity=severity, span=span(self._now_ms - case.opened_at_ms, self._lang))
            about = _joined(
                self._value(value("category", case.category or "", self._lang)), plain(case.product or ""), plain(case.id)
            )
            read = self._t("understood", sure=f"{case.sure:.0%}") if case.understood and case.sure is not None else ""
            urgent = self._t("urgency", of=case.urgency) if case.urgency else ""
            yield Text.assemble(("● ", "red" if case.severity in _SEVERE else "yellow"), _joined(text, about, read, urgent))

    def _journey(self, journey: contract.Journey) -> Iterator[Text | str]:
        yield f"{plain(value('step', journey.step, self._lang))}  {self._reason(journey.why)}"

    def _buys(self, bought: contract.Consumption) -> Iterator[Text | str]:
        last = bought.last_order
        yield _joined(
            self._t("orders", total=bought.orders.total, quarter=bought.orders.quarter),
            last and self._t("last_order", ago=self._ago(last.at_ms), amount=money(last.amount_minor, last.currency)),
        )
        for currency, spent in bought.spend_minor.items():
            average = spent.average_order
            total, quarter = money(spent.total, currency), money(spent.quarter, currency)
            yield _joined(
                self._t("spend", total=total, quarter=quarter),
                average is not None and self._t("average", amount=money(average, currency)),
            )
        yield _joined(self._ranked(bought.categories), self._ranked(bought.brands))
        yield _joined(
            *self._ifs(bought, "discounted", "with_coupon", "by_instalments", "cancelled", "refunded"),
            bought.late and self._t("late", late=bought.late, delivered=bought.delivered),
        )

    def _looks(self, seen: contract.Behaviour) -> Iterator[Text | str]:
        yield _joined(
            self._t("clicks", total=seen.clicks.total, month=seen.clicks.month),
            seen.last_click_ms and self._t("last_click", ago=self._ago(seen.last_click_ms)),
            seen.cart and self._t("cart", added=seen.cart.added, removed=seen.cart.removed),
        )
        yield _joined(self._ranked(seen.categories), self._ranked(seen.brands))
        yield _joined(self._counts("searches", seen.searches), self._counts("unmet", seen.unmet))
        yield _joined(
            self._counts("paths", seen.paths),
            seen.store_visits and self._t("store_visits", n=seen.store_visits, counts=self._ranked(seen.stores)),
        )

    def _says(self, social: contract.Social) -> Iterator[Text | str]:
        yield _joined(
            self._t("mentions", posts=social.posts, shares=social.shares),
            self._ranked(social.platforms),
            social.audience_max and self._t("audience", n=f"{social.audience_max:,}"),
            self._counts("about", social.topics),
        )

    def _answers(self, given: contract.Feedback, voice: contract.Voice | None) -> Iterator[Text | str]:
        rated, talks = given.ratings, given.conversations
        yield _joined(
            voice and voice.mood and self._t(voice.mood.value, sure=f"{voice.mood.sure:.0%}", tone=f"{voice.tone.quarter:+}"),
            rated and self._t("ratings", average=f"{rated.average or 0:g}", count=rated.count, last=rated.last),
            given.nps and self._t("nps", last=given.nps.last),
            talks and self._t("talks", count=talks.count, solved=talks.solved, unsolved=talks.unsolved),
        )

    def _reach(self, p: contract.Profile) -> Iterator[Text | str]:
        activity, contacts = p.activity or contract.Activity(), p.contacts or contract.Contacts()
        hours = ", ".join(f"{hour}:00" for hour in activity.active_hours)
        yield _joined(
            self._counts("channels", activity.channels),
            hours and self._t("hours", hours=hours),
        )
        yield _joined(*(self._messages(channel, outcomes) for channel, outcomes in contacts.by_channel.items()))

    def _messages(self, channel: str, outcomes: contract.Outcomes) -> str:
        name = plain(value("channel", channel, self._lang))
        told = self._t("messages", channel=name, opened=outcomes.opened, sent=outcomes.sent)
        return ", ".join([told, *self._ifs(outcomes, "refused")])

    def _consent(self, basic: contract.Basic) -> Iterator[Text | str]:
        parts = [
            Text.assemble(f"{self._value(purpose)} ", (self._value(answer), "green" if answer == "granted" else "red"))
            for purpose, answer in basic.consent.items()
        ]
        if parts:
            yield Text(" · ").join(parts)
        for name, dispute in list(basic.disputed.items())[:DISPUTES_SHOWN]:
            words = {
                "told_by": plain(dispute.told_by),
                "other": plain(dispute.other),
                "says": self._value(value(name, dispute.says, self._lang)),
            }
            yield Text(self._t("disputed", name=plain(member(name, self._lang)) or plain(name), **words), "yellow")


def _joined(*parts: object) -> str:
    return " · ".join(str(part) for part in parts if part)
