"""``portrait tags``: what tags there are, who has them, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

import typer
from rich.table import Table

from cli import output
from cli.people import name_of, state_of, state_reader
from cli.present import Lang, date, language_of, percent, plain, stage_text
from cli.sheet_words import WORDS
from cli.top import reader
from cli.traits import label_of, line_of
from portrait.identity.person import assembled
from portrait.models.churn import fresh
from portrait.state import BrokenState, NewerFormat, State
from portrait.tags.base import STANDING, Sign, Tag, Words
from portrait.tags.registry import BY_ID, TAGS
from portrait.tags.why import NotAsItWas, dimension_of, evidence, lapses
from profile_store.reader import Profile
from streams.settings import Settings

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Tags: all there are, who has one, and why a customer has it.")

#: Of the score that is made anew while a state is looked at ahead: any, for no tag that is told rests on it.
HORIZON_DAYS = 60
#: An id is there to be copied: it is never cut.
ID_COLUMNS = max(len(tag.id) for tag in TAGS)
TITLES = ("tag", "name", "sure", "because", "lapses, if silent")
TITLES_ZH = ("标签", "名称", "把握", "依据", "若无新事件，失效于")
STANDING_READS = ("stage", "churn_risk", "value")
STANDING_EVENTS = ("order.placed", "and for the score every event")

Json = Annotated[bool, typer.Option("--json", help="JSON on stdout.")]
Language = Annotated[Lang, typer.Option(help="Of the words.")]
Id = Annotated[str, typer.Argument(metavar="TAG", help="As `portrait tags list` names it.")]


@app.command("list")
def list_tags(lang: Language = "en", json: Json = False) -> None:
    """All tags, what each says, who answers for it, and how many customers have it. ● asks for somebody to act.

    \b
    portrait tags list --lang zh
    portrait tags list --json | jq -r '.[] | select(.customers > 0) | .tag'

    Exit codes: 0 done, 3 Redis can't be reached.
    """
    counts = output.run(_counts(output.settings()))
    if json:
        output.write_json([_declared(tag) | {"customers": counts.get(tag.id, 0)} for tag in TAGS])
        return
    table = Table("tag", "name", "it says", "owner", "customers", box=None, pad_edge=False, header_style="bright_black")
    table.columns[-1].justify = "right"
    table.columns[0].min_width = ID_COLUMNS
    for tag in TAGS:
        name = f"{tag.name.en} {tag.name.zh}{' ●' if tag.weight > 1 else ''}"
        table.add_row(tag.id, name, _in(tag.meaning, lang), tag.owner, f"{counts.get(tag.id, 0):,}")
    output.out.print(table)


@app.command()
def explain(tag: Id, lang: Language = "en", json: Json = False) -> None:
    """What a tag says, its rule, what it reads, which events feed it, and how long it lasts. Nothing is read from Redis.

    Exit codes: 0 done, 2 there is no such tag.
    """
    declared = _declared(_tag(tag))
    if json:
        output.write_json(declared)
        return
    for name in ("name", "meaning", "rule", "lasts"):
        declared[name] = declared[name][lang]
    declared["asks_for_action"] = "yes" if declared["asks_for_action"] else "no"
    for name, told in declared.items():
        text = ", ".join(told) if isinstance(told, tuple | list) else str(told)
        output.out.print(f"[bold]{name.replace('_', ' '):<16}[/bold]{output.escape(text)}", soft_wrap=True)


@app.command()
def who(
    tag: Id,
    limit: Annotated[int, typer.Option("-n", "--limit", min=1, max=10_000, help="At most so many, taken at random.")] = 20,
    json: Json = False,
) -> None:
    """Customers who have a tag, and how sure it is of each; the surest first.

    \b
    portrait tags who complaint-open -n 50
    portrait tags who high-value --json | jq -r '.[].id'

    Exit codes: 0 done (also when nobody has it), 2 there is no such tag, 3 Redis can't be reached.
    """
    found = output.run(_who(output.settings(), _tag(tag).id, limit))
    if json:
        output.write_json([{"id": customer_id, "sure": sure} for customer_id, sure in found])
    elif not found:
        output.err.print(f"nobody has the tag {tag} now")
    for customer_id, sure in () if json else found:
        output.out.print(f"{sure:>5.0%}  {output.escape(plain(customer_id))}", soft_wrap=True)


@app.command()
def why(
    customer_id: Annotated[str, typer.Argument(metavar="ID", help="The customer's id.")],
    tag: Annotated[str | None, typer.Argument(metavar="[TAG]", help="One tag, in full. Without it: all they have.")] = None,
    lang: Annotated[Lang | None, typer.Option(help="Of the words. If not given, the customer's own.")] = None,
    json: Json = False,
) -> None:
    """Why a customer has their tags: the rule, what speaks for it, how sure that is, and when it lapses if nothing happens.

    \b
    portrait tags why C-1024
    portrait tags why C-1024 researcher --lang en

    Exit codes: 0 told, 1 nobody has this id, or they don't have this tag, 2 there is no such tag, 3 Redis can't be reached.
    """
    wanted = _tag(tag) if tag is not None else None
    settings = output.settings()
    customer_id = name_of(settings, customer_id)
    try:
        profile, state = output.run(_read(settings, customer_id))
        if profile is None:
            output.fail(f"nobody has the id {customer_id}, or their events are not folded yet")
        cases = _cases(profile, state, wanted)
    except (BrokenState, NewerFormat, NotAsItWas) as error:
        output.fail(str(error))
    words = lang or language_of(profile.dims)
    if json:
        rows = [case.row() for case in cases]
        output.write_json(rows if wanted is None else rows[0])
    elif wanted is None:
        output.out.print(_table(cases, words))
    else:
        _print(cases[0], words)
    raise typer.Exit(output.OK if wanted is None or cases[0].sure is not None else output.FAILED)


class Case(NamedTuple):
    """A tag and a customer. ``sure`` None: they don't have it; ``sign`` None: nothing speaks for it now."""

    tag: Tag
    sure: float | None
    sign: Sign | None
    said: Any  # all that it rests on says
    lapses_ms: int | None

    def row(self) -> dict[str, Any]:
        because = None if self.sign is None else self.sign._asdict() | {"member": f"{self.tag.of}.{self.sign.member}"}
        return _declared(self.tag) | {
            "sure": self.sure,
            "because": because,
            "said": self.said,
            "lapses_ms": self.lapses_ms,
        }


def _cases(profile: Profile, state: State | None, wanted: Tag | None) -> list[Case]:
    """Those that the customer has, in the order of the profile, or the one that is wanted. Raises NotAsItWas."""
    has: Mapping[str, float] = profile.dims.get("tags") or {}
    ends = lapses(profile.id, state, fresh(HORIZON_DAYS)) if state is not None else {}
    tags = [wanted] if wanted is not None else [BY_ID[tag] for tag in has if tag in BY_ID]
    cases = []
    for tag in tags:
        if tag.of == STANDING:
            value = profile.dims.get("value") or {}
            flags = {name: value.get(name, False) for name in ("high_value", "rising_value")}
            said: Any = {"stage": profile.stage, "churn_risk": profile.churn_risk, **flags}
        else:
            said = profile.dims.get(tag.of)
        cases.append(Case(tag, has.get(tag.id), evidence(tag, said, state), said, ends.get(tag.id)))
    return cases


def _table(cases: list[Case], lang: Lang) -> Table:
    table = Table(*(TITLES_ZH if lang == "zh" else TITLES), box=None, pad_edge=False, header_style="bright_black")
    table.columns[0].min_width = ID_COLUMNS
    for case in cases:
        ends = date(case.lapses_ms) if case.lapses_ms is not None else "-"
        table.add_row(case.tag.id, _in(case.tag.name, lang), f"{case.sure:.0%}", output.escape(_because(case, lang)), ends)
    return table


def _because(case: Case, lang: Lang) -> str:
    """``decisions.kind: researcher, of at least 20``."""
    sign = case.sign
    if sign is None:
        return "暂无（下次更新时移除）" if lang == "zh" else "nothing any more: it goes when the customer is next looked at"
    told = (" （明确告知）" if lang == "zh" else ", told") if sign.told else ""
    of = (f"，至少 {sign.of} 次观察" if lang == "zh" else f", of at least {sign.of}") if sign.of and not sign.told else ""
    return f"{case.tag.of}.{sign.member}: {plain(sign.value)}{of}{told}"


def _print(case: Case, lang: Lang) -> None:
    tag, zh = case.tag, lang == "zh"
    missing = "没有该标签" if zh else "does not have it"
    held = missing if case.sure is None else f"{case.sure:.0%}"
    ends = date(case.lapses_ms) if case.lapses_ms is not None else _in(tag.lasts.words, lang)
    rows = (
        ("标签" if zh else "tag", f"{tag.id}  {_in(tag.name, lang)}"),
        ("含义" if zh else "it says", _in(tag.meaning, lang)),
        ("把握" if zh else "sure", held),
        ("规则" if zh else "rule", f"{tag.of}: {_in(tag.rule.words, lang)}"),
        ("依据" if zh else "because", _because(case, lang) if case.sign is not None or case.sure is not None else "-"),
        ("失效" if zh else "lapses", ends),
        ("事实" if zh else "reads", ", ".join(_reads(tag))),
        ("事件" if zh else "fed by", ", ".join(_events(tag))),
        ("画像" if zh else "profile", _all_said(case, lang)),
    )
    for name, text in rows:
        if text:
            output.out.print(f"[bold]{name:<9}[/bold]{output.escape(text)}", soft_wrap=True)


def _all_said(case: Case, lang: Lang) -> str:
    """All that it rests on says, as the sheet tells it."""
    if case.said is None:
        return ""
    if case.tag.of == STANDING:
        return f"{stage_text(case.said['stage'], lang)} · {WORDS['risk'][lang == 'zh']} {percent(case.said['churn_risk'])}"
    return f"{label_of(case.tag.of, lang)}: {line_of(case.tag.of, case.said, lang)}"


def _tag(name: str) -> Tag:
    if name not in BY_ID:
        near = [tag.id for tag in TAGS if name.lower() in f"{tag.id} {tag.name.en} {tag.name.zh}".lower()]
        output.fail(f"there is no tag {name}: {', '.join(near) if near else '`portrait tags list` names them'}", output.USAGE)
    return BY_ID[name]


def _declared(tag: Tag) -> dict[str, Any]:
    return {
        "tag": tag.id,
        "number": tag.number,
        "name": tag.name._asdict(),
        "meaning": tag.meaning._asdict(),
        "owner": tag.owner,
        "asks_for_action": tag.weight > 1,
        "rests_on": tag.of,
        "rule": tag.rule.words._asdict(),
        "lasts": tag.lasts.words._asdict(),
        "reads": _reads(tag),
        "events": _events(tag),
    }


def _reads(tag: Tag) -> tuple[str, ...]:
    dimension = dimension_of(tag)
    return dimension.reads if dimension is not None else STANDING_READS


def _events(tag: Tag) -> tuple[str, ...]:
    dimension = dimension_of(tag)
    return dimension.events if dimension is not None else STANDING_EVENTS


def _in(words: Words, lang: Lang) -> str:
    return words.zh if lang == "zh" else words.en


async def _counts(settings: Settings) -> dict[str, int]:
    async with reader(settings) as profiles:
        return await profiles.tag_counts()


async def _who(settings: Settings, tag: str, limit: int) -> list[tuple[str, float]]:
    async with reader(settings) as profiles:
        return await profiles.who_has(tag, limit)


async def _read(settings: Settings, customer_id: str) -> tuple[Profile | None, State | None]:
    """Raises BrokenState, NewerFormat."""
    async with state_reader(settings) as profiles:
        profile = await profiles.get(customer_id)
        name = profile.id if profile is not None else customer_id  # that the person goes by
        state = await state_of(profiles, name)
        if state is None or not state.members:
            return profile, state
        fragments = {each: await state_of(profiles, each) or State() for each in state.members}
    return profile, assembled(name, fragments | {name: state})
