"""``portrait top``: the customers most likely to leave."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from cli import output
from cli.present import STAGES, LangChoice, language_of, plain, risk_bar, risk_text, say, stage_text, top_reason
from profile_store.reader import AsyncProfileReader, Profile
from streams.settings import Settings

#: Who has left can't be lost any more, and who has bought nothing is nobody's loss.
GONE = "churned"
BAR_COLUMNS = 8
ID_COLUMNS_MAX = 24


def command(
    n: Annotated[int, typer.Option("-n", min=1, max=10_000, help="How many.")] = 20,
    stage: Annotated[str | None, typer.Option(help=f"Only those in this stage: {', '.join(STAGES)}.")] = None,
    everybody: Annotated[bool, typer.Option("--all", help="Those who count as churned, too.")] = False,
    lang: Annotated[LangChoice, typer.Option(help="Of the reasons; own: each customer's language.")] = "own",
    json: Annotated[bool, typer.Option("--json", help="JSON on stdout: a list, highest risk first.")] = False,
) -> None:
    """The customers most likely to leave, with their stage and the strongest reason. Who counts as churned is left out.

    \b
    portrait top
    portrait top -n 5 --stage declining --lang en
    portrait top --json | jq -r '.[].id'

    Exit codes: 0 done (also when there is nobody), 2 usage, 3 Redis can't be reached.
    """
    if stage is not None and stage not in STAGES:
        output.fail(f"--stage {stage}: one of {', '.join(STAGES)}", output.USAGE)
    settings = output.settings()
    stages = [stage] if stage else None if everybody else [name for name in STAGES if name != GONE]
    found = output.run(_read(settings, n, stages))
    if json:
        output.write_json([_row(profile) for profile in found])
    elif found:
        output.out.print(table(found, lang))
    else:
        output.err.print("nobody has a churn risk yet: `portrait up` makes some customers, `portrait publish` puts events in")


def reader(settings: Settings) -> AsyncProfileReader:
    """Of the profiles that the settings name. Close it, or use it in ``async with``."""
    key, country = settings.identity_key, settings.country
    return AsyncProfileReader(settings.redis, prefix=settings.prefix, cluster=settings.cluster, identity_key=key, country=country)


async def _read(settings: Settings, n: int, stages: Sequence[str] | None) -> list[Profile]:
    async with reader(settings) as profiles:
        return await riskiest(profiles, n, stages)


async def riskiest(profiles: AsyncProfileReader, n: int, stages: Sequence[str] | None) -> list[Profile]:
    """The ``n`` of highest churn risk, highest first, in these stages (None: whoever has a risk)."""
    if stages is None:
        found = await profiles.top_risk(n)
    else:
        filled = await profiles.stage_counts()
        found = [item for stage in stages if stage in filled for item in await profiles.top_risk(n, stage)]
    best = sorted(dict(found).items(), key=lambda item: (-item[1], item[0]))[:n]
    read = await profiles.get_many([customer_id for customer_id, _ in best])
    return [profile for profile in read if profile is not None]


def table(found: Sequence[Profile], lang: LangChoice, *, header: bool = True) -> Table:
    """A row each: id, risk, stage, strongest reason."""
    grid = Table(box=None, pad_edge=False, expand=True, show_header=header, header_style="bright_black")
    longest = max((len(profile.id) for profile in found), default=0)
    for title, least in (("customer", min(longest, ID_COLUMNS_MAX)), ("risk", BAR_COLUMNS), ("", 4), ("stage", 9)):
        grid.add_column(title, no_wrap=True, min_width=least)
    grid.add_column("why", no_wrap=True, overflow="ellipsis", ratio=1)
    for profile in found:
        why = say(top_reason(profile.dims), lang, language_of(profile.dims))
        risk = profile.churn_risk
        grid.add_row(
            Text(plain(profile.id)), risk_bar(risk, BAR_COLUMNS), risk_text(risk), stage_text(profile.stage), Text(plain(why))
        )
    return grid


def _row(profile: Profile) -> dict[str, object]:
    reasons = (profile.dims.get("risk") or {}).get("reasons", [])
    return {"id": profile.id, "stage": profile.stage, "churn_risk": profile.churn_risk, "reasons": reasons}
