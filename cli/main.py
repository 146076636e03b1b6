"""The command `portrait`. A verb is a module of this package, imported when it is called: the help must be quick."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup


class Verb(NamedTuple):
    """``module`` has an ``app`` (Typer, for verbs with verbs of their own) or a function ``command``."""

    module: str
    help: str
    panel: str


_TRY, _DATA, _SEE, _RUN = "Try it", "Put events in", "See customers", "Run it"

VERBS = {
    "up": Verb("cli.up", "Broker, store, worker and believable events on this machine. Ctrl-C, or --for, ends it.", _TRY),
    "simulate": Verb("cli.simulate", "Publish the events of a seeded population that also churns, with a known truth.", _TRY),
    "replay": Verb("cli.replay", "Publish a data set's events as they happened: online-retail FILE.", _TRY),
    "publish": Verb("cli.publish", "Publish events: a file or pipe of JSON lines, or one event from options.", _DATA),
    "schema": Verb("cli.schema", "The contracts as documents: AsyncAPI of the topics, JSON Schema of profile and action.", _DATA),
    "dlq": Verb("cli.dlq", "Events that could not be folded: list, show, mend and replay them.", _DATA),
    "show": Verb("cli.show", "One customer's profile.", _SEE),
    "watch": Verb("cli.watch", "Stages and risks as they move.", _SEE),
    "top": Verb("cli.top", "The customers most likely to leave.", _SEE),
    "quality": Verb("cli.quality", "How complete, fresh and valid the data are, dimension by dimension.", _SEE),
    "tags": Verb("cli.tags", "Tags: all there are, who has one, and why a customer has it.", _SEE),
    "identity": Verb("cli.identity", "Which ids are one person, why, and what to decide; link and unlink.", _SEE),
    "worker": Verb("cli.worker", "Fold events into profiles: run as many as you like.", _RUN),
    "topics": Verb("cli.topics", "The Kafka topics: create them, list them, why each is kept how long.", _RUN),
    "doctor": Verb("cli.doctor", "What is wrong with my Kafka, Redis, versions, lag, and how to mend it.", _RUN),
    "model": Verb("cli.model", "The churn model's versions: list, show, pin, roll back, learn anew, report.", _RUN),
    "language": Verb("cli.language", "Models of texts: learn from stars and categories, report, adopt.", _RUN),
    "rebuild": Verb("cli.rebuild", "Make profiles anew from the log, live: all, chosen, or broken ones.", _RUN),
    "verify": Verb("cli.verify", "Compare every profile with the log: nothing lost, nothing doubled.", _RUN),
}

_HELP = """Live customer portraits: events in Kafka become scored profiles in Redis.

\b
Examples
  portrait up                      everything on this machine; Ctrl-C ends it
  portrait publish events.jsonl    a CloudEvent a line, with "key"
  portrait publish --key C1 --type rating.given --data '{"stars": 2}'
  portrait show C1 --json          a profile, for a program
  portrait dlq list                what could not be folded, and how to mend it
  portrait doctor                  when something seems wrong

\b
Settings are environment variables, PORTRAIT_KAFKA=127.0.0.1:9092,
PORTRAIT_REDIS=redis://127.0.0.1:6379/0 and so on: portrait worker --help.
PORTRAIT_X_FILE=/run/secrets/x reads PORTRAIT_X from a file.

\b
Exit codes
  0  done
  1  the answer is no: a check failed, lines were refused
  2  arguments or settings can't be used
  3  Kafka or Redis can't be reached
"""


class LazyVerbs(TyperGroup):
    """Lists verbs from the table; imports a verb's module only to run it. A module that is not there is not listed."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [name for name, verb in VERBS.items() if find_spec(verb.module)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """What the listing needs, nothing imported."""
        verb = VERBS.get(cmd_name)
        if verb is None or not find_spec(verb.module):
            return None
        return TyperCommand(cmd_name, help=verb.help, rich_help_panel=verb.panel)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        return name, load_verb(name) if name and command else command, rest


def load_verb(name: str) -> Any:
    """Import the verb's module and make its command."""
    verb = VERBS[name]
    module: Any = import_module(verb.module)
    app = getattr(module, "app", None)
    if app is None:
        app = typer.Typer(add_completion=False, rich_markup_mode="rich")
        app.command(name)(module.command)
    command = typer.main.get_command(app)
    command.name = name
    command.help = command.help or verb.help
    return command


app = typer.Typer(cls=LazyVerbs, help=_HELP, no_args_is_help=True, rich_markup_mode="rich", pretty_exceptions_enable=False)


@app.callback()
def _root() -> None:
    """Makes this a group though no verb is registered yet."""


def main() -> None:
    app(prog_name="portrait")


if __name__ == "__main__":
    main()
