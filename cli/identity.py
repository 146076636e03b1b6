"""``portrait identity``: which identities are one person, why, and what to decide; links made and taken back."""

from __future__ import annotations

import getpass
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
import typer

from cli import output
from cli.people import REASONS, WAITING, Graph, Word, graph_of, kinds_of, name_of, proposed, words_of
from cli.positions import agree
from cli.present import plain
from cli.publish import IN_CLEAR, Defaults, Ready, prepare
from portrait.identity.graph import Join, Proposal, way
from portrait.identity.links import Link
from portrait.state import BrokenState, NewerFormat
from schemas.event import Rejection
from schemas.identity import CUSTOMER, REMEDY, kind_of
from streams import kafka
from streams.settings import Settings

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Which identities are one person, and why; link and unlink.")

MINUTE = "%Y-%m-%d %H:%M"

Json = Annotated[bool, typer.Option("--json", help="JSON on stdout.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="An identity: a customer's id, or KIND:VALUE.")]
Other = Annotated[str, typer.Argument(metavar="OTHER", help="Another identity.")]
By = Annotated[str, typer.Option(help="Who decides it. If not given, who is logged in here.")]
KeyKind = Annotated[
    str | None, typer.Option("--key-kind", help="What ID is, where its form does not show it: if not given, as is known of it.")
]
OtherKind = Annotated[
    str | None,
    typer.Option("--kind", help="What OTHER is, where its form does not show it: if not given, as is known of it, or customer."),
]


@app.command()
def show(
    identity: Id,
    history: Annotated[
        bool, typer.Option("--history", help="Also all that events about links ever said of these (read from Kafka).")
    ] = False,
    json: Json = False,
) -> None:
    """One person as a tree of identities: by which links they are one, and which links of theirs join nobody, and why not.

    \b
    portrait identity show device:5f2
    portrait identity show C-1024 --history

    Exit codes: 0 shown, 1 nobody has this id, 2 usage, 3 Redis or (with --history) Kafka can't be reached.
    """
    settings = output.settings()
    identity = name_of(settings, identity)
    graph = _graph(settings, [identity])
    if not graph.knows(identity):
        output.fail(f"nothing is known of {identity}, or its events are not folded yet")
    person, members = graph.person(identity)
    told, nameless = output.run(words_of(settings, members)) if history else ([], 0)
    if nameless:
        told_of = f"{nameless} links name what can have no name here, and are left out: {REMEDY}"
        output.err.print(output.escape(told_of), soft_wrap=True)
    if json:
        output.write_json(_row(graph, person, members) | ({"history": told} if history else {}))
        return
    for line in _tree(graph, person, members):
        output.out.print(line, soft_wrap=True)
    for proposal in graph.beside(members):
        output.out.print(f"[bright_black]not joined[/bright_black]  {_proposal(proposal)}", soft_wrap=True)
    for word in told:
        output.out.print(_told(word), soft_wrap=True)


@app.command()
def why(identity: Id, other: Other, kind: OtherKind = None, json: Json = False) -> None:
    """Why two identities are one person: the links that lead from one to the other. Or why they are not.

    \b
    portrait identity why C-1024 device:5f2
    portrait identity why C-1024 Lin@shop.cn --kind email

    Exit codes: 0 they are one person, 1 they are not, 2 usage, 3 Redis can't be reached.
    """
    settings = output.settings()
    identity, other = name_of(settings, identity), name_of(settings, other, kind)
    graph = _graph(settings, [identity, other])
    one = graph.resolution.persons.get(identity) == graph.resolution.persons.get(other, "")
    joins = way(graph.resolution.joins, identity, other) if one else []
    against = [p for p in graph.resolution.proposals if {p.a, p.b} == {identity, other}]
    if json:
        output.write_json(
            {"one_person": one, "links": [_link_row(*join) for join in joins], "not": [_proposal_row(p) for p in against]}
        )
    elif one:
        for join in joins:
            output.out.print(f"{_name(join.a)} — {_name(join.b)}: {_because(join)}", soft_wrap=True)
    else:
        output.err.print(_apart(graph, identity, other, against), soft_wrap=True)
    raise typer.Exit(output.OK if one else output.FAILED)


@app.command()
def proposals(
    every: Annotated[
        bool, typer.Option("--all", help="Also links of shared devices, blocked values and runaway clusters.")
    ] = False,
    limit: Annotated[int, typer.Option("-n", "--limit", min=1, help="At most so many.")] = 100,
    json: Json = False,
) -> None:
    """Links that join nobody, and wait for a person to decide: `portrait identity link`, or `unlink`. Reads every profile.

    Exit codes: 0 done (also when there are none), 3 Redis can't be reached.
    """
    try:
        found = output.run(proposed(output.settings()))
    except (BrokenState, NewerFormat) as error:
        output.fail(str(error))
    found = [p for p in found if every or p.why in WAITING]
    if json:
        output.write_json([_proposal_row(p) for p in found[:limit]])
        return
    for proposal in found[:limit]:
        output.out.print(_proposal(proposal), soft_wrap=True)
    more = f", {len(found) - limit} more: -n {len(found)}" if len(found) > limit else ""
    output.err.print(f"{min(len(found), limit)} of {len(found)} shown{more}" if found else "nothing waits for a decision")


@app.command()
def name(text: Annotated[str, typer.Argument(metavar="KIND:VALUE", help="As events may name it.")]) -> None:
    """The name under which an identity is kept: the key of its profile. For e-mail and phone it is a hash under the shop's key.

    \b
    redis-cli HGETALL "profile:{0}:$(portrait identity name email:lin@shop.cn | jq -sRr 'rtrimstr("\\n") | @uri')"

    Exit codes: 0 told, 2 it can't be what it says, or PORTRAIT_IDENTITY_KEY is not set.
    """
    output.out.print(output.escape(name_of(output.settings(), text)), soft_wrap=True)


@app.command()
def link(
    identity: Id,
    other: Other,
    kind: OtherKind = None,
    key_kind: KeyKind = None,
    by: By = "",
    rule: Annotated[bool, typer.Option("--rule", help="Nobody decided it: the usual rules say whether it joins.")] = False,
    confidence: Annotated[float, typer.Option(min=0.0, max=1.0, help="With --rule: how sure it is.")] = 1.0,
    json: Json = False,
) -> None:
    """Say that two identities are one person: an event `identity.linked`, effective when workers have read it.

    \b
    portrait identity link C-1024 device:5f2
    portrait identity link C-1024 Lin@shop.cn --kind email
    portrait identity link C-1024 C-2048 --by lin
    portrait identity unlink C-1024 C-2048      takes it back, exactly

    Exit codes: 0 the broker has it, 2 these can't be linked, 3 Kafka or Redis can't be reached.
    """
    settings = output.settings()
    identity, other = _ends(settings, identity, other, kind, key_kind)
    data = _data(settings, identity, other, kind, key_kind) | {"confidence": confidence}
    _publish(settings, "identity.linked", identity, data if rule else data | {"by": by or getpass.getuser()}, json)


@app.command()
def unlink(
    identity: Id,
    other: Other,
    kind: OtherKind = None,
    key_kind: KeyKind = None,
    by: By = "",
    reason: Annotated[str | None, typer.Option(help="Why, for whoever reads the history.")] = None,
    json: Json = False,
) -> None:
    """Take a link back: each identity is again what it would be if they had never been linked. Also turns down a proposal.

    \b
    portrait identity unlink C-1024 device:5f2 --reason "the family's tablet"

    Exit codes: 0 the broker has it, 2 these can't be linked, 3 Kafka or Redis can't be reached.
    """
    settings = output.settings()
    identity, other = _ends(settings, identity, other, kind, key_kind)
    data = _data(settings, identity, other, kind, key_kind) | {"by": by or getpass.getuser()}
    _publish(settings, "identity.unlinked", identity, data if reason is None else data | {"reason": reason}, json)


def _graph(settings: Settings, ids: Sequence[str]) -> Graph:
    try:
        return output.run(graph_of(settings, ids))
    except (BrokenState, NewerFormat) as error:
        output.fail(str(error))


def _ends(settings: Settings, identity: str, other: str, kind: str | None, key_kind: str | None) -> tuple[str, str]:
    """Their names: no address or number gets into Kafka from here. Ends the process where nobody could be meant, or where
    workers give other names."""
    identity, other = name_of(settings, identity, key_kind), name_of(settings, other, kind)
    output.run(agree(settings))
    if identity == other:
        output.fail("an identity is one person with itself already", output.USAGE)
    return identity, other


def _data(settings: Settings, identity: str, other: str, kind: str | None, key_kind: str | None) -> dict[str, Any]:
    """What both kinds of events say of the two: what is given, else what workers know."""
    asked = [name for name, told in ((identity, key_kind), (other, kind)) if told is None and kind_of(name) == CUSTOMER]
    try:
        known = output.run(kinds_of(settings, asked)) if asked else {}
    except (BrokenState, NewerFormat) as error:
        output.fail(str(error))
    kind, key_kind = kind or known.get(other, kind_of(other)), key_kind or known.get(identity, CUSTOMER)
    return {"other": other, "kind": kind} | ({"key_kind": key_kind} if key_kind != CUSTOMER else {})


def _publish(settings: Settings, type_: str, identity: str, data: dict[str, Any], json: bool) -> None:
    line = msgspec.json.encode({"type": type_, "key": identity, "data": data})
    ready = prepare(line, Defaults(), time.time_ns() // 1_000_000)
    if isinstance(ready, Rejection):
        output.fail(f"{ready.path}: {ready.message}; {ready.remedy}", output.USAGE)
    if ready.in_clear:
        output.err.print(f"these {IN_CLEAR}", soft_wrap=True)
    output.run(_send(settings, ready))
    if json:
        output.write_json({"type": type_, "key": identity, "data": data})
    else:
        output.err.print(output.escape(f"published; see: portrait identity why {identity} {data['other']}"), soft_wrap=True)


async def _send(settings: Settings, ready: Ready) -> None:
    async with kafka.publisher(settings.kafka) as publisher:
        await publisher.send(ready.topic, ready.key, ready.value)


# -- as text ---------------------------------------------------------------------------------------------------------------------


def _tree(graph: Graph, person: str, members: Sequence[str]) -> list[str]:
    """From the identity that the person goes by, along the links that join, each identity once. Lines are as long as they are:
    an id is there to be copied."""
    reached = {person}
    return [_member(graph, person), *_branches(graph, person, members, reached)]


def _branches(graph: Graph, name: str, members: Sequence[str], reached: set[str]) -> list[str]:
    beside = [(join, join.b if join.a == name else join.a) for join in graph.resolution.joins if name in join[:2]]
    nodes = [(join, other) for join, other in beside if other in members and other not in reached]
    reached.update(other for _, other in nodes)
    lines: list[str] = []
    for number, (join, other) in enumerate(nodes, 1):
        mark, bar = ("└── ", "    ") if number == len(nodes) else ("├── ", "│   ")
        node = [_member(graph, other), f"[bright_black]{_because(join)}[/bright_black]"]
        lines += _indented([*node, *_branches(graph, other, members, reached)], mark, bar)
    return lines


def _indented(lines: Sequence[str], first: str, rest: str) -> list[str]:
    return [(rest if number else first) + line for number, line in enumerate(lines)]


def _member(graph: Graph, name: str) -> str:
    events = graph.states[name].events
    return f"[bold]{_name(name)}[/bold]  {graph.kind(name)} · {events:,} event{'' if events == 1 else 's'}"


def _name(name: str) -> str:
    return output.escape(plain(name))


def _because(join: Join) -> str:
    rule = f"decided by {_name(join.link.by)}" if join.link.by else f"sure {join.link.confidence:.0%}"
    return f"linked {_time(join.link.first_ms)}, last said {_time(join.link.ms)} by {_name(join.link.source)}, {rule}"


def _proposal(proposal: Proposal) -> str:
    a, b, why, link = proposal
    return f"{_name(a)} — {_name(b)}: {REASONS[why]} ({_because(Join(a, b, link))})"


def _apart(graph: Graph, identity: str, other: str, against: Sequence[Proposal]) -> str:
    if against:
        return f"they are two persons: {_proposal(against[0])}"
    link: Link | None = None
    if (state := graph.states.get(identity)) and state.links is not None:
        link = state.links.others.get(other)
    if link is not None and not link.on:
        reason = f": {_name(link.reason)}" if link.reason else ""
        return f"they are two persons: the link was taken back {_time(link.ms)} by {_name(link.by or link.source)}{reason}"
    return "they are two persons: no link leads from one to the other"


def _told(word: Word) -> str:
    sure = f", sure {word.confidence:.0%}" if word.confidence is not None and word.by is None else ""
    reason = f": {_name(word.reason)}" if word.reason else ""
    who = f"by {_name(word.by or word.source)}{sure}{reason}"
    return f"{_time(word.ms)}  {word.said:<8}  {_name(word.key)} — {_name(word.other)}, {who}"


def _time(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms / 1000, UTC):{MINUTE}}"


# -- as data ---------------------------------------------------------------------------------------------------------------------


def _row(graph: Graph, person: str, members: Sequence[str]) -> dict[str, Any]:
    joins = [join for join in graph.resolution.joins if join.a in members]
    return {
        "person": person,
        "identities": [{"id": name, "kind": graph.kind(name), "events": graph.states[name].events} for name in members],
        "links": [_link_row(*join) for join in joins],
        "not_joined": [_proposal_row(proposal) for proposal in graph.beside(members)],
    }


def _link_row(a: str, b: str, link: Link) -> dict[str, Any]:
    said = {"first_ms": link.first_ms, "ms": link.ms, "source": link.source, "confidence": link.confidence, "by": link.by or None}
    return {"a": a, "b": b} | said


def _proposal_row(proposal: Proposal) -> dict[str, Any]:
    return _link_row(proposal.a, proposal.b, proposal.link) | {"why": proposal.why}
