"""``portrait topics``: make the Kafka topics, and show how they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import typer
from rich.table import Table

from cli import output
from streams import kafka
from streams.settings import Settings
from streams.topics import FOREVER, TopicPlan, plan

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="The Kafka topics: create them, list them, why each is kept how long."
)

#: Settings that matter to us, the time of records first: the rest is the broker's business.
WATCHED = ("message.timestamp.type", "cleanup.policy", "retention.ms", "retention.bytes")

ENTITY = "--entity-name"

CreateTime = Annotated[
    bool, typer.Option("--create-time", help="Records keep their producer's time: for replays and simulations of the past.")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


@app.command()
def create(create_time: CreateTime = False, json: Json = False) -> None:
    """Create the topics that are missing, with PORTRAIT_PARTITIONS and PORTRAIT_REPLICATION. What exists stays as it is.

    The seven event topics are kept for ever: they are the log of truth, from which a wiped Redis is rebuilt. With Redis
    backups, retention.ms may be the age of the oldest backup in use plus a margin; set it with Kafka's own kafka-configs.sh.
    Live topics carry the broker's own time (LogAppendTime), against which an event from the future is told.

    Exit codes: 0 all are there (where one differs from the plan in a way that matters, stderr says so), 1 one could not be made.
    """
    settings = output.settings()
    plans = plan(settings, create_time=create_time)
    created, states, stamps = output.run(_create(settings, plans))
    failed = {c.name: c.error for c in created if c.error}
    problems = {p.name: found for p in plans if p.name in states and (found := differences(p, states[p.name], stamps=stamps))}
    if json:
        new = [c.name for c in created if not c.existed and not c.error]
        output.write_json(
            {"created": new, "existed": [c.name for c in created if c.existed], "failed": failed, "differ": problems}
        )
    else:
        for c in created:
            word = "[red]failed[/red]" if c.error else "exists" if c.existed else "[green]created[/green]"
            output.out.print(f"{word:<24} {c.name:<22} {output.escape(c.error)}".rstrip())
        _print_problems(problems)
    raise typer.Exit(output.FAILED if failed else output.OK)


@app.command("list")
def list_topics(create_time: CreateTime = False, json: Json = False) -> None:
    """The topics as they are: partitions, time, retention and why. Exit code 1: one is missing, or differs from the plan."""
    settings = output.settings()
    plans = plan(settings, create_time=create_time)
    states, stamps = output.run(_states(settings, plans))
    problems = {
        p.name: differences(p, states[p.name], stamps=stamps) if p.name in states else ["missing: portrait topics create"]
        for p in plans
    }
    if json:
        output.write_json([_row(p, states.get(p.name), problems[p.name]) for p in plans])
    else:
        _print(plans, states, problems)
    raise typer.Exit(output.FAILED if any(problems.values()) else output.OK)


async def _create(
    settings: Settings, plans: Sequence[TopicPlan]
) -> tuple[list[kafka.Created], dict[str, kafka.TopicState], bool]:
    async with kafka.admin(settings.kafka) as admin:
        created = await admin.create_topics(plans)
        existed = await admin.topics([c.name for c in created if c.existed])
        return created, existed, (await admin.brokers()).stamps


async def _states(settings: Settings, plans: Sequence[TopicPlan]) -> tuple[dict[str, kafka.TopicState], bool]:
    async with kafka.admin(settings.kafka) as admin:
        return await admin.topics([p.name for p in plans]), (await admin.brokers()).stamps


def differences(wanted: TopicPlan, found: kafka.TopicState, *, stamps: bool = True) -> list[str]:
    """What would do harm, each with its remedy. More partitions, more replicas or a longer retention do none.

    ``stamps``: as `Brokers.stamps`; a broker that can't is not blamed for it.
    """
    problems = []
    if found.partitions < wanted.partitions:
        problems.append(f"{found.partitions} partitions, not {wanted.partitions}: fewer workers can share them")
    if found.replication < wanted.replication:
        problems.append(f"{found.replication} replicas, not {wanted.replication}: move it with kafka-reassign-partitions.sh")
    for name in WATCHED if stamps else WATCHED[1:]:
        want, have = wanted.config.get(name), found.config.get(name)
        if want is None or have is None or want == have or (name.startswith("retention") and _lasts(have, want)):
            continue
        problems.append(
            f"{name}={have}, not {want}: kafka-configs.sh --alter --entity-type topics {ENTITY} {wanted.name} "
            f"--add-config {name}={want}"
        )
    return problems


def _lasts(have: str, want: str) -> bool:
    return have == FOREVER or (want != FOREVER and int(have) >= int(want))


def _row(wanted: TopicPlan, found: kafka.TopicState | None, problems: Sequence[str]) -> dict[str, object]:
    return {
        "topic": wanted.name,
        "exists": found is not None,
        "partitions": found.partitions if found else 0,
        "replication": found.replication if found else 0,
        "config": {name: found.config[name] for name in WATCHED if name in found.config} if found else {},
        "why": wanted.why,
        "problems": problems,
    }


def _print(plans: Sequence[TopicPlan], states: Mapping[str, kafka.TopicState], problems: Mapping[str, Sequence[str]]) -> None:
    table = Table("topic", "partitions", "time", "kept", box=None, pad_edge=False)
    for wanted in plans:
        found = states.get(wanted.name)
        config = found.config if found else {}
        table.add_row(
            wanted.name,
            str(found.partitions) if found else "[red]missing[/red]",
            config.get("message.timestamp.type", ""),
            kept(config) if found else "",
        )
    output.out.print(table)
    output.out.print("\nWhy they are kept")
    for why in dict.fromkeys(p.why for p in plans):
        names = ", ".join(p.name for p in plans if p.why == why)
        output.out.print(f"  {names}\n    {why}", soft_wrap=True)
    _print_problems(problems)


def _print_problems(problems: Mapping[str, Sequence[str]]) -> None:
    for problem, names in by_problem(problems).items():
        output.err.print(f"[yellow]{', '.join(names)}[/yellow]: {problem}", soft_wrap=True)


def by_problem(problems: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """The topics that share it, for each problem: seven times the same would hide the eighth. In its remedy they are TOPIC."""
    found: dict[str, list[str]] = {}
    for name, of_topic in problems.items():
        for problem in of_topic:
            found.setdefault(problem.replace(f"{ENTITY} {name} ", f"{ENTITY} TOPIC "), []).append(name)
    return {
        problem.replace(f"{ENTITY} TOPIC ", f"{ENTITY} {names[0]} ") if len(names) == 1 else problem: names
        for problem, names in found.items()
    }


def kept(config: Mapping[str, str]) -> str:
    """A topic's retention in words."""
    if "compact" in config.get("cleanup.policy", ""):
        return "newest of each key"
    retention = config.get("retention.ms", "")
    if retention == FOREVER:
        return "for ever"
    return f"{int(retention) / 86_400_000:g} days" if retention else "as the broker has it"
