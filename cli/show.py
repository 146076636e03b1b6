"""``portrait show``: one customer, whole."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Container
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import RenderableType

from cli import output
from cli.people import name_of, state_of, state_reader
from cli.present import Lang, language_of, save_picture
from cli.sheet import Sheet
from portrait.state import BrokenState, NewerFormat
from profile_store.reader import Profile
from profile_store.scan import StateReader
from schemas import profile as contract
from schemas.outputs import Action, ActionEvent
from schemas.registry import ACTIONS
from streams import kafka
from streams.settings import Settings

#: Actions lie in Kafka, not in the profile: so long may looking for them take.
ACTIONS_TIMEOUT_S = 3.0
PICTURE_COLUMNS = 120


def command(
    customer_id: Annotated[str, typer.Argument(metavar="ID", help="The customer's id; with --external SYSTEM:ID.")],
    external: Annotated[bool, typer.Option("--external", help="ID is another system's: crm:00042.")] = False,
    field: Annotated[str | None, typer.Option(help="One field of the profile, as JSON: consumption, needs, stage, ...")] = None,
    lang: Annotated[Lang | None, typer.Option(help="Of the words. If not given, the customer's own.")] = None,
    json: Annotated[bool, typer.Option("--json", help="The profile as JSON on stdout: fields as in docs/reading.md.")] = False,
    screenshot: Annotated[Path | None, typer.Option(help="Also as a picture, to this .svg file.")] = None,
) -> None:
    """One customer, whole: who, stage and why, churn risk and why, what to do next, what they buy, look at, say and accept.

    \b
    portrait show C000017
    portrait show C000017 --lang en
    portrait show C000017 --field consumption
    portrait show crm:00040017 --external --json | jq .churn_risk

    Exit codes: 0 shown, 1 nobody has this id (or this field), 2 usage, 3 Redis can't be reached.
    """
    settings = output.settings()
    if not external:
        customer_id = name_of(settings, customer_id)
    as_data = json or field is not None
    profile, actions = output.run(_read(settings, customer_id, external=external, with_actions=not as_data))
    if profile is None:
        output.fail(_nobody(customer_id, external))
    if as_data:
        _write(profile, field)
        return
    output.out.print(_sheet(profile, actions, lang, output.out.width))
    if actions is None:
        output.err.print("[bright_black]Kafka did not answer: what to do next is not shown[/bright_black]")
    if screenshot is not None:
        picture = _sheet(profile, actions, lang, PICTURE_COLUMNS)
        save_picture(picture, screenshot, f"portrait show {profile.id}", PICTURE_COLUMNS)


def _sheet(profile: Profile, actions: list[Action] | None, lang: Lang | None, columns: int) -> RenderableType:
    words, now_ms = lang or language_of(profile.dims), time.time_ns() // 1_000_000
    return Sheet(profile.id, _typed(profile), actions, lang=words, now_ms=now_ms, dims=profile.dims, columns=columns).render()


async def _read(
    settings: Settings, customer_id: str, *, external: bool, with_actions: bool
) -> tuple[Profile | None, list[Action] | None]:
    async with state_reader(settings) as profiles:
        if external:
            system, colon, external_id = customer_id.partition(":")
            if not colon:
                output.fail(f"--external {customer_id}: say SYSTEM:ID, as in crm:00042", output.USAGE)
            profile = await profiles.by_external_id(system, external_id)
        else:
            profile = await profiles.get(customer_id)
        if profile is None or not with_actions:
            return profile, []
        names = await _names(profiles, profile.id)
    try:
        return profile, await asyncio.wait_for(_actions_of(settings, names), ACTIONS_TIMEOUT_S)
    except (kafka.KafkaProblem, TimeoutError):
        return profile, None


async def _names(profiles: StateReader, person: str) -> frozenset[bytes]:
    """Under which actions of theirs were raised: of all that are one person now."""
    try:
        state = await state_of(profiles, person)
    except (BrokenState, NewerFormat):
        state = None
    return frozenset(name.encode() for name in (person, *(state.members if state is not None else ())))


async def _actions_of(settings: Settings, names: Container[bytes]) -> list[Action]:
    """Latest first; each once, though it may have been published twice. Raises KafkaProblem."""
    found: dict[str, Action] = {}
    async for record in kafka.read_topic(settings.kafka, ACTIONS):
        if record.key in names and record.value:
            action = msgspec.json.decode(record.value, type=ActionEvent).data
            found[action.id] = action
    return sorted(found.values(), key=lambda action: action.raised_at_ms, reverse=True)


def _nobody(customer_id: str, external: bool) -> str:
    if external:
        return f"nobody is known by {customer_id}: events of type external-id.assigned tell which id belongs to whom"
    return f"nobody has the id {customer_id}, or their events are not folded yet: `portrait top` names some who are there"


def _fields(profile: Profile) -> dict[str, Any]:
    """As the hash in Redis has them."""
    scalars = {"version": profile.version, "updated_at_ms": profile.updated_at_ms, "stage": profile.stage}
    risk = {} if profile.churn_risk is None else {"churn_risk": profile.churn_risk}
    return {**scalars, **risk, **profile.dims}


def _write(profile: Profile, field: str | None) -> None:
    fields = _fields(profile)
    if field is None:
        output.write_json({"id": profile.id, **fields})
    elif field not in fields:
        output.fail(f"there is no field {field} in this profile; there are: {', '.join(sorted(fields))}")
    elif sys.stdout.isatty():
        output.out.print_json(msgspec.json.encode(fields[field]).decode())
    else:
        output.write_json(fields[field])


def _typed(profile: Profile) -> contract.Profile:
    """Checked against the contract; what another version wrote may not fit it."""
    try:
        return msgspec.convert(_fields(profile), contract.Profile)
    except msgspec.ValidationError as error:
        output.fail(f"this profile does not fit the contract that I know ({error}): upgrade, or see it with --json")
