"""``portrait schema``: the contracts as documents that programs of any language read."""

from __future__ import annotations

import sys

import msgspec
import typer

from portrait.dimensions.registry import DIMENSIONS
from schemas.asyncapi import text
from schemas.describe import json_schema
from schemas.outputs import ActionEvent
from schemas.profile import Profile

app = typer.Typer(add_completion=False, no_args_is_help=True, help="The contracts as documents: events, profile, actions.")


@app.command()
def asyncapi() -> None:
    """AsyncAPI 3.0 of all topics that applications write to or read from, as in docs/asyncapi.json."""
    _print(text())


@app.command()
def profile() -> None:
    """JSON Schema of the profile's fields, as Redis holds them."""
    _print(_indented(json_schema(whole_profile())))


@app.command()
def action() -> None:
    """JSON Schema of what is published on retention-actions."""
    _print(_indented(json_schema(ActionEvent)))


def whole_profile() -> type[msgspec.Struct]:
    """The contract with the derived dimensions, which declare their own."""
    derived = [(dimension.name, dimension.contract | None, None) for dimension in DIMENSIONS]
    return msgspec.defstruct(
        "Profile",
        derived,
        bases=(Profile,),
        namespace={"__doc__": Profile.__doc__},
        frozen=True,
        kw_only=True,
        omit_defaults=True,
    )


def _indented(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=1).decode() + "\n"


def _print(document: str) -> None:
    """UTF-8 whatever the terminal says: these are documents."""
    sys.stdout.buffer.write(document.encode())
    sys.stdout.buffer.flush()
